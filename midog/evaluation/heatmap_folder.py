"""Folders of heat maps: the maps, which belong together, and the truth of their slides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from midog.errors import DataError, DetectionsError
from midog.evaluation.heatmaps import LEAST_PEAK, RADIUS_UM, ScoredMap
from midog.heatmap.map_tiff import read_map
from midog.heatmap.slide_record import SlideRecord, read_record
from midog.inference.output_entries import MAP_ENDING, RECORD_ENDING
from midog.tumour.read import TruthRule, truth_in

_ALIKE = ("model", "stride", "orientations", "side")
"""What decided the values of maps that are scored together."""


@dataclass(frozen=True)
class MapFile:
    """A map on the disk. name: its slide's, with folders below the one that was given. record: what
    it was made from, None where there is none."""

    name: str
    path: Path
    record: SlideRecord | None


@dataclass(frozen=True)
class ScoredMaps:
    """Maps that belong together, looked up.

    class_name: what they show. threshold: that of the first of them. threshold_from: how that was
    chosen. maps: one for each slide.
    """

    class_name: str
    threshold: float
    threshold_from: str
    maps: tuple[ScoredMap, ...]


def find_maps(path: Path) -> list[MapFile]:
    """Find the maps in a folder and below it, sorted; or take one file.

    Raises:
        DetectionsError: There is none, or they are of several models or settings.
    """
    if path.is_dir():
        files = sorted(
            file
            for file in path.rglob(f"*{MAP_ENDING}")
            if not any(part.startswith(".") for part in file.relative_to(path).parts)
        )
        names = [file.relative_to(path).as_posix().removesuffix(MAP_ENDING) for file in files]
    else:
        files, names = [path], [path.name.removesuffix(MAP_ENDING)]
    if not files or not path.exists():
        raise DetectionsError(
            f"{path} has no heat map (STEM{MAP_ENDING})", "make them with `midog heatmap`"
        )
    maps = [
        MapFile(name, file, read_record(_record_of(file)))
        for name, file in zip(names, files, strict=True)
    ]
    require_alike(maps)
    return maps


def require_alike(maps: Sequence[MapFile]) -> None:
    """Check that maps were made by one model with one stride and number of orientations, where
    that is recorded.

    Raises:
        DetectionsError: Names two that were not.
    """
    first: MapFile | None = None
    for own in maps:
        if own.record is None:
            continue
        first = first or own
        assert first.record is not None
        for key in _ALIKE:
            if own.record.made_from.get(key) != first.record.made_from.get(key):
                raise DetectionsError(
                    f"{first.path} and {own.path} were made with another {key}",
                    "score maps of one model and setting together",
                )


def require_apart(maps: Sequence[MapFile], chosen_on: Sequence[MapFile]) -> None:
    """Check that a threshold is not chosen on slides that are scored.

    Raises:
        DetectionsError: A slide is in both.
    """
    files = {own.path.resolve(): own for own in chosen_on}
    images = {own.record.image: own for own in chosen_on if own.record is not None}
    for own in maps:
        same = files.get(own.path.resolve())
        if same is None and own.record is not None:
            same = images.get(own.record.image)
        if same is not None:
            raise DetectionsError(
                f"{own.path} is scored, and the threshold would be chosen on it ({same.path})",
                "choose it on slides of valid",
            )


def score_maps(
    maps: Sequence[MapFile],
    truth: Path,
    *,
    normal: bool = False,
    rule: TruthRule | None = None,
    radius_um: float = RADIUS_UM,
    least_peak: float = LEAST_PEAK,
    on_map: Callable[[int, int], None] | None = None,
) -> ScoredMaps:
    """Look up the truth of maps, one after the other.

    Args:
        maps: Of one class.
        truth: Folder with STEM.xml or STEM_mask.tif for each slide.
        normal: A slide without such a file has no tumour, as in CAMELYON16.
        rule: How truth is read; None: as masks and groups of CAMELYON16.
        radius_um, least_peak: As of `ScoredMap.of`.
        on_map: Called with the maps done and all of them.

    Raises:
        DataError: Truth is missing or cannot be read.
        DetectionsError: A map cannot be read, or is of another class.
    """
    files = [truth_of(truth, own.name) for own in maps]
    missing = [own.name for own, file in zip(maps, files, strict=True) if file is None]
    if missing and (not normal or len(missing) == len(maps)):
        raise DataError(
            f"{truth} has no truth of {len(missing)} of {len(maps)} slides: {', '.join(missing)}",
            "put STEM.xml or STEM_mask.tif there"
            + ("" if normal else "; {normal} takes them for slides without tumour"),
            {} if normal else {"normal": True},
        )
    done: list[ScoredMap] = []
    rule = rule or TruthRule()
    head: tuple[str, float, str] | None = None
    for own, file in zip(maps, files, strict=True):
        heat_map = read_map(own.path)
        facts = heat_map.name, heat_map.threshold, heat_map.threshold_from
        head = head or facts
        if facts[0] != head[0]:
            raise DetectionsError(
                f"{own.path} shows {facts[0]}, others {head[0]}", "score maps of one class together"
            )
        with rule.read(file, heat_map.size) as answers:
            done.append(
                ScoredMap.of(
                    own.name, heat_map, answers, radius_um=radius_um, least_peak=least_peak
                )
            )
        if on_map is not None:
            on_map(len(done), len(maps))
    assert head is not None
    return ScoredMaps(*head, tuple(done))


def truth_of(folder: Path, name: str) -> Path | None:
    """Return the file of truth of a slide, in the folder of its name or at the top; None: none.

    Raises:
        DataError: There is no such folder, or there are several files.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder", "give the folder with STEM.xml or STEM_mask.tif")
    stem = Path(f"{Path(name).name}.tif")
    return truth_in((folder / name).parent, stem) or truth_in(folder, stem)


def _record_of(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(MAP_ENDING) + RECORD_ENDING)
