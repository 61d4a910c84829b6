"""The processes of a training on one machine: the first starts the others, and they end together.

Fabric's own launcher kills all of them with SIGKILL as soon as one has left, which loses what the
first one is saving. Here a thread in each process watches the others: it hears of an error before
that is raised, and of a process that was killed, also where the training itself waits in a
collective that never ends, as NCCL's do.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from midog.devices import is_out_of_memory
from midog.errors import DeviceError, EndedElsewhere, MidogError, TrainingError, clean
from midog.signals import Interrupted
from midog.training.interrupts import RANK
from midog.training.learner import MEETING

logger = logging.getLogger(__name__)

_CHANNEL = "MIDOG_CHANNEL"
GRACE_S = 5.0
"""How long a process may take to leave by itself once another one has failed."""
_POLL_S = 0.1
_RESUME = "the same command resumes from the last checkpoint"
_EXTERNAL = ("MASTER_ADDR", "MASTER_PORT", "WORLD_SIZE")


@dataclass(frozen=True)
class Failure:
    """Why a process leaves: its rank, the exit code of the command, and a line."""

    rank: int
    code: int
    line: str


class Team:
    """Context in which the processes of a training work together.

    An error that leaves it is told to the others first, and is raised as EndedElsewhere in those
    that only follow. One that cannot leave, as it waits for another, is ended after GRACE_S.

    Args:
        fabric: Not launched; it is, when the context is entered.
        devices: Processes on this machine.
        num_nodes: Machines.
    """

    def __init__(self, fabric: Fabric, devices: int, num_nodes: int) -> None:
        self.fabric, self.devices, self.num_nodes = fabric, devices, num_nodes
        self.rank = int(os.environ.get(RANK, 0))
        self.failure: Failure | None = None
        self.before_exit: list[Callable[[], None]] = []
        """Called before a process that waits for another is ended: what must not be lost."""
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._peers: dict[int, socket.socket] = {}
        self._lock = threading.Lock()
        self._announced = False
        self._failed, self._left = threading.Event(), threading.Event()

    def __enter__(self) -> Team:
        if self.devices * self.num_nodes > 1:
            if (number := os.environ.pop(_CHANNEL, None)) is not None:
                self._peers[0] = socket.socket(fileno=int(number))
            elif self._starts_others():
                self._start_others()
        if self._peers:
            threading.Thread(target=self._watch, name="midog-team", daemon=True).start()
        try:
            self._meet()
        except BaseException as error:
            self._leave(error)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._peers:
            self._leave(error)

    def announce(self, error: BaseException) -> None:
        """Tell the others of an error of this process before it is explained and raised."""
        if self._peers:
            self._announced = self._note(Failure(self.rank, 1, _line_of(error)))

    def _meet(self) -> None:
        """Wait for the processes of all machines, and say so.

        Raises:
            DeviceError: Not all of them came in time.
        """
        minutes = MEETING.total_seconds() / 60
        if self.num_nodes > 1:
            logger.info(
                "waiting at most %.3g minutes for the processes of %d machines at %s:%s",
                minutes,
                self.num_nodes,
                os.environ.get("MASTER_ADDR", "?"),
                os.environ.get("MASTER_PORT", "?"),
            )
        try:
            self.fabric.launch()
        except torch.distributed.DistError as error:
            raise DeviceError(
                f"the {self.devices * self.num_nodes} processes did not meet in {minutes:.3g}"
                f" minutes: {str(error).strip().splitlines()[0]}",
                "start the command on every machine, with MASTER_ADDR and MASTER_PORT of the first",
            ) from None

    def _starts_others(self) -> bool:
        """Whether this process is to start the others; no where a cluster has.

        Raises:
            DeviceError: Several machines are named and no cluster started this process.
        """
        environment: Any = getattr(self.fabric.strategy, "cluster_environment", None)
        if not isinstance(environment, LightningEnvironment):
            return False
        external = environment.creates_processes_externally
        if external and all(name in os.environ for name in _EXTERNAL):
            return False
        if self.num_nodes > 1:
            raise DeviceError(
                f"machine.num_nodes is {self.num_nodes}, but no cluster started this process",
                "start it with srun or torchrun on every machine, or use {machine.num_nodes}",
                {"machine.num_nodes": 1},
            )
        return True

    def _start_others(self) -> None:
        """Start the other processes with this one's command, each with a channel to this one."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        common = {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "NODE_RANK": "0",
            "WORLD_SIZE": str(self.devices),
        }
        os.environ.update(common, LOCAL_RANK="0")
        for rank in range(1, self.devices):
            ours, theirs = socket.socketpair()
            own = {"LOCAL_RANK": str(rank), RANK: str(rank), _CHANNEL: str(theirs.fileno())}
            self._children[rank] = subprocess.Popen(
                [sys.executable, *sys.orig_argv[1:]],
                env={**os.environ, **own},
                pass_fds=[theirs.fileno()],
            )
            theirs.close()
            self._peers[rank] = ours

    def _watch(self) -> None:
        """Hear of failures until this process has left."""
        with selectors.DefaultSelector() as selector:
            for rank, peer in self._peers.items():
                selector.register(peer, selectors.EVENT_READ, rank)
            while not self._left.is_set() and not self._failed.is_set():
                ended = [rank for rank, child in self._children.items() if child.poll()]
                # what a process said before it ended comes first
                for key, _ in selector.select(0 if ended else _POLL_S):
                    self._hear(key.data)
                    selector.unregister(self._peers[key.data])
                for rank in ended:
                    self._note(_ended(rank, self.devices, self._children[rank].returncode))
        if not self._left.wait(GRACE_S):
            for action in self.before_exit:
                action()
            if not self._left.wait(GRACE_S):
                self._end()

    def _hear(self, rank: int) -> None:
        """Take the only message of a peer."""
        try:
            text = self._peers[rank].recv(1 << 16)
        except OSError:
            text = b""
        if text.startswith(b"{"):
            self._note(Failure(**json.loads(text)))
        elif not text and self.rank:  # the first process is gone; of a child its exit code is seen
            line = "the first process of the training was killed"
            self._note(Failure(self.rank if self.rank == 1 else 0, 1, line))

    def _note(self, failure: Failure) -> bool:
        """Take up a failure and tell the peers; False where there was one before."""
        with self._lock:
            if self.failure is not None:
                return False
            self.failure = failure
        for peer in self._peers.values():
            try:
                peer.sendall(json.dumps(asdict(failure)).encode())
            except OSError:  # it is gone
                continue
        self._failed.set()
        return True

    def _leave(self, error: BaseException | None) -> None:
        """Say why this process leaves; raise EndedElsewhere where it only follows another."""
        try:
            self._raise_first(error)
        finally:
            self._left.set()
            self._say_bye(patient=error is not None)

    def _raise_first(self, error: BaseException | None) -> None:
        if error is None or self._announced:
            return
        stopped = isinstance(error, KeyboardInterrupt)
        own = isinstance(error, MidogError) and not isinstance(error, EndedElsewhere)
        if not (own or stopped or is_out_of_memory(error)):
            self._failed.wait(GRACE_S / 2)  # it may follow from one that is not heard of yet
        code = 128 + getattr(error, "signum", signal.SIGINT) if stopped else 1
        mine = Failure(self.rank, code, _line_of(error))
        if self._note(mine) or stopped or self.failure is None:
            return
        if self.failure.code > 128:
            raise Interrupted(self.failure.code - 128) from None
        if self.failure.rank == self.rank:  # this process speaks for one that was killed
            raise TrainingError(self.failure.line, _RESUME) from None
        raise EndedElsewhere(self.failure.line) from None

    def _say_bye(self, *, patient: bool) -> None:
        """Let the other processes go; one that does not within some time is killed.

        The one that failed may need longer, to find out what to advise.
        """
        if not patient:
            for peer in self._peers.values():
                try:
                    peer.sendall(b"bye")
                except OSError:
                    continue
            return
        began, failed = time.monotonic(), None if self.failure is None else self.failure.rank
        for rank, child in self._children.items():
            patience_s = GRACE_S * (12 if rank == failed else 3)
            try:
                child.wait(max(0.0, began + patience_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()

    def _end(self) -> None:
        """End this process, which waits for another that has failed."""
        failure = self.failure
        assert failure is not None
        if failure.rank == self.rank:
            cursor = "\x1b[?25h" if sys.stderr.isatty() else ""  # a bar hides it
            kind = "" if failure.code > 128 else "error: "
            os.write(2, f"{cursor}{kind}{failure.line}; {_RESUME}\n".encode())
        for child in self._children.values():
            child.kill()
        os._exit(failure.code)


def _ended(rank: int, processes: int, code: int) -> Failure:
    """The failure of a child that ended without a word, which the first process reports."""
    if code in (128 + signal.SIGINT, 128 + signal.SIGTERM):
        return Failure(0, code, "stopped")
    name = f"process {rank + 1} of {processes}"
    if code > 0:
        return Failure(0, 1, f"{name} of the training ended with exit code {code}")
    return Failure(0, 1, f"{name} of the training was killed by {signal.Signals(-code).name}")


def _line_of(error: BaseException) -> str:
    return clean(str(error)) or type(error).__name__
