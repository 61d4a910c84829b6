"""A batch of images: detect in each, write its files, skip what is done, report what failed."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from midog.boxes import Detections
from midog.data.seen import TRAINED_ON
from midog.formats.atypical import AtypicalScores
from midog.formats.registry import FORMATS, DetectedImage, require_formats
from midog.images.decode import rows_of
from midog.images.image import SlideImage
from midog.inference.atypical import AtypicalClassifier
from midog.inference.detector import Detector
from midog.inference.image_identity import state_of
from midog.inference.jobs import Job, noting, require_own_files
from midog.inference.open_ahead import open_ahead
from midog.inference.opened_image import OpenedImage
from midog.inference.outcome import Counted, Outcome, Spent, count_figures
from midog.inference.output_folder import OutputFolder
from midog.inference.tissue_tiles import TissueSearch, counted
from midog.inference.verified import VerifiedDetector
from midog.metrics.hotspot import HotspotSettings
from midog.progress import OnImage, OnStep
from midog.tissue.picture import ENDING as TISSUE_ENDING

logger = logging.getLogger(__name__)


def infer(
    jobs: Sequence[Job],
    detector: Detector | VerifiedDetector,
    out: Path,
    *,
    among: Sequence[Job] | None = None,
    formats: Sequence[str] = ("challenge",),
    tissue: TissueSearch | None = None,
    hotspot: HotspotSettings | None = None,
    atypical: AtypicalClassifier | None = None,
    overwrite: bool = False,
    on_image: OnImage | None = None,
    on_tile: OnStep | None = None,
) -> Outcome:
    """Detect in images and write their files; see `Work`.

    Args:
        jobs: The images.
        among: All images that processes fill the folder with, these among them; None: these.
        detector, out, formats, tissue, hotspot, atypical, overwrite: As of `Work.open`.
        on_image, on_tile: As of `Work.do`.

    Raises:
        DetectionsError: As of `Work.open`.
        DeviceError: If the device is out of memory; what is done stays.
    """
    work = Work.open(
        jobs if among is None else among,
        detector,
        out,
        formats=formats,
        tissue=tissue,
        hotspot=hotspot,
        atypical=atypical,
        overwrite=overwrite,
    )
    return work.do(jobs, on_image=on_image, on_tile=on_tile)


@dataclass(frozen=True)
class Work:
    """A detector and the folder of its files; any process may do any share of the images.

    Attributes:
        detector: The model and its settings, with a verifier or without.
        folder: Where its files are.
        formats: Names in FORMATS.
        tissue: Which tiles are looked at; None: all. With tissue, STEM.tissue.png is the mask.
        hotspot: Window of formats hotspot, hotspot.csv and density; None: 2 mm2, 4:3.
        atypical: Tells atypical figures from normal ones; None: nothing does.
    """

    detector: Detector | VerifiedDetector
    folder: OutputFolder
    formats: tuple[str, ...]
    tissue: TissueSearch | None = None
    hotspot: HotspotSettings | None = None
    atypical: AtypicalClassifier | None = None

    @classmethod
    def open(
        cls,
        jobs: Sequence[Job],
        detector: Detector | VerifiedDetector,
        out: Path,
        *,
        formats: Sequence[str] = ("challenge",),
        tissue: TissueSearch | None = None,
        hotspot: HotspotSettings | None = None,
        atypical: AtypicalClassifier | None = None,
        overwrite: bool = False,
    ) -> Self:
        """Open the folder for work.

        Args:
            jobs: All images, also those that other processes do; no two may have a file in common.
            out: The folder; made if it does not exist. Several processes may fill it.
            detector, formats, tissue, hotspot, atypical: See the attributes.
            overwrite: Do images again that are done; otherwise they are skipped.

        Raises:
            DetectionsError: If a format is unknown, two images would be written to one file, or
                `out` holds detections of another model or other settings.
        """
        require_formats(formats)
        endings = [FORMATS[name].ending for name in formats]
        require_own_files(jobs, endings, ignores_case=False)  # before anything is made
        folder = OutputFolder(
            out,
            {**_recorded(detector), **_stated(tissue), **_stated(hotspot), **_stated(atypical)},
            [job.stem for job in jobs],
            overwrite=overwrite,
            threshold_from=detector.threshold_from,
        )
        require_own_files(jobs, endings, ignores_case=folder.ignores_case())
        return cls(detector, folder, tuple(formats), tissue, hotspot, atypical)

    def do(
        self,
        jobs: Iterable[Job],
        *,
        on_image: OnImage | None = None,
        on_tile: OnStep | None = None,
    ) -> Outcome:
        """Detect in images and write their files, STEM.json and those of further formats.

        An image that fails, in whatever way, is noted in the outcome, and the others are done.
        While the model works on one image, the next one is opened and the files of the last one
        are written.

        Args:
            jobs: Any of those that the folder was opened for.
            on_image: Called after each image.
            on_tile: Called while the tiles of an image are done.

        Raises:
            DeviceError: If the device is out of memory; what is done stays.
        """
        with (
            _Batch(self, on_image, on_tile) as batch,
            closing(open_ahead(jobs, batch.open)) as opened,
        ):
            for job, opening in opened:
                batch.detect(job, opening)
            batch.settle(0)
        return batch.outcome


def _recorded(detector: Detector | VerifiedDetector) -> dict[str, Any]:
    """What the folder states of the detector, and on which ROIs it was trained."""
    trained_on = detector.info.get(TRAINED_ON)
    stated = {} if trained_on is None else {TRAINED_ON: trained_on}
    return {**detector.settings(), **stated}


def _stated(wanted: TissueSearch | HotspotSettings | AtypicalClassifier | None) -> dict[str, Any]:
    """What the folder states of it."""
    return wanted.settings() if wanted else {}


@dataclass(frozen=True)
class _Opened:
    """An open image, and the state of its file before it was read."""

    image: OpenedImage
    state: str

    def close(self) -> None:
        self.image.close()


class _Batch:
    """Detects in the images and writes their files on a thread of its own."""

    def __init__(self, work: Work, on_image: OnImage | None, on_tile: OnStep | None) -> None:
        self.outcome = Outcome()
        self._detector, self._folder, self._formats = work.detector, work.folder, work.formats
        self._tissue, self._hotspot, self._atypical = work.tissue, work.hotspot, work.atypical
        self._on_image, self._on_tile = on_image, on_tile
        self._writing: deque[tuple[Job, Future[Counted]]] = deque()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="midog-write")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.shutdown()

    def open(self, job: Job) -> _Opened | None:
        """Open an image; None if it is done."""
        if self._folder.is_done(job.stem, job.path, job.mpp, self._formats):
            return None
        state = state_of(job.path) if job.path.exists() else ""
        mpp, picture = job.given_mpp, self._folder.path / f"{job.stem}{TISSUE_ENDING}"
        if self._tissue is None:
            return _Opened(self._detector.open(job.path, mpp=mpp), state)
        opened = self._tissue.open(self._detector, job.path, job.name, mpp=mpp, picture=picture)
        return _Opened(opened, state)

    def detect(self, job: Job, opening: Future[_Opened | None]) -> None:
        """Detect in an image and hand its detections to the writer."""
        writing = None
        with noting(job, self.outcome.failed):
            opened = opening.result()
            if opened is None:
                self.outcome.skipped.append(job.name)
            else:
                with opened.image as image:
                    self._folder.begin(job.stem, job.mpp, self._formats)
                    self._announce(job, image)
                    detected = self._detect(job, image)
                writing = self._writer.submit(self._write, job, opened, *detected)
                self._writing.append((job, writing))
        self.settle(0 if writing is None else 1)
        if writing is None and self._on_image is not None:
            self._on_image(job.name, None)

    def settle(self, most: int) -> None:
        """Note what is written, in order, until at most that many images are being written."""
        outcome = self.outcome
        while len(self._writing) > most or (self._writing and self._writing[0][1].done()):
            job, writing = self._writing.popleft()
            with noting(job, outcome.failed):
                outcome.add(job.name, writing.result())
            if self._on_image is not None:
                self._on_image(job.name, outcome.figures.get(job.name))

    def _detect(self, job: Job, image: OpenedImage) -> tuple[Detections, AtypicalScores | None]:
        begun = time.perf_counter()
        detections = counted(image, self._detector.detect(image, self._tick))
        took = time.perf_counter() - begun
        self.outcome.spent[job.name] = Spent(
            took, image.image.width * image.image.height, image.times
        )
        if self._atypical is None:
            return detections, None
        assert isinstance(image.image, SlideImage)
        limit = self._detector.threshold
        return detections, self._atypical.of_figures(image.image, image.mpp, detections, limit)

    def _announce(self, job: Job, opened: OpenedImage) -> None:
        """State what the formats will do with an image of this size, before the work."""
        for name in self._formats:
            remark = FORMATS[name].remark
            if remark and (words := remark(opened.image.width, opened.image.height)):
                logger.info("%s: %s", job.name, words)

    def _tick(self, done: int, total: int) -> None:
        self.settle(1)
        if self._on_tile is not None:
            self._on_tile(done, total)

    def _write(
        self, job: Job, opened: _Opened, detections: Detections, atypical: AtypicalScores | None
    ) -> Counted:
        """Write the files of an image; return its figures at or over the threshold."""
        with opened.image.times.of("writing"):
            self._write_files(job, opened, detections, atypical)
        count = count_figures(detections, self._detector.threshold)
        return Counted(count, None if atypical is None else int(atypical.are_atypical.sum()))

    def _write_files(
        self, job: Job, opened: _Opened, detections: Detections, atypical: AtypicalScores | None
    ) -> None:
        image = opened.image
        detected = DetectedImage(
            file_name=job.name,
            width=image.image.width,
            height=image.image.height,
            mpp=image.mpp,
            threshold=self._detector.threshold,
            detections=detections,
            truth=job.truth,
            rows=lambda scale: rows_of(job.path, scale),
            hotspot=self._hotspot,
            tissue=image.tissue,
            atypical=atypical,
            origin=image.image.origin,
        )
        targets = self._folder.targets(job.stem, self._formats)
        for name, path in zip(self._formats, targets, strict=True):
            FORMATS[name].write(path, detected)
        self._folder.finish(job.stem, job.path, opened.state, job.mpp, self._formats)
