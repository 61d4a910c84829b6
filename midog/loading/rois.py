"""ROIs as a source of batches: decoded once, cut and augmented patch by patch or on the device."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from midog.augment.draw import (
    Augmentation,
    augmentation_of,
    draw_numbers,
    ops_without_cpu_form,
    pastes_into,
    windows_of,
)
from midog.augment.on_cpu import Scratch, augment_patch, opencv_on_one_thread, patch_by_patch
from midog.boxes import Boxes
from midog.config.schema import AugmentSettings, DataSettings, MachineSettings, SamplingSettings
from midog.data.mpp import resampling, roi_mpp
from midog.data.roi import Roi
from midog.devices import machine_memory
from midog.errors import DataError
from midog.images.decode import decode
from midog.images.image import open_image
from midog.images.tiff_mapped import AnyPixels, warm
from midog.loading.box_targets import (
    TargetFigures,
    annotated_boxes,
    batch_targets,
    target_figures,
)
from midog.loading.cutting import cut_location, patch_at
from midog.loading.locations import (
    Location,
    SampledRoi,
    epoch_length,
    locations,
    roi_order,
    validation_locations,
)
from midog.loading.mined_alarms import MinedAlarms
from midog.loading.placement import Placement, bytes_of, choose_placement
from midog.loading.rois_on_device import RoisOnDevice, copy_to_device
from midog.models.protocol import BoxTargets
from midog.mpp import Mpp

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class DecodedRois:
    """ROIs in memory, on disk or on a device, in px of the model's mpp.

    images: uint8 (H, W, 3), arrays or, on a device, tensors. sampled: the same ROIs as sampling
    sees them. mpp: um/px of each of `images`. rois: as they were read. on_device: the same pixels
    as one buffer, where they live on a device.
    """

    images: list[Any]
    sampled: list[SampledRoi]
    mpp: list[Mpp]
    rois: list[Roi]
    on_device: RoisOnDevice | None = None


def decode_rois(
    rois: Sequence[Roi],
    data: DataSettings,
    machine: MachineSettings,
    patch_size: int,
    device: torch.device | None = None,
) -> DecodedRois:
    """Decode ROIs (once: later runs map the cache) and bring them to the model's mpp.

    Args:
        rois: At least one.
        data: mpp of the model, and whether there is a cache.
        machine: Where they are to live, and by how many threads they are decoded.
        patch_size: Side of the patches that will be cut, px.
        device: Of the training; None: the CPU.

    Raises:
        ConfigError: They cannot live where they are to.
        DataError: An image is missing or is not of the annotated size.
        ImageError: A file cannot be read or has no mpp.
    """
    placement = choose_placement(rois, data, machine, device)
    ahead = placement == "disk" and 2 * bytes_of(rois, data.mpp) < machine_memory()
    with ThreadPoolExecutor(max(machine.workers, 1)) as pool:
        loaded = list(pool.map(lambda roi: _decode(roi, data, placement, ahead), rois))
    images: list[Any] = [image for image, _, _ in loaded]
    on_device = None
    if placement == "device":
        on_device = copy_to_device(images, patch_size, device or torch.device("cpu"))
        images = on_device.images()
    sampled, mpp = [roi for _, roi, _ in loaded], [mpp for _, _, mpp in loaded]
    return DecodedRois(images, sampled, mpp, list(rois), on_device)


def augments_on_cpu(decoded: DecodedRois, augment_on: str, device: torch.device | None) -> bool:
    """Return whether the threads that cut patches also augment them; see `machine.augment_on`.

    Never where ROIs live on the device.
    """
    if decoded.on_device is not None:
        return False
    return augment_on == "cpu" or (
        augment_on == "auto" and (device is None or device.type == "cpu")
    )


@dataclass(frozen=True, eq=False)
class RoiSource:
    """Patches of decoded ROIs with boxes; a `Source`.

    decoded: the ROIs. sampling: where to look. figures: the targets among their figures. augment:
    what is drawn; None: validation patches, fixed and not augmented. scratch: where threads augment
    the patches that they cut; None: it is left to the device. mined: false alarms to request; None:
    none are. references: what ops of `augment` take from the data, by name.
    """

    decoded: DecodedRois
    sampling: SamplingSettings
    figures: TargetFigures
    augment: AugmentSettings | None = None
    scratch: Scratch | None = None
    mined: MinedAlarms | None = None
    references: Mapping[str, Any] = field(default_factory=dict)

    @property
    def view_shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of a patch; none where ROIs live on the device."""
        side = self.sampling.patch_size
        return ((side, side, 3),) if self.decoded.on_device is None else ()

    def __len__(self) -> int:
        return epoch_length(self.decoded.sampled, self.sampling)

    def locations(self, seed: int, epoch: int) -> Callable[[Sequence[int]], list[Location]]:
        """Return the function from an epoch's draws to locations; in validation all are one."""
        rois, sampling = self.decoded.sampled, self.sampling
        if self.augment is None:
            fixed = validation_locations(rois, sampling, seed)
            return lambda indices: [fixed[index] for index in indices]
        order, augment, mined = roi_order(rois, sampling, seed, epoch), self.augment, self.mined

        def drawn(indices: Sequence[int]) -> list[Location]:
            windows = None
            if augment.mpp:
                numbers = draw_numbers(seed, epoch, indices)
                windows = windows_of(numbers, augment, sampling.patch_size)
            return locations(rois, sampling, seed, epoch, indices, order, mined, windows)

        return drawn

    def augmentation(
        self, seed: int, epoch: int, indices: Sequence[int], locations: Sequence[Location]
    ) -> Augmentation | None:
        """Return what is done to the patches of some draws."""
        if self.augment is None:
            return None
        numbers = draw_numbers(seed, epoch, indices)
        augmentation = augmentation_of(numbers, self.augment, self.references)
        if not self.augment.copy_paste:
            return augmentation
        rois = [self.decoded.sampled[place.roi] for place in locations]
        side = self.sampling.patch_size
        taken = [
            annotated_boxes(roi, place, side) for roi, place in zip(rois, locations, strict=True)
        ]
        scanners = [roi.scanner for roi in rois]
        pastes = pastes_into(numbers, self.augment, self.references, scanners, taken, side)
        return augmentation._replace(pastes=pastes)

    def pixels(
        self,
        locations: Sequence[Location],
        augmentation: Augmentation | None,
        out: Sequence[Tensor],
    ) -> tuple[tuple[Tensor, ...], Augmentation | None]:
        """Cut patches, or gather them on the device; augment them where that is done by threads."""
        if self.decoded.on_device is not None:
            return (
                self.decoded.on_device.views(locations, self.sampling.patch_size),
            ), augmentation
        patches, images = out[0].numpy(), self.decoded.images
        if self.scratch is None or augmentation is None:
            for place, patch in zip(locations, patches, strict=True):
                cut_location(images[place.roi], place, patch)
            return (out[0],), augmentation
        steps = patch_by_patch(augmentation, len(locations))
        for place, patch, step in zip(locations, patches, steps, strict=True):
            original = patch_at(images[place.roi], place, self.scratch.patch)
            augment_patch(self.scratch, step, original, patch)
        return (out[0],), None

    def targets(
        self, locations: Sequence[Location], augmentation: Augmentation | None
    ) -> BoxTargets:
        """Return the boxes of patches, moved as the augmentation moves them."""
        if augmentation is None:
            return batch_targets(self.figures, locations, self.sampling)
        pastes, pasted = augmentation.pastes, None
        if pastes is not None:
            pasted = pastes.boxes, pastes.patches.numpy()
        move = augmentation.move_boxes
        return batch_targets(self.figures, locations, self.sampling, move, pasted)

    def cutting(self) -> AbstractContextManager[object]:
        """Keep OpenCV to the threads that cut patches, where they use it."""
        return nullcontext() if self.scratch is None else opencv_on_one_thread()


