"""Workers on the nodes of a Ray cluster, one per GPU, or one per so many threads of a CPU."""

from __future__ import annotations

import importlib
import io
import logging
import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import replace
from typing import Any

from midog.errors import DeviceError, MidogError
from midog.inference.jobs import Job
from midog.inference.order import Order
from midog.inference.outcome import Outcome
from midog.progress import OnImage
from midog.scale.pool import Event, do_all
from midog.scale.worker import Setting, Worker
from midog.signals import STOPS

logger = logging.getLogger(__name__)

_STORE_BYTES = 128 * 2**20  # results are small; Ray would take 30 % of the memory


def infer_on_ray(
    order: Order,
    jobs: Sequence[Job],
    *,
    address: str | None = None,
    on_image: OnImage | None = None,
) -> Outcome:
    """Detect in images on a Ray cluster; the files are those that one process writes.

    Every worker loads the detector once and does one image after the other. What is done is told by
    the folder of detections, as for processes on one machine. What is printed on stdout meanwhile
    is Ray's, and is logged for debugging.

    Args:
        order: What is asked for; its device is auto (GPUs if the cluster has any), cuda or cpu.
        jobs: Those of its images that are to be done now.
        address: Of a cluster ("auto", "10.0.0.1:6379"); None: one of this machine alone, which ends
            with the work.
        on_image: Called after each image.

    Raises:
        MidogError: Ray is not installed, there is no cluster at the address, or as `do_all`.
        DeviceError: No node has what a worker needs, or one ran out of memory.
        DetectionsError: As of `Work.open`.
    """
    ray, setting = require_ray(), Setting.here()
    with redirect_stdout(_Printed()), _connected(ray, address):
        needs = _needs(ray, order.choice.device, setting.threads)
        device = "cuda" if "GPU" in needs else "cpu"
        sent = replace(order, choice=replace(order.choice, device=device))
        cluster = RayCluster(ray, needs, (sent, jobs, setting))
        try:
            return do_all(cluster, [job.name for job in jobs], on_image)
        finally:
            cluster.close()


