"""Columns that go with the scanner, and what chance explains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from midog.data.folder import read_rois
from midog.data.roi import Roi
from midog.shift import confounders as module
from midog.shift.confounders import find_confounders
from midog.shift.domain_shift import domain_shift
from midog.shift.result import Confounder
from tests.shift.studies import SMALL, copy_runs, settle


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
    monkeypatch.setattr(module, "MOST_CHANCE", 0.2)
    outcome = domain_shift([run], **SMALL)
    assert outcome.confounders == (
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
    monkeypatch.setattr(module, "MOST_CHANCE", 1.0)
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
    (outcome,) = find_confounders(rois)
    assert outcome == Confounder("tumour", {"A": {"c": 10, "h": 10}, "B": {"h": 20}})


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
