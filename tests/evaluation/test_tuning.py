"""The choice of a model's threshold on val: which one each goal gives, what is stored, and what
leaves the model be."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from midog.boxes import Boxes, centers_of
from midog.data.folder import read_rois, select_rois
from midog.data.roi import Roi
from midog.errors import DataError, DetectionsError, MidogError, WeightsError
from midog.evaluation import tuning
from midog.evaluation.goals import Goal
from midog.evaluation.points import score_rois
from midog.evaluation.tuning import tune
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.jobs import Job
from midog.inference.output_folder import RECORD_NAME, read_settings, write_settings
from midog.metrics.counts import Counts, counts_at
from midog.metrics.sweep import sweep
from midog.metrics.thresholds import best_threshold
from tests.evaluation.cases import NO, YES, roi, write

FIGURES = [(500 * number, 500) for number in range(1, 5)]
VAL = [roi("v.tiff", FIGURES, split="val", width=4000, height=4000)]
"""Four figures on 1 mm2."""

# By falling score a false alarm, three hits, a false alarm, the last hit, a false alarm: the
# precision is 0, 1/2, 2/3, 3/4, 3/5, 4/6, 4/7 and F1 0, 1/3, 4/7, 3/4, 2/3, 4/5, 8/11.
POINTS = [
    *[(9, 9, 0.9, YES), (500, 500, 0.8, YES), (1000, 500, 0.7, NO), (1500, 500, 0.6, NO)],
    *[(9, 90, 0.5, NO), (2000, 500, 0.4, NO), (9, 900, 0.3, NO)],
]


@pytest.fixture
def own(model: Path, tmp_path: Path) -> Path:
    """A run's folder with a copy of the trained model."""
    run = tmp_path / "runs" / "a"
    shutil.copytree(model / "best", run / "epoch-1")
    (run / "best").symlink_to("epoch-1")
    return run


@pytest.fixture(scope="module")
def loaded(model: Path) -> Detector:
    return Detector.load(model, device="cpu")


@pytest.fixture
def quick(loaded: Detector, monkeypatch) -> None:
    """For what goes wrong after the model is loaded: it is loaded once."""
    monkeypatch.setattr(Detector, "load", lambda folder, device, orientations: loaded)


@pytest.fixture
def val_folder(loaded: Detector, tmp_path: Path) -> Path:
    """A folder that says it is what the model found in VAL."""
    folder = tmp_path / "found"
    write(folder / "v.json", *POINTS)
    write_settings(folder, loaded.settings())
    return folder


@pytest.fixture
def val(phantom: Path) -> list[Roi]:
    return select_rois(read_rois(phantom), "val")


def files(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run / "best").iterdir()}


def card(run: Path) -> dict:
    return json.loads((run / "best" / "model.json").read_text())


# --- what is stored


def test_without_a_goal_it_is_the_best_f1_of_what_the_model_finds_in_val(
    own, loaded, val, tmp_path
) -> None:
    detector, best = loaded, loaded(val[0].path, mpp=val[0].mpp).boxes[:1]
    val[0] = replace(val[0], boxes=Boxes(best, [1]))  # however little it has learnt, it has one hit
    infer([Job(each.path, each.mpp) for each in val], detector, tmp_path / "val")
    points = [each.points for each in score_rois(tmp_path / "val", val)]
    named: list[str] = []
    tuned = tune(
        own,
        val,
        Goal(),
        device="cpu",
        other_data=True,
        on_image=lambda name, figures: named.append(name),
    )
    assert tuned.threshold == best_threshold(sweep(points))
    assert tuned.counts == counts_at(points, tuned.threshold)
    assert tuned.counts.tp > 0
    assert tuned.area_mm2 == pytest.approx(2 * 0.064**2)
    assert named == [each.file_name for each in val]
    assert (tuned.rois, tuned.before) == (2, detector.threshold)
    assert card(own)["threshold"] == tuned.threshold, "to the last digit"

    unseen = [replace(each, path=None) for each in val]  # what was found before is enough
    assert (
        tune(
            own, unseen, Goal(), detections=tmp_path / "val", device="cpu", other_data=True
        ).threshold
        == tuned.threshold
    )


