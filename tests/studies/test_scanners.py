"""The study: its trainings, that finished ones are skipped, and interrupted ones resumed."""

from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from midog.boxes import IMPOSTER, MITOTIC_FIGURE, Boxes
from midog.config.load import load_config
from midog.config.schema import RunConfig
from midog.data.folder import data_fingerprint, read_rois
from midog.data.roi import Roi
from midog.data.split_file import Split, read_split
from midog.errors import CheckpointError, ConfigError, DataError
from midog.locks import being_written, held_file
from midog.studies import trainings
from midog.studies.scanners import plan_study, train_study
from midog.training import loop
from midog.training.identity import Identity
from midog.training.interrupts import Interrupted
from midog.training.resume import make_run
from midog.training.runs import is_finished, list_runs, write_state
from tests.spoiled import TINY, annotations, copy

LABEL = {"figure": [MITOTIC_FIGURE], "imposter": [IMPOSTER], "": []}


def roi(name: str, scanner: str, split: str, label: str = "figure") -> Roi:
    labels = LABEL[label] if split != "unlabelled" else []
    return Roi(
        name,
        boxes=Boxes([[10, 10, 60, 60]] * len(labels), labels),
        scanner=scanner,
        patient=name,
        split=split,
    )


def rois_of(scanners: Sequence[str]) -> list[Roi]:
    """One ROI of each labelled role per scanner, and two of an unlabelled scanner."""
    labelled = [
        roi(f"{name}_{role}", name, role) for name in scanners for role in ("train", "val", "test")
    ]
    return [*labelled, roi("new_1", "New", "unlabelled"), roi("new_2", "New", "unlabelled")]


def listed(split: Split, role: str) -> set[str]:
    return {row.file_name for row in split.rows if row.split == role}


# --- the plan


def test_three_scanners_are_six_trainings():
    plans = plan_study(rois_of("ABC"))
    assert [(plan.name, plan.train_on) for plan in plans] == [
        ("only_a", ("A",)),
        ("only_b", ("B",)),
        ("only_c", ("C",)),
        ("without_a", ("B", "C")),
        ("without_b", ("A", "C")),
        ("without_c", ("A", "B")),
    ]


@pytest.mark.parametrize(
    ("scanners", "design", "names"),
    [
        ("AB", "both", ["only_a", "only_b"]),  # without_a would be only_b again
        ("AB", "single", ["only_a", "only_b"]),
        ("AB", "leave-one-out", ["without_a", "without_b"]),
        ("ABC", "single", ["only_a", "only_b", "only_c"]),
        ("ABC", "leave-one-out", ["without_a", "without_b", "without_c"]),
    ],
)
def test_designs(scanners, design, names):
    assert [plan.name for plan in plan_study(rois_of(scanners), design)] == names


roles = st.sampled_from(["train", "val", "test", "unlabelled"])


@given(st.lists(st.tuples(st.sampled_from("ABCD"), roles), max_size=12))
def test_a_training_learns_and_tunes_on_its_scanners_and_tests_on_all(more):
    rois = rois_of("ABC") + [roi(f"more_{i}", *fields) for i, fields in enumerate(more)]
    by_name = {roi.file_name: roi for roi in rois}
    for plan in plan_study(rois):
        assert len(set(plan.train_on)) == len(plan.train_on)
        for role in ("train", "val"):
            theirs = {
                roi.file_name for roi in rois if roi.split == role and roi.scanner in plan.train_on
            }
            assert listed(plan.split, role) == theirs
            assert theirs
        for role in ("test", "unlabelled"):
            assert listed(plan.split, role) == {roi.file_name for roi in rois if roi.split == role}
        for row in plan.split.rows:
            whole = by_name[row.file_name]
            assert (row.scanner, row.patient, row.split) == (
                whole.scanner,
                whole.patient,
                whole.split,
            )


