"""Heat maps of slides made: skip what is done, resume what is not, report what failed."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from midog.data.mpp import mpp_of_image
from midog.errors import DetectionsError, MidogError
from midog.files import make_folder, sweep_parts
from midog.heatmap.against_truth import MapTruth, write_triptych
from midog.heatmap.compute import MapJob, MapSettings, compute_map
from midog.heatmap.heat_map import HeatMap
from midog.heatmap.map_pictures import write_overlay_of_map
from midog.heatmap.map_tiff import read_map, write_map
from midog.heatmap.slide_record import (
    SlideRecord,
    is_of_image,
    read_record,
    record_of,
    whole_files,
    write_record,
)
from midog.heatmap.stored_rows import StoredRows
from midog.images.image import SlideImage
from midog.inference.image_identity import digest_of_file, state_of
from midog.inference.jobs import Job, noting, require_own_files
from midog.inference.model_folder import WEIGHTS
from midog.inference.output_entries import (
    HEATMAP_FOLDER,
    MAP_ENDING,
    OVERLAY_ENDING,
    RECORD_ENDING,
    TRIPTYCH_ENDING,
)
from midog.inference.patch_classifier import PatchClassifier
from midog.inference.tiles import as_opened
from midog.inference.tissue_tiles import TissueSearch
from midog.locks import being_written, held_file
from midog.progress import OnImage, OnStep
from midog.tissue.mask import TissueMask
from midog.tissue.picture import ENDING as TISSUE_ENDING
from midog.tissue.picture import no_tissue, write_tissue
from midog.tumour.truth import SlideTruth

logger = logging.getLogger(__name__)

TruthOf = Callable[[Path, tuple[int, int]], SlideTruth | None]
"""Opens the truth of a slide's file of (width, height) px; None where there is none."""


