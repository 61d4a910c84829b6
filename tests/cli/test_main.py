"""The real command line: what it prints where, its exit codes, and the line that each kind of bad
input gets."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from midog.cli import main as cli
from midog.training.runs import list_runs
from tests.processes import start, wait_for
from tests.spoiled import BAD_DATA, TINY, copy, one_line, settings

KILLED = [*TINY, "train.epochs=4", "train.validate_every=4"]


def test_help_names_every_command(midog):
    ran = midog("--help")
    assert ran.code == 0
    for command in (
        "demo",
        "train",
        "infer",
        "evaluate",
        "compare",
        "tune",
        "data",
        "splits",
        "shift",
    ):
        assert command in ran.out
    assert "Not for diagnosis" in ran.out


@pytest.mark.parametrize(
    "command",
    [
        *(
            "demo",
            "train",
            "infer",
            "evaluate",
            "compare",
            "tune",
            "data draw",
            "data download",
            "data check",
        ),
        *("splits make", "splits check"),
    ],
)
def test_every_command_has_help(midog, command):
    ran = midog(*command.split(), "--help")
    assert ran.code == 0
    assert "Usage: midog" in ran.out


def test_version(midog):
    assert midog("--version").out.startswith("midog 0.")


@pytest.mark.parametrize(
    "arguments", ["trian", "train --epoch", "train --epochs none", "infer", "data download midog22"]
)
def test_a_wrong_command_line_exits_with_2(midog, arguments):
    assert midog(*arguments.split()).code == 2


def test_a_user_gets_from_a_folder_to_an_f1_per_scanner(
    midog, phantom, tiny, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert midog("data", "check", phantom).code == 0
    ran = midog("train", *settings(tiny), "--set", "train.epochs=1")
    assert ran.code == 0
    assert Path(ran.out.strip()).name == "best", "the model is the result, on stdout"
    assert "epoch 1/1" in ran.err
    ran = midog(
        "infer",
        phantom,
        "--subset",
        "test",
        "--format",
        "challenge,csv,coco,overlay",
        "--device",
        "cpu",
    )
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 4
    again = midog(
        "infer",
        phantom,
        "--subset",
        "test",
        "--format",
        "challenge,csv,coco,overlay",
        "--device",
        "cpu",
    )
    assert "4 were done before" in again.err
    ran = midog("evaluate", "detections", "--data", phantom)
    assert ran.code == 0
    assert [line.split("  ")[0] for line in ran.out.splitlines()] == [
        "group",
        "all",
        "Phantom A",
        "Phantom B",
        "Phantom C",
    ]
    tree = json.loads(midog("evaluate", "detections", "--data", phantom, "--json").out)
    assert tree["threshold"] is None
    assert set(tree["groups"]) == {"all", "Phantom A", "Phantom B", "Phantom C"}
    assert {"tp", "fp", "fn", "precision", "recall", "f1", "ap50"} <= set(tree["groups"]["all"])
    low = json.loads(
        midog("evaluate", "detections", "--data", phantom, "--json", "--threshold", 0.05).out
    )
    assert low["groups"]["all"]["tp"] >= tree["groups"]["all"]["tp"]


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


BAD_COMMANDS = [
    (["train", "--config", "smal"], "no config file smal"),
    (["train", "--set", "train.epoch=3"], "did you mean train.epochs?"),
    (["train", "--set", "train.lr=-1"], "train.lr is -1"),
    (["train", "--set", "epochs"], "is not key=value"),
    (["train", "--split", "midog22"], "midog22"),
    (["train", "--device", "cuda:9"], "cuda:9"),
    (["train", "--name", "a/b"], "run name 'a/b'"),
    (["train", "--set", "model.weights=missing.pth"], "missing.pth"),
    (["infer", "none.tiff"], "none.tiff does not exist"),
    (["infer", "data", "--subset", "tset"], "'tset' is no part of a split"),
    (["infer", "data", "--format", "xml"], "unknown format xml"),
    (["infer", "data"], "no trained model"),
    (["infer", "data", "--model", "nowhere"], "nowhere"),
    (["data", "draw", "data"], "not empty"),
    (["splits", "make", "--data", "data", "--out", "data/split.csv"], "--overwrite"),
]


@pytest.mark.parametrize(
    ("arguments", "says"), BAD_COMMANDS, ids=[" ".join(each[0]) for each in BAD_COMMANDS]
)
def test_a_bad_argument_gets_one_line(midog, phantom, tiny, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    copy(phantom, tmp_path / "data")
    before = sorted(path for path in tmp_path.rglob("*"))
    said = {"machine.device=cpu": "--device", "model.weights=none": "model.weights=missing.pth"}
    extra = (
        settings([each for each in tiny if said.get(each) not in arguments])
        if arguments[0] == "train"
        else []
    )
    line = one_line(midog(arguments[0], *extra, *arguments[1:]))
    assert says in line
    after = sorted(
        path for path in tmp_path.rglob("*") if "runs" not in path.relative_to(tmp_path).parts
    )
    assert after == before


def test_weights_that_cannot_be_fetched_say_which_file_to_put_where(
    midog, phantom, tiny, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    from midog.models.registry import BACKBONES

    entry = BACKBONES["resnet18"]
    refused = "http://127.0.0.1:9/" + Path(entry.imagenet).name
    monkeypatch.setitem(BACKBONES, "resnet18", replace(entry, imagenet=refused))
    words = settings([each for each in tiny if each != "model.weights=none"])
    line = one_line(midog("train", *words, "--set", "model.weights=imagenet"))
    assert str(tmp_path / "torch") in line
    assert ".pth" in line


def test_a_bad_model_folder_gets_one_line(midog, model, phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, spoil in {
        "corrupt": lambda folder: (folder / "model.safetensors").write_bytes(b"\0" * 100),
        "pickled": lambda folder: torch.save({}, folder / "model.safetensors"),
        "card": lambda folder: (folder / "model.json").write_text("{}"),
    }.items():
        shutil.copytree(model / "best", tmp_path / name)
        spoil(tmp_path / name)
        assert name in one_line(
            midog("infer", phantom, "--subset", "test", "--model", name, "--device", "cpu")
        )
    assert not (tmp_path / "detections").exists()


def test_in_a_batch_one_bad_image_is_reported_at_the_end_and_the_others_are_done(
    midog, model, phantom, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    images = copy(phantom / "images", tmp_path / "rois")
    (images / "002.tiff").write_bytes(b"no image")
    Image.new("RGB", (80, 80)).save(images / "plain.png")
    ran = midog("infer", images, "--model", model, "--device", "cpu")
    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith("error: 2 of 11 images failed: 002.tiff, plain.png")
    assert "--mpp" in ran.err
    assert len(list((tmp_path / "detections").glob("0*.json"))) == 9


def test_our_own_mistake_is_one_line_and_debug_shows_it(midog, monkeypatch):
    def broken(*_: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("midog.config.load.load_config", broken)
    line = one_line(midog("train"))
    assert "unexpected RuntimeError: two lines (--debug" in line
    monkeypatch.setattr(sys, "argv", ["midog", "train", "--debug"])
    with pytest.raises(RuntimeError):
        cli.main()


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_save_and_say_how_to_go_on(phantom, tiny, tmp_path, signum, code):
    words = ["train", "--runs", "runs", "--name", "a", *settings(tiny), "--epochs", 2000]
    process = start(*words, cwd=tmp_path)
    metrics = tmp_path / "runs" / "a" / "metrics.csv"
    wait_for(metrics.is_file, process)
    process.send_signal(signum)
    _, err = process.communicate()
    assert process.returncode == code
    assert "stopped; the same command goes on from what is saved" in err
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
        "error: run a is finished; choose another --name, or --fresh to set it aside"
    ]


@pytest.fixture(scope="module")
def whole(phantom, tmp_path_factory) -> Path:
    """The checkpoint of a run that nobody killed."""
    folder = tmp_path_factory.mktemp("whole")
    assert (
        start("train", *settings(KILLED), "--data", phantom, "--name", "a", cwd=folder).wait() == 0
    )
    return folder / "runs" / "a" / "last.ckpt"


@pytest.mark.parametrize("moment", ["config.yaml", "last.ckpt", ".last.ckpt.part"])
def test_kill_9_at_any_moment_goes_on_to_the_same_weights(whole, phantom, tmp_path, moment):
    """Killed in the first epoch, after a checkpoint, and in the middle of writing one."""
    words = ["train", *settings(KILLED), "--data", phantom, "--name", "a"]
    process = start(*words, cwd=tmp_path)
    wait_for((tmp_path / "runs" / "a" / moment).exists, process)
    process.kill()
    process.communicate()
    assert start(*words, cwd=tmp_path).wait() == 0
    unbroken, broken = (
        torch.load(path, weights_only=True)["model"]
        for path in (whole, tmp_path / "runs" / "a" / "last.ckpt")
    )
    assert all(torch.equal(unbroken[key], broken[key]) for key in unbroken)
