"""Slides sampled: the truth of each is found, its tissue looked for, and its places indexed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from midog.data.mpp import mpp_of_image
from midog.data.patches.deal import deal_slides
from midog.data.patches.places import CLASSES, InSlides, SlidePlaces, write_places
from midog.data.split_file import SplitRow, compact_names, scan_places
from midog.data.text_file import raise_problems
from midog.errors import DataError
from midog.images.image import open_image
from midog.mpp import MppLike
from midog.random_streams import number_of_file
from midog.tissue.chosen import check_choice, chosen_tissue
from midog.tumour.read import ENDINGS, TruthRule, truth_in
from midog.tumour.sample import WindowRule, Windows, sample_windows
from midog.tumour.truth import SlideTruth

logger = logging.getLogger(__name__)

_ROLES = ("train", "val", "test")


@dataclass(frozen=True)
class SamplingRule:
    """How slides are sampled.

    Attributes:
        window: Which windows are patches.
        truth: Folder with STEM.xml or STEM_mask.tif for each slide with tumour.
        without_truth: What a slide without such a file is: normal, or an error.
        reading: How such files are read.
        tissue: As `chosen_tissue` has it.
        split: CSV of file_name, split and maybe patient, scanner; None: slides are dealt.
        shares: Of val and test, where slides are dealt.
        seed: Of windows and of that deal.
        mpp: um/px of level 0 of all slides; None: as each file states.
    """

    window: WindowRule
    truth: Path
    without_truth: str = "error"
    reading: TruthRule = field(default_factory=TruthRule)
    tissue: str = "grey"
    split: Path | None = None
    shares: tuple[float, float] = (0.15, 0.25)
    seed: int = 0
    mpp: MppLike | None = None


@dataclass(frozen=True)
class SampledSlide:
    """What was found in a slide: its places, and windows by what became of them."""

    places: SlidePlaces
    counts: Mapping[str, int]


def sample_slides(
    slides: Sequence[Path],
    out: Path,
    rule: SamplingRule,
    on_slide: Callable[[int, int], None] | None = None,
) -> list[SampledSlide]:
    """Sample slides, and write the index of their places.

    Args:
        slides: Their files.
        out: Folder of the index.
        rule: How.
        on_slide: Called with (done, of how many) after each slide.

    Returns:
        What was found, slide by slide.

    Raises:
        DataError: A slide has no truth, two have one name, the split lists none of them, or the
            index cannot be written.
        ImageError: A slide cannot be read, or its um/px is unknown.
    """
    check_choice(rule.tissue)
    _check_names(slides)
    rows = None if rule.split is None else _rows(rule.split, slides)
    truths = _truths(slides, rule)
    sampled = []
    for number, path in enumerate(slides, 1):
        row = None if rows is None else rows[path.name]
        if row is None or row.split in _ROLES:
            sampled.append(_sampled(path, truths[path], rule, row))
        if on_slide is not None:
            on_slide(number, len(slides))
    if not sum(len(one.places.labels) for one in sampled):
        raise DataError(
            f"no window of {len(slides)} slides is tumour, or normal with enough tissue",
            "choose a smaller {side}, or less of {min_tissue}",
            {"side": None, "min_tissue": None},
        )
    if rows is None:
        sampled = _dealt(sampled, rule)
    about = {
        **asdict(rule.window),
        "tissue": rule.tissue,
        "seed": rule.seed,
        "groups": dict(rule.reading.groups),
        "mask_value": rule.reading.mask_value,
    }
    places = [one.places for one in sampled]
    write_places(out, places, about, side=rule.window.side, mpp=rule.window.mpp)
    return sampled


def _sampled(
    path: Path, truth: Path | None, rule: SamplingRule, row: SplitRow | None
) -> SampledSlide:
    with open_image(path, past_damage=True) as image:
        own = mpp_of_image(image, rule.mpp)
        size, mpp = (image.width, image.height), (own.x + own.y) / 2
        with rule.reading.read(truth, size) as known:
            tissue = chosen_tissue(image, rule.tissue, mpp=own)
            seed = number_of_file(rule.seed, path.name, "places")
            windows = sample_windows(known, tissue, mpp, rule.window, seed)
        image.report_damage()
    places = SlidePlaces(
        path,
        path.name,
        size,
        mpp,
        row.patient if row else "",
        row.scanner if row else "",
        row.split if row else "train",
        truth,
        windows.centres,
        windows.labels,
        windows.shares,
    )
    _say_what_lacks(path, truth, windows)
    return SampledSlide(places, windows.counts)


def _say_what_lacks(path: Path, truth: Path | None, windows: Windows) -> None:
    if truth is not None and not windows.counts["tumour"]:
        logger.warning("%s: no window of it is tumour, though %s outlines some", path, truth.name)
    if not windows.counts["normal"]:
        logger.warning("%s: no window of it is normal with enough tissue", path)


def _truths(slides: Sequence[Path], rule: SamplingRule) -> dict[Path, Path | None]:
    """The file of truth of each slide."""
    if not rule.truth.is_dir():
        raise DataError(
            f"there is no folder {rule.truth}",
            "name the folder of ASAP's XML or of masks with {truth}",
            {"truth": None},
        )
    truths = {slide: truth_in(rule.truth, slide) for slide in slides}
    without = [slide.name for slide, truth in truths.items() if truth is None]
    if len(without) == len(slides):
        endings = ", ".join(f"STEM{ending}" for ending in ENDINGS)
        raise DataError(
            f"{rule.truth} has no file for any of {len(slides)} slides"
            f" ({compact_names(without, 3)})",
            f"give a folder with {endings}",
        )
    if without and rule.without_truth != "normal":
        raise DataError(
            f"{rule.truth} has no file for {len(without)} of {len(slides)} slides"
            f" ({compact_names(without, 3)})",
            "state that they are without tumour with {without_truth}",
            {"without_truth": "normal"},
        )
    return truths


def _check_names(slides: Sequence[Path]) -> None:
    names = [slide.name for slide in slides]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"two slides are named {doubled[0]}", "give slides of different names")


def _rows(split: Path, slides: Sequence[Path]) -> dict[str, SplitRow]:
    rows, problems, notes = scan_places(split, ("file_name", "split"))
    raise_problems(problems)
    for line in notes:
        logger.info("%s", line)
    by_name = {Path(row.file_name).name: row for row in rows}
    if missing := [slide.name for slide in slides if slide.name not in by_name]:
        raise DataError(
            f"{split} does not list {len(missing)} of {len(slides)} slides"
            f" ({compact_names(missing, 3)})",
            "list all of them, or give fewer slides",
        )
    return by_name


def _dealt(sampled: Sequence[SampledSlide], rule: SamplingRule) -> list[SampledSlide]:
    """The slides with parts that get their shares of both classes."""
    names = [one.places.name for one in sampled for _ in one.places.labels]
    labels = np.concatenate([one.places.labels for one in sampled])
    val, test = rule.shares
    parts = deal_slides(names, labels, val=val, test=test, seed=rule.seed)
    return [
        replace(one, places=replace(one.places, split=parts.get(one.places.name, "train")))
        for one in sampled
    ]


def truths_of(where: InSlides) -> list[SlideTruth]:
    """Read the truth of the slides of an index, as it was read to sample them.

    Raises:
        DataError: A file is gone, or of another slide; the index does not state what groups mean.
        ImageError: A mask cannot be read.
    """
    groups, value = where.about.get("groups"), where.about.get("mask_value")
    if not isinstance(groups, dict) or not isinstance(value, int | None):
        raise DataError("the index does not state how truth was read", "sample the slides again")
    rule = TruthRule(groups, value)
    return [rule.read(path, size) for path, size in zip(where.truths, where.sizes, strict=True)]


def table(sampled: Sequence[SampledSlide]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of what was found, slide by slide, and in all."""
    header = ["slide", "split", "truth", *CLASSES, "windows", "tumour in all", "normal in all"]
    rows, sums = list[list[str]](), np.zeros(5, np.int64)
    for one in sampled:
        own, truth = one.places, one.places.truth
        taken = [int((own.labels == label).sum()) for label in range(len(CLASSES))]
        counts = [*taken, *(one.counts[name] for name in ("windows", "tumour", "normal"))]
        sums += counts
        rows.append([own.name, own.split, truth.name if truth else "none", *map(str, counts)])
    return header, [*rows, ["all", "", "", *map(str, sums.tolist())]]
