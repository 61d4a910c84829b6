"""last.ckpt is whole or the one before, is trusted only as plain values, and brings everything
back."""

from __future__ import annotations

import errno
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from midog.errors import CheckpointError
from midog.files import sweep_parts
from midog.training.checkpoint import (
    TrainingProgress,
    read_checkpoint,
    take_state,
    write_checkpoint,
)
from midog.training.restore import restore


def save_checkpoint(path, progress, net, optimizer, average=None):
    write_checkpoint(path, take_state(progress, net, optimizer, average, {"steps": 3}))


def learner(seed: int = 0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
    net(torch.rand(5, 3)).sum().backward()
    optimizer.step()
    return net, optimizer


def test_everything_comes_back(tmp_path):
    net, optimizer = learner(0)
    progress = TrainingProgress(
        epoch=3,
        batch=2,
        step=17,
        losses={"a": 0.5},
        best_score=0.7,
        score_name="F1",
        best_epoch=1,
        best_value=0.6,
        smoothed_score=0.65,
        averaged_epoch=1,
        stale=1,
    )
    save_checkpoint(tmp_path / "last.ckpt", progress, net, optimizer, None)
    other, its_optimizer = learner(1)
    checkpoint = read_checkpoint(tmp_path / "last.ckpt")
    assert restore(checkpoint, other, its_optimizer, None) == progress
    for ours, theirs in zip(net.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs)
    assert torch.equal(
        optimizer.state[net[0].weight]["exp_avg"], its_optimizer.state[other[0].weight]["exp_avg"]
    )
    assert checkpoint.state["threads"] == torch.get_num_threads()


KILLED = """
import os, signal, sys, torch
from pathlib import Path
from midog.training import checkpoint
net = torch.nn.Linear(500, 500)
optimizer = torch.optim.AdamW(net.parameters())
path = Path(sys.argv[1])
def save(epoch):
    progress = checkpoint.TrainingProgress(epoch=epoch)
    state = checkpoint.take_state(progress, net, optimizer, None, {})
    checkpoint.write_checkpoint(path, state)
save(1)
write = torch.save
def half(state, file):
    class Short:
        left = 400_000
        def write(self, data):
            count = file.write(bytes(data)[: self.left])
            self.left -= count
            if not self.left:
                file.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            return len(data)
        def flush(self):
            file.flush()
    write(state, Short())
torch.save = half
save(2)
"""


def test_a_kill_in_the_middle_of_a_write_leaves_the_one_before(tmp_path):
    path = tmp_path / "last.ckpt"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], check=False, capture_output=True, text=True
    )
    assert done.returncode == -9, done.stderr
    (part,) = tmp_path.glob(".last.ckpt.*.part")
    assert part.stat().st_size == 400_000, "it was in the middle"
    assert read_checkpoint(path).state["progress"]["epoch"] == 1
    net, optimizer = learner()
    save_checkpoint(path, TrainingProgress(epoch=5), net, optimizer, None)
    sweep_parts(tmp_path, alone=True)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


def test_a_full_disk_is_an_error_and_the_old_file_stays(tmp_path, monkeypatch):
    net, optimizer = learner()
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, TrainingProgress(epoch=1), net, optimizer, None)

    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(CheckpointError, match="the disk is full; make room"):
        save_checkpoint(path, TrainingProgress(epoch=2), net, optimizer, None)
    assert read_checkpoint(path).state["progress"]["epoch"] == 1
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("evil"),))


def test_a_pickle_is_not_trusted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"format": 1, "evil": Evil()}, tmp_path / "torch.ckpt")
    (tmp_path / "plain.ckpt").write_bytes(pickle.dumps(Evil()))
    for name in ("torch.ckpt", "plain.ckpt"):
        with pytest.raises(CheckpointError, match=r"put a whole copy of it back, or move .* away"):
            read_checkpoint(tmp_path / name)
    assert not Path("evil").exists()


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "missing", "other"])
def test_a_damaged_file_is_one_line(tmp_path, damage):
    net, optimizer = learner()
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, TrainingProgress(), net, optimizer, None)
    whole = path.read_bytes()
    if damage == "missing":
        path.unlink()
    elif damage == "other":
        torch.save({"weights": 1}, path)
    else:
        path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"hello"}[damage])
    with pytest.raises(CheckpointError, match=r"last\.ckpt") as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"), [("epoch", "x"), ("epoch", -1), ("step", None), ("best_epoch", 99)]
)
def test_a_progress_out_of_range_is_damage(tmp_path, key, value):
    net, optimizer = learner()
    save_checkpoint(tmp_path / "last.ckpt", TrainingProgress(epoch=3), net, optimizer, None)
    checkpoint = read_checkpoint(tmp_path / "last.ckpt")
    checkpoint.state["progress"][key] = value
    with pytest.raises(CheckpointError, match=r"last\.ckpt does not fit"):
        restore(checkpoint, net, optimizer, None)


def test_a_checkpoint_of_another_model_is_named(tmp_path):
    net, optimizer = learner()
    save_checkpoint(tmp_path / "last.ckpt", TrainingProgress(), net, optimizer, None)
    other = nn.Linear(2, 2)
    with pytest.raises(CheckpointError, match="does not fit this model"):
        restore(
            read_checkpoint(tmp_path / "last.ckpt"),
            other,
            torch.optim.SGD(other.parameters()),
            None,
        )


def test_the_summary_has_the_best_score_with_its_name_and_null_without_one():
    none = {
        "epoch": 0,
        "step": 0,
        "skipped": 0,
        "finished": False,
        "best_score": None,
        "score_name": None,
    }
    assert TrainingProgress().summary() == none | {"best_epoch": 0}
    best = TrainingProgress(best_score=0.5, score_name="F1", best_epoch=2).summary()
    assert (best["best_score"], best["score_name"], best["best_epoch"]) == (0.5, "F1", 3)


@pytest.mark.parametrize("part", [0.3, 0.5, 0.9])
def test_a_changed_bit_in_the_weights_is_seen(tmp_path, part):
    net = nn.Linear(300, 300)
    path = tmp_path / "last.ckpt"
    save_checkpoint(path, TrainingProgress(), net, torch.optim.SGD(net.parameters()))
    content = bytearray(path.read_bytes())
    content[int(len(content) * part)] ^= 4
    path.write_bytes(content)
    assert torch.load(path, weights_only=True)["model"].keys() == net.state_dict().keys()
    with pytest.raises(CheckpointError, match="its checksums do not fit its content"):
        read_checkpoint(path)
