"""The data of a classifier of patches: labels and slides of each part, and their pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from midog.boxes import IntArray
from midog.config.schema import AugmentSettings, DataSettings, RunConfig
from midog.data.patches.folders import Folders
from midog.data.patches.patch_set import PATCH_ROLES, PatchData, PatchSet
from midog.data.patches.read import read_patches
from midog.data.roi import Roi
from midog.errors import ConfigError, DataError
from midog.images.pixels import Pixels
from midog.inference.patch_classifier import CLASSES
from midog.loading.crops import CropSource
from midog.loading.patches import decode_masks, decode_patches, patch_source, training_patches
from midog.loading.slide_crops import slide_crops, training_slide_crops
from midog.models.build import without_first_weights
from midog.models.classifiers.mask_losses import MaskTerms
from midog.models.classifiers.registry import build_patch_network
from midog.training.tasks.patches import PatchesTask
from midog.training.tasks.registry import PatchesSettings


@dataclass(frozen=True, eq=False)
class PatchesData:
    """The patches of a training; it is a `TaskData`."""

    config: RunConfig
    data: PatchData

    @property
    def settings(self) -> PatchesSettings:
        """Of the task."""
        return cast(PatchesSettings, self.config.task)

    @property
    def fingerprint(self) -> str:
        """Digest of labels, slides and files."""
        return self.data.fingerprint

    def describe(self) -> list[str]:
        """Return lines about the patches and the network."""
        settings, sets = self.settings, self.data.sets.values()
        first, second = self.data.classes
        lines = [
            f"{PATCH_ROLES[own.role]}: {len(own)} patches of {len(set(own.units))}"
            f" {'slides' if own.slides else 'unknown slides'}, {int(own.labels.sum())} {second},"
            f" {len(own) - int(own.labels.sum())} {first}"
            for own in sets
        ]
        each = settings.patches_per_epoch or len(self.data.of("train"))
        with without_first_weights():
            network = build_patch_network(settings.network, CLASSES)
        millions = sum(one.numel() for one in network.parameters()) / 1e6
        return [
            *lines,
            f"patches per epoch: {each}; {each * self.config.train.epochs} in all",
            f"network: {settings.network.kind}, {millions:.2f} M parameters",
        ]

    def open(self, device: torch.device) -> PatchesTask:
        """Decode the patches of train and val.

        Raises:
            DataError: A file is damaged.
            ImageError: A picture cannot be read.
            ConfigError: The network sees no patches as small.
        """
        config, settings = self.config, self.settings
        train, augment_on = self.data.of("train"), config.machine.augment_on
        with without_first_weights():
            network = build_patch_network(settings.network, CLASSES)
        masks = self._masks(train) if network.needs_masks else None
        crops = open_training(
            train,
            config.data.cache,
            settings,
            config.augment,
            on_cpu=augment_on == "cpu" or (augment_on == "auto" and device.type == "cpu"),
            with_masks=network.needs_masks,
            masks=masks,
        )
        val = open_patches(self.data.of("val"), config.data.cache, settings.side)
        if val.side != crops.side:
            raise DataError(
                f"patches of train are {crops.side} px wide, those of valid {val.side}",
                "give parts of one size, or a side with {task.side}",
                {"task.side": None},
            )
        network.views(crops.side)
        if crops.side < network.smallest:
            raise ConfigError(
                f"patches of {crops.side} px are too small for {settings.network.kind}, which needs"
                f" {network.smallest}",
                "choose another {task.network}, or fewer stages of it",
                {"task.network": None},
            )
        shares = self._shares(train, masks) if network.needs_masks else None
        terms = None if shares is None else mask_terms(settings, train.labels, shares)
        return PatchesTask(config, settings, train, crops, val, self.data.classes, device, terms)

    def _masks(self, train: PatchSet) -> Pixels | None:
        """The masks that a network learns; None: they are read from the truth of slides."""
        if train.in_slides is not None:
            return None
        if train.masks is None:
            raise DataError(
                f"{self.data.where} has no masks of train, which {self.settings.network.kind}"
                " learns",
                f"give {self.settings.stem}_split_train_mask.h5 beside the patches, or choose"
                " another {task.network}",
                {"task.network": None},
            )
        return decode_masks(train)

    @staticmethod
    def _shares(train: PatchSet, masks: Pixels | None) -> NDArray[np.float64]:
        """How much of each patch is of the second class."""
        if train.in_slides is not None:
            return train.in_slides.tumour
        return np.array([float(mask.mean()) for mask in (() if masks is None else masks)])


def mask_terms(
    settings: PatchesSettings, labels: IntArray, shares: NDArray[np.float64]
) -> MaskTerms:
    """Return how masks count: as the labels' loss, tumour by how rare it is among what is drawn.

    Args:
        settings: Of the task.
        labels: (N,) int64, 0 or 1.
        shares: (N,) of each patch that is of the second class.
    """
    share = float(shares.mean())
    if settings.balance == "draws":
        share = float(np.mean([shares[labels == label].mean() for label in (0, 1)]))
    return MaskTerms(settings.focal_gamma if settings.loss == "focal" else 0.0, share)


def open_training(
    patches: PatchSet,
    cache: bool,
    settings: PatchesSettings,
    augment: AugmentSettings,
    *,
    on_cpu: bool,
    with_masks: bool,
    masks: Pixels | None = None,
) -> CropSource:
    """Return the source of training patches: decoded, or read from slides as they are drawn.

    Args:
        patches: Of train.
        cache: As of `decode_patches`.
        settings: Of the task.
        augment: What is done to them.
        on_cpu: Whether threads augment them.
        with_masks: Whether targets have masks.
        masks: Of decoded patches, as `training_patches` takes them.
    """
    side, balance, jitter = settings.side, settings.balance, settings.jitter
    length = settings.patches_per_epoch
    if patches.in_slides is not None:
        return training_slide_crops(
            patches,
            augment,
            side=side,
            balance=balance,
            length=length,
            jitter=jitter,
            on_cpu=on_cpu,
            with_masks=with_masks,
        )
    return training_patches(
        decode_patches(patches, cache=cache, side=side),
        patches.labels,
        augment,
        side=side,
        balance=balance,
        length=length,
        jitter=jitter,
        on_cpu=on_cpu,
        masks=masks,
    )


def open_patches(patches: PatchSet, cache: bool, side: int | None) -> CropSource:
    """Return patches as a source of each once, not augmented; errors as of `PatchesData.open`."""
    if patches.in_slides is not None:
        return slide_crops(patches, side)
    return patch_source(decode_patches(patches, cache=cache, side=side), patches.labels, side)


def read_patches_data(config: RunConfig, rois: Iterable[Roi] | None = None) -> PatchesData:
    """Read what a classifier of patches is trained on.

    Raises:
        DataError: There are no patches, ROIs are given, or as of `read_patches`.
    """
    if rois is not None:
        raise DataError(
            "a classifier of patches learns from no ROIs", "leave {rois} out", {"rois": None}
        )
    data = read_patches_of(config.data, cast(PatchesSettings, config.task))
    data.of("train"), data.of("val")
    return PatchesData(config, data)


def read_patches_of(data: DataSettings, settings: PatchesSettings) -> PatchData:
    """Read the labelled patches that settings name; errors as of `read_patches`."""
    if not isinstance(data.dir, Path):
        raise DataError(
            f"patches are read from one folder, not from {len(data.dir)}",
            "name one with {data.dir}",
            {"data.dir": None},
        )
    patches = read_patches(data.dir, settings.stem, folders_of(data.split, settings))
    for own in patches.sets.values():
        if own.in_slides is not None and own.in_slides.mpp != data.mpp:
            raise DataError(
                f"the places in {data.dir} are of {own.in_slides.mpp:g} um/px, the model's patches"
                f" of {data.mpp:g}",
                "state theirs, or sample the slides at the model's",
                {"data.mpp": own.in_slides.mpp},
            )
    return patches


def folders_of(split: str | None, settings: PatchesSettings) -> Folders:
    """Return how the settings have class folders read."""
    return Folders(
        settings.classes,
        None if split is None else Path(split).expanduser(),
        settings.slide_pattern,
        (settings.val_share, settings.test_share),
        settings.split_seed,
    )