@pytest.mark.parametrize(
    ("spoilt", "says"),
    [
        ([roi("c_train", "C", "train", ""), roi("c_val", "C", "val")], "C has no figure in train"),
        (
            [roi("c_train", "C", "train", "imposter"), roi("c_val", "C", "val")],
            "C has no figure in train",
        ),
        ([roi("c_train", "C", "train")], "C has no ROI in val"),
    ],
    ids=["no figures", "imposters only", "no val"],
)
def test_a_scanner_that_cannot_be_trained_on_is_tested_on_and_said(caplog, spoilt, says):
    plans = plan_study([*rois_of("AB"), *spoilt, roi("c_test", "C", "test")])
    assert [plan.name for plan in plans] == ["only_a", "only_b"]
    assert all("c_test" in listed(plan.split, "test") for plan in plans)
    assert [record.getMessage() for record in caplog.records] == [
        f"{says}: it is tested on, and no model is trained on it"
    ]


def test_a_scanner_of_the_test_alone_is_no_news(caplog):
    plan_study([*rois_of("AB"), roi("c_test", "C", "test")])
    assert caplog.records == []


@pytest.mark.parametrize("scanners", ["", "A"])
def test_fewer_than_two_scanners_are_an_error(scanners):
    with pytest.raises(
        DataError, match=f"figures in train and ROIs in val: {scanners or 'none'}; .*data\\.split"
    ):
        plan_study(rois_of(scanners))


def test_data_without_a_split_are_an_error():
    with pytest.raises(DataError, match="data\\.split"):
        plan_study([Roi("a"), Roi("b")])


def test_nothing_to_test_on_is_an_error():
    with pytest.raises(DataError, match="no ROI in test"):
        plan_study([roi for roi in rois_of("AB") if roi.split != "test"])


def test_runs_are_named_after_scanners_each_by_a_name_of_its_own():
    names = [
        plan.name
        for plan in plan_study(rois_of(["Aperio CS2", "aperio-cs2", "3D Histech", "É"]), "single")
    ]
    assert names == ["only_aperio_cs2", "only_aperio_cs2_2", "only_3d_histech", "only_unknown"]


# --- the trainings, with a training that only notes that it was asked for

Asked = list[tuple[str, RunConfig, list[Roi]]]


@pytest.fixture
def asked(monkeypatch) -> Asked:
    """What was asked to be trained; each training makes its run and finishes at once."""
    calls: Asked = []

    def note(config: RunConfig, *, name: str, runs: Path, rois: list[Roi]) -> Path:
        with ExitStack() as stack:
            identity = Identity(config, data_fingerprint(rois))
            folder = make_run(runs, identity, name=name, stack=stack).folder
        write_state(folder, {"finished": True})
        calls.append((name, config, rois))
        return folder

    monkeypatch.setattr(trainings, "train", note)
    return calls


def config_of(data: Path, *more: str) -> RunConfig:
    return load_config(None, [f"data.dir={str(data)!r}", *TINY, *more])


def test_each_training_gets_its_rois_and_a_config_that_names_its_split(asked, phantom, tmp_path):
    runs = tmp_path / "runs"
    folders = train_study(config_of(phantom), runs=runs)
    assert folders == [runs / "only_phantom_a", runs / "only_phantom_b"]
    for (name, config, rois), scanner, folder in zip(
        asked, ("Phantom A", "Phantom B"), folders, strict=True
    ):
        assert name == folder.name
        assert {roi.scanner for roi in rois if roi.split in ("train", "val")} == {scanner}
        saved = load_config(folder / "config.yaml").data
        assert saved == config.data
        assert Path(saved.split).is_absolute()
        assert {row.file_name for row in read_split(saved.split).rows} == {
            roi.file_name for roi in rois
        }
        back = read_rois(saved.dir, split=saved.split)
        assert [roi.file_name for roi in back] == [roi.file_name for roi in rois]
        assert data_fingerprint(back) == data_fingerprint(rois)
        assert {roi.scanner for roi in back if roi.split == "test"} == {
            "Phantom A",
            "Phantom B",
            "Phantom C",
        }
        assert {roi.scanner for roi in back if roi.split == "unlabelled"} == {"Phantom D"}