@dataclass(frozen=True)
class MapOutcome:
    """What became of slides, by name.

    done: Records of those that were done now. skipped: Of those that were done before. failed: What
    is wrong with the others.
    """

    done: dict[str, SlideRecord] = field(default_factory=dict)
    skipped: dict[str, SlideRecord] = field(default_factory=dict)
    failed: dict[str, MidogError] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class MapMaker:
    """Makes the heat maps of slides in a folder.

    Attributes:
        classifier: Its second class is what they show.
        out: The folder; made if it does not exist. Several processes may fill it.
        settings: How maps are computed.
        tissue: Where to look.
        truth_of: Where there is truth, a picture beside it is made.
        overwrite: Make maps again that are done, also those of other settings.
        workers: Threads that read ahead.
    """

    classifier: PatchClassifier
    out: Path
    settings: MapSettings = field(default_factory=MapSettings)
    tissue: TissueSearch = field(default_factory=TissueSearch)
    truth_of: TruthOf | None = None
    overwrite: bool = False
    workers: int = 2

    def make(
        self,
        jobs: Sequence[Job],
        *,
        on_image: OnImage | None = None,
        on_step: OnStep | None = None,
    ) -> MapOutcome:
        """Make maps; a slide that fails is noted, and the others are done.

        Args:
            jobs: The slides; no two may have a file in common.
            on_image: Called after each slide.
            on_step: Called with the rows of blocks done of a slide and those of all of it.

        Raises:
            DetectionsError: Two slides would be written to one file, or the folder cannot be made.
            DeviceError: Memory runs out; what is done stays.
        """
        require_own_files(jobs, [RECORD_ENDING], ignores_case=True)
        try:
            make_folder(self.out / HEATMAP_FOLDER)
        except OSError as error:
            what = f"{self.out} cannot be made: {error.strerror or error}"
            raise DetectionsError(what, "choose another {out}", {"out": None}) from None
        sweep_parts(self.out)
        outcome = MapOutcome()
        for job in jobs:
            with noting(job, outcome.failed):
                self._make_one(job, outcome, on_step)
            if on_image is not None:
                on_image(job.name, None)
        return outcome

    def _make_one(self, job: Job, outcome: MapOutcome, on_step: OnStep | None) -> None:
        stem = self.out / job.stem
        lock = self.out / HEATMAP_FOLDER / f"{job.stem}.lock"
        make_folder(lock.parent)
        make_folder(stem.parent)
        with (
            held_file(lock, being_written(f"the heat map of {job.name}", DetectionsError)),
            as_opened(job.path) as image,
        ):
            mpp = mpp_of_image(image, job.mpp)
            mask = self.tissue.mask(image, job.mpp)
            own = MapJob.of(self.classifier, image, mpp, mask, self.settings)
            made_from = self._made_from(own)
            truth = None
            if self.truth_of is not None:
                truth = self.truth_of(job.path, (image.width, image.height))
            try:
                record = self._up_to_date(job, made_from, truth)
                if record is not None:
                    outcome.skipped[job.name] = record
                    return
                outcome.done[job.name] = self._write(job, own, made_from, truth, on_step)
            finally:
                if truth is not None:
                    truth.close()

    def _up_to_date(
        self, job: Job, made_from: dict[str, Any], truth: SlideTruth | None
    ) -> SlideRecord | None:
        """The record of a map that is whole, and has what is asked for; None: it is to be made.

        Raises:
            DetectionsError: What is there was made with other settings, or is of another slide.
        """
        record = read_record(_beside(self.out / job.stem, RECORD_ENDING))
        if record is None or self.overwrite:
            return None
        changed = [key for key in made_from if made_from[key] != record.made_from.get(key)]
        what = f"made with another {', '.join(changed)}" if changed else ""
        if not changed and not is_of_image(record, job.path):
            what = "of another slide"
        if what:
            raise DetectionsError(
                f"{self.out}/ holds a heat map of {job.name} {what}",
                "choose another {out}, or {overwrite}",
                {"out": None, "overwrite": True},
            )
        endings = [MAP_ENDING, OVERLAY_ENDING, *([TRIPTYCH_ENDING] if truth else [])]
        same_truth = truth is None or (record.truth or {}).get("source") == truth.source
        is_whole = same_truth and whole_files(record, self.out / job.stem, endings)
        return record if is_whole else None

    def _write(
        self,
        job: Job,
        own: MapJob,
        made_from: dict[str, Any],
        truth: SlideTruth | None,
        on_step: OnStep | None,
    ) -> SlideRecord:
        """Compute a map and write its files, the record last."""
        stem, state = self.out / job.stem, state_of(job.path)
        if own.tissue is not None:
            self._look_for_tissue(job, own, own.tissue)
        key = json.dumps([made_from, state, own.mpp, own.grid.size], sort_keys=True)
        stored = StoredRows(self.out / HEATMAP_FOLDER / job.stem, key)
        heat_map = self._kept_map(job, made_from)
        if heat_map is None:
            heat_map = compute_map(own, stored, workers=self.workers, on_step=on_step)
            own.image.report_damage()
        written = _write_files(stem, heat_map, own.image, truth)
        record = record_of(
            heat_map,
            file_name=job.name,
            model=self.classifier.folder,
            made_from=made_from,
            image=job.path,
            state=state,
            files=written.files,
            truth=written.truth,
        )
        write_record(_beside(stem, RECORD_ENDING), record)
        stored.delete()
        return record

    def _kept_map(self, job: Job, made_from: dict[str, Any]) -> HeatMap | None:
        """The map itself, where it is whole and only a picture is missing."""
        record = read_record(_beside(self.out / job.stem, RECORD_ENDING))
        is_same = record is not None and record.made_from == made_from
        if record is None or self.overwrite or not is_same or not is_of_image(record, job.path):
            return None
        stem = self.out / job.stem
        return (
            read_map(_beside(stem, MAP_ENDING)) if whole_files(record, stem, [MAP_ENDING]) else None
        )

    def _look_for_tissue(self, job: Job, own: MapJob, mask: TissueMask) -> None:
        """Write the picture of the mask, and state what is looked at.

        Raises:
            ImageError: There is no tissue.
        """
        picture = _beside(self.out / job.stem, TISSUE_ENDING)
        write_tissue(picture, mask, own.image)
        rows = own.grid.block_rows()
        windows = sum(int(own.chosen(top, bottom).sum()) for top, bottom in rows)
        all_px = own.grid.shape[0] * own.grid.shape[1]
        logger.info(
            "%s: %s; %d windows looked at, %d left out; mask: %s",
            job.name,
            mask.line(),
            windows,
            all_px - windows,
            picture,
        )
        if not windows:
            raise no_tissue(job.name, mask, picture)

    def _made_from(self, own: MapJob) -> dict[str, Any]:
        """What decides the values, but for the slide itself."""
        return {
            "model": digest_of_file(self.classifier.folder / WEIGHTS),
            "threshold": self.classifier.threshold,
            **own.made_from(),
            "tissue": "all" if own.tissue is None else self.tissue.settings().get("tissue", "auto"),
            "mpp": [own.mpp.x, own.mpp.y],
        }


@dataclass(frozen=True)
class _Written:
    """Files by ending, and the counts against the truth."""

    files: dict[str, Path]
    truth: dict[str, Any] | None


def _write_files(
    stem: Path, heat_map: HeatMap, image: SlideImage, truth: SlideTruth | None
) -> _Written:
    files = {ending: _beside(stem, ending) for ending in (MAP_ENDING, OVERLAY_ENDING)}
    write_map(files[MAP_ENDING], heat_map)
    write_overlay_of_map(files[OVERLAY_ENDING], heat_map, image)
    if truth is None:
        return _Written(files, None)
    of_map = MapTruth.of(heat_map, truth)
    files[TRIPTYCH_ENDING] = _beside(stem, TRIPTYCH_ENDING)
    write_triptych(files[TRIPTYCH_ENDING], heat_map, image, of_map)
    return _Written(files, {"source": truth.source, **of_map.counts(heat_map).to_dict()})


def _beside(stem: Path, ending: str) -> Path:
    return stem.with_name(stem.name + ending)
