"""Splits of a data folder made and written: one, one per fold, or one per scanner left out."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from midog.data.annotations.read import read_annotations
from midog.data.annotations.reader import AUTO, BoxChoice
from midog.data.facts import normalise_scanner
from midog.data.find_files import default_split, locate
from midog.data.folder import listed
from midog.data.join_split import contradictions
from midog.data.roi import Roi
from midog.data.split_file import Split, read_split, scan_places, write_split
from midog.data.splits import k_fold, leave_one_scanner_out, make_split
from midog.data.text_file import raise_problems
from midog.errors import ConfigError, DataError
from midog.files import cannot_write, check_regular, make_folder
from midog.locks import locked
from midog.names import safe_name

_LONGEST_HEADER = 10_000

logger = logging.getLogger(__name__)


def make_splits(
    path: Path | str,
    out: Path | str,
    *,
    scanners: Path | str | None = None,
    val: float = 0.15,
    test: float = 0.2,
    folds: int | None = None,
    leave_out: str | None = None,
    seed: int = 0,
    annotations: Path | str | None = None,
    bbox: BoxChoice = "auto",
    classes: str = "",
    annotations_format: str = AUTO,
    overwrite: bool = False,
) -> list[Path]:
    """Make a split of a data folder, or several, and write them.

    Args:
        path: the data folder.
        out: the CSV; where several are made, the folder for fold1.csv … or without_SCANNER.csv ….
        scanners: a CSV with file_name, scanner, and maybe patient, split (of which only
            'unlabelled' counts) and further columns; None takes split.csv of the folder. What it
            does not state is what the annotations do; else ROIs are of one unknown scanner, each a
            patient of its own.
        val, test: shares of the labelled ROIs, 0 to 1.
        folds: number of folds, one split for each; None makes no folds.
        leave_out: a scanner that is all test, or "each" for one split per scanner.
        seed: of the shuffling.
        annotations: the annotation file, where the folder has several.
        bbox: how it writes boxes, see `read_annotations`.
        classes: what its classes are, see `read_annotations`.
        annotations_format: of what format it is, see `read_annotations`.
        overwrite: whether files may be replaced.

    Returns:
        The files that were written.

    Raises:
        DataError: for files that exist, unless `overwrite`; and as `make_split`.
        ConfigError: for both `folds` and `leave_out`, or impossible shares.
    """
    if folds is not None and leave_out is not None:
        raise ConfigError(
            "folds and scanners left out are different splits",
            "choose {folds} or {leave_out}",
            {"folds": None, "leave_out": None},
        )
    rois = _read_rois(path, annotations, bbox, classes, annotations_format, scanners)
    out = Path(out)
    if folds is not None:
        made = k_fold(rois, folds=folds, val=val, seed=seed)
        splits = {out / f"fold{number}.csv": split for number, split in enumerate(made, 1)}
    elif leave_out is not None:
        splits = _leave_out(leave_one_scanner_out(rois, val=val, seed=seed), leave_out, out)
    else:
        splits = {out: make_split(rois, val=val, test=test, seed=seed)}
    _write_all(splits, overwrite)
    return list(splits)


def _write_all(splits: dict[Path, Split], overwrite: bool) -> None:
    """Write splits, which are of one folder; two processes do so one after the other."""
    folder = next(iter(splits)).parent
    try:
        make_folder(folder)
        with locked(folder):
            _refuse_existing(list(splits), overwrite)
            for file, split in splits.items():
                write_split(split, file)
    except OSError as error:
        raise cannot_write(folder, error, DataError) from None


def _refuse_existing(files: list[Path], overwrite: bool) -> None:
    """Refuse to replace files: any, or with `overwrite` those that are no split."""
    existing = [file for file in files if file.is_symlink() or file.exists()]
    if existing and not overwrite:
        raise DataError(
            f"{', '.join(file.name for file in existing)} exists already",
            "choose another {out}, or {overwrite}",
            {"out": None, "overwrite": True},
        )
    for file in existing:
        if not _is_split(file):
            what = f"{file} is no split, so it is not replaced"
            raise DataError(what, "choose another {out}", {"out": None})


def _is_split(file: Path) -> bool:
    """Whether a file is what `write_split` writes, or empty."""
    try:
        check_regular(file)
        with file.open(encoding="utf-8") as lines:
            head = lines.readline(_LONGEST_HEADER)
    except (OSError, UnicodeDecodeError):
        return False
    return not head or {"file_name", "split"} <= set(head.strip().split(","))


def _read_rois(
    path: Path | str,
    annotations: Path | str | None,
    bbox: BoxChoice,
    classes: str,
    annotations_format: str,
    scanners: Path | str | None,
) -> list[Roi]:
    folder, file = locate(path, annotations, annotations_format)
    content = read_annotations(
        file, bbox=bbox, classes=classes, annotations_format=annotations_format, images=folder
    )
    for line in content.notes:
        logger.info("%s", line)
    usual = default_split(path)
    if scanners is None and usual is None:
        _say_unknown(content.rois)
        return content.rois
    places = (
        read_split(usual) if scanners is None and usual else _read_scanners(Path(scanners or ""))
    )
    for line in places.notes:
        logger.info("%s", line)
    for line in contradictions(content.rois, places):
        logger.warning("%s", line)
    rois = listed(content.rois, places)
    _say_unknown(rois)
    return rois


def _say_unknown(rois: list[Roi]) -> None:
    """State what the split will be made without."""
    for what, stated in (
        ("patient: each of them counts as a patient of its own", [roi.patient for roi in rois]),
        ("scanner: they count as one scanner 'unknown'", [roi.scanner for roi in rois]),
    ):
        count = stated.count("")
        if count:
            logger.info("%d of %d ROIs state no %s", count, len(rois), what)


def _leave_out(splits: dict[str, Split], scanner: str, out: Path) -> dict[Path, Split]:
    if scanner == "each":
        return {out / name: splits[scanner] for name, scanner in _file_names(splits).items()}
    if normalise_scanner(scanner) not in splits:
        raise DataError(
            f"no labelled ROI is of scanner {scanner!r}",
            f"choose one of {', '.join(splits)}, or each",
        )
    return {out: splits[normalise_scanner(scanner)]}


def _file_names(scanners: Iterable[str]) -> dict[str, str]:
    """The scanner of each file, by the file's name."""
    names: dict[str, str] = {}
    for scanner in scanners:
        name = f"without_{safe_name(scanner.replace(' ', '_'))}.csv"
        for other, of_scanner in names.items():
            if other.casefold() == name.casefold():  # as some file systems compare
                what = f"scanners {of_scanner!r} and {scanner!r} would both be left out in {name}"
                raise DataError(what, "rename one of them")
        names[name] = scanner
    return names


def _read_scanners(path: Path) -> Split:
    """A table of scanners as a split in which all that is not unlabelled is train."""
    rows, problems, notes = scan_places(path, ("file_name", "scanner"))
    raise_problems(problems)
    return Split(str(path), tuple(rows), tuple(notes))