def test_the_rest_of_the_model_stays_and_the_new_threshold_is_used(own, val_folder) -> None:
    before, old, weights = files(own), card(own), own / "best" / "model.safetensors"
    stamp = (weights.stat().st_ino, weights.stat().st_mtime_ns)
    tuned = tune(
        own, VAL, Goal(precision=0.7), detections=val_folder, device="cpu", other_data=True
    )
    assert (tuned.threshold, tuned.before) == (pytest.approx(0.55), old["threshold"])
    assert (tuned.counts, tuned.rois, tuned.area_mm2) == (Counts(3, 1, 1), 1, pytest.approx(1.0))

    goal = "highest recall at a precision of at least 0.7"
    new = {"threshold": tuned.threshold, "tuned": {"goal": goal, "subset": "val", "rois": 1}}
    assert card(own) == old | new
    assert list(card(own)) == [*old, "tuned"]
    assert files(own).keys() == before.keys(), "nothing is left beside them"
    assert files(own)["model.safetensors"] == before["model.safetensors"]
    assert (weights.stat().st_ino, weights.stat().st_mtime_ns) == stamp
    assert (own / "best").is_symlink()
    detector = Detector.load(own, device="cpu")
    assert detector.threshold == tuned.threshold
    assert detector.info["tuned"]["goal"] == goal


def test_a_model_can_be_tuned_again_and_saved_again(own, val_folder, tmp_path) -> None:
    first = tune(
        own / "best", VAL, Goal(precision=0.7), detections=val_folder, device="cpu", other_data=True
    )
    again = tune(own / "best", VAL, Goal(), detections=val_folder, device="cpu", other_data=True)
    assert again.before == first.threshold
    assert card(own)["tuned"]["goal"] == "best F1"
    Detector.load(own, device="cpu").save(tmp_path / "copy")
    assert json.loads((tmp_path / "copy" / "model.json").read_text()) == card(own)


def test_only_val_is_looked_at(own, val_folder) -> None:
    others = [roi("t.tiff", FIGURES, split="test"), roi("u.tiff", FIGURES, split="train")]
    tuned = tune(own, [*others, *VAL], Goal(), detections=val_folder, device="cpu", other_data=True)
    assert (tuned.rois, tuned.counts) == (1, Counts(4, 2, 0))


# --- what the model learned from


@pytest.fixture
def unseen(phantom: Path, loaded: Detector, tmp_path: Path) -> Path:
    """A folder that says it is what the model found in val of the phantom: each figure."""
    folder = tmp_path / "unseen"
    for each in select_rois(read_rois(phantom), "val"):
        figures = centers_of(each.boxes.of_class(1)).tolist()
        write(
            folder / f"{Path(each.file_name).stem}.json",
            *((x, y, 0.9, YES) for x, y in figures),
            mpp=each.mpp,
        )
    write_settings(folder, loaded.settings())
    return folder


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_the_data_and_the_split_that_it_was_trained_from_are_fine(
    own, phantom, unseen, caplog
) -> None:
    assert tune(own, read_rois(phantom)[::-1], Goal(), detections=unseen, device="cpu").rois == 2
    assert not warnings_in(caplog)


def other_split(rois: list[Roi]) -> list[Roi]:
    """Val holds an ROI that training had."""
    roles = [
        "val" if each.split == "train" else "train" if each.split == "val" else each.split
        for each in rois
    ]
    return [replace(each, split=role) for each, role in zip(rois, roles, strict=True)]


def val_alone(rois: list[Roi]) -> list[Roi]:
    return [each for each in rois if each.split == "val"]


@pytest.mark.parametrize("change", [other_split, val_alone])
def test_other_data_or_another_split_are_refused_unless_val_is_known_to_be_new(
    own, phantom, unseen, change, monkeypatch
) -> None:
    rois, before = change(read_rois(phantom)), files(own)
    monkeypatch.setattr(tuning, "infer", None)  # it is told before detection takes its time
    with pytest.raises(DetectionsError) as error:
        tune(own, rois, Goal(), device="cpu")
    assert str(error.value).startswith(
        "these data or this split are not those that the model was trained from: it may have been"
        " trained on these val ROIs; "
    )
    assert "other_data=True" in str(error.value)
    assert files(own) == before
    for each in select_rois(rois, "val"):
        write(
            unseen / f"{Path(each.file_name).stem}.json",
            *((x, y, 0.9, YES) for x, y in centers_of(each.boxes.xyxy)),
        )
    tune(own, rois, Goal(), detections=unseen, device="cpu", other_data=True)
    assert files(own) != before


@pytest.mark.parametrize("value", ["none", None, 7])
def test_a_model_that_does_not_say_what_it_learned_from_is_tuned_with_a_warning(
    own, val_folder, value, caplog
) -> None:
    tree = card(own)
    tree["data"] = value
    if value == "none":
        del tree["data"]
    (own / "best" / "model.json").write_text(json.dumps(tree))
    tune(own, VAL, Goal(), detections=val_folder, device="cpu", other_data=True)
    assert not warnings_in(caplog)
    tune(own, VAL, Goal(), detections=val_folder, device="cpu")
    (warning,) = warnings_in(caplog)
    assert "does not state what data the model was trained from" in warning


