"""A second look from the command line: candidates, training, detection, scores; and its resume."""

from __future__ import annotations

import json
import os
import shutil
import signal
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from midog.config.load import load_config
from midog.data.candidates import read_candidates
from midog.training.log import read_metrics
from midog.training.runs import read_state
from midog.training.tasks import crop_task
from midog.training.tasks.verify import VerifyTask
from midog.training.tasks.verify_data import read_verify_data
from tests.planted import SETTINGS, save_detector
from tests.spoiled import one_line, settings

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("dark_spots")]


def test_look_alikes_are_found_out_of_fold_and_removed(midog, planted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = planted / "data"
    folds = [
        save_detector(tmp_path / "a", ["001.tiff", "002.tiff"]),
        save_detector(tmp_path / "b", ["003.tiff", "004.tiff"], weight=0.5),
    ]
    models = [word for folder in folds for word in ("--model", folder)]
    ran = midog("alarms", "--data", data, *models, "--out", "c.csv")
    assert ran.code == 0, ran.err
    assert "24 detections: 12 of figures, 12 false alarms, 12 of these out of fold" in ran.err
    assert {one.file_name for one in read_candidates(tmp_path / "c.csv")} == {
        f"{number:03d}.tiff" for number in range(1, 5)
    }
    words = ["--detector", planted / "detector", "--candidates", "c.csv", *settings(SETTINGS)]
    ran = midog("train", "--task", "verify", "--data", data, "--name", "v", *words)
    assert ran.code == 0, ran.err
    assert "detector alone F1 0.667" in ran.err
    ran = midog("infer", data, "--subset", "test", "--verifier", "runs/v", "--out", "second")
    assert ran.code == 0, ran.err
    assert f"model {planted / 'detector'}, verifier runs/v, threshold 0." in ran.err
    assert "second look: 12 crops in" in ran.err
    scores = {}
    midog("infer", data, "--subset", "test", "--model", planted / "detector", "--out", "first")
    for out in ("first", "second"):
        table = midog("evaluate", out, "--data", data, "--resamples", 0).out.splitlines()
        scores[out] = dict(zip(table[0].split(), table[1].split(), strict=False))
    counts = [[scores[out][name] for name in ("TP", "FP", "FN")] for out in ("first", "second")]
    assert counts == [["6", "6", "0"], ["6", "0", "0"]]


def test_its_run_and_model_folder_say_what_it_is(planted):
    card = json.loads((planted / "verifier" / "best" / "model.json").read_text())
    assert card["task"] == "verify"
    assert card["rule"].keys() == {"bias", "detector", "verifier"}
    assert card["rule"]["verifier"] > 0
    assert card["config"]["task"]["body"] == "own"
    assert len(card["detector"]) == 16
    rows = read_metrics(planted / "verifier" / "metrics.csv")
    assert {"val/auc", "val/f1_detector_alone", "val/rule_verifier"} <= rows[-1].keys()
    assert float(rows[-1]["val/auc"]) == 1
    assert read_state(planted / "verifier")["best_score"] == 1


def test_it_resumes_to_the_same_weights_and_rule(midog, planted, tmp_path, monkeypatch):
    losses, calls = VerifyTask.losses, []
    words = [
        "--data",
        planted / "data",
        "--detector",
        planted / "detector",
        "--candidates",
        planted / "alarms.csv",
        "--runs",
        tmp_path,
        "--name",
        "a",
        *settings(SETTINGS),
    ]

    def interrupted(self, network, batch):
        calls.append(len(batch))
        if len(calls) == 6:  # after a validation, between two batches of an epoch
            os.kill(os.getpid(), signal.SIGTERM)
        return losses(self, network, batch)

    monkeypatch.setattr(VerifyTask, "losses", interrupted)
    assert midog("train", *words).code == 128 + signal.SIGTERM
    monkeypatch.setattr(VerifyTask, "losses", losses)
    ran = midog("train", *words)
    assert ran.code == 0, ran.err
    assert "at epoch 3 of 4" in ran.err
    whole, broken = (
        torch.load(folder / "last.ckpt", weights_only=True)["model"]
        for folder in (planted / "verifier", tmp_path / "a")
    )
    assert whole.keys() == broken.keys()
    assert all(torch.equal(whole[name], broken[name]) for name in whole)
    rules = [
        json.loads((folder / "best" / "model.json").read_text())["rule"]
        for folder in (planted / "verifier", tmp_path / "a")
    ]
    assert rules[0] == rules[1]


def test_another_verifier_does_the_images_again(midog, planted, tmp_path):
    other = tmp_path / "other"
    shutil.copytree((planted / "verifier" / "best").resolve(), other)
    card = json.loads((other / "model.json").read_text())
    card["rule"]["bias"] += 1
    (other / "model.json").write_text(json.dumps(card))
    image, out = planted / "data" / "images" / "007.tiff", tmp_path / "out"
    words = ["--model", planted / "detector", "--out", out, "--verifier"]
    first = midog("infer", image, *words, planted / "verifier")
    assert first.code == 0, first.err
    again = midog("infer", image, *words, planted / "verifier")
    assert "1 were done before" in again.err
    assert "second look" not in again.err, "nothing was looked at"
    refused = one_line(midog("infer", image, *words, other))
    assert "holds detections made with another verifier" in refused
    assert midog("infer", image, *words, other, "--overwrite").code == 0


def test_a_detector_is_no_verifier_and_the_other_way_round(midog, planted, tmp_path):
    image, out = planted / "data" / "images" / "007.tiff", tmp_path / "out"
    line = one_line(midog("infer", image, "--verifier", planted / "detector", "--out", out))
    assert "is of a model of task detection; give a model of task verify" in line
    line = one_line(midog("infer", image, "--model", planted / "verifier", "--out", out))
    assert "is of a model of task verify; give a model of task detection" in line
    assert not out.exists()


def test_a_rule_for_another_detector_is_said(midog, planted, tmp_path):
    other = save_detector(tmp_path / "d", None, weight=0.25)
    image = planted / "data" / "images" / "007.tiff"
    words = ["--verifier", planted / "verifier", "--model", other, "--out", tmp_path / "out"]
    ran = midog("infer", image, *words)
    assert ran.code == 0
    assert "fitted for another detector" in ran.err


def test_a_dry_run_says_what_is_learned_from_what(midog, planted):
    words = ["--detector", planted / "detector", "--candidates", planted / "alarms.csv"]
    ran = midog(
        "train", "--task", "verify", "--data", planted / "data", *words, "--dry-run",
        "--set", "task.body=own",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "epochs: 30" in ran.out, "of configs/verify.yaml"
    assert "crops to train on: 12 figures, 0 imposters, 12 false alarms (12 out-of-fold)" in ran.out
    assert "1000 of 64x64 px at 0.25 um per px; 30000 in all" in ran.out


def test_processes_share_the_crops_of_val_and_say_the_same(planted, monkeypatch):
    own = [f"data.dir={planted / 'data'}", f"task.detector={planted / 'detector'}"]
    listed = f"task.candidates={planted / 'alarms.csv'}"
    task = read_verify_data(load_config(None, [*SETTINGS, *own, listed])).open(torch.device("cpu"))
    network, scored = task.build(pretrained=False), {}

    def gather(fabric, share):
        scored[fabric.global_rank, fabric.world_size] = share
        return [scored[0, 1][rank :: fabric.world_size] for rank in range(fabric.world_size)]

    monkeypatch.setattr(crop_task, "gather", gather)
    validations = [
        task.validate(
            network,
            SimpleNamespace(global_rank=rank, world_size=world, is_global_zero=rank == 0),
            lambda: None,
        )
        for rank, world in ((0, 1), (0, 3), (1, 3), (2, 3))
    ]
    for rank in range(3):
        assert np.array_equal(scored[rank, 3], scored[0, 1][rank::3])
    assert all(one.scalars == validations[0].scalars for one in validations)
    assert [len(one.pictures) for one in validations] == [4, 4, 0, 0]


def test_its_settings_are_listed_whole(midog):
    listing = midog("settings", "task").out
    assert "verify: a second look at a detector's detections, crop by crop [settings: " in listing
    assert "task.backbone.kind = resnet18" in listing
    assert "task.crop = 64" in listing
