"""The threshold of runs that left scanners out: who is scored on what, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from midog.data.folder import read_rois
from midog.data.roi import Roi
from midog.errors import DataError, DetectionsError
from midog.evaluation.goals import Goal, choose_threshold
from midog.evaluation.points import score_rois
from midog.formats.challenge import write_challenge
from midog.inference.detector import Detector
from midog.metrics.counts import counts_at
from midog.mpp import Mpp
from midog.shift.left_out import share_out, tune_left_out
from midog.shift.tested_runs import ReadRun

A, B, C = "Phantom A", "Phantom B", "Phantom C"


def rois_of(**roles: str) -> list[Roi]:
    """Two ROIs of each scanner and role: rois_of(A="train val test")."""
    return [
        Roi(
            f"{scanner}_{role}_{number}.tiff",
            scanner=scanner,
            split=role,
            patient=f"{scanner}{role}",
        )
        for scanner, parts in roles.items()
        for role in parts.split()
        for number in range(2)
    ]


FULL = rois_of(A="train val test", B="train val test", C="train val test")


def run(name: str, *trained: str, rois: list[Roi] = FULL) -> ReadRun:
    """A run trained on those scanners, tested on all."""
    own = [roi for roi in rois if roi.split == "test" or roi.scanner in trained]
    return ReadRun(Path("runs") / name, own, tuple(trained))


LEAVE_ONE_OUT = [
    run("without_a", "B", "C"),
    run("without_b", "A", "C"),
    run("without_c", "A", "B"),
]


def test_each_scanner_is_scored_by_the_run_that_never_saw_it() -> None:
    shares = share_out(FULL, LEAVE_ONE_OUT[::-1])
    assert [(share.run.name, share.scanners) for share in shares] == [
        ("without_a", ("A",)),
        ("without_b", ("B",)),
        ("without_c", ("C",)),
    ]
    for share in shares:
        names = {roi.file_name for roi in share.run.rois if roi.split in ("train", "val")}
        assert {roi.split for roi in share.rois} == {"val"}
        assert not names & {roi.file_name for roi in share.rois}
        assert len(share.rois) == 2


def test_models_of_two_scanners_leave_the_other_out() -> None:
    part = [roi for roi in FULL if roi.scanner != "C" or roi.split == "test"]
    shares = share_out(part, [run("only_a", "A"), run("only_b", "B")])
    assert [(share.run.name, share.scanners) for share in shares] == [
        ("only_a", ("B",)),
        ("only_b", ("A",)),
    ]


def test_a_scanner_that_nobody_trains_on_is_left_out_with_a_line(caplog) -> None:
    more = FULL + rois_of(D="val")
    assert [share.scanners for share in share_out(more, LEAVE_ONE_OUT)] == [("A",), ("B",), ("C",)]
    assert "val has D, which train has not" in caplog.text


def other_role(roi: Roi) -> Roi:
    return replace(roi, split="train") if roi.file_name == "A_val_0.tiff" else roi


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        (
            [*LEAVE_ONE_OUT[:2], run("all", "A", "B", "C")],
            r"run all was trained on every scanner of val \(A, B, C\)",
        ),
        ([*LEAVE_ONE_OUT, run("again", "B", "C")], "again and without_a both leave A out"),
        (LEAVE_ONE_OUT[:2], "no run leaves C out"),
        ([run("only_a", "A"), run("only_b", "B")], "both leave C out"),
        (
            [*LEAVE_ONE_OUT[:2], run("x", "A", "B", rois=[*map(other_role, FULL)])],
            "A_val_0.tiff has the role train in run x, val in this split",
        ),
        (
            [run("x", "B", "C", rois=[replace(roi, scanner="B") for roi in FULL])],
            "has the scanner B in run x, A in this split",
        ),
        (
            [run("x", "E", rois=FULL + rois_of(E="train"))],
            "has E_train_0.tiff, which this split lacks",
        ),
    ],
)
def test_what_would_be_scored_on_its_own_training_is_refused(runs, says: str) -> None:
    with pytest.raises(DataError, match=says):
        share_out(FULL, runs)


# --- with models


@pytest.fixture
def study(trained: list[Path], tmp_path: Path) -> tuple[Path, list[Path]]:
    """A model of both scanners, and the runs only_phantom_a and only_phantom_b, each of which
    leaves the other out."""
    model = tmp_path / "both"
    shutil.copytree(trained[0], model, symlinks=True, ignore=shutil.ignore_patterns("last.ckpt"))
    return model, trained


def test_the_threshold_is_of_the_left_out_rois_together_and_is_stored(
    study, phantom, tmp_path: Path
) -> None:
    model, runs = study
    rois = read_rois(phantom)
    points = []
    for folder, scanner in zip(runs, (B, A), strict=True):
        detector = Detector.load(folder, device="cpu")
        own = [roi for roi in rois if roi.split == "val" and roi.scanner == scanner]
        assert len(own) == 1
        for roi in own:
            detections = detector(roi.path)
            path = tmp_path / "found" / f"{Path(roi.file_name).stem}.json"
            path.parent.mkdir(exist_ok=True)
            write_challenge(path, detections, mpp=Mpp.of(0.25), threshold=0.5)
            points += [one.points for one in score_rois(path.parent, own)]
    expected = choose_threshold(points, 1.0, Goal())
    tuned = tune_left_out(model, rois, runs, Goal(), other_data=True, device="cpu")
    assert tuned.threshold == expected
    assert tuned.counts == counts_at(points, expected)
    card = json.loads((model / "best" / "model.json").read_text())
    assert card["threshold"] == expected
    used = card["tuned"]["runs"]
    assert (card["tuned"]["leave_out"], card["tuned"]["rois"]) == ("scanner", 2)
    assert [(one["run"], one["groups"], len(one["rois"]), one["seed"]) for one in used] == [
        ("only_phantom_a", [B], 1, 0),
        ("only_phantom_b", [A], 1, 0),
    ]
    assert Detector.load(model, device="cpu").threshold_from == (
        f"best F1 on 2 val ROIs, each of a scanner left out of training: {B} by only_phantom_a;"
        f" {A} by only_phantom_b"
    )


def test_nothing_is_stored_where_the_model_is_of_other_data(study, phantom, monkeypatch) -> None:
    model, runs = study
    card = model / "best" / "model.json"
    before = card.read_bytes()
    with pytest.raises(DetectionsError, match="not those that the model was trained from"):
        tune_left_out(model, read_rois(phantom), runs, Goal(), device="cpu")
    with pytest.raises(DataError, match="no run leaves Phantom A out"):
        tune_left_out(model, read_rois(phantom), runs[:1], Goal(), other_data=True, device="cpu")
    monkeypatch.setattr("midog.shift.left_out.is_ensemble", lambda _: True)
    with pytest.raises(DetectionsError, match="is an ensemble, whose scores have another scale"):
        tune_left_out(model, read_rois(phantom), runs, Goal(), device="cpu")
    assert card.read_bytes() == before


def test_another_recipe_is_a_line(study, phantom, caplog) -> None:
    model, runs = study
    path = model / "best" / "model.json"
    tree = json.loads(path.read_text())
    tree["config"]["train"] |= {"epochs": 7, "seed": 5}
    path.write_text(json.dumps(tree))
    tune_left_out(model, read_rois(phantom), runs, Goal(), other_data=True, device="cpu")
    assert "trained with another train.epochs than the model" in caplog.text
