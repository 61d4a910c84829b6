"""`midog train` as typed: what it prints where, and that it resumes after any kind of end."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from midog.models.registry import BACKBONES
from midog.training.runs import list_runs
from tests.processes import start, wait_for
from tests.spoiled import BAD_DATA, TINY, copy, one_line, settings

KILLED = [*TINY, "train.epochs=4", "train.validate_every=4", "train.save_minutes=0"]


def test_a_dry_run_prints_and_makes_nothing(midog, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = midog("train", "--dry-run", *settings(tiny))
    assert ran.code == 0
    assert "backbone: {kind: resnet18, unfrozen_layers: 5}" in ran.out
    assert "patches per epoch: 12" in ran.out
    assert list(tmp_path.iterdir()) == []


def test_short_options_reach_the_config(midog, phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = midog(
        "train",
        "--config",
        "small",
        "--data",
        phantom,
        "--epochs",
        7,
        "--seed",
        5,
        "--device",
        "cpu",
        "--dry-run",
    )
    assert "epochs: 7" in ran.out
    assert "seed: 5" in ran.out
    assert "device: cpu" in ran.out


@pytest.mark.parametrize(
    ("spoil", "says", "also"), BAD_DATA, ids=[each[0].__name__ for each in BAD_DATA]
)
def test_bad_data_gets_one_line_before_a_run_is_made(
    midog, phantom, tiny, tmp_path, monkeypatch, spoil, says, also
):
    monkeypatch.chdir(tmp_path)
    spoil(copy(phantom, tmp_path / "data"))
    line = one_line(midog("train", *settings(tiny), "--data", "data"))
    assert all(part in line for part in (says, *also)), line
    assert list_runs(tmp_path / "runs") == [], "nothing half-made"


def test_weights_that_cannot_be_fetched_say_which_file_to_put_where(
    midog, phantom, tiny, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    entry = BACKBONES["resnet18"]
    refused = "http://127.0.0.1:9/" + Path(entry.imagenet).name
    monkeypatch.setitem(BACKBONES, "resnet18", replace(entry, imagenet=refused))
    words = settings([each for each in tiny if each != "model.weights=none"])
    line = one_line(midog("train", *words, "--set", "model.weights=imagenet"))
    assert str(tmp_path / "torch") in line
    assert ".pth" in line


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_save_and_tell_how_to_resume(phantom, tiny, tmp_path, signum, code):
    words = ["train", "--runs", "runs", "--name", "a", *settings(tiny), "--epochs", 2000]
    process = start(*words, cwd=tmp_path)
    metrics = tmp_path / "runs" / "a" / "metrics.csv"
    wait_for(metrics.is_file, process)
    process.send_signal(signum)
    _, err = process.communicate()
    assert process.returncode == code
    assert "stopped; the same command resumes from what is saved" in err
    assert "Traceback" not in err
    assert (tmp_path / "runs" / "a" / "last.ckpt").is_file()


def test_two_ranks_train_as_one_and_only_the_first_speaks(phantom, tmp_path):
    words = [
        "train",
        *settings(KILLED),
        "--data",
        phantom,
        "--name",
        "a",
        "--epochs",
        1,
        "--set",
        "machine.devices=2",
    ]
    process = start(*words, cwd=tmp_path)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert out.split() == ["runs/a/best"]
    assert err.count("epoch 1/1") == err.count("new run") == 1
    process = start(*words, cwd=tmp_path)
    _, err = process.communicate()
    assert process.returncode == 1
    assert [line for line in err.splitlines() if "error" in line] == [
        "error: run a is finished; choose another --name, --fresh to set it aside, or train it"
        " longer with --resume-with train.epochs=2"
    ]


@pytest.fixture(scope="module")
def whole(phantom, tmp_path_factory) -> Path:
    """The checkpoint of a run that nobody killed."""
    folder = tmp_path_factory.mktemp("whole")
    assert (
        start("train", *settings(KILLED), "--data", phantom, "--name", "a", cwd=folder).wait() == 0
    )
    return folder / "runs" / "a" / "last.ckpt"


@pytest.mark.parametrize("moment", ["config.yaml", "last.ckpt", ".last.ckpt.*.part"])
def test_kill_9_at_any_moment_resumes_to_the_same_weights(whole, phantom, tmp_path, moment):
    """Killed in the first epoch, after a checkpoint, and in the middle of writing one."""
    words = ["train", *settings(KILLED), "--data", phantom, "--name", "a"]
    process = start(*words, cwd=tmp_path)
    wait_for(lambda: any((tmp_path / "runs" / "a").glob(moment)), process)
    process.kill()
    process.communicate()
    assert start(*words, cwd=tmp_path).wait() == 0
    unbroken, broken = (
        torch.load(path, weights_only=True)["model"]
        for path in (whole, tmp_path / "runs" / "a" / "last.ckpt")
    )
    assert all(torch.equal(unbroken[key], broken[key]) for key in unbroken)
