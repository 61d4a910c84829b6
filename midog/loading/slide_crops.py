"""Crops of slides as a source of batches: read from the pyramid, at one or several resolutions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from torch import Tensor

from midog.augment.draw import Augmentation
from midog.augment.on_cpu import Scratch, augment_patch, patch_by_patch
from midog.config.schema import AugmentSettings
from midog.data.patches.patch_set import PatchSet
from midog.images.concentric import read_view
from midog.images.open_slides import OpenSlides
from midog.images.pixels import Pixels
from midog.loading.crops import CropLocation, CropSource, Drawing, Places
from midog.loading.patches import Balance, drawing, of_patches
from midog.models.classifiers.views import View
from midog.tumour.sample_slides import truths_of
from midog.tumour.truth import SlideTruth


@dataclass(frozen=True, eq=False)
class SlideCropSource(CropSource):
    """Crops of slides around places; a `Source` of one picture, or one for each of several views.

    Its `places` are in px of the crops, its `images` are empty: pixels are read when they are asked
    for. All views of a place have its centre, to half a px of each.

    slides: from which is read. scales: level-0 px for a px of the crops, of each slide. views: what
    is shown, in order; none: the crop as it is. scratches: as `scratch`, for each view. truths: of
    the slides, where targets have masks; `masks` is then empty.
    """

    slides: OpenSlides = field(default_factory=lambda: OpenSlides((), ()))
    scales: tuple[float, ...] = ()
    views: tuple[View, ...] = ()
    scratches: tuple[Scratch, ...] = ()
    truths: tuple[SlideTruth, ...] = ()

    @property
    def view_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of a crop, or of each view."""
        return tuple((view.side, view.side, 3) for view in self._views)

    def pixels(
        self,
        locations: Sequence[CropLocation],
        augmentation: Augmentation | None,
        out: Sequence[Tensor],
    ) -> tuple[tuple[Tensor, ...], Augmentation | None]:
        """Read crops; augment all views of one alike where that is done by threads."""
        views = [one.numpy() for one in out]
        if not self.scratches or augmentation is None:
            for number, place in enumerate(locations):
                self._read(place, [view[number] for view in views])
            return tuple(out), augmentation
        steps = patch_by_patch(augmentation, len(locations))
        for number, (place, step) in enumerate(zip(locations, steps, strict=True)):
            self._read(place, [scratch.patch for scratch in self.scratches])
            for scratch, view in zip(self.scratches, views, strict=True):
                augment_patch(scratch, step, scratch.patch, view[number])
        return tuple(out), None

    def cut_views(self, number: int, out: Sequence[Pixels]) -> None:
        """Write the views of a place into `out`, (side, side, 3) uint8 each, as they are."""
        self._read(self._at(number, 0, 0), out)

    def _cut_mask(self, masks: Sequence[Pixels], place: CropLocation, out: Pixels) -> None:
        slide = int(self.places.images[place.number])
        side, scale = self.side, self.scales[slide]
        out[..., 0] = self.truths[slide].mask(place.x, place.y, side, side, scale)

    @property
    def _views(self) -> tuple[View, ...]:
        return self.views or (View(self.side),)

    def _cut(self, place: CropLocation, out: Pixels) -> None:
        self._read_one(place, View(self.side), out)

    def _read(self, place: CropLocation, out: Sequence[Pixels]) -> None:
        for view, pixels in zip(self._views, out, strict=True):
            self._read_one(place, view, pixels)

    def _read_one(self, place: CropLocation, view: View, out: Pixels) -> None:
        slide = int(self.places.images[place.number])
        scale, half = self.scales[slide], self.side / 2
        x, y = (place.x + half) * scale, (place.y + half) * scale
        with self.slides.reading(slide) as image:
            read_view(image, x, y, view.side, scale * view.downsample, out)


def slide_crops(
    patches: PatchSet, side: int | None, draws: Drawing | None = None
) -> SlideCropSource:
    """Return the patches of an index of places as a source, not augmented.

    Args:
        patches: N of S px.
        side: px of a patch about the same centres; None: S.
        draws: How an epoch draws them; None: each once, in order.
    """
    where = patches.in_slides
    assert where is not None
    scales = tuple(where.mpp / mpp for mpp in where.mpps)
    factors = np.array(scales)[where.slides][:, None]
    places = Places(where.slides, where.centres / factors, patches.labels)
    return SlideCropSource(
        (),
        places,
        side or patches.side,
        "white",
        draws,
        slides=OpenSlides(where.paths, where.sizes),
        scales=scales,
    )


def training_slide_crops(
    patches: PatchSet,
    augment: AugmentSettings,
    *,
    side: int | None,
    balance: Balance,
    length: int | None,
    jitter: float,
    on_cpu: bool,
    with_masks: bool = False,
) -> SlideCropSource:
    """Return the source of training patches of an index of places.

    Args:
        patches: Of an index.
        augment, balance, length, jitter, on_cpu: As of `training_patches`.
        side: As of `slide_crops`.
        with_masks: Whether targets have masks, read from the truth of the slides.
    """
    draws = drawing(patches.labels, balance, length, jitter)
    source = slide_crops(patches, side, draws)
    scratches = tuple(Scratch(shape[0]) for shape in source.view_shapes) if on_cpu else ()
    source = replace(source, augment=of_patches(augment), scratches=scratches)
    if not with_masks:
        return source
    assert patches.in_slides is not None
    return replace(source, masks=(), truths=tuple(truths_of(patches.in_slides)))
