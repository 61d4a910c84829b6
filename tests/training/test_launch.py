"""Two processes end together: with one line, the right exit code, and what was saved on disk."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import midog
from midog.training.checkpoint import read_checkpoint
from midog.training.log import read_metrics
from midog.training.runs import read_state
from tests.processes import wait_for

ROOT = Path(midog.__file__).parents[1]
SETTINGS = """task.kind=line machine.device=cpu machine.devices=2 train.validate_every=1000
train.epochs=100000 machine.precision=32-true train.max_skipped=2"""

pytestmark = pytest.mark.slow


def start(fault: str, folder: Path, *more: str) -> subprocess.Popen[str]:
    words = [word for setting in (*SETTINGS.split(), *more) for word in ("--set", setting)]
    script = str(ROOT / "tests" / "training" / "two_ranks.py")
    return subprocess.Popen(
        [sys.executable, script, fault, "train", "--runs", str(folder), "--name", "a", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def under_way(process: subprocess.Popen[str], folder: Path) -> int:
    """Wait until epochs are trained; return the id of the second process."""
    wait_for(lambda: len(read_metrics(folder / "a" / "metrics.csv")) > 1, process)
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(child)


def ended(process: subprocess.Popen[str]) -> list[str]:
    """The lines that it printed."""
    _, err = process.communicate()
    return [line for line in re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]", "", err).splitlines() if line]


def errors(lines: list[str]) -> list[str]:
    assert not [line for line in lines if "Traceback" in line], lines
    return [line for line in lines if line.startswith("error: ")]


def saved_epoch(folder: Path) -> int:
    progress = read_checkpoint(folder / "a" / "last.ckpt").state["progress"]
    assert read_state(folder / "a")["epoch"] == progress["epoch"]
    return progress["epoch"]


def test_ctrl_c_during_a_slow_save_saves_before_any_process_leaves(tmp_path):
    process = start("slow", tmp_path)
    child = under_way(process, tmp_path)
    for pid in (process.pid, child):  # as a terminal does
        os.kill(pid, signal.SIGINT)
    lines = ended(process)
    assert process.returncode == 130, lines
    assert lines[-1] == "stopped; the same command resumes from what is saved"
    assert [line for line in lines if "stop" in line][:1] == [
        "stopping once everything is saved; interrupt again to stop at once"
    ]
    assert lines.count("saved") == 1
    assert saved_epoch(tmp_path) >= 2


@pytest.mark.parametrize("which", [0, 1])
def test_sigterm_to_either_process_saves_and_ends_both(tmp_path, which):
    process = start("none", tmp_path)
    pids = [process.pid, under_way(process, tmp_path)]
    os.kill(pids[which], signal.SIGTERM)
    lines = ended(process)
    assert process.returncode == 143, lines
    assert errors(lines) == []
    assert lines[-1] == "stopped; the same command resumes from what is saved"
    assert saved_epoch(tmp_path) >= 2


@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("memory", "train.batch_size 16 does not fit into the memory of cpu; use --resume-with"),
        ("device", "cpu failed: CUDA error: unspecified launch failure; start again"),
        ("nan", "the loss is not finite in epoch 3, batch 1"),
    ],
)
def test_an_error_of_either_process_is_printed_once_and_ends_both(tmp_path, fault, says, rank):
    process = start(f"{fault}:{rank}", tmp_path, "train.save_minutes=0")
    lines = ended(process)
    assert process.returncode == 1
    (line,) = errors(lines)
    assert line.startswith(f"error: {says}")
    assert saved_epoch(tmp_path) == 2


@pytest.mark.parametrize("fault", ["none", "hang:0", "hang:1"])
@pytest.mark.parametrize("which", [0, 1])
def test_sigkill_of_either_process_ends_the_other_with_a_line(tmp_path, fault, which):
    process = start(fault, tmp_path, "train.save_minutes=0")
    pids = [process.pid, under_way(process, tmp_path)]
    if fault != "none":
        time.sleep(1)
    os.kill(pids[which], signal.SIGKILL)
    lines = ended(process)
    assert process.returncode == (1 if which else -signal.SIGKILL)
    name = "process 2 of 2 of the training" if which else "the first process of the training"
    how = " by SIGKILL" if which else ""
    assert errors(lines) == [
        f"error: {name} was killed{how}; the same command resumes from the last checkpoint"
    ]
    # state.json may be one save behind
    assert read_checkpoint(tmp_path / "a" / "last.ckpt").state["progress"]["epoch"] >= 1


def test_several_machines_without_a_cluster_are_an_error_at_once(tmp_path):
    process = start("none", tmp_path, "machine.num_nodes=3")
    lines = ended(process)
    (line,) = errors(lines)
    assert "machine.num_nodes is 3, but no cluster started this process" in line


ALONE = """
import logging, sys
from datetime import timedelta
from midog.config.schema import MachineSettings
from midog.errors import DeviceError
from midog.training import launch, learner
logging.basicConfig(format="%(message)s", level=logging.INFO)
launch.MEETING = learner.MEETING = timedelta(seconds=3)
machine = MachineSettings(device="cpu", num_nodes=2, precision="32-true")
try:
    with launch.Team(learner.make_fabric(machine), 1, 2):
        pass
except DeviceError as error:
    print(error)
"""


def test_a_machine_that_waits_for_others_says_so_and_for_how_long():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    cluster = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2"}
    cluster |= {"LOCAL_RANK": "0", "NODE_RANK": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", ALONE],
        env={**os.environ, **cluster},
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"for the processes of 2 machines at 127.0.0.1:{port}" in done.stderr
    assert done.stdout.startswith("the 2 processes did not meet in 0.05 minutes: ")
    assert "start the command on every machine" in done.stdout
