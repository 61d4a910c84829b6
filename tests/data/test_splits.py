"""Splits made by patient: whole, even, repeatable, k-fold and by scanner."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from midog.data.roi import Roi
from midog.data.split_file import Split
from midog.data.splits import cut_validation, k_fold, leave_one_scanner_out, make_split
from midog.errors import ConfigError, DataError
from tests.data.cohorts import check_split, roi, roles, rows_of


@st.composite
def cohorts(draw: st.DrawFn) -> list[Roi]:
    """24 to 36 patients of three scanners with one to three ROIs; some were scanned on a
    fourth as well."""
    rois: list[Roi] = []
    for patient in range(draw(st.integers(24, 36))):
        for number in range(draw(st.integers(1, 3))):
            crossed = number > 0 and patient % 4 == 0 and draw(st.booleans())
            figures, imposters = draw(st.integers(0, 30)), draw(st.integers(1, 5))
            rois.append(
                roi(
                    len(rois),
                    "D" if crossed else "ABC"[patient % 3],
                    figures,
                    imposters,
                    f"p{patient}",
                )
            )
    return rois


@settings(deadline=None, max_examples=40)
@given(cohorts(), st.integers(0, 5))
def test_no_patient_is_cut_and_each_roi_has_one_role(rois: list[Roi], seed: int) -> None:
    split = make_split(rois, seed=seed)
    assert [row.file_name for row in split.rows] == [item.file_name for item in rois]
    places = defaultdict(set)
    for row in split.rows:
        places[row.patient].add(row.split)
    assert all(len(roles) == 1 for roles in places.values())
    assert set(roles(split).values()) == {"train", "val", "test"}
    assert check_split(split, rois) == []


@pytest.mark.parametrize("seed", range(6))
def test_each_part_has_its_share_of_each_roi_type(seed: int) -> None:
    kinds = ["hotspot"] * 40 + ["random"] * 20 + ["challenging"] * 20
    rois = [
        replace(roi(number, "AB"[number % 2], number % 5), columns={"roi_type": kind})
        for number, kind in enumerate(kinds)
    ]
    split = make_split(rois, val=0.25, test=0.25, seed=seed)
    counts = Counter((row.split, row.columns["roi_type"]) for row in split.rows)
    for part, share in (("train", 0.5), ("val", 0.25), ("test", 0.25)):
        for kind in set(kinds):
            assert abs(counts[part, kind] - share * kinds.count(kind)) <= 1


@settings(deadline=None, max_examples=40)
@given(cohorts(), st.integers(0, 5), st.randoms())
def test_the_same_seed_gives_the_same_split_whatever_the_order(
    rois: list[Roi], seed: int, random: object
) -> None:
    shuffled = list(rois)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert roles(make_split(rois, seed=seed)) == roles(make_split(shuffled, seed=seed))


def test_seeds_give_different_splits() -> None:
    rois = [roi(number, figures=number) for number in range(40)]
    assert len({tuple(roles(make_split(rois, seed=seed)).items()) for seed in range(5)}) == 5


@settings(deadline=None, max_examples=30)
@given(cohorts(), st.integers(2, 5))
def test_each_roi_is_tested_on_in_exactly_one_fold(rois: list[Roi], folds: int) -> None:
    splits = k_fold(rois, folds=folds)
    tested = Counter(row.file_name for split in splits for row in split.rows if row.split == "test")
    assert tested == Counter(item.file_name for item in rois)
    assert all(check_split(split, rois) == [] for split in splits)
    assert all({"train", "val", "test"} == set(roles(split).values()) for split in splits)


@settings(deadline=None, max_examples=30)
@given(cohorts())
def test_a_scanner_left_out_is_all_test_and_its_patients_teach_nothing(rois: list[Roi]) -> None:
    splits = leave_one_scanner_out(rois)
    assert set(splits) == {item.scanner for item in rois}
    for scanner, split in splits.items():
        tested = {row.file_name for row in split.rows if row.split == "test"}
        assert tested == {item.file_name for item in rois if item.scanner == scanner}
        held = {item.patient for item in rois if item.scanner == scanner}
        assert not held & {row.patient for row in split.rows if row.split != "test"}
        left_out = [item for item in rois if item.scanner != scanner and item.patient in held]
        assert len(split.rows) == len(rois) - len(left_out)


@pytest.mark.parametrize("seed", range(5))
def test_parts_are_even_in_scanner_and_in_figures(seed: int) -> None:
    counts = np.random.default_rng(1).permutation(200)
    rois = [
        roi(number, "AB"[number % 2], figures=int(count)) for number, count in enumerate(counts)
    ]
    split = make_split(rois, val=0.15, test=0.2, seed=seed)
    for scanner in "AB":
        dealt = Counter(row.split for row in split.rows if row.scanner == scanner)
        assert abs(dealt["test"] - 20) <= 1
        assert abs(dealt["val"] - 15) <= 1
    figures = {item.file_name: len(item.boxes.of_class(1)) for item in rois}
    for role in ("train", "val", "test"):
        mean = np.mean([figures[name] for name, place in roles(split).items() if place == role])
        assert (
            abs(mean - 99.5) < 4
        )  # 57.7 is their spread: 30 drawn without regard to it miss by 10


def test_unlabelled_rois_stay_unlabelled() -> None:
    rois = [roi(number, figures=number) for number in range(20)]
    named = replace(roi(20), split="unlabelled")
    silent = [roi(number, "B", figures=0, imposters=0) for number in (21, 22)]
    split = make_split([*rois, named, *silent])
    unlabelled = [name for name, role in roles(split).items() if role == "unlabelled"]
    assert unlabelled == ["020.tiff", "021.tiff", "022.tiff"]


def test_an_unlabelled_roi_of_a_test_patient_is_left_out() -> None:
    rois = [roi(number, figures=number) for number in range(20)]
    tested = next(name for name, role in roles(make_split(rois)).items() if role == "test")
    extra = replace(roi(99), patient=tested, split="unlabelled")
    assert "099.tiff" not in roles(make_split([*rois, extra]))


def test_scanners_and_patients_may_be_named_otherwise() -> None:
    rois = [replace(roi(number, ""), columns={"case": f"c{number // 2}"}) for number in range(24)]
    scanners = {
        item.file_name: ("hamammatsu xr", "B")[number // 12] for number, item in enumerate(rois)
    }
    split = make_split(rois, scanners=scanners, patients="case")
    assert {row.scanner for row in split.rows} == {"Hamamatsu XR", "B"}
    assert {row.patient for row in split.rows} == {f"c{number}" for number in range(12)}
    with pytest.raises(DataError, match=r"000.tiff has no scanner in column 'lab'"):
        make_split(rois, scanners="lab")


def test_impossible_shares() -> None:
    rois = [roi(number) for number in range(3)]
    with pytest.raises(
        ConfigError, match=r"train -0.1, val 0.6, test 0.5: nothing is left for train"
    ):
        make_split(rois, val=0.6, test=0.5)
    with pytest.raises(DataError, match=r"2 patients are too few: none is left for val"):
        make_split(rois[:2], val=0.01, test=0.34)
    with pytest.raises(DataError, match=r"0 patients are too few"):
        make_split([])
    with pytest.raises(ConfigError, match=r"1 folds"):
        k_fold(rois, folds=1)
    with pytest.raises(DataError, match=r"too few"):
        leave_one_scanner_out(rois)


def test_of_few_patients_each_part_gets_one_and_none_is_cut(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rois = [roi(number, patient=f"p{number // 4}") for number in range(12)]
    split = make_split(rois)
    assert Counter(roles(split).values()) == {"train": 4, "val": 4, "test": 4}
    assert len({(row.patient, row.split) for row in split.rows}) == 3
    assert "3 patients are few for these shares: val gets one of train, patient p" in caplog.text


def test_val_is_cut_from_train_alone() -> None:
    rois = [roi(number, figures=number) for number in range(40)]
    before = Split(
        "s",
        tuple(
            replace(row, split="test") if n < 10 else row
            for n, row in enumerate(rows_of(rois, "train").rows)
        ),
    )
    after = cut_validation(before, rois, val=0.2)
    assert Counter(roles(after).values()) == {"test": 10, "train": 24, "val": 6}
    assert all(
        roles(after)[name] == "test" for name, role in roles(before).items() if role == "test"
    )
