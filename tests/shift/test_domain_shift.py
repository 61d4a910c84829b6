"""The domain-shift report of a tiny study: the matrix is what `evaluate` says; runs, data and
models are checked."""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from midog.config.load import load_config
from midog.data.folder import data_fingerprint, read_rois, select_rois
from midog.data.roi import Roi
from midog.errors import CheckpointError, DataError, DetectionsError, WeightsError
from midog.evaluation.scoring import evaluate
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.jobs import Job
from midog.shift import domain_shift as measure
from midog.shift import features
from midog.shift.distances import FEATURE_DISTANCES
from midog.shift.domain_shift import domain_shift, find_confounders
from midog.shift.images import IMAGE_DISTANCES
from midog.shift.patches import fixed_patches
from midog.shift.result import Confounder, ShiftResult
from midog.training.runs import write_state
from midog.training.train import train
from tests.spoiled import TINY, annotations, copy, edit

SMALL = {"device": "cpu", "per_roi": 2, "patch_px": 64, "resamples": 40}
SCANNERS = ["Phantom A", "Phantom B", "Phantom C", "Phantom D"]


@pytest.fixture(scope="module")
def result(trained) -> ShiftResult:
    return domain_shift(trained, **SMALL)


@pytest.fixture(scope="module")
def both(phantom, tmp_path_factory) -> Path:
    """A run on Phantom A and B together, as `midog train` makes it."""
    config = load_config(None, [f"data.dir={str(phantom)!r}", *TINY, "train.epochs=1"])
    return train(config, runs=tmp_path_factory.mktemp("both"), name="both")


def copy_runs(folder: Path, to: Path) -> Path:
    """A copy of a run, or of a folder of runs, without what only a training needs; weights are
    linked."""

    def take(a: str, b: str) -> None:
        (os.link if a.endswith(".safetensors") else shutil.copy2)(a, b)

    ignore = shutil.ignore_patterns("last.ckpt", "events*")
    return Path(shutil.copytree(folder, to, symlinks=True, ignore=ignore, copy_function=take))


@pytest.fixture
def light(monkeypatch) -> None:
    """No features: for what does not depend on them."""
    unknown = dict.fromkeys(FEATURE_DISTANCES, math.nan)
    monkeypatch.setattr(features, "backbone_features", lambda _detector, images: images[:, 0, 0])
    monkeypatch.setattr(
        features,
        "feature_distances",
        lambda _vectors, _patients, pairs, **_: dict.fromkeys(pairs, unknown),
    )


@pytest.fixture
def runs(trained, result, light, tmp_path) -> Path:
    """A copy of the study, what it detected included: only_phantom_a, only_phantom_b, latest."""
    return copy_runs(trained[0].parent, tmp_path / "runs")


@pytest.fixture
def detected(monkeypatch) -> list[str]:
    """Images that a model was shown."""
    seen: list[str] = []
    original = Detector.detect

    def detect(self: Detector, opened, progress=None):
        seen.append(opened.image.path.name)
        return original(self, opened, progress)

    monkeypatch.setattr(Detector, "detect", detect)
    return seen


def same(a: ShiftResult, b: ShiftResult) -> bool:
    """Figures, patches and projections."""
    return a.to_dict() == b.to_dict() and all(
        list(ours) == list(theirs) and all(np.array_equal(ours[key], theirs[key]) for key in ours)
        for ours, theirs in ((a.samples, b.samples), (a.projection, b.projection))
    )


def equal(a: object, b: object) -> bool:
    """Equal, NaN and all."""
    return repr(a) == repr(b)


# --- the matrix


