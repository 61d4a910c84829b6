"""Which folders are runs, whose data are where, and what is detected once and again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from midog.config.load import load_config
from midog.data.folder import data_fingerprint, read_rois
from midog.errors import CheckpointError, DataError, DetectionsError, WeightsError
from midog.inference.output_folder import read_settings, write_settings
from midog.locks import being_written, held_file
from midog.shift.domain_shift import domain_shift
from midog.training.runs import write_state
from tests.shift.studies import SMALL, equal, same, settle
from tests.spoiled import annotations, copy, edit

# --- once and again


def test_a_second_report_detects_nothing_anew_and_says_the_same(trained, result, detected):
    assert same(domain_shift(trained, **SMALL), result)
    assert detected == []


def test_an_interrupted_report_detects_the_rest(runs, result, detected):
    (runs / "only_phantom_b" / "shift" / "006.json").unlink()
    assert equal(
        domain_shift([runs / "only_phantom_a", runs / "only_phantom_b"], **SMALL).matrix,
        result.matrix,
    )
    assert detected == ["006.tiff"]


def test_a_threshold_that_was_tuned_afterwards_leads_to_detecting_again(runs, result, detected):
    card = runs / "only_phantom_a" / "best" / "model.json"
    tree = json.loads(card.read_text())
    card.write_text(json.dumps(tree | {"threshold": 1.0}))
    row = domain_shift([runs / "only_phantom_a"], **SMALL).matrix.rows[0]
    assert detected == ["003.tiff", "006.tiff", "007.tiff", "008.tiff"]
    assert all(cell.counts.tp == cell.counts.fp == 0 for cell in row.cells.values())
    card.write_text(json.dumps(tree))
    assert equal(
        domain_shift([runs / "only_phantom_a"], **SMALL).matrix.rows[0], result.matrix.rows[0]
    )
    assert len(detected) == 8


def test_two_reports_do_not_test_one_run_at_once(runs, detected):
    run = runs / "only_phantom_a"
    with (
        held_file(run / ".shift.lock", being_written(run)),
        pytest.raises(DetectionsError, match=r"another process is writing .*only_phantom_a/shift;"),
    ):
        domain_shift([run], **SMALL)
    assert detected == []


def test_what_a_user_detected_there_is_neither_replaced_nor_in_the_way(runs, result):
    run = runs / "only_phantom_a"
    theirs = run / "detections"
    theirs.mkdir()
    (theirs / "003.json").write_text("theirs")
    (theirs / ".midog-infer.json").write_text('{"settings": {"weights": "another"}}')
    shutil.rmtree(run / "shift")
    assert equal(domain_shift([run], **SMALL).matrix.rows[0], result.matrix.rows[0])
    assert (theirs / "003.json").read_text() == "theirs"
    assert {file.name for file in theirs.iterdir()} == {"003.json", ".midog-infer.json"}


def test_detections_of_another_model_are_cleared_away_those_of_other_images_too(
    runs, result, detected
):
    folder = runs / "only_phantom_a" / "shift"
    settings = read_settings(folder) or {}
    shutil.copy(folder / ".midog-infer" / "003.json", folder / ".midog-infer" / "099.json")
    write_settings(folder, settings | {"weights": "another"})
    (folder / "099.json").write_text("{}")
    assert equal(
        domain_shift([runs / "only_phantom_a"], **SMALL).matrix.rows[0], result.matrix.rows[0]
    )
    assert len(detected) == 4
    assert not (folder / "099.json").exists()


# --- which folders are runs


def test_links_and_models_of_runs_that_are_there_double_nothing(runs, result):
    folders = [
        runs / "latest",
        runs / "only_phantom_a",
        runs / "only_phantom_a" / "best",
        str(runs / "only_phantom_b"),
    ]
    outcome = domain_shift(folders, **SMALL)
    assert [row.name for row in outcome.matrix.rows] == ["only_phantom_b", "only_phantom_a"]


def test_a_run_may_be_called_best(runs, result):
    (runs / "only_phantom_a").rename(runs / "best of all")
    assert domain_shift([runs / "best of all"], **SMALL).matrix.rows[0].name == "best of all"


def test_what_is_no_run_is_left_out_and_said(runs, result, caplog):
    (runs / "notes").mkdir()
    (runs / "table.csv").touch()
    outcome = domain_shift(sorted([*runs.iterdir(), runs / "nowhere"]), **SMALL)
    assert [row.name for row in outcome.matrix.rows] == [
        "only_phantom_b",
        "only_phantom_a",
    ], "latest comes first"
    said = [line for line in caplog.messages if "is no run" in line]
    assert {Path(line.split(" is no run")[0]).name for line in said} == {
        ".splits",
        "notes",
        "nowhere",
        "table.csv",
    }


@pytest.mark.parametrize(
    "folders", [[], ["nowhere"], ["."]], ids=["none given", "not there", "not a run"]
)
def test_no_run_at_all_is_an_error(tmp_path, monkeypatch, folders):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"none of these is a run; .*midog shift train"):
        domain_shift(folders, **SMALL)


def test_two_runs_of_one_name_are_an_error(runs, trained):
    with pytest.raises(CheckpointError, match="two runs are named only_phantom_a; rename"):
        domain_shift([trained[0], runs / "only_phantom_a"], **SMALL)


def test_a_run_without_a_model_is_an_error(runs):
    (runs / "only_phantom_b" / "best").unlink()
    with pytest.raises(WeightsError, match="run only_phantom_b has no model yet"):
        domain_shift([runs / "only_phantom_a", runs / "only_phantom_b"], **SMALL)


def test_an_unfinished_run_is_tested_and_said(runs, result, caplog):
    write_state(runs / "only_phantom_a", {"finished": False})
    outcome = domain_shift([runs / "only_phantom_a"], **SMALL)
    assert equal(outcome.matrix.rows[0], result.matrix.rows[0])
    assert "run only_phantom_a is not finished" in caplog.text


def test_a_run_that_does_not_say_its_data_is_an_error(runs):
    (runs / "only_phantom_a" / "data.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"data\.json states no fingerprint"):
        domain_shift([runs / "only_phantom_a"], **SMALL)


# --- whose data are where


def other_box(data: Path) -> None:
    annotations(data, lambda tree: tree["annotations"][0].update(bbox=[20, 20, 70, 70]))


def other_label(data: Path) -> None:
    annotations(
        data,
        lambda tree: [
            each.update(category_id=3 - each["category_id"]) for each in tree["annotations"]
        ],
    )


@pytest.mark.parametrize("change", [other_box, other_label])
def test_changed_annotations_are_an_error(runs, phantom, tmp_path, detected, change):
    data = copy(phantom, tmp_path / "data")
    change(data)
    with pytest.raises(DataError, match="not those that run only_phantom_a was trained from"):
        domain_shift([runs / "only_phantom_a"], data=data, **SMALL)
    assert detected == []


def test_a_changed_split_is_an_error(runs, tmp_path):
    """Its test ROIs may have been learned from."""
    file = Path(load_config(runs / "only_phantom_a" / "config.yaml").data.split)
    split = tmp_path / "split.csv"
    split.write_text(file.read_text())
    edit(split, "patient001,train", "patient001,test")
    settle(runs / "only_phantom_a", "split", str(split))
    with pytest.raises(DataError, match="the data or the split"):
        domain_shift([runs / "only_phantom_a"], **SMALL)


def test_a_data_folder_that_moved_is_given(runs, phantom, result, tmp_path, detected):
    data = copy(phantom, tmp_path / "moved")
    both = [runs / "only_phantom_a", runs / "only_phantom_b"]
    for run in both:
        settle(run, "dir", str(tmp_path / "gone"))
    with pytest.raises(
        DataError,
        match=r"run only_phantom_a: the data folder .*gone does not exist; state .* with data",
    ):
        domain_shift(both, **SMALL)
    assert equal(domain_shift(both, data=data, **SMALL).matrix, result.matrix)
    assert detected == []


def test_an_annotation_file_moves_with_its_folder(runs, phantom, result, tmp_path):
    data = copy(phantom, tmp_path / "moved")
    shutil.copy(data / "annotations.json", data / "older.json")
    settle(runs / "only_phantom_a", "annotations", str(tmp_path / "gone" / "annotations.json"))
    outcome = domain_shift([runs / "only_phantom_a"], data=data, **SMALL)
    assert equal(outcome.matrix.rows[0], result.matrix.rows[0])


def test_runs_that_moved_take_their_splits_with_them(runs, result, tmp_path):
    both = [runs / "only_phantom_a", runs / "only_phantom_b"]
    for run in both:
        settle(run, "split", f"/gone/runs/.splits/{run.name}.csv")
    assert equal(domain_shift(both, **SMALL).matrix, result.matrix)
    shutil.rmtree(runs / ".splits")
    with pytest.raises(DataError, match="no split file /gone"):
        domain_shift(both, **SMALL)


def test_boxes_are_read_as_in_the_run(runs, phantom, tmp_path):
    data, run = copy(phantom, tmp_path / "data"), runs / "only_phantom_a"
    annotations(
        data, lambda tree: tree["annotations"][0].update(bbox=[20, 20, 50, 50])
    )  # 30 px wide, or 50
    split = load_config(run / "config.yaml").data.split
    with pytest.raises(DataError, match=r"data\.bbox"):
        read_rois(data, split=split)
    fingerprint = data_fingerprint(read_rois(data, split=split, bbox="xyxy"))
    (run / "data.json").write_text(json.dumps({"fingerprint": fingerprint}))
    settle(run, "bbox", "xyxy")
    assert domain_shift([run], data=data, **SMALL).matrix.rows[0].name == "only_phantom_a"


@pytest.mark.parametrize("other", [False, True], ids=["copies", "other images of the same names"])
def test_runs_of_two_data_folders(runs, phantom, result, tmp_path, other):
    data = copy(phantom, tmp_path / "data")
    if other:
        for file in (data / "images").iterdir():
            Image.open(file).rotate(180).save(file, resolution=254e2 / 0.25 / 10, resolution_unit=2)
    settle(runs / "only_phantom_b", "dir", str(data))
    outcome = domain_shift([runs / "only_phantom_a", runs / "only_phantom_b"], **SMALL)
    assert outcome.same_test is not other
    expected = {
        "Phantom A": 2 if other else 1,
        "Phantom B": 2 if other else 1,
        "Phantom C": 4 if other else 2,
    }
    assert {name: outcome.images[name].patches for name in expected} == {
        k: 2 * v for k, v in expected.items()
    }


def test_a_missing_test_image_is_an_error(runs, phantom, tmp_path):
    data = copy(phantom, tmp_path / "data")
    (data / "images" / "007.tiff").unlink()
    with pytest.raises(DataError, match=r"007\.tiff"):
        domain_shift([runs / "only_phantom_a"], data=data, **SMALL)


def test_a_test_image_that_cannot_be_read_is_an_error(runs, phantom, tmp_path):
    data = copy(phantom, tmp_path / "data")
    (data / "images" / "007.tiff").write_bytes(b"no image")
    with pytest.raises(DetectionsError, match=r"007\.tiff"):
        domain_shift([runs / "only_phantom_a"], data=data, **SMALL)
