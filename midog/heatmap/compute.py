"""A heat map computed: windows on tissue, in some orientations, row by row of blocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from midog.boxes import FloatArray
from midog.data.mpp import resampling
from midog.errors import ConfigError
from midog.heatmap.grid import Block, MapGrid, overlap_mean
from midog.heatmap.heat_map import HeatMap
from midog.heatmap.mask_means import mask_means
from midog.heatmap.stored_rows import StoredRows
from midog.heatmap.view_logits import view_logits
from midog.heatmap.windows import BlockWindows, windows_ahead
from midog.images.image import SlideImage
from midog.inference.orientations import Orientation, orientations
from midog.inference.patch_classifier import PatchClassifier, probabilities_of
from midog.metrics.points import Values
from midog.models.classifiers.views import View
from midog.mpp import Mpp
from midog.progress import OnStep
from midog.tissue.mask import TissueMask


@dataclass(frozen=True)
class MapSettings:
    """How a map is computed.

    Attributes:
        stride: Side of what a px of the map stands for, px as the classifier sees them; auto: half
            a window.
        orientations: In which each window is shown, 1, 2, 4 or 8; probabilities are averaged.
        min_tissue: A px of the map is looked at if more of it than this share is tissue.

    Raises:
        ConfigError: A value is out of range.
    """

    stride: int | Literal["auto"] = "auto"
    orientations: int = 1
    min_tissue: float = 0.0

    def __post_init__(self) -> None:
        orientations(self.orientations)
        if not 0 <= self.min_tissue < 1:
            raise ConfigError(
                f"a least share of tissue of {self.min_tissue} is out of range",
                "give {min_tissue} from 0 to under 1",
                {"min_tissue": None},
            )

    def stride_for(self, side: int) -> int:
        """The stride for windows of a side, px.

        Raises:
            ConfigError: It is under 1, or over the side, so that tissue would be left out.
        """
        if self.stride == "auto":
            return max(1, side // 2)
        if not 1 <= self.stride <= side:
            raise ConfigError(
                f"a stride of {self.stride} px is out of range for windows of {side} px",
                f"give {{stride}} from 1 to {side}",
                {"stride": None},
            )
        return self.stride


@dataclass(frozen=True, eq=False)
class MapJob:
    """A map that is to be computed.

    Attributes:
        classifier: Its second class is what the map shows.
        image: Open.
        mpp: um/px of the image.
        grid: Of the map.
        tissue: Where to look; None: everywhere.
        settings: How.
    """

    classifier: PatchClassifier
    image: SlideImage
    mpp: Mpp
    grid: MapGrid
    tissue: TissueMask | None
    settings: MapSettings
    shown: tuple[Orientation, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shown", orientations(self.settings.orientations))

    @classmethod
    def of(
        cls,
        classifier: PatchClassifier,
        image: SlideImage,
        mpp: Mpp,
        tissue: TissueMask | None,
        settings: MapSettings,
    ) -> MapJob:
        """The map of an image; arguments as the attributes.

        Raises:
            ConfigError: The stride is out of range.
            ImageError: The image would be enlarged beyond what is borne.
        """
        size = image.width, image.height
        scale = resampling(str(image.path), size, mpp, classifier.mpp)
        side = classifier.network.views(classifier.side)[0].field
        stride = settings.stride_for(side)
        if classifier.network.needs_masks:
            side = stride  # px are scored, and need no mean over windows
        grid = MapGrid(image.scaled_size(scale), scale, side, stride)
        return cls(classifier, image, mpp, grid, tissue, settings)

    def chosen(self, top: int, bottom: int) -> NDArray[np.bool_]:
        """Which px of some rows of the map are looked at, (rows, w) bool."""
        shape = bottom - top, self.grid.shape[1]
        if self.tissue is None:
            return np.ones(shape, bool)
        shares = self.tissue.share_in(self.grid.boxes(top, bottom))
        return np.asarray(shares > self.settings.min_tissue).reshape(shape)

    def made_from(self) -> dict[str, Any]:
        """What decides the values, but for the image itself, as plain JSON values."""
        return {
            "stride": self.grid.stride,
            "side": self.grid.side,
            "scale": list(self.grid.scale),
            "orientations": self.settings.orientations,
            "min_tissue": self.settings.min_tissue if self.tissue is not None else None,
        }


def compute_map(
    job: MapJob, stored: StoredRows, *, workers: int = 2, on_step: OnStep | None = None
) -> HeatMap:
    """Compute a map, or the rest of one that another process began.

    Memory holds the map, 4 bytes a px, and some blocks of windows, whatever the slide's size.

    Args:
        job: What is computed.
        stored: What is done of it; each row of blocks is added.
        workers: Threads that read ahead.
        on_step: Called with the number of rows of blocks done and that of all.

    Raises:
        ImageError: Pixels cannot be read.
        DeviceError: Memory runs out.
        DetectionsError: What is done cannot be stored.
    """
    values = np.full(job.grid.shape, np.nan, np.float32)
    rows = job.grid.block_rows()
    for number, (top, bottom) in enumerate(rows, 1):
        own = stored.load(top, (bottom - top, job.grid.shape[1]))
        if own is None:
            own = _row_of_blocks(job, top, bottom, workers)
            stored.save(top, own)
        values[top:bottom] = own
        if on_step is not None:
            on_step(number, len(rows))
    classifier = job.classifier
    step = job.grid.stride
    return HeatMap(
        overlap_mean(values, job.grid.side, step),
        (job.grid.scale[0] / step, job.grid.scale[1] / step),
        (job.image.width, job.image.height),
        job.mpp,
        classifier.classes[1],
        classifier.threshold,
        "the model's, chosen on patches of valid",
    )


def views_of(classifier: PatchClassifier) -> tuple[View, ...]:
    """What is read of a place: one patch, as in training, from which a network of several
    magnifications cuts its views."""
    return (View(classifier.side),)


def _row_of_blocks(job: MapJob, top: int, bottom: int, workers: int) -> FloatArray:
    """Probabilities of the windows of a row of blocks, (h, w) float32; NaN where none is."""
    values = np.full((bottom - top, job.grid.shape[1]), np.nan, np.float32)
    chosen = job.chosen(top, bottom)

    def wanted() -> Iterator[tuple[Block, NDArray[np.bool_]]]:
        for block in job.grid.blocks(top, bottom):
            own = chosen[:, block.left : block.right]
            if own.any():
                yield block, own

    views = views_of(job.classifier)
    for windows in windows_ahead(job.image, job.grid, views, wanted(), workers):
        values[windows.rows - top, windows.columns] = mean_probability(
            job.classifier, windows, job.shown, job.grid.stride
        )
    return values


def mean_probability(
    classifier: PatchClassifier,
    windows: BlockWindows,
    shown: Sequence[Orientation],
    stride: int,
) -> Values:
    """Return the probability of the second class of windows, averaged over orientations.

    Args:
        classifier: Of these windows.
        windows: N of them.
        shown: In which orientations.
        stride: Side of the middle that is averaged where px are scored, px.

    Returns:
        (N,) float64 in [0, 1].
    """
    if classifier.network.needs_masks:
        means = [mask_means(classifier, windows, orientation, stride) for orientation in shown]
        return np.asarray(np.mean(means, axis=0))
    probabilities = [
        probabilities_of(view_logits(classifier.network, windows, orientation, classifier.device))
        for orientation in shown
    ]
    return np.asarray(np.mean(probabilities, axis=0))