def test_each_cell_is_what_evaluate_says_of_what_that_model_finds_there(
    trained, phantom, result, tmp_path
):
    test = select_rois(read_rois(phantom), "test")
    assert [row.name for row in result.matrix.rows] == ["only_phantom_a", "only_phantom_b"]
    for row, folder, own in zip(result.matrix.rows, trained, SCANNERS[:2], strict=True):
        infer(
            [Job(roi.path, roi.mpp) for roi in test],
            Detector.load(folder, device="cpu"),
            tmp_path / row.name,
        )
        groups = evaluate(tmp_path / row.name, test, resamples=0).groups
        assert row.train_on == (own,)
        assert set(row.cells) == set(groups) - {"all"} == set(SCANNERS[:3])
        for scanner, cell in row.cells.items():
            assert (cell.counts, cell.rois) == (groups[scanner].counts, groups[scanner].rois)
            assert cell.f1.value == pytest.approx(groups[scanner].counts.f1, nan_ok=True, abs=1e-15)
            assert cell.seen == (scanner == own)
    assert (
        sum(
            cell.counts.tp + cell.counts.fp
            for row in result.matrix.rows
            for cell in row.cells.values()
        )
        > 0
    )
    assert result.same_test


def test_patients_are_drawn_so_a_scanner_of_two_has_an_interval_and_one_of_one_has_not(result):
    for row in result.matrix.rows:
        assert math.isnan(row.cells["Phantom A"].f1.low)
        assert (
            row.cells["Phantom C"].f1.low
            <= row.cells["Phantom C"].f1.value
            <= row.cells["Phantom C"].f1.high
        )
    assert (result.level, result.resamples, result.seed) == (0.95, 40, 0)


def test_all_of_it_is_json_without_nan(result):
    tree = result.to_dict()
    assert json.loads(json.dumps(tree, allow_nan=False)) == tree
    assert [len(tree[key]) for key in ("models", "losses", "pairs", "images")] == [2, 4, 6, 4]


def test_each_loss_comes_with_the_distance_between_its_two_scanners(result):
    assert [(loss.model, loss.scanner) for loss in result.losses] == [
        ("only_phantom_a", "Phantom B"),
        ("only_phantom_a", "Phantom C"),
        ("only_phantom_b", "Phantom A"),
        ("only_phantom_b", "Phantom C"),
    ]
    apart = {frozenset((pair.a, pair.b)): pair.distances for pair in result.pairs}
    for loss, distances in zip(result.losses, result.loss_distances, strict=True):
        assert set(distances) == {*IMAGE_DISTANCES, *FEATURE_DISTANCES}
        between = apart[frozenset((*loss.train_on, loss.scanner))]
        for name in distances if loss.model == result.feature_model else IMAGE_DISTANCES:
            assert distances[name] == pytest.approx(between[name], rel=1e-9, nan_ok=True)
        assert distances["frechet"] > 0
    assert set(result.correlations) == {*IMAGE_DISTANCES, *FEATURE_DISTANCES}
    for name in {*result.correlations} - {"pad"}:  # which is not known of one patient
        by_drop = result.correlations[name]
        assert {drop: each.n for drop, each in by_drop.items()} == {
            drop: sum(not math.isnan(getattr(loss, drop)) for loss in result.losses)
            for drop in ("from_own", "from_native")
        }


def test_a_model_of_two_scanners_loses_over_the_mean_distance_from_both(both, trained, light):
    alone = domain_shift([both], **SMALL)
    assert math.isnan(alone.matrix.on_diagonal.value)
    ((loss, distances),) = zip(alone.losses, alone.loss_distances, strict=True)
    assert (loss.train_on, loss.scanner) == (("Phantom A", "Phantom B"), "Phantom C")
    apart = [pair.distances for pair in alone.pairs if pair.b == "Phantom C"]
    assert len(apart) == 2
    for name in IMAGE_DISTANCES:
        assert distances[name] == pytest.approx(np.mean([each[name] for each in apart]), abs=1e-12)
    together = domain_shift([*trained, both], **SMALL)
    assert together.feature_model == "both", (
        "features are those of the model that saw most scanners"
    )
    assert {loss.model for loss in together.losses} == {"only_phantom_a", "only_phantom_b"}
    assert together.same_test


# --- images and features


def test_the_unlabelled_scanner_takes_part_in_images_features_and_pairs(result):
    assert result.unlabelled == ("Phantom D",)
    assert list(result.images) == list(result.projection) == list(result.samples) == SCANNERS
    assert [(pair.a, pair.b) for pair in result.pairs] == list(itertools.combinations(SCANNERS, 2))
    for pair in result.pairs:
        assert list(pair.distances) == [*IMAGE_DISTANCES, *FEATURE_DISTANCES]
        of_one_patient = {"Phantom A", "Phantom B"} & {pair.a, pair.b}
        known = [name for name, value in pair.distances.items() if math.isfinite(value)]
        assert set(pair.distances) - set(known) == ({"pad"} if of_one_patient else set()), pair
    assert result.feature_model == "only_phantom_a"


