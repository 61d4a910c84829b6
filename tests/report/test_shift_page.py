"""The page of a domain-shift report: all of its tables, the right numbers in them, and every hole
in the data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from midog._version import __version__
from midog.errors import MidogError
from midog.metrics import scanner_draws
from midog.metrics.counts import Counts
from midog.metrics.points import RoiPoints
from midog.metrics.pooled_matches import PooledMatches
from midog.metrics.scanner_matrix import PUBLISHED_F1
from midog.report.shift_page import write_shift_page
from midog.report.shift_tables import (
    HEADS,
    confounder_table,
    published_means,
)
from midog.report.shift_words import apart
from midog.shift.distances import DIMS
from midog.shift.halves import DRAWS, SLOW_DRAWS
from midog.shift.result import Confounder, ShiftResult
from tests.report.markup import Element, Page
from tests.report.shifts import (
    DISTANCES,
    NAMES,
    build_shift,
    result_of,
    with_holes,
    without_losses,
)

TABLES = (
    "matrix",
    "means",
    "published",
    "gap",
    "images",
    "image-distances",
    "features",
    "correlation",
)
TUMOURS = Confounder(
    "tumour", {NAMES[0]: {"breast": 20, "lymphoma": 1}, NAMES[1]: {"lymphoma": 12}}
)
CASES = {
    "plain": build_shift,
    "seven scanners": lambda: build_shift(NAMES, unlabelled=()),
    "leave one out": lambda: build_shift(single=False, same_test=False),
    "one patient": lambda: build_shift(patients=1),
    "two scanners": lambda: build_shift(NAMES[:2], leave_one_out=False),
    "one model": without_losses,
    "holes": with_holes,
    "confounded": lambda: build_shift(confounders=[TUMOURS]),
    "no resamples": lambda: replace(build_shift(patients=1), resamples=0),
    "hostile names": lambda: build_shift(("<b>A&B</b>", 'x" onload="y', "Aperio " * 12)),
}


def page_of(result: ShiftResult, folder: Path) -> Page:
    write_shift_page(folder / "page.html", result)
    return Page((folder / "page.html").read_text(encoding="utf-8"))


def rows(table: Element, part: int = 0) -> list[list[str]]:
    """The text of each cell of one of the table's bodies."""
    bodies = [element for element in table.inside if element.tag == "tbody"]
    outcome = [element for element in bodies[part].inside if element.tag == "tr"]
    return [
        [" ".join(cell.text.split()) for cell in row.inside if cell.tag in ("td", "th")]
        for row in outcome
    ]


@pytest.fixture(scope="module")
def of_case(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Page]:
    """The page of one of CASES; each is written once."""
    return cache(lambda name: page_of(CASES[name](), tmp_path_factory.mktemp("page")))


@pytest.fixture(scope="module")
def plain() -> ShiftResult:
    return CASES["plain"]()


@pytest.fixture
def page(of_case: Callable[[str], Page]) -> Page:
    return of_case("plain")


@pytest.mark.parametrize("name", CASES)
def test_every_case_gives_a_valid_page_with_all_tables(
    name: str, of_case: Callable[[str], Page]
) -> None:
    result, page = CASES[name](), of_case(name)
    assert page.problems == []
    assert set(TABLES) <= {element.attributes["id"] for element in page.all("table")}
    assert len(page.all("svg")) == (11 if result.losses else 4)
    assert (
        len(rows(page.by_id("matrix"))) == len(rows(page.by_id("gap"))) == len(result.matrix.rows)
    )
    assert len(rows(page.by_id("correlation"))) == len(DISTANCES)
    assert not {"nan", "None", "inf"} & set(page.text.split())


def test_what_the_threshold_costs_stands_cell_by_cell(tmp_path: Path) -> None:
    points = [
        RoiPoints([[0, 0], [0.5, 0.5]], [[0, 0], [0.5, 0.5]], scores)
        for scores in ([0.9, 0.3], [0.8, 0.2])
    ]
    part = scanner_draws.Tested([Counts(1, 0, 1)] * 2, ["p", "q"], PooledMatches.of(points))
    models = [("only", (NAMES[0],), {NAMES[0]: part, NAMES[1]: part})]
    page = page_of(result_of(models, NAMES[:2]), tmp_path)
    own, transferred = rows(page.by_id("thresholds"))
    assert own[1] == f"seen{NAMES[0]}"
    assert transferred[1] == NAMES[1]
    assert [cell.split()[0][:5] for cell in own[2:]] == [
        "0.667",
        "1.000",
        "0.100",
        "0.333",
        "0.000",
    ]
    assert own[4] == "0.100*"
    assert "must not be published as F1" in page.text
    assert "with more of them the oracle’s F1 might be higher" in page.text


