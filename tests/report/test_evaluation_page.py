"""The page of an evaluation: valid, self-contained, complete in every case, with the worst mistakes
as pictures."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from midog._version import __version__
from midog.data.roi import Roi
from midog.errors import MidogError
from midog.evaluation.result import MISTAKES, Evaluation
from midog.evaluation.scoring import evaluate
from midog.metrics.mistakes import MISS_DISTANCES, MISSED_BELOW, MISSED_TAKEN, MISSED_WHOLLY
from midog.report.evaluation_page import galleries, group_galleries, write_evaluation_page
from midog.report.page import between
from midog.report.worst_mistakes import WORST
from tests.evaluation.cases import YES, write
from tests.evaluation.edges import EDGES, sized
from tests.report.markup import Element, Page

SORTS = ("false alarms", "missed figures")
Plain = tuple[Evaluation, list[Roi], Page]


def tables_of(result: Evaluation) -> list[str]:
    """Ids in their order; what the threshold costs and figure-free tissue where they are known."""
    return [
        "groups",
        *(["threshold"] if not result.written.lack else []),
        *(["figure-free"] if result.groups["all"].figure_free.rois else []),
        *("counts", "calibration", "errors", "misses", "rois"),
    ]


def with_images(folder: Path, rois: list[Roi]) -> list[Roi]:
    """Each ROI with a picture of its own colour."""
    done = []
    for at, roi in enumerate(rois):
        path = folder / roi.file_name
        Image.fromarray(np.full((1000, 1000, 3), (200, 100 + 20 * at, 180), np.uint8)).save(path)
        done.append(replace(roi, path=path))
    return done


def page_of(result: Evaluation, rois: list[Roi], folder: Path, title: str = "T") -> Page:
    path = folder / "page.html"
    write_evaluation_page(path, result, rois, title=title)
    return Page(path.read_text(encoding="utf-8"))


def rows(table: Element) -> list[list[str]]:
    """Cells of the body, each as its words."""
    outcome: list[list[str]] = []
    body = next(element for element in table.inside if element.tag == "tbody")
    for element in body.inside:
        if element.tag == "tr":
            outcome.append(
                [" ".join(cell.text.split()) for cell in element.inside if cell.tag in ("td", "th")]
            )
    return outcome


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Plain:
    """The plain case, and its page with pictures."""
    folder = tmp_path_factory.mktemp("plain")
    result, rois = EDGES["plain"](folder)
    rois = with_images(folder, rois)
    return result, rois, page_of(result, rois, folder, title="Model <7>")


@pytest.mark.parametrize("name", EDGES)
def test_every_case_gives_a_valid_page_with_all_tables(name: str, tmp_path: Path) -> None:
    result, rois = EDGES[name](tmp_path)
    page = page_of(result, rois, tmp_path)
    assert page.problems == []
    assert [element.attributes["id"] for element in page.all("table")] == tables_of(result)
    assert len(page.all("svg")) == 7 + (not result.written.lack)
    for table in tables_of(result)[:-1]:
        assert len(rows(page.by_id(table))) == len(result.groups)
    assert len(rows(page.by_id("rois"))) == len(rois)
    assert "nan" not in page.text.lower().split()
    assert "None" not in page.text


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    result, rois = EDGES["plain"](tmp_path)
    rois = with_images(tmp_path, rois)
    for name in ("a.html", "b.html"):
        write_evaluation_page(tmp_path / name, result, rois, title="T")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_it_says_in_words_what_came_out_and_how(plain: Plain) -> None:
    result, _, page = plain
    assert page.all("h1")[0].text == page.all("title")[0].text == "Model <7>"
    interval = result.groups["all"].intervals["f1"]
    for words in (
        "Of 7 mitotic figures in 3 ROIs of 3 patients, 3 were detected and 4 missed;",
        (
            "5 of the 8 points that count are false alarms. "
            f"F1 is 0.400 (95 % interval {interval.low:.3f}–{interval.high:.3f})."
        ),
        "points named ‘mitotic figure’",
        "3 ROIs, 3 patients, 7 mitotic figures, 0.2 mm² of image",
        "95 %, percentile bootstrap over patients, 20 resamples, seed 0",
        f"midog {__version__}",
        "by scanner",
        "diagnosis",
    ):
        assert words in page.text


def test_a_threshold_is_named(tmp_path: Path) -> None:
    result, rois = EDGES["no_resamples"](tmp_path)
    text = page_of(result, rois, tmp_path).text
    assert "all points of probability 0.2 or more, whatever their name" in text
    assert "Intervals not requested" in text
    assert "interval)" not in text


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "nothing_found",
            (
                "Of 4 mitotic figures in 2 ROIs of 2 patients none was detected: no point counts."
                " F1 is 0.000"
            ),
        ),
        (
            "no_figures",
            (
                "There is no mitotic figure in 2 ROIs of 2 patients; the one point that counts is a"
                " false alarm. F1 is undefined, as there is nothing to find."
            ),
        ),
        (
            "nothing_at_all",
            (
                "There is no mitotic figure in 2 ROIs of 2 patients, and no point counts as one. F1"
                " is undefined, as there is nothing to find."
            ),
        ),
        ("one_patient", "in 2 ROIs of 1 patient, 1 was detected and 3 missed;"),
        ("one_patient", "interval not known)"),
        ("no_area", "area not known"),
    ],
)
def test_what_there_is_not_is_said(name: str, words: str, tmp_path: Path) -> None:
    result, rois = EDGES[name](tmp_path)
    assert words in page_of(result, rois, tmp_path).text


def test_the_table_of_groups_holds_scores_and_intervals(plain: Plain) -> None:
    result, _, page = plain
    table = page.by_id("groups")
    for row, (name, group) in zip(rows(table), result.groups.items(), strict=True):
        counts = [
            group.rois,
            group.patients,
            group.figures,
            group.counts.tp,
            group.counts.fp,
            group.counts.fn,
        ]
        assert row[:7] == [name, *map(str, counts)]
        assert [cell.split()[0] for cell in row[7:]] == [
            f"{group.values[measure]:.3f}"
            for measure in ("precision", "recall", "f1", "ap50", "froc_auc")
        ]
    low, high = (
        result.groups["all"].intervals["recall"].low,
        result.groups["all"].intervals["recall"].high,
    )
    assert rows(table)[0][8].split()[1] == f"{low:.3f}–{high:.3f}"


def test_the_table_of_thresholds_holds_losses_and_their_warning(plain: Plain) -> None:
    result, _, page = plain
    table = rows(page.by_id("threshold"))
    for row, group in zip(table, result.groups.values(), strict=True):
        losses = [group.values[key] for key in ("oracle_f1", "threshold_loss", "ranking_loss")]
        assert row[3] == f"{group.oracle.threshold:.3f}" + "*" * group.oracle.at_floor
        assert [cell.split()[0] for cell in row[4:]] == [f"{value:.3f}" for value in losses]
    assert "must not be published as F1" in page.text
    assert "Points that score below 0.200 are not written" in page.text
    assert page.text.count("the best threshold takes every point that is written") == any(
        group.oracle.at_floor for group in result.groups.values()
    )


def test_a_threshold_that_no_other_can_be_set_against_is_said(tmp_path: Path) -> None:
    result, rois = EDGES["no_area"](tmp_path)
    text = page_of(result, rois, tmp_path).text
    assert "Not known, as for other thresholds than its own: no point below the threshold" in text
    assert "Every ROI has a figure" in text


def test_the_table_of_figure_free_tissue_holds_its_false_alarms(tmp_path: Path) -> None:
    result, rois = EDGES["group_without_figures"](tmp_path)
    page = page_of(result, rois, tmp_path)
    assert "1 of 3 ROIs has no figure" in page.text
    whole, a, b = rows(page.by_id("figure-free"))
    assert whole[1:5] == b[1:5] == ["1", "1", "0.06", "1"]
    assert b[5] == "16.00 –", "1 in 0.0625 mm2, one patient"
    assert whole[8].split()[0] == "1.000"
    assert a[1:6] == ["0", "0", "0.00", "0", "– –"]


def test_without_resamples_the_table_has_no_intervals(tmp_path: Path) -> None:
    result, rois = EDGES["no_resamples"](tmp_path)
    table = page_of(result, rois, tmp_path).by_id("groups")
    assert all(" " not in cell for row in rows(table) for cell in row)
    assert page_of(result, rois, tmp_path).all("small") == []


def test_nested_groups_stand_under_theirs(tmp_path: Path) -> None:
    result, rois = EDGES["nested"](tmp_path)
    page = page_of(result, rois, tmp_path)
    heads = [
        element
        for element in page.by_id("groups").inside
        if element.attributes.get("scope") == "row"
    ]
    assert [(head.text, head.attributes.get("class", "")) for head in heads] == [
        *[
            ("all", ""),
            ("lung", ""),
            ("A", "under-1"),
            ("B", "under-1"),
            ("skin", ""),
            ("B", "under-1"),
        ]
    ]
    assert rows(page.by_id("rois"))[0][:4] == ["1.png", "x", "lung", "A"]
    assert "by tumour, then scanner" in page.text


def test_counts_are_given_per_mm2_and_per_2_mm2(plain: Plain) -> None:
    result, _, page = plain
    whole, of = rows(page.by_id("counts"))[0], result.groups["all"].intervals

    def small(measure: str, places: int = 1, times: int = 1) -> str:
        return between(times * of[measure].low, times * of[measure].high, places)

    assert whole[:2] == ["all", "3"]
    assert whole[2] == f"{of['spearman'].value:.2f} {small('spearman', 2)}".replace("-", "−")
    assert whole[3] == f"{of['icc'].value:.2f} {small('icc', 2)}".replace("-", "−")
    assert whole[4:7] == [
        f"37.3 {small('figures_per_mm2')}",
        f"42.7 {small('found_per_mm2')}",
        f"+5.3 {small('bias')}",
    ]
    assert whole[8:11] == [
        f"74.7 {small('figures_per_2mm2')}",
        f"85.3 {small('found_per_2mm2')}",
        f"+10.7 {small('bias', times=2)}",
    ]
    for times, cell in ((1, whole[7]), (2, whole[11])):
        agreed = result.groups["all"].agreement
        ends = [f"{end} {small(f'limit_{end}', times=times)}" for end in ("low", "high")]
        assert cell == " ".join([between(times * agreed.low, times * agreed.high, 1), *ends])


def test_calibration_and_errors_of_each_group(plain: Plain) -> None:
    result, _, page = plain
    for name, group in result.groups.items():
        of = {measure: between(each.low, each.high, 3) for measure, each in group.intervals.items()}
        points = str(group.calibration.count.sum())
        assert [name, points, f"{group.calibration.ece:.3f} {of['ece']}"] in rows(
            page.by_id("calibration")
        )
        rates = [
            f"{group.values[rate]:.1f}"
            f" {between(group.intervals[rate].low, group.intervals[rate].high, 1)}"
            for rate in ("fp_per_mm2", "fp_per_roi")
        ]
        assert [name, *rates, *(str(group.mistakes[kind]) for kind in MISTAKES)] in rows(
            page.by_id("errors")
        )


def heads(table: Element) -> list[str]:
    return [element.text for element in table.inside if element.attributes.get("scope") == "col"]


def test_misses_by_distance_of_each_group(plain: Plain, tmp_path: Path) -> None:
    result, _, page = plain
    assert heads(page.by_id("misses")) == ["group", "missed", *MISS_DISTANCES]
    for name, group in result.groups.items():
        cells = [str(group.misses_by_distance[distance]) for distance in MISS_DISTANCES]
        assert [name, str(group.counts.fn), *cells] in rows(page.by_id("misses"))
    assert "the lowest score that counted anywhere" in page.text
    given = page_of(*EDGES["no_resamples"](tmp_path), tmp_path)
    assert heads(given.by_id("misses")) == [
        "group",
        "missed",
        *(each for each in MISS_DISTANCES if each != "other name"),
    ]
    assert "other name" not in given.text
    assert (
        "or, as here, no point counts" in page_of(*EDGES["nothing_found"](tmp_path), tmp_path).text
    )


def test_the_worst_come_first_and_at_most_eight_of_a_kind(tmp_path: Path) -> None:
    rois = [sized("1.png", [(40 * at + 15, 900) for at in range(20)])]
    alarms = [(40 * at + 15, 100, 0.5 + at / 100, YES) for at in range(20)]
    below = [(40 * at + 15, 900, at / 100, "non-mitotic figure") for at in range(10)]
    write(tmp_path / "1.json", *alarms, *below)
    kinds = {each.kind: each for each in galleries(evaluate(tmp_path, rois, resamples=0), rois)}
    assert {name: each.total for name, each in kinds.items() if each.total} == {
        "nothing": 20,
        MISSED_BELOW: 10,
        MISSED_WHOLLY: 10,
    }
    scores = {
        name: [picture.mistake.score for picture in each.pictures] for name, each in kinds.items()
    }
    assert scores["nothing"] == [0.5 + at / 100 for at in range(19, 19 - WORST, -1)]
    assert scores[MISSED_BELOW] == [at / 100 for at in range(WORST)]
    assert len(scores[MISSED_WHOLLY]) == WORST


def test_what_was_not_found_at_all_comes_before_what_was(tmp_path: Path) -> None:
    result, rois = EDGES["plain"](tmp_path)
    kinds = [each.kind for each in galleries(result, rois)]
    assert kinds[-3:] == [MISSED_WHOLLY, MISSED_TAKEN, MISSED_BELOW]
    assert set(kinds) == set(MISTAKES)


def test_each_mistake_is_shown_with_its_place_score_and_scanner(plain: Plain) -> None:
    result, _, page = plain
    assert page.problems == []
    shown = page.all("img")
    assert len(shown) == 2 * len(result.mistakes), "by kind, and by group"
    assert all(each.attributes["src"].startswith("data:image/jpeg;base64,") for each in shown)
    captions = [" ".join(element.text.split()) for element in page.all("figcaption")]
    assert "1.pngx 500, y 500score 0.95A" in captions
    assert "1.pngx 700, y 700no scoreA" in captions
    assert "No picture" not in page.text


def test_the_worst_of_each_group_are_shown_where_there_are_several(
    plain: Plain, tmp_path: Path
) -> None:
    _, _, page = plain
    titles = [element.text for element in page.all("h3")]
    assert titles[-4:] == [f"{name}: {sort}" for name in "AB" for sort in SORTS]
    result, rois = EDGES["one_patient"](tmp_path)
    assert group_galleries(result, rois) == []
    assert "annotated boxes: figures green" not in page_of(result, rois, tmp_path).text
    assert "annotated boxes: figures green" in page.text


def test_pictures_keep_to_the_um_per_px_that_was_scored_with(tmp_path: Path) -> None:
    """--mpp overrules the ROI's own: the spot is 64 px, of 32 px radius, at twice the um/px."""
    (roi,) = with_images(tmp_path, [sized("1.png", mpp=0.25)])
    assert roi.path is not None
    pixels = np.full((1000, 1000, 3), 255, np.uint8)
    pixels[436:564, 436:564] = (120, 60, 120)
    Image.fromarray(pixels).save(roi.path)
    write(tmp_path / "1.json", (500, 500, 0.9, YES), mpp=0.5)
    whole, *_ = [
        each
        for each in galleries(evaluate(tmp_path, [roi], mpp=0.5, resamples=0), [roi])
        if each.total
    ]
    import base64
    import io

    source = whole.pictures[0].source
    assert source is not None
    crop = np.asarray(Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))))
    assert (np.abs(crop[2, 2:-2].astype(int) - (120, 60, 120)) < 12).all()