def test_each_scanner_has_its_baseline_but_one_of_one_patient(result):
    assert list(result.within) == SCANNERS
    for scanner, baseline in result.within.items():
        assert list(baseline) == [*IMAGE_DISTANCES, *FEATURE_DISTANCES]
        unknown = {name for name, value in baseline.items() if math.isnan(value)}
        assert unknown == (set(baseline) if scanner in SCANNERS[:2] else {"pad"}), (
            "two patients are a pair of halves"
        )


def test_every_test_or_unlabelled_roi_is_looked_at_once_and_no_other(result, phantom):
    """An ROI of train or val would tell a scanner that a model learned from by what it knows by
    heart."""
    rois = {"Phantom A": 1, "Phantom B": 1, "Phantom C": 2, "Phantom D": 2}
    assert {scanner: each.patches for scanner, each in result.images.items()} == {
        k: 2 * v for k, v in rois.items()
    }
    assert {scanner: each.shape for scanner, each in result.projection.items()} == {
        scanner: (2 * count, 2) for scanner, count in rois.items()
    }
    chosen = [roi for roi in read_rois(phantom) if roi.split in ("test", "unlabelled")]
    for each in fixed_patches(chosen, size_px=64, per_roi=2):
        np.testing.assert_array_equal(result.samples[each.scanner], each.images)
    assert (
        result.patches
        == "2 to 4 patches from 1 to 2 of the test and unlabelled ROIs of each scanner, 64 px at"
        " 0.25 um/px, places of seed 0"
    )


def test_an_roi_that_is_test_to_one_run_is_looked_at(runs, phantom, tmp_path):
    """001.tiff is in train of the one, and in test of the other."""
    run = runs / "only_phantom_b"
    split = tmp_path / "split.csv"
    split.write_text(Path(load_config(run / "config.yaml").data.split).read_text())
    row = next(
        line
        for line in (phantom / "split.csv").read_text().splitlines()
        if line.startswith("001.tiff")
    )
    split.write_text(split.read_text() + row.replace(",train", ",test") + "\n")
    settle(run, "split", str(split))
    (run / "data.json").write_text(
        json.dumps({"fingerprint": data_fingerprint(read_rois(phantom, split=str(split)))})
    )
    found = domain_shift([runs / "only_phantom_a", run], **SMALL)
    assert found.images["Phantom A"].patches == 4
    assert not found.same_test


def test_unlabelled_images_that_are_not_there_are_left_out(runs, phantom, tmp_path, caplog):
    data = copy(phantom, tmp_path / "data")
    for name in ("009.tiff", "010.tiff"):
        (data / "images" / name).unlink()
    found = domain_shift([runs / "only_phantom_a"], data=data, **SMALL)
    assert list(found.images) == SCANNERS[:3]
    assert found.unlabelled == ()
    assert "2 of 6 images are missing and are not compared: 009.tiff, 010.tiff" in caplog.text


# --- once and again


def test_a_second_report_detects_nothing_anew_and_says_the_same(trained, result, detected):
    assert same(domain_shift(trained, **SMALL), result)
    assert detected == []


def test_a_report_that_was_broken_off_goes_on_with_the_rest(runs, result, detected):
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
    record = json.loads((folder / ".midog-infer.json").read_text())
    record["settings"]["weights"] = "another"
    shutil.copy(folder / ".midog-infer" / "003.json", folder / ".midog-infer" / "099.json")
    (folder / ".midog-infer.json").write_text(json.dumps(record))
    (folder / "099.json").write_text("{}")
    assert equal(
        domain_shift([runs / "only_phantom_a"], **SMALL).matrix.rows[0], result.matrix.rows[0]
    )
    assert len(detected) == 4
    assert not (folder / "099.json").exists()