def test_without_scores_below_the_threshold_no_cost_is_made_up(page: Page) -> None:
    assert "Not known: the detections do not hold scores below the threshold." in page.text
    assert "thresholds" not in {element.attributes["id"] for element in page.all("table")}


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_shift_page(tmp_path / name, without_losses())
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(MidogError, match="cannot be written"):
        write_shift_page(tmp_path / "nowhere" / "page.html", without_losses())


def test_the_matrix_holds_f1_intervals_and_what_was_seen(plain: ShiftResult, page: Page) -> None:
    by_name = {row.name: row for row in plain.matrix.rows}
    for name, row in zip(
        ("only_0", "only_1", "only_2", "without_0"), rows(page.by_id("matrix")), strict=False
    ):
        assert row[0].endswith(name)
        for scanner, text in zip(NAMES[:3], row[1:], strict=True):
            cell = by_name[name].cells[scanner]
            seen = "seen" if cell.seen else ""
            assert text == f"{seen}{cell.f1.value:.3f}{cell.f1.low:.3f}–{cell.f1.high:.3f}"


def test_columns_say_what_they_rest_on(page: Page) -> None:
    (head,) = [element for element in page.by_id("matrix").inside if element.tag == "thead"]
    assert head.text.count("4 ROIs\n40 figures") == 3


def test_the_means_and_their_interval_stand_in_a_table(plain: ShiftResult, page: Page) -> None:
    gap = plain.matrix.gap
    assert rows(page.by_id("means"))[2] == [
        "gap",
        f"{gap.value:.3f}",
        f"{gap.low:.3f}–{gap.high:.3f}",
    ]


def test_the_published_matrix_is_there_and_said_to_be_no_baseline(page: Page) -> None:
    numbers = [
        [cell.removeprefix("seen") for cell in row[1:]] for row in rows(page.by_id("published"))
    ]
    assert numbers == [[f"{value:.3f}" for value in row] for row in PUBLISHED_F1]
    assert "other data and another detector, so they are no baseline" in page.text
    assert "Mean on the diagonal 0.683, off it 0.359, gap 0.324" in page.text
    assert published_means() == pytest.approx((2.05 / 3, 2.157 / 6, 2.05 / 3 - 2.157 / 6))


def test_the_gap_has_drop_best_and_worst(plain: ShiftResult, page: Page) -> None:
    row = next(each for each in plain.matrix.rows if each.name == "only_0")
    cells = rows(page.by_id("gap"))[0]
    assert cells[3] == f"+{row.drop.value:.3f}{row.drop.low:.3f}–{row.drop.high:.3f}"
    assert cells[4:] == [
        f"{NAMES[0]}{row.cells[NAMES[0]].f1.value:.3f}, seen",
        f"{NAMES[2]}{row.cells[NAMES[2]].f1.value:.3f}",
    ]


def test_confounders_are_a_table_and_a_warning(of_case: Callable[[str], Page]) -> None:
    page = of_case("confounded")
    assert rows(page.by_id("confounder-1")) == [[NAMES[0], "20", "1"], [NAMES[1], "0", "12"]]
    assert "tumour differs between the scanners more than chance explains" in page.text
    assert "the gap is then not the scanner's alone" in page.text
    values, mixes = confounder_table(TUMOURS)
    assert values == ["breast", "lymphoma"]
    assert mixes[NAMES[1]][1].per_cent == 100


def test_without_confounders_that_is_said(page: Page) -> None:
    assert (
        "(such as the tumour, where it has one) differs between the scanners by much" in page.text
    )
    assert "the gap is then not the scanner's alone" not in page.text


def test_each_scanner_is_shown_with_patches_and_colours(plain: ShiftResult, page: Page) -> None:
    sources = [element.attributes["src"] for element in page.all("img")]
    assert len(sources) == sum(len(each) for each in plain.samples.values())
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert (
        len(
            [
                element
                for element in page.all("i")
                if "background: #" in element.attributes.get("style", "")
            ]
        )
        == 12
    )
    assert "Leica GT450 (no labels)" in page.text
    assert "Leica GT450 has no labels, and so no F1" in page.text


def test_distances_of_each_pair_stand_with_bars(plain: ShiftResult, page: Page) -> None:
    for table, names in (("image-distances", DISTANCES[:4]), ("features", DISTANCES[4:])):
        for pair, row in zip(plain.pairs, rows(page.by_id(table)), strict=True):
            assert row[0].startswith(f"{pair.a} – {pair.b}")
            assert [float(each) for each in row[1:]] == pytest.approx(
                [pair.distances[name] for name in names], abs=0.051
            )
        bars = [
            element
            for element in page.by_id(table).inside
            if element.attributes.get("class") == "bar"
        ]
        assert sum("100%" in bar.attributes["style"] for bar in bars) == len(names)


