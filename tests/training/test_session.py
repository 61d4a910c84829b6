"""How a failure of a training is explained, and that a setting that never runs leaves no run."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
import torch

from midog.config.load import load_config
from midog.devices import repeatable
from midog.errors import CheckpointError
from midog.training.checkpoint import Checkpoint
from midog.training.identity import Identity
from midog.training.resume import make_run, unmake_run
from midog.training.session import failure_of, restore_task
from tests.training.line_task import LineTask

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (MemoryError(), "cpu is out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "cpu is out of memory"),
        (torch.AcceleratorError("CUDA error: device-side assert\nmore"), "cpu failed: CUDA error"),
    ],
)
def test_memory_and_devices_are_explained(error, says):
    assert str(failure_of(error, CPU)).startswith(says)


def test_an_operation_that_never_repeats_is_named_with_the_setting():
    with repeatable(True), pytest.raises(RuntimeError) as caught:
        torch.zeros(4).put_(torch.tensor([1]), torch.ones(1))
    assert str(failure_of(caught.value, CPU)) == (
        "train.deterministic is true, and put_ has no version on cpu that repeats;"
        " use train.deterministic=false"
    )


def test_other_errors_are_not():
    assert failure_of(ValueError("x"), CPU) is None


@pytest.fixture
def two_runs(tmp_path):
    identity = Identity(load_config(None, []), "d1")
    with ExitStack() as stack:
        return [make_run(tmp_path, identity, name=name, stack=stack) for name in ("a", "b")]


def test_a_run_that_was_never_saved_is_deleted_and_latest_is_the_one_before(two_runs, tmp_path):
    unmake_run(two_runs[1])
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a", "latest"]
    assert (tmp_path / "latest").resolve() == (tmp_path / "a").resolve()
    unmake_run(two_runs[0])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["last.ckpt", "metrics.csv", "nonfinite.json"])
def test_a_run_that_holds_anything_stays(two_runs, name):
    Path(two_runs[1].folder, name).write_text("x")
    unmake_run(two_runs[1])
    assert two_runs[1].folder.is_dir()


class Remembers(LineTask):
    """A task with a state."""

    state: dict[str, torch.Tensor] | None = None

    def between_epochs(self, epoch, network, fabric, check):
        return {}

    def state_dict(self):
        return self.state or {}

    def load_state_dict(self, state):
        if "of others" in state:
            raise ValueError("it is of other ROIs")
        self.state = dict(state)


def test_a_task_comes_to_what_it_remembered():
    path, task = Path("last.ckpt"), Remembers()
    restore_task(task, Checkpoint(path, {"task": {"a": torch.ones(1)}}))
    assert task.state is not None
    assert list(task.state) == ["a"]
    restore_task(task, Checkpoint(path, {}))  # as checkpoints were before
    assert task.state == {}
    restore_task(LineTask(), Checkpoint(path, {"task": {"a": 1}}))
    for wrong, says in (({"of others": 1}, "it is of other ROIs"), ([1], "its task is list")):
        with pytest.raises(CheckpointError, match=f"last.ckpt does not fit these data: {says}"):
            restore_task(task, Checkpoint(path, {"task": wrong}))