def training_source(
    decoded: DecodedRois,
    sampling: SamplingSettings,
    augment: AugmentSettings,
    *,
    on_cpu: bool,
    references: Mapping[str, Any] | None = None,
) -> RoiSource:
    """Return the source of training patches.

    Args:
        decoded: ROIs to train on.
        sampling: Where to look.
        augment: What is drawn.
        on_cpu: As of `augments_on_cpu`.
        references: What ops of `augment` take from the data, by name.
    """
    if on_cpu and (names := ops_without_cpu_form(augment)):
        logger.info(
            "augment.%s has no form for a CPU: its form for devices runs there", ", ".join(names)
        )
    if sampling.imposters == "ignore":
        logger.info(
            "sampling.imposters=ignore: they have no part in the loss; as background they are"
            " leave_out, which earlier versions called ignore"
        )
    scratch = Scratch(sampling.patch_size) if on_cpu else None
    figures = target_figures(decoded.sampled, sampling)
    return RoiSource(decoded, sampling, figures, augment, scratch, references=references or {})


def validation_source(decoded: DecodedRois, sampling: SamplingSettings) -> RoiSource:
    """Return the source of validation patches: the same in each epoch, not augmented."""
    return RoiSource(decoded, sampling, target_figures(decoded.sampled, sampling))


def decode_one(roi: Roi, data: DataSettings) -> AnyPixels:
    """Return the pixels of one ROI at the model's mpp; errors as of `decode_rois`."""
    return _decode(roi, data, "disk", False)[0]


def _decode(
    roi: Roi, data: DataSettings, placement: Placement, ahead: bool
) -> tuple[AnyPixels, SampledRoi, Mpp]:
    """Pixels of an ROI, the ROI as sampling sees it, and its um/px."""
    if roi.path is None:
        raise DataError(
            f"{roi.file_name}: its image is missing", "put it into the data folder's images/"
        )
    with open_image(roi.path) as image:
        width, height, in_image = image.width, image.height, image.stated_mpp
    if roi.width is not None and (roi.width, roi.height) != (width, height):
        raise DataError(
            f"{roi.file_name} is {width}x{height} px, its annotation says {roi.width}x{roi.height}",
            "get the image that the annotation belongs to; `midog data check` lists all of them",
        )
    mpp = roi_mpp(roi, in_image)
    scale = resampling(roi.file_name, (width, height), mpp, data.mpp)
    pixels = decode(roi.path, scale=scale, cache=data.cache)
    if placement == "memory":
        pixels = np.array(pixels)
    elif ahead:
        warm(pixels)
    factors = np.array(scale * 2, np.float32)
    boxes, ignored = Boxes(roi.boxes.xyxy * factors, roi.boxes.labels), roi.ignored * factors
    sampled = SampledRoi(
        pixels.shape[1],
        pixels.shape[0],
        boxes,
        roi.scanner,
        ignored,
        roi.columns.get("roi_type", ""),
    )
    return pixels, sampled, Mpp(mpp.x / scale[0], mpp.y / scale[1])
