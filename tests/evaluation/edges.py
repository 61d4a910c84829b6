"""Evaluations with a gap: nothing found, no figures, one patient, an unknown area, …, and a plain
one to compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from midog.data.roi import Roi
from midog.evaluation.result import Evaluation
from midog.evaluation.scoring import evaluate
from tests.evaluation.cases import NO, YES, roi, write

Case = tuple[Evaluation, list[Roi]]

FIGURES = [(100, 100), (300, 300)]


def sized(file_name: str, figures=(), imposters=(), scanner: str = "A", **more) -> Roi:
    """An ROI of 0.0625 mm2."""
    return replace(roi(file_name, figures, imposters, scanner, **more), width=1000, height=1000)


def plain(folder: Path) -> Case:
    """Three patients, two scanners, every kind of mistake; 20 resamples."""
    rois = [
        sized(
            "1.png",
            [*FIGURES, (700, 700)],
            [(500, 500), (800, 200)],
            patient="x",
            columns={"tumour": "lung"},
        ),
        sized("2.png", [(400, 400)], [], "B", patient="y", columns={"tumour": "skin"}),
        sized("3.png", [*FIGURES, (120, 100)], [], "B", patient="z", columns={"tumour": "lung"}),
    ]
    write(
        folder / "1.json",
        *[(101, 101, 0.9, YES), (110, 110, 0.6, YES), (302, 302, 0.2, NO)],
        *[(500, 500, 0.95, YES), (800, 260, 0.8, YES), (50, 900, 0.7, YES)],
    )
    write(folder / "2.json", (401, 400, 0.75, YES))
    write(folder / "3.json", (100, 100, 0.65, YES), (900, 900, 0.5, YES))
    return evaluate(folder, rois, resamples=20), rois


def nested(folder: Path) -> Case:
    _, rois = plain(folder)
    return evaluate(folder, rois, by="tumour,scanner", resamples=20), rois


def no_resamples(folder: Path) -> Case:
    _, rois = plain(folder)
    return evaluate(folder, rois, threshold=0.2, resamples=0), rois


def nothing_found(folder: Path) -> Case:
    rois = [sized("1.png", FIGURES), sized("2.png", FIGURES, scanner="B")]
    for each in rois:
        write(folder / f"{Path(each.file_name).stem}.json")
    return evaluate(folder, rois, resamples=20), rois


def no_figures(folder: Path) -> Case:
    rois = [sized("1.png"), sized("2.png", scanner="B")]
    write(folder / "1.json", (5, 5, 0.9, YES))
    write(folder / "2.json")
    return evaluate(folder, rois, resamples=20), rois


def nothing_at_all(folder: Path) -> Case:
    rois = [sized("1.png"), sized("2.png", scanner="B")]
    return evaluate(folder, rois, allow_missing=True, resamples=20), rois


def group_without_figures(folder: Path) -> Case:
    rois = [sized("1.png", FIGURES), sized("2.png", scanner="B"), sized("3.png", FIGURES)]
    write(folder / "1.json", (101, 101, 0.9, YES))
    write(folder / "2.json", (9, 9, 0.7, YES))
    write(folder / "3.json")
    return evaluate(folder, rois, resamples=20), rois


def one_patient(folder: Path) -> Case:
    rois = [sized("1.png", FIGURES, patient="x"), sized("2.png", FIGURES, patient="x")]
    write(folder / "1.json", (101, 101, 0.9, YES))
    write(folder / "2.json", (1, 1, 0.9, YES))
    return evaluate(folder, rois, resamples=20), rois


def no_area(folder: Path) -> Case:
    rois = [roi("1.png", FIGURES), sized("2.png", FIGURES, scanner="B")]
    write(folder / "1.json", (101, 101, 0.9, YES), (9, 9, 0.9, YES))
    write(folder / "2.json", (101, 101, 0.9, YES))
    return evaluate(folder, rois, resamples=20), rois


def no_mpp(folder: Path) -> Case:
    """A false alarm whose place in px nobody knows."""
    rois = [roi("1.png", mpp=None), sized("2.png", FIGURES, scanner="B")]
    write(folder / "1.json", (9, 9, 0.9, YES))
    write(folder / "2.json", (101, 101, 0.9, YES))
    return evaluate(folder, rois, resamples=20), rois


EDGES: dict[str, Callable[[Path], Case]] = {
    each.__name__: each
    for each in (
        *(plain, nested, no_resamples, nothing_found, no_figures, nothing_at_all),
        *(group_without_figures, one_patient, no_area, no_mpp),
    )
}