def require_ray() -> Any:
    """Import Ray. Clusters that it starts here report nothing to its makers, and their workers have
    the priority of any process.

    Raises:
        MidogError: It is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_worker_niceness", "0")  # 15: beside other work they stand still
    try:
        with _own_signals():
            return importlib.import_module("ray")
    except ImportError:
        what = "--engine ray needs Ray, which is not installed"
        raise MidogError(what, "pip install 'midog[scale]'") from None


class RayCluster:
    """The workers of a Ray cluster; see `midog.scale.pool.Cluster`.

    Args:
        ray: The module, connected.
        needs: What one worker needs, by Ray's name of it (CPU, GPU).
        told: What a worker is prepared with, see `Worker.prepare`.
    """

    def __init__(
        self, ray: Any, needs: Mapping[str, int], told: tuple[Order, Any, Setting]
    ) -> None:
        self._ray, self._needs = ray, needs
        self._told = [ray.put(value) for value in told]
        self._actor = ray.remote(Worker).options(
            num_cpus=needs["CPU"],
            num_gpus=needs.get("GPU", 0),
            max_restarts=0,  # lost work is handed out anew by the pool
            scheduling_strategy="SPREAD",
        )
        self._actors: list[Any] = []
        self._calls: dict[Any, int] = {}

    def capacity(self) -> int:
        """How many workers the nodes that live have room for."""
        return sum(_room(node, self._needs) for node in _nodes(self._ray))

    def start(self) -> int:
        """Begin a worker and return its number."""
        actor = self._actor.remote()
        self._actors.append(actor)
        number = len(self._actors) - 1
        self._calls[actor.prepare.remote(*self._told)] = number
        return number

    def ask(self, worker: int, image: int | None) -> None:
        """Tell a worker to do an image; None: only to answer."""
        actor = self._actors[worker]
        call = actor.check.remote() if image is None else actor.do.remote(image)
        self._calls[call] = worker

    def wait(self, seconds: float) -> list[Event]:
        """Wait at most so long for an answer, or the news that a worker is lost."""
        if not self._calls:
            time.sleep(seconds)
            return []
        ready, _ = self._ray.wait(list(self._calls), timeout=seconds)
        return [Event(self._calls.pop(call), self._answer(call)) for call in ready]

    def end(self, worker: int) -> None:
        """End a worker, if it still lives."""
        with suppress(Exception):
            self._ray.kill(self._actors[worker])

    def close(self) -> None:
        """End all workers."""
        for worker in range(len(self._actors)):
            self.end(worker)

    def _answer(self, call: Any) -> Any:
        errors = self._ray.exceptions
        try:
            return self._ray.get(call)
        except errors.RayTaskError:  # our own mistake
            raise
        except errors.RayError:
            return None


@contextmanager
def _connected(ray: Any, address: str | None) -> Iterator[None]:
    """Connect to a cluster, or start one of this machine that ends with the block."""
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if address is None:
        own = {"include_dashboard": False, "object_store_memory": _STORE_BYTES}
        options |= own
    try:
        with _own_signals():
            ray.init(address or "local", **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        where = f"at {address}" if address else "of this machine"
        raise MidogError(
            f"no Ray cluster {where}: {error}",
            "start one by `ray start --head` and give its {address}",
            {"address": None},
        ) from None
    try:
        yield
    finally:
        with _own_signals():
            ray.shutdown()


class _Printed(io.TextIOBase):
    """Takes what Ray prints on stdout, where results go: a node's last words fill a screen."""

    def write(self, text: str) -> int:
        if text.strip():
            logger.debug("Ray: %s", text.strip())
        return len(text)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Keep the handlers of stops, which Ray replaces."""
    before = {stop: signal.getsignal(stop) for stop in STOPS}
    try:
        yield
    finally:
        for stop, handler in before.items():
            with suppress(ValueError, TypeError):  # not the main thread; one that is not Python's
                signal.signal(stop, handler)


def _needs(ray: Any, device: str, threads: int) -> dict[str, int]:
    """What one worker needs of a node.

    Raises:
        DeviceError: No node has it, or the device is none that Ray hands out.
    """
    if device not in ("auto", "cuda", "cpu"):
        what = f"Ray chooses among a node's devices: {device} cannot be asked for"
        raise DeviceError(what, "use auto, cuda or cpu")
    nodes = _nodes(ray)
    has_gpus = any(_room(node, {"GPU": 1}) for node in nodes)
    if device == "cuda" and not has_gpus:
        raise DeviceError("no node of the Ray cluster has a GPU", settings={"device": "cpu"})
    needs = {"CPU": 1, "GPU": 1} if has_gpus and device != "cpu" else {"CPU": threads}
    rooms = [_room(node, needs) for node in nodes]
    if not any(rooms):
        most = max((int(node["Resources"].get("CPU", 0)) for node in nodes), default=0)
        raise DeviceError(
            f"a worker computes with {threads} threads, as this process would, and no node of the"
            f" Ray cluster has so many CPUs; the most is {most}",
            f"set OMP_NUM_THREADS={max(1, most)}",
        )
    idle = rooms.count(0)
    each_has = "a GPU" if "GPU" in needs else f"{threads} CPU threads"
    logger.info("Ray: %d workers with %s on %d nodes", sum(rooms), each_has, len(rooms) - idle)
    if idle:
        logger.warning("Ray: %d nodes have no room for a worker and are not used", idle)
    return needs


def _nodes(ray: Any) -> list[Any]:
    return [node for node in ray.nodes() if node["Alive"]]


def _room(node: Any, needs: Mapping[str, int]) -> int:
    """How many workers a node has room for."""
    return min(int(node["Resources"].get(name, 0) // number) for name, number in needs.items())