def test_relative_folders_of_runs_work(asked, phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert train_study(config_of(phantom)) == [
        Path("runs/only_phantom_a"),
        Path("runs/only_phantom_b"),
    ]
    monkeypatch.chdir(tmp_path.parent)
    assert read_split(asked[0][1].data.split).rows, "the split is found from anywhere"


def hostile_columns(data: Path) -> None:
    """Fields of an image that are named as the split's own columns, and a text of two lines."""
    fields = {
        "scanner": "room 5",
        "patient": "all one",
        "Split": "test",
        "tumour": "breast",
        "note": "a\nb, c",
    }
    annotations(data, lambda tree: [image.update(fields) for image in tree["images"]])


def long_mpp(data: Path) -> None:
    file = data / "split.csv"
    file.write_text(file.read_text().replace(",0.25", f",{0.5 / 2.2}"))


@pytest.mark.parametrize("change", [hostile_columns, long_mpp])
def test_what_the_split_file_says_is_what_was_learned_from(asked, phantom, tmp_path, change):
    change(copy(phantom, tmp_path / "data"))
    train_study(config_of(tmp_path / "data"), runs=tmp_path / "runs")
    for _, config, rois in asked:
        back = read_rois(config.data.dir, split=config.data.split)
        assert data_fingerprint(back) == data_fingerprint(rois)
        assert [roi.columns.get("tumour") for roi in back] == [
            roi.columns.get("tumour") for roi in rois
        ]
    assert [name for name, _, _ in asked] == ["only_phantom_a", "only_phantom_b"]
    train_study(config_of(tmp_path / "data"), runs=tmp_path / "runs")
    assert len(asked) == 2, "and the runs are recognised"


def test_finished_runs_are_skipped_and_progress_is_reported(asked, phantom, tmp_path):
    reports: list[tuple[int, int, str]] = []
    first = train_study(
        config_of(phantom),
        runs=tmp_path / "runs",
        on_training=lambda *report: reports.append(report),
    )
    again = train_study(
        config_of(phantom),
        runs=tmp_path / "runs",
        on_training=lambda *report: reports.append(report),
    )
    assert first == again
    assert [name for name, _, _ in asked] == ["only_phantom_a", "only_phantom_b"]
    assert reports == [
        (0, 2, "only_phantom_a: training on Phantom A"),
        (1, 2, "only_phantom_b: training on Phantom B"),
        (0, 2, "only_phantom_a is done"),
        (1, 2, "only_phantom_b is done"),
    ]


def test_a_split_that_was_deleted_is_written_again(asked, phantom, tmp_path):
    train_study(config_of(phantom), runs=tmp_path / "runs")
    file = Path(asked[0][1].data.split)
    before = file.read_text()
    file.unlink()
    train_study(config_of(phantom), runs=tmp_path / "runs")
    assert file.read_text() == before


def other_setting(data: Path) -> tuple[list[str], str]:
    return ["train.lr=0.5"], r"train\.lr: 0\.0001, now 0\.5"


def other_data(data: Path) -> tuple[list[str], str]:
    annotations(data, lambda tree: tree["annotations"].pop())
    return [], "data: [0-9a-f]+, now [0-9a-f]+"


@pytest.mark.parametrize("change", [other_setting, other_data])
def test_a_run_of_the_name_that_is_another_stops_it_before_anything_is_trained(
    asked, phantom, tmp_path, change
):
    """Only the last run is there, so that the first would be trained."""
    data, runs = copy(phantom, tmp_path / "data"), tmp_path / "runs"
    train_study(config_of(data), runs=runs)
    (runs / "only_phantom_a").rename(runs / "kept")
    for file in (runs / ".splits").iterdir():
        file.write_text("as it was")
    asked.clear()
    overrides, says = change(data)
    with pytest.raises(
        CheckpointError,
        match=f"run only_phantom_b was started with other .*{says}.*; .*another runs",
    ):
        train_study(config_of(data, *overrides), runs=runs)
    assert asked == []
    assert not (runs / "only_phantom_a").exists()
    assert {file.read_text() for file in (runs / ".splits").iterdir()} == {"as it was"}


def test_settings_that_change_no_result_may_differ(asked, phantom, tmp_path):
    train_study(config_of(phantom), runs=tmp_path / "runs")
    train_study(config_of(phantom, "machine.workers=0"), runs=tmp_path / "runs")
    assert len(asked) == 2


def test_a_missing_image_is_an_error_before_anything_is_made(asked, phantom, tmp_path):
    data = copy(phantom, tmp_path / "data")
    (data / "images" / "004.tiff").unlink()  # of the second training
    with pytest.raises(DataError, match=r"004\.tiff"):
        train_study(config_of(data), runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_calls_at_the_same_time_share_the_trainings_out(asked, phantom, tmp_path):
    reports: list[str] = []
    runs = tmp_path / "runs"
    (runs / ".splits").mkdir(parents=True)
    lock = runs / ".splits" / ".only_phantom_a.lock"
    with held_file(lock, being_written(lock)):  # as another process holds it
        folders = train_study(
            config_of(phantom),
            runs=runs,
            on_training=lambda done, total, line: reports.append(line),
        )
    assert folders == [runs / "only_phantom_b"]
    assert reports == [
        "only_phantom_a is being trained by another process",
        "only_phantom_b: training on Phantom B",
    ]
    assert train_study(config_of(phantom), runs=runs) == [
        runs / "only_phantom_a",
        runs / "only_phantom_b",
    ]
    assert [name for name, _, _ in asked] == ["only_phantom_b", "only_phantom_a"]


def test_what_another_process_writes_beside_a_split_stays(asked, phantom, tmp_path):
    half = tmp_path / "runs" / ".splits" / f".only_phantom_b.csv.{'0' * 32}.part"
    half.parent.mkdir(parents=True)
    half.write_text("half of its split")
    train_study(config_of(phantom), runs=tmp_path / "runs")
    assert half.exists()


def test_several_devices_are_an_error(asked, phantom, tmp_path):
    with pytest.raises(ConfigError, match=r"one device each; use machine\.devices=1"):
        train_study(config_of(phantom, "machine.devices=2"), runs=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


# --- real trainings


def interrupting(run_name: str, train_epoch: Callable[..., float]) -> Callable[..., float]:
    """`train_epoch`, with a Ctrl-C in the second epoch of that run, once."""
    pressed = []

    def run_epoch(learner, task, settings, watch, saver) -> float:
        if watch.folder.name == run_name and learner.progress.epoch == 1 and not pressed:
            pressed.append(os.kill(os.getpid(), signal.SIGINT))
        return train_epoch(learner, task, settings, watch, saver)

    return run_epoch


def test_a_study_that_was_interrupted_resumes_where_it_stopped(
    phantom, tmp_path, monkeypatch, caplog
):
    caplog.set_level(logging.INFO, "midog")
    config, runs = config_of(phantom, "train.epochs=2"), tmp_path / "runs"
    monkeypatch.setattr(loop, "train_epoch", interrupting("only_phantom_b", loop.train_epoch))
    with pytest.raises(Interrupted):
        train_study(config, runs=runs)
    first, second = runs / "only_phantom_a", runs / "only_phantom_b"
    assert (is_finished(first), is_finished(second)) == (True, False)
    checkpoint = (first / "last.ckpt").read_bytes()
    caplog.clear()
    reports: list[str] = []
    assert train_study(
        config, runs=runs, on_training=lambda done, total, line: reports.append(line)
    ) == [first, second]
    assert reports == ["only_phantom_a is done", "only_phantom_b: training on Phantom B"]
    assert f"resuming {second} at epoch 2 of 2" in caplog.text
    assert is_finished(second)
    assert (first / "last.ckpt").read_bytes() == checkpoint
    assert {folder.name for folder in list_runs(runs)} == {
        "only_phantom_a",
        "only_phantom_b",
    }, "nothing was set aside"


def test_a_model_says_what_it_was_trained_on(trained, phantom):
    for folder, scanner in zip(trained, ("Phantom A", "Phantom B"), strict=True):
        card = json.loads((folder / "best" / "model.json").read_text())
        rows = read_split(card["config"]["data"]["split"]).rows
        assert {row.scanner for row in rows if row.split == "train"} == {scanner}
        assert np.isfinite(card["threshold"])
