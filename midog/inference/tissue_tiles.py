"""Which tiles of an image are looked at: those with tissue, by a mask that is written beside it."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from midog.boxes import Detections
from midog.data.mpp import mpp_of_image
from midog.errors import ConfigError
from midog.files import read_bytes
from midog.images.image import SlideImage
from midog.inference.opened_image import LookedAt, OpenedImage
from midog.inference.tile_plan import TilePlan
from midog.inference.tiles import as_opened
from midog.mpp import MppLike
from midog.tiling import Mask
from midog.tissue.chosen import ALL, AUTO, check_choice, chosen_tissue
from midog.tissue.mask import TissueMask
from midog.tissue.picture import no_tissue, write_tissue

logger = logging.getLogger(__name__)

SLIDE_MM2 = 25.0
"""An image over this area is a slide, in which glass is left out unless something else is asked
for; ROIs of 2 mm2 are looked at whole."""

_MOST_AREAS_BYTES = 2**30


class Opens(Protocol):
    """A detector, with a verifier or without."""

    def open(
        self,
        image: SlideImage,
        *,
        mpp: MppLike | None = None,
        looked_at: LookedAt | None = None,
    ) -> OpenedImage:
        """Open an image; see `Detector.open`."""
        ...


class CountedArea(Protocol):
    """Where figures are counted, such as a tumour."""

    def settings(self) -> dict[str, Any]:
        """What decides the area, as plain JSON values under a key of its own."""
        ...

    def mask(self, path: Path, name: str, mpp: MppLike | None, tissue: TissueSearch) -> TissueMask:
        """Return the area of an image; some of it is in the image."""
        ...


@dataclass(frozen=True)
class TissueSearch:
    """Which tiles are looked at.

    Attributes:
        choice: As `midog.tissue.chosen.chosen_tissue` takes it; None: `auto` for slides, over
            SLIDE_MM2, and `all` for smaller images.
        min_share: A tile is looked at if more of it than this is tissue, 0 to 1.
        within: Figures are counted, and looked for, in this area alone; None: wherever they are.

    Raises:
        ConfigError: The share is out of range.
        DataError: The choice is no name and no file.
    """

    choice: str | None = None
    min_share: float = 0.0
    within: CountedArea | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.min_share < 1:
            raise ConfigError(
                f"a least share of tissue of {self.min_share} is out of range",
                "give {min_tissue} from 0 to under 1",
                {"min_tissue": None},
            )
        if self.choice is not None:
            check_choice(self.choice)

    def settings(self) -> dict[str, Any]:
        """What decides the tiles, for the record of a folder; empty for the default."""
        stated: dict[str, Any] = {}
        if self.choice is not None:
            stated["tissue"] = _identity(self.choice)
        if self.min_share and self.choice != ALL:
            stated["min_tissue"] = self.min_share
        return stated | (self.within.settings() if self.within else {})

    def mask(self, image: SlideImage, mpp: MppLike | None) -> TissueMask | None:
        """The mask of an image; None where all of it is looked at."""
        choice = self.choice
        if choice is None:
            own = mpp_of_image(image, mpp)
            area_mm2 = image.width * own.x * image.height * own.y / 1e6
            choice = AUTO if area_mm2 > SLIDE_MM2 else ALL
        return chosen_tissue(image, choice, mpp=mpp)

    def open(
        self, detector: Opens, path: Path, name: str, *, mpp: MppLike | None, picture: Path
    ) -> OpenedImage:
        """Open an image for a detector, and write the picture of its mask.

        Args:
            detector: Whose tiles are read ahead.
            path: The image.
            name: Of it, for a line.
            mpp: um/px; overrules what the image states.
            picture: The file of the mask's picture.

        Raises:
            ImageError: As of `Detector.open`, and where there is no tissue.
            DataError: Where the file of areas cannot be used.
            DetectionsError: Where the picture cannot be written.
        """
        image = as_opened(path)
        try:
            if self.within is None:
                mask = self.mask(image, mpp)
            else:
                mask = self.within.mask(path, name, mpp, replace(self, within=None))
            if mask is None:
                return replace(detector.open(image, mpp=mpp), own=True)
            write_tissue(picture, mask, image)
            looked_at = partial(tiles_on, mask, self.min_share)
            opened = detector.open(image, mpp=mpp, looked_at=looked_at)
            counts = [(len(tiles.places), tiles.all_tiles) for tiles, _ in opened.groups]
            logger.info(
                "%s: %s; %s; mask: %s",
                name,
                mask.line(),
                ", ".join(
                    f"{seen} tiles looked at, {all_tiles - seen} left out"
                    for seen, all_tiles in counts
                ),
                picture,
            )
            if min(seen for seen, _ in counts) == 0:
                opened.close()
                raise no_tissue(name, mask, picture)
            return replace(opened, own=True, tissue=mask, only_inside=self.within is not None)
        except BaseException:
            image.close()
            raise


def counted(opened: OpenedImage, detections: Detections) -> Detections:
    """Return the detections that count: all, or those whose centre is in the area of the image.

    Args:
        opened: The image.
        detections: In it.
    """
    if not opened.only_inside:
        return detections
    assert opened.tissue is not None
    inside = opened.tissue.contains(detections.centers)
    return Detections(
        detections.boxes[inside], detections.scores[inside], detections.labels[inside]
    )


def tiles_on(mask: TissueMask, min_share: float, plan: TilePlan) -> Mask:
    """Tell which tiles of a plan have more tissue than a share of them.

    Args:
        mask: Of the image.
        min_share: In [0, 1].
        plan: How the image is divided.

    Returns:
        (T,) bool.
    """
    corners = plan.places().corners
    boxes = np.hstack([corners, np.minimum(corners + plan.tile, plan.size)])
    return np.asarray(mask.share_in(boxes / (plan.scale * 2)) > min_share)


def _identity(choice: str) -> str:
    """The name of a choice, with a digest of what files of areas hold."""
    path = Path(choice)
    if not path.exists():
        return choice
    files = sorted(path.glob("*")) if path.is_dir() else [path]
    digest = hashlib.blake2b(digest_size=8)
    for file in files:
        if file.is_file():
            content = read_bytes(file, limit=_MOST_AREAS_BYTES)
            digest.update(f"{file.name}\0{len(content)}\0".encode() + content)
    return f"areas {digest.hexdigest()}"