def test_images_that_are_not_there_or_cannot_be_read_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result, rois = EDGES["plain"](tmp_path)
    rois = with_images(tmp_path, rois)
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    rois = [replace(rois[0], path=broken), replace(rois[1], path=None), rois[2]]
    with caplog.at_level(logging.WARNING):
        page = page_of(result, rois, tmp_path)
    assert page.problems == []
    assert "no pictures of 1.png" in caplog.text
    assert (
        "No picture, as the image does not exist or cannot be read: 1.png (x 500, y 500, score"
        " 0.95)." in page.text
    )
    assert {element.attributes["alt"].split(", ")[1] for element in page.all("img")} == {"3.png"}


def test_a_place_that_is_not_known_is_said_to_be(tmp_path: Path) -> None:
    result, rois = EDGES["no_mpp"](tmp_path)
    assert (
        "1.png (x –, y –, score 0.90)"
        in page_of(result, with_images(tmp_path, rois), tmp_path).text
    )


def test_names_are_escaped(tmp_path: Path) -> None:
    rois = [
        sized('<b>"1" & 2.png', [(50, 50)], scanner="<script>alert(1)</script>", patient="$p_1$")
    ]
    result = evaluate(tmp_path, rois, allow_missing=True, resamples=0)
    page = page_of(result, rois, tmp_path)
    assert page.problems == []
    assert rows(page.by_id("rois"))[0][:3] == [
        '<b>"1" & 2.png',
        "$p_1$",
        "<script>alert(1)</script>",
    ]


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    result, rois = EDGES["nothing_at_all"](tmp_path)
    with pytest.raises(MidogError, match="cannot be written"):
        write_evaluation_page(tmp_path / "none" / "page.html", result, rois, title="T")


def test_the_command_writes_the_page(midog, phantom: Path, tmp_path: Path) -> None:
    outcome, page = tmp_path / "found", tmp_path / "page.html"
    outcome.mkdir()
    ran = midog(
        "evaluate",
        outcome,
        "--data",
        phantom,
        "--allow-missing",
        "--resamples",
        20,
        "--report",
        page,
    )
    assert ran.code == 0, ran.err
    assert f"the report is {page}" in ran.err
    read = Page(page.read_text(encoding="utf-8"))
    assert read.problems == []
    assert read.all("img"), "missed figures are shown"