# --- what leaves it be


def no_record(val_folder: Path) -> None:
    (val_folder / RECORD_NAME).unlink()


def other_weights(val_folder: Path) -> None:
    settings = read_settings(val_folder) or {}
    write_settings(val_folder, settings | {"weights": "0" * 16})


def record_of_something_else(val_folder: Path) -> None:
    (val_folder / RECORD_NAME).write_text("[1]")


def record_is_no_text(val_folder: Path) -> None:
    (val_folder / RECORD_NAME).write_bytes(b"\xff\xfe\0")


def roi_is_missing(val_folder: Path) -> None:
    (val_folder / "v.json").unlink()


def file_is_bad(val_folder: Path) -> None:
    (val_folder / "v.json").write_text("{")


SPOILED = [
    (
        no_record,
        "does not state which model made it; give a folder that `midog infer` wrote with",
    ),
    (record_of_something_else, "does not state which model made it"),
    (record_is_no_text, "does not state which model made it"),
    (
        other_weights,
        "holds detections of another model, or in other orientations; leave detections out",
    ),
    (roi_is_missing, "has no detections for v.tiff; run `midog infer` on val"),
    (file_is_bad, "v.json is not JSON"),
    (shutil.rmtree, "does not state which model made it"),
]


@pytest.mark.parametrize(("spoil", "says"), SPOILED, ids=[each[0].__name__ for each in SPOILED])
def test_detections_that_are_not_this_models(
    quick, own, val_folder, spoil: Callable[[Path], None], says
) -> None:
    before = files(own)
    spoil(val_folder)
    with pytest.raises(DetectionsError) as error:
        tune(own, VAL, Goal(), detections=val_folder, device="cpu", other_data=True)
    assert says in str(error.value)
    assert str(val_folder) in str(error.value)
    assert files(own) == before


def test_a_val_part_without_figures_is_told_before_anything_is_read(val) -> None:
    empty = [
        replace(each, boxes=Boxes(each.boxes.xyxy, np.full(len(each.boxes), 2))) for each in val
    ]
    with pytest.raises(DetectionsError, match=r"no ROI of val has a mitotic figure; .*larger val"):
        tune("nowhere", empty, Goal())


def test_no_val_part() -> None:
    with pytest.raises(DataError, match="no ROI is in val"):
        tune("nowhere", [replace(VAL[0], split="train")], Goal())


def test_a_model_that_is_not_there(val, tmp_path) -> None:
    with pytest.raises(WeightsError, match="nowhere"):
        tune(tmp_path / "nowhere", val, Goal(), device="cpu", other_data=True)


def test_a_goal_out_of_reach_changes_nothing(quick, own, val_folder) -> None:
    before = files(own)
    with pytest.raises(DetectionsError, match=r"the highest is 0\.750"):
        tune(own, VAL, Goal(precision=0.8), detections=val_folder, device="cpu", other_data=True)
    unsized = [replace(VAL[0], width=None, height=None)]
    with pytest.raises(DetectionsError, match="mm2 of an ROI of val are not known"):
        tune(own, unsized, Goal(fp_per_mm2=1), detections=val_folder, device="cpu", other_data=True)
    assert files(own) == before


def test_an_image_that_cannot_be_read_stops_it(quick, own, val, tmp_path) -> None:
    before = files(own)
    (tmp_path / "bad.tiff").write_bytes(b"no image")
    with pytest.raises(DetectionsError, match=r"bad\.tiff"):
        tune(
            own,
            [val[0], replace(val[1], path=tmp_path / "bad.tiff")],
            Goal(),
            device="cpu",
            other_data=True,
        )
    with pytest.raises(DataError, match="1 of 2 images are missing"):
        tune(own, [val[0], replace(val[1], path=None)], Goal(), device="cpu", other_data=True)
    assert files(own) == before


def test_ctrl_c_while_it_detects(quick, own, val, monkeypatch) -> None:
    before = files(own)

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "infer", stop)
    with pytest.raises(KeyboardInterrupt):
        tune(own, val, Goal(), device="cpu", other_data=True)
    assert files(own) == before


def test_a_full_disk(quick, own, val_folder, monkeypatch) -> None:
    before = files(own)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("midog.files.os.replace", full)
    with pytest.raises(MidogError, match=r"model\.json cannot be written: the disk is full"):
        tune(own, VAL, Goal(), detections=val_folder, device="cpu", other_data=True)
    assert files(own) == before