def test_below_the_pairs_stand_the_halves_of_each_scanner(plain: ShiftResult, page: Page) -> None:
    for table, names in (("image-distances", DISTANCES[:4]), ("features", DISTANCES[4:])):
        assert [
            element.attributes.get("class")
            for element in page.by_id(table).inside
            if element.tag == "tbody"
        ] == [
            None,
            "baseline",
        ]
        for (scanner, halves), row in zip(
            plain.within.items(), rows(page.by_id(table), 1), strict=True
        ):
            assert row[0] == f"two halves of {scanner}"
            assert [float(each) for each in row[1:]] == pytest.approx(
                [halves[name] for name in names], abs=0.051
            )
    assert page.text.count("Only what exceeds it is a distance between two scanners") == 2
    for names in (DISTANCES[:4], DISTANCES[4:]):
        assert apart(plain, {name: HEADS[name].name for name in names}) in page.text


@pytest.mark.parametrize("full", [True, False])
def test_a_saturated_proxy_a_distance_is_said_to_rank_nothing(
    full: bool, plain: ShiftResult, tmp_path: Path
) -> None:
    pad = 2.0 if full else 1.5
    pairs = tuple(replace(pair, distances={**pair.distances, "pad": pad}) for pair in plain.pairs)
    distances = tuple({**loss_distance, "pad": pad} for loss_distance in plain.loss_distances)
    page = page_of(replace(plain, pairs=pairs, loss_distances=distances), tmp_path)
    assert (
        "saturated: it is 1.95 or more in 6 of 6 pairs and cannot be over 2" in page.text
    ) == full
    assert (
        "saturated: it is 1.95 or more in 6 of 6 pairs, so it cannot rank them, and its"
        in page.text
    ) == full
    marked = [row[0] for row in rows(page.by_id("correlation")) if row[0].endswith("saturated")]
    assert marked == (["Proxy A-distancesaturated"] if full else [])
    assert ("saturated" in page.text) == full


def test_correlations_stand_with_n_and_p_and_a_warning(plain: ShiftResult, page: Page) -> None:
    for name, row in zip(HEADS, rows(page.by_id("correlation")), strict=True):
        own = plain.correlations[name]["from_own"]
        assert row[0] == HEADS[name].name
        native = plain.correlations[name]["from_native"]
        for each, cells in ((own, row[1:4]), (native, row[4:])):
            assert cells == [f"{each.rho:+.2f}".replace("-", "−"), "6", f"{each.p:.3f}"]
    assert any(
        theirs["from_own"] != theirs["from_native"] for theirs in plain.correlations.values()
    )
    assert "A hint, no proof" in page.text
    assert len(rows(page.by_id("losses"))) == len(plain.losses)


def test_holes_are_dashes(of_case: Callable[[str], Page]) -> None:
    page = of_case("holes")
    matrix = rows(page.by_id("matrix"))
    assert matrix[0][2] == "––"
    assert matrix[1][3] == "not tested"
    assert [row[3] for row in rows(page.by_id("images"))][4:8] == ["–"] * 4
    assert rows(page.by_id("features"))[0][1:] == ["–"] * 3
    assert rows(page.by_id("features"), 1)[2][1:] == ["–"] * 3
    assert "Proxy A-distance not known" in page.text, (
        "each pair lacks its own distance, or that of a scanner's halves"
    )
    assert rows(page.by_id("correlation"))[0][1:] == ["–", "1", "–", "–", "1", "–"]


def test_without_losses_the_page_says_so(of_case: Callable[[str], Page]) -> None:
    text = of_case("one model").text
    assert "there is no loss to set against the distances" in text
    assert "There is only one scanner" in text


def test_different_tests_are_said(of_case: Callable[[str], Page], page: Page) -> None:
    assert "not all tested on the same ROIs" in of_case("leave one out").text
    assert "tested on the same ROIs" not in page.text


def test_it_says_how_it_was_measured(page: Page) -> None:
    for words in (
        "95\u00a0%, percentile bootstrap over patients, 200 resamples",
        "2 patches of 64 px at 0.25 µm/px",
        "Seed 0, of patches and bootstrap",
        f"midog {__version__}",
        "without_2",
        "Ben-David et al. 2007",
        "where a patient was scanned on several scanners, once for all of these",
        f"mean over {DRAWS} draws, in the first {DIMS} principal components",
        f"in halves as large as those of the pairs, and over {SLOW_DRAWS} for the rest",
        (
            "Distances of pictures and of features see tissue as well as scanner. The baseline"
            " shows how much"
        ),
        "Nothing here is validated for diagnosis",
    ):
        assert " ".join(words.split()) in page.text