def test_progress_is_told_by_run(runs):
    lines: list[str] = []
    images: list[tuple[int, int]] = []
    folders = [runs / "only_phantom_a", runs / "only_phantom_b"]
    domain_shift(
        folders,
        on_step=lines.append,
        on_image=lambda done, total: images.append((done, total)),
        **SMALL,
    )
    assert lines == [
        "[1/2] only_phantom_a: testing on 4 ROIs",
        "[2/2] only_phantom_b: testing on 4 ROIs",
        "measuring images and features",
    ]
    assert images == [(done, 8) for done in range(1, 9)]


# --- which folders are runs


def test_links_and_models_of_runs_that_are_there_double_nothing(runs, result):
    folders = [
        runs / "latest",
        runs / "only_phantom_a",
        runs / "only_phantom_a" / "best",
        str(runs / "only_phantom_b"),
    ]
    found = domain_shift(folders, **SMALL)
    assert [row.name for row in found.matrix.rows] == ["only_phantom_b", "only_phantom_a"]


def test_a_run_may_be_called_best(runs, result):
    (runs / "only_phantom_a").rename(runs / "best of all")
    assert domain_shift([runs / "best of all"], **SMALL).matrix.rows[0].name == "best of all"


def test_what_is_no_run_is_left_out_and_said(runs, result, caplog):
    (runs / "notes").mkdir()
    (runs / "table.csv").touch()
    found = domain_shift(sorted([*runs.iterdir(), runs / "nowhere"]), **SMALL)
    assert [row.name for row in found.matrix.rows] == [
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
    found = domain_shift([runs / "only_phantom_a"], **SMALL)
    assert equal(found.matrix.rows[0], result.matrix.rows[0])
    assert "run only_phantom_a is not finished" in caplog.text


def test_a_run_that_does_not_say_its_data_is_an_error(runs):
    (runs / "only_phantom_a" / "data.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"data\.json cannot be read"):
        domain_shift([runs / "only_phantom_a"], **SMALL)


# --- whose data are where


def settle(run: Path, key: str, value: str) -> None:
    """Change what a run's config says of its data."""
    tree = load_config(run / "config.yaml")
    assert key in type(tree.data).model_fields
    data = tree.data.model_copy(update={key: value})
    (run / "config.yaml").write_text(tree.model_copy(update={"data": data}).to_yaml())


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
        match=r"run only_phantom_a: there is no data folder .*gone; say where .* with --data",
    ):
        domain_shift(both, **SMALL)
    assert equal(domain_shift(both, data=data, **SMALL).matrix, result.matrix)
    assert detected == []


def test_an_annotation_file_moves_with_its_folder(runs, phantom, result, tmp_path):
    data = copy(phantom, tmp_path / "moved")
    shutil.copy(data / "annotations.json", data / "older.json")
    settle(runs / "only_phantom_a", "annotations", str(tmp_path / "gone" / "annotations.json"))
    found = domain_shift([runs / "only_phantom_a"], data=data, **SMALL)
    assert equal(found.matrix.rows[0], result.matrix.rows[0])


def test_runs_that_moved_take_their_splits_with_them(runs, result, tmp_path):
    both = [runs / "only_phantom_a", runs / "only_phantom_b"]
    for run in both:
        settle(run, "split", f"/gone/runs/.splits/{run.name}.csv")
    assert equal(domain_shift(both, **SMALL).matrix, result.matrix)
    shutil.rmtree(runs / ".splits")
    with pytest.raises(DataError, match="no split file /gone"):
        domain_shift(both, **SMALL)


def test_boxes_are_read_as_the_run_was_told(runs, phantom, tmp_path):
    data, run = copy(phantom, tmp_path / "data"), runs / "only_phantom_a"
    annotations(
        data, lambda tree: tree["annotations"][0].update(bbox=[20, 20, 50, 50])
    )  # 30 px wide, or 50
    split = load_config(run / "config.yaml").data.split
    with pytest.raises(DataError, match="--bbox"):
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
    found = domain_shift([runs / "only_phantom_a", runs / "only_phantom_b"], **SMALL)
    assert found.same_test is not other
    expected = {
        "Phantom A": 2 if other else 1,
        "Phantom B": 2 if other else 1,
        "Phantom C": 4 if other else 2,
    }
    assert {name: found.images[name].patches for name in expected} == {
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


# --- what goes with the scanner


def with_column(run: Path, data: Path, folder: Path, value: Callable[[int], str]) -> Path:
    """A copy of the run, its split with a column `tumour`: a function of the ROI's number."""
    header, *rows = (data / "split.csv").read_text().splitlines()
    split = folder / "tumour.csv"
    split.write_text(
        "\n".join([f"{header},tumour", *(f"{row},{value(int(row[:3]))}" for row in rows)]) + "\n"
    )
    run = copy_runs(run, folder / run.name)
    settle(run, "split", str(split))
    return run


def test_a_column_that_goes_with_the_scanner_is_named_with_its_counts(
    light, both, phantom, tmp_path, monkeypatch
):
    run = with_column(both, phantom, tmp_path, lambda n: "canine" if n <= 3 else "human")
    assert domain_shift([run], **SMALL).confounders == (), (
        "eight patients can be like that by chance"
    )
    monkeypatch.setattr(measure, "_CHANCE", 0.2)
    found = domain_shift([run], **SMALL)
    assert found.confounders == (
        Confounder(
            "tumour",
            {"Phantom A": {"canine": 3}, "Phantom B": {"human": 3}, "Phantom C": {"human": 2}},
        ),
    )


@pytest.mark.parametrize(
    "value",
    [
        lambda n: "human",  # the same everywhere
        lambda n: f"ward {n}",  # a name of each ROI, and no kind
        lambda n: "human" if n < 9 else "canine",  # only the unlabelled one is of another kind
        lambda n: "",
    ],
    ids=["one value", "a value each", "unlabelled", "empty"],
)
def test_a_column_that_tells_nothing_is_not_named(
    light, both, phantom, tmp_path, monkeypatch, value
):
    monkeypatch.setattr(measure, "_CHANCE", 1.0)
    assert domain_shift([with_column(both, phantom, tmp_path, value)], **SMALL).confounders == ()


def of_tumours(scanner: str, tumours: str, patients: str = "") -> list[Roi]:
    """An ROI for each letter of `tumours`."""
    owners = patients or [f"{scanner}{number}" for number in range(len(tumours))]
    return [
        Roi(
            f"{scanner}{n}.tiff",
            scanner=scanner,
            patient=f"{scanner}{owner}",
            split="train",
            columns={"tumour": tumour},
        )
        for n, (tumour, owner) in enumerate(zip(tumours, owners, strict=True))
    ]


def test_a_mix_that_chance_does_not_explain_is_named():
    rois = [*of_tumours("A", "c" * 10 + "h" * 10), *of_tumours("B", "h" * 20)]
    (found,) = find_confounders(rois)
    assert found == Confounder("tumour", {"A": {"c": 10, "h": 10}, "B": {"h": 20}})


@pytest.mark.parametrize(
    "rois",
    [
        [*of_tumours("A", "cccchhhh"), *of_tumours("B", "chhhhhhh")],
        [
            *of_tumours("A", "c" * 10 + "h" * 10, "a" * 10 + "b" * 10),
            *of_tumours("B", "h" * 20, "c" * 10 + "d" * 10),
        ],
        [*of_tumours("A", "c" * 120 + "h" * 80), *of_tumours("B", "c" * 80 + "h" * 120)],
    ],
    ids=["few ROIs", "few patients", "sure but small"],
)
def test_a_mix_that_chance_explains_or_that_hardly_differs_is_not_named(rois):
    assert find_confounders(rois) == []


def test_in_midog_plus_plus_scanner_and_tumour_go_together(shared):
    rois = read_rois(shared / "data" / "annotations" / "MIDOGpp.json", split="midogpp")
    tables = {each.column: each.table for each in find_confounders(rois)}
    assert set(tables) == {"tumour", "species", "origin"}
    assert tables["species"]["3D Histech"] == {"Canine": 199}
    assert tables["tumour"]["Hamamatsu S360"] == {"human breast cancer": 50}


def test_in_midog_2021_no_column_goes_with_the_scanner(shared):
    rois = read_rois(shared / "data" / "annotations" / "MIDOG.json", split="midog21")
    assert find_confounders(rois) == []
