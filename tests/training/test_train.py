"""Whole trainings: a run learns, is validated and kept, and resumes to the same weights."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from midog import devices
from midog.boxes import Boxes
from midog.config.load import load_config
from midog.config.schema import MachineSettings
from midog.data.folder import read_rois
from midog.errors import CheckpointError, ConfigError, DataError, DeviceError, TrainingError
from midog.inference.detector import Detector
from midog.training import best, loop, saver
from midog.training import train as training
from midog.training.interrupts import Interrupted
from midog.training.log import read_metrics
from midog.training.runs import list_runs, read_state
from midog.training.tasks import detection
from midog.training.train import train
from tests.spoiled import TINY


def weights(run: Path) -> dict[str, torch.Tensor]:
    """All that a run learned: its weights, those of its averages, its optimizer's."""
    state = torch.load(run / "last.ckpt", weights_only=True)
    flat = {f"model.{key}": value for key, value in state["model"].items()}
    for part in ("ema", "mean"):
        flat |= {f"{part}.{key}": value for key, value in (state[part] or {}).items()}
    for number, slots in state["optimizer"].items():
        flat |= {f"optimizer.{number}.{key}": value for key, value in slots.items()}
    return flat


def assert_same_bits(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    differing = [key for key in first if not torch.equal(first[key], second[key])]
    assert differing == []


def wait_for_writers() -> None:
    """Wait for what a training that was killed, as tests do it, still writes."""
    for thread in threading.enumerate():
        if thread.name == "midog-saver":
            thread.join()


def without_speed(run: Path) -> list[dict[str, str]]:
    return [
        {
            key: value
            for key, value in row.items()
            if key not in ("train/patches_per_second", "train/data_wait")
        }
        for row in read_metrics(run / "metrics.csv")
    ]


@pytest.fixture(scope="module")
def unbroken(phantom, tmp_path_factory) -> Path:
    return train(settings(phantom), runs=tmp_path_factory.mktemp("unbroken"), name="a")


def settings(phantom: Path, *overrides: str):
    return load_config(
        None, [f"data.dir={str(phantom)!r}", *TINY, "sampling.patches_per_roi=5", *overrides]
    )


def test_a_run_folder_holds_all_that_is_promised(unbroken):
    assert load_config(unbroken / "config.yaml").train.epochs == 3
    assert read_state(unbroken)["finished"] is True
    rows = read_metrics(unbroken / "metrics.csv")
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [bool(row["val/f1"]) or row["val/f1"] == "0" for row in rows] == [False, True, True], (
        "validated when due"
    )
    assert {"val/f1/Phantom A", "val/recall/Phantom B", "val/ap50"} <= rows[-1].keys() | {
        "val/ap50"
    }
    card = json.loads((unbroken / "best" / "model.json").read_text())
    assert card["class_names"] == ["mitotic figure"]
    assert card["task"] == "detection"
    assert {"data", "epoch", "val", "versions", "threshold", "config", "git"} <= card.keys()
    assert [path.name for path in unbroken.glob("best*")].count("best") == 1


def test_the_best_model_detects(unbroken, phantom):
    detector = Detector.load(unbroken, device="cpu")
    roi = read_rois(phantom)[0]
    scores = detector(roi.path).scores.tolist()
    assert scores == sorted(scores, reverse=True)


def test_tensorboard_holds_losses_rate_scores_curve_and_pictures(unbroken):
    events = EventAccumulator(str(unbroken), size_guidance={"tensors": 0})
    events.Reload()
    tags = events.Tags()
    wanted = {"train/loss", "train/loss_classification", "train/loss_bbox_regression", "train/lr"}
    wanted |= {
        "train/patches_per_second",
        "train/data_wait",
        "val/loss",
        "val/recall",
        "val/recall/Phantom A",
    }
    assert wanted <= set(tags["scalars"])
    assert "val/pr_curve" in tags["tensors"]
    assert "val/patch_0" in tags["images"]


def test_another_number_of_threads_gives_the_same_weights(unbroken, phantom, tmp_path):
    assert_same_bits(train(settings(phantom, "machine.workers=0"), runs=tmp_path), unbroken)


@pytest.mark.parametrize("batch", [0, 2, 4])
def test_a_run_stopped_after_any_batch_resumes_to_the_same_weights(
    unbroken, phantom, tmp_path, monkeypatch, batch
):
    prepare, seen = detection.prepare, []

    def stop_there(*arguments):
        if len(seen) == batch:
            os.kill(os.getpid(), signal.SIGTERM)
        seen.append(batch)
        return prepare(*arguments)

    monkeypatch.setattr(detection, "prepare", stop_there)
    with pytest.raises(Interrupted) as caught:
        train(settings(phantom), runs=tmp_path)
    assert caught.value.signum == signal.SIGTERM
    monkeypatch.setattr(detection, "prepare", prepare)
    assert not read_state(next(tmp_path.glob("2*")))["finished"]
    run = train(settings(phantom), runs=tmp_path)
    assert_same_bits(run, unbroken)
    assert without_speed(run) == without_speed(unbroken)
    assert len(list(tmp_path.glob("2*"))) == 1, "it resumed the same run"


def test_a_run_stopped_during_validation_resumes_to_the_same_weights(
    unbroken, phantom, tmp_path, monkeypatch
):
    detect = detection.detect_points

    def stop_there(*arguments):
        os.kill(os.getpid(), signal.SIGINT)
        return detect(*arguments)

    monkeypatch.setattr(detection, "detect_points", stop_there)
    with pytest.raises(Interrupted):
        train(settings(phantom), runs=tmp_path)
    monkeypatch.setattr(detection, "detect_points", detect)
    run = train(settings(phantom), runs=tmp_path)
    assert_same_bits(run, unbroken)
    assert without_speed(run) == without_speed(unbroken)


def test_running_means_are_resumed_to_the_bit_in_a_validation_too(phantom, tmp_path, monkeypatch):
    """Those of positives, of BatchNorm in the head, of scores, and of the last weights."""
    moving = settings(
        phantom,
        "model.loss_normalizer=running_mean",
        "model.head_norm=batch",
        "sampling.balance=sqrt_figure",
        "train.best=smoothed",
        "train.average_last=2",
    )
    whole = train(moving, runs=tmp_path / "whole", name="a")
    detect, validations = detection.detect_points, []

    def stop_in_the_last(*arguments):
        validations.append(1)
        if len(validations) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return detect(*arguments)

    monkeypatch.setattr(detection, "detect_points", stop_in_the_last)
    with pytest.raises(Interrupted):
        train(moving, runs=tmp_path, name="a")
    run = train(moving, runs=tmp_path, name="a")
    assert len(validations) == 3
    assert {"mean.n_averaged", "model.loss_balance.positives_per_image"} <= weights(run).keys()
    assert int(weights(run)["mean.n_averaged"]) == 2
    assert_same_bits(run, whole)
    assert without_speed(run) == without_speed(whole)
    last = [float(row["val/smoothed_score"]) for row in read_metrics(run / "metrics.csv")[1:]]
    assert read_state(run)["best_epoch"] == (3 if last[1] > last[0] else 2)
    one, other = ((folder / "best" / "model.safetensors") for folder in (run, whole))
    assert one.read_bytes() == other.read_bytes()


def test_a_run_that_died_between_checkpoints_loses_only_what_came_after_the_last(
    unbroken, phantom, tmp_path, monkeypatch
):
    class Killed(BaseException):
        pass

    train_epoch, times = loop.train_epoch, []

    def die(*arguments):
        times.append(1)
        if len(times) == 3:  # the second epoch ended with a validation, and was saved
            raise Killed
        return train_epoch(*arguments)

    monkeypatch.setattr(loop, "train_epoch", die)
    with pytest.raises(Killed):
        train(settings(phantom), runs=tmp_path)
    monkeypatch.setattr(loop, "train_epoch", train_epoch)
    wait_for_writers()
    state = torch.load(next(tmp_path.glob("2*/last.ckpt")), weights_only=True)
    assert state["progress"]["epoch"] == 2
    run = train(settings(phantom), runs=tmp_path)
    assert_same_bits(run, unbroken)
    assert without_speed(run) == without_speed(unbroken)
    events = EventAccumulator(str(run))
    events.Reload()
    steps = [event.step for event in events.Scalars("train/loss")]
    assert steps == sorted(set(steps)), "events of the lost epoch are purged"


def test_gradients_are_accumulated_over_the_steps_of_an_update(phantom, tmp_path):
    run = train(settings(phantom, "train.accumulate=2", "train.epochs=1"), runs=tmp_path)
    state = torch.load(run / "last.ckpt", weights_only=True)
    assert state["progress"]["step"] == 2, "three batches of 4, 4 and 2 patches are two updates"


def test_early_stopping_stops(phantom, tmp_path, monkeypatch):
    monkeypatch.setattr(best, "is_better", lambda score, best: best != best)
    config = settings(phantom, "train.epochs=9", "train.validate_every=1", "train.patience=2")
    run = train(config, runs=tmp_path)
    assert read_state(run) == {
        "epoch": 3,
        "step": 9,
        "skipped": 0,
        "finished": True,
        "best_score": read_state(run)["best_score"],
        "score_name": "F1",
        "best_epoch": 1,
    }


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_patches(phantom, tmp_path):
    with pytest.raises(
        TrainingError, match=r"not finite in epoch \d, batch \d.*nonfinite\.json"
    ) as caught:
        train(
            settings(
                phantom,
                "train.lr=10",
                "train.clip_norm=0",
                "train.optimizer=sgd",
                "train.warmup_steps=0",
                "train.max_skipped=0",
            ),
            runs=tmp_path,
            name="a",
        )
    assert "resume_with=train.lr=5 or machine.precision=32-true" in str(caught.value)
    record = json.loads((tmp_path / "a" / "nonfinite.json").read_text())
    names = {roi.file_name for roi in read_rois(phantom) if roi.split == "train"}
    assert len(record["patches"]) == 4
    assert {patch["file_name"] for patch in record["patches"]} <= names
    assert not (tmp_path / "a" / "last.ckpt").exists(), "weights that are no numbers are not kept"


def test_no_training_roi_or_no_figure_in_one_is_an_error(phantom, tmp_path):
    from dataclasses import replace

    rois = read_rois(phantom)
    with pytest.raises(DataError, match="no ROI of role train"):
        train(settings(phantom), rois=[roi for roi in rois if roi.split != "train"], runs=tmp_path)
    empty = [replace(roi, boxes=Boxes()) if roi.split == "train" else roi for roi in rois]
    with pytest.raises(DataError, match="no training ROI has a mitotic figure"):
        train(settings(phantom), rois=empty, runs=tmp_path)
    assert list(tmp_path.iterdir()) == [], "nothing half-made"


def test_a_named_run_of_another_data_set_is_not_resumed(unbroken, phantom):
    rois = [roi for roi in read_rois(phantom) if roi.split != "test"]
    with pytest.raises(CheckpointError, match="data: "):
        train(settings(phantom), rois=rois, runs=unbroken.parent, name="a")


@pytest.mark.parametrize("policy", ["ignore", "second_class"])
def test_other_imposter_policies_train(phantom, tmp_path, policy):
    run = train(settings(phantom, f"sampling.imposters={policy}", "train.epochs=1"), runs=tmp_path)
    names = ("mitotic figure", "non-mitotic figure")[: 1 + (policy == "second_class")]
    assert Detector.load(run, device="cpu").class_names == names


def test_out_of_memory_is_one_line_with_the_batch_size_that_fits(phantom, tmp_path, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(loop, "step_weights", full)
    with pytest.raises(
        DeviceError,
        match=r"batch_size 4 does not fit .* use train\.batch_size=2 and train\.accumulate=2",
    ):
        train(settings(phantom), runs=tmp_path)
    assert list_runs(tmp_path) == [], "what can never run leaves nothing"
    assert not (tmp_path / "latest").is_symlink()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_run_killed_between_its_last_checkpoint_and_its_state_finishes(
    phantom, tmp_path, monkeypatch
):
    def die(*_: object) -> None:
        raise SystemExit  # ends the thread that writes

    write = saver.write_state
    monkeypatch.setattr(saver, "write_state", die)
    train(settings(phantom, "train.epochs=1"), runs=tmp_path)
    monkeypatch.setattr(saver, "write_state", write)
    assert not list(tmp_path.glob("2*/state.json"))
    run = train(settings(phantom, "train.epochs=1"), runs=tmp_path)
    assert read_state(run)["finished"] is True
    assert train(settings(phantom, "train.epochs=1"), runs=tmp_path) != run


@pytest.mark.parametrize(("bf16", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_precision_auto_is_settled_for_the_device_and_a_given_one_is_kept(
    monkeypatch, bf16, precision
):
    monkeypatch.setattr(devices, "has_bf16", lambda device: bf16)
    assert training.resolve(MachineSettings(device="cpu")).precision == precision
    given = load_config(None, ["machine.device=cpu", "machine.precision=32-true"])
    assert training.resolve(given.machine) == given.machine


def test_a_finished_run_is_trained_longer_at_another_rate_and_says_so(
    unbroken, phantom, tmp_path, caplog
):
    shutil.copytree(unbroken, tmp_path / "a", symlinks=True)
    more = {"train.epochs": 4, "train.lr": 5e-5, "train.batch_size": 2, "train.accumulate": 2}
    with caplog.at_level("INFO"):
        run = train(settings(phantom), runs=tmp_path, name="a", resume_with=more)
    assert read_state(run)["finished"] is True
    assert [row["epoch"] for row in read_metrics(run / "metrics.csv")] == ["1", "2", "3", "4"]
    config = load_config(run / "config.yaml")
    assert (config.train.epochs, config.train.lr, config.train.batch_size) == (4, 5e-5, 2)
    assert "run a from epoch 4 on: train.epochs 3 -> 4" in caplog.text
    (change,) = json.loads((run / "changes.json").read_text())
    assert (change["epoch"], change["before"]["train.lr"], change["now"]["train.lr"]) == (
        4,
        1e-4,
        5e-5,
    )
    again = {"train.epochs": 5}
    run = train(settings(phantom), runs=tmp_path, name="a", resume_with=again)
    assert load_config(run / "config.yaml").train.lr == 5e-5, "what is not named is kept"


def test_what_may_not_change_is_named(phantom, tmp_path):
    with pytest.raises(ConfigError, match=r"data\.mpp cannot be changed .* change train\.epochs"):
        train(settings(phantom), runs=tmp_path, resume_with={"data.mpp": 0.5})
    with pytest.raises(CheckpointError, match="no run of these settings and data to resume"):
        train(settings(phantom), runs=tmp_path, resume_with={"train.lr": 0.5})


def test_gradients_that_are_not_finite_are_skipped_and_the_run_goes_on(
    phantom, tmp_path, monkeypatch
):
    losses, seen = detection.DetectionTask.losses, []

    def poisoned(task, network, batch):
        parts = losses(task, network, batch)
        if network.training:
            seen.append(1)
            if len(seen) == 2:
                parts = {name: value * float("nan") for name, value in parts.items()}
        return parts

    monkeypatch.setattr(detection.DetectionTask, "losses", poisoned)
    run = train(settings(phantom, "train.epochs=2"), runs=tmp_path)
    assert read_state(run)["skipped"] == 1
    assert all(value.isfinite().all() for value in weights(run).values())
    rows = read_metrics(run / "metrics.csv")
    assert all(row["train/loss"] for row in rows), "the mean is that of the other batches"


def test_a_damaged_config_is_restored_from_the_checkpoint(unbroken, phantom, tmp_path, caplog):
    shutil.copytree(unbroken, tmp_path / "a", symlinks=True)
    text = (tmp_path / "a" / "config.yaml").read_text()
    (tmp_path / "a" / "config.yaml").write_bytes(b"")
    (tmp_path / "a" / "state.json").unlink()
    run = train(settings(phantom), runs=tmp_path, name="a")
    assert (run / "config.yaml").read_text() == text
    assert "config.yaml is empty; it is written anew from last.ckpt" in caplog.text


def test_a_run_whose_checkpoint_is_gone_keeps_what_it_has(unbroken, phantom, tmp_path, caplog):
    shutil.copytree(unbroken, tmp_path / "a", symlinks=True)
    folder = tmp_path / "a"
    (folder / "last.ckpt").unlink()
    (folder / "state.json").write_text('{"finished": false}')
    before = sorted(path.name for path in folder.rglob("*"))
    with pytest.raises(CheckpointError, match=r"last\.ckpt is missing.*put it back, or move"):
        train(settings(phantom), runs=tmp_path, name="a")
    run = train(settings(phantom, "train.epochs=3"), runs=tmp_path)
    assert run.name != "a"
    assert "run a is not resumed: its last.ckpt is missing" in caplog.text
    assert sorted(path.name for path in folder.rglob("*")) == before
