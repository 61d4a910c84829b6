"""A model adapted to the images of a scanner: its BatchNorm statistics are those of their tiles."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from midog.augment.on_device import to_float
from midog.data.facts import normalise_scanner
from midog.data.folder import read_rois, require_images, select_rois
from midog.data.mpp import mpp_of_image, resampling
from midog.devices import pick_device
from midog.errors import DataError, WeightsError
from midog.images.image import open_image
from midog.inference.batch_statistics import adapt_norms
from midog.inference.jobs import Job, find_jobs, job_of
from midog.inference.model_folder import (
    find_folder,
    read_model,
    weights_digest,
    weights_of,
    write_model,
)
from midog.inference.network import pixels_per_step
from midog.mpp import Scale
from midog.names import real_path
from midog.progress import OnStep
from midog.tiling import grid

logger = logging.getLogger(__name__)

NOT_RETUNED = "not re-tuned"
"""What model.json states of a threshold that was chosen before the scores moved."""
_OF_OTHER_WEIGHTS = ("val", "tuned", "oriented", "calibrated")
"""What model.json states of the scores before: on val, and thresholds chosen by them."""


@dataclass(frozen=True)
class Adapted:
    """What `adapt` did: the layers, how many tiles of which side (px) they saw, and the threshold
    that was not tuned again."""

    norms: int
    tiles: int
    side: int
    images: int
    threshold: float


def adapt(
    model: Path,
    jobs: Sequence[Job],
    out: Path,
    *,
    scanner: str = "",
    tiles: int = 128,
    device: str = "auto",
    on_pass: OnStep | None = None,
) -> Adapted:
    """Write a model whose BatchNorm statistics are those of some images; see `adapt_norms`.

    Labels play no part in it. Scores move, so model.json states that the threshold is not re-tuned.

    Args:
        model: The model's or the run's folder; it stays as it is.
        jobs: The images.
        out: Folder for the adapted model.
        scanner: Of the images, for model.json.
        tiles: Most tiles to look at, of the side of the training's patches, spread evenly.
        device: Where the network runs.
        on_pass: Called after every layer.

    Raises:
        DataError: There are no images.
        ImageError: One cannot be read or has no mpp.
        WeightsError: The model cannot be read or has no BatchNorm, or `out` cannot be written.
    """
    source = find_folder(model.expanduser())
    if real_path(out) == real_path(source):
        raise WeightsError(
            f"{out} is the model that is to be adapted", "give another {out}", {"out": None}
        )
    network, config, card = read_model(source)
    where, side = pick_device(device), config.sampling.patch_size
    stated: dict[str, Any] = card.model_extra or {}
    before = {key: stated[key] for key in _OF_OTHER_WEIGHTS if key in stated}
    origin = {"model": source.name, "weights": weights_digest(weights_of(network)), **before}
    pixels = read_tiles(jobs, config.data.mpp, side, tiles)
    magnification = config.model.magnification(side)
    size = max(1, int(pixels_per_step(where) / (side * magnification) ** 2))
    network.to(where)

    def batches() -> Iterator[Tensor]:
        for first in range(0, len(pixels), size):
            yield to_float(torch.from_numpy(pixels[first : first + size]).to(where))

    norms = adapt_norms(network, batches, on_pass)
    facts = {
        "method": "adaptive BatchNorm",
        "layers": len(norms),
        "scanner": scanner,
        "images": [job.name for job in jobs],
        "tiles": len(pixels),
        "tile": side,
        "threshold": NOT_RETUNED,
        "from": origin,
    }
    write_model(
        real_path(out),
        weights_of(network),
        config,
        class_names=card.class_names,
        threshold=card.threshold,
        info={key: value for key, value in stated.items() if key not in before}
        | {"adapted": facts},
    )
    return Adapted(len(norms), len(pixels), side, len(jobs), card.threshold)


def find_images_to_adapt_to(
    paths: Sequence[Path],
    *,
    subset: str | None = None,
    scanner: str | None = None,
    split: str | None = None,
    mpp: float | None = None,
) -> list[Job]:
    """Find images, or the ROIs of data folders that are of a role or a scanner.

    Args:
        paths: As `find_jobs` takes them; data folders where a role or a scanner is given.
        subset: Role of the split; None: any.
        scanner: None: any.
        split: CSV or shipped name; None: that of the data folder.
        mpp: um/px of all of them; None: each image's own.

    Raises:
        DataError: There are none; or ROIs of a role are of several scanners, and none is given.
    """
    if subset is None and scanner is None:
        return find_jobs(paths, split=split, mpp=mpp)
    rois = read_rois(list(paths), split=split)
    rois = rois if subset is None else select_rois(rois, subset)
    wanted = None if scanner is None else normalise_scanner(scanner)
    names = sorted({roi.scanner for roi in rois})
    chosen = [roi for roi in rois if wanted is None or roi.scanner == wanted]
    if not chosen:
        raise DataError(
            f"no ROI is of scanner {wanted}, only of {', '.join(names)}",
            "name one of these with {scanner}",
            {"scanner": None},
        )
    if wanted is None and len(names) > 1:
        logger.warning(
            "these ROIs are of several scanners (%s): the model is adapted to their mixture, and to"
            " none of them; --scanner names one",
            ", ".join(names),
        )
    require_images(chosen)
    jobs = [job_of(roi, roi.path, mpp) for roi in chosen if roi.path is not None]
    if not jobs:
        raise DataError(
            f"the images of all {len(chosen)} ROIs are missing",
            "put them into the data folder's images/",
        )
    return jobs


def read_tiles(jobs: Sequence[Job], mpp: float, side: int, most: int) -> NDArray[np.uint8]:
    """Read tiles that cover the images, or as many of them, spread evenly, as are allowed.

    Args:
        jobs: The images.
        mpp: um/px of the tiles.
        side: Of a tile, px; where an image is smaller, its tile is white beyond it.
        most: Number of tiles.

    Returns:
        (T, side, side, 3) uint8, the same whatever the order of the images' labels.
    """
    places: list[tuple[Job, Scale, tuple[int, int]]] = []
    for job in jobs:
        with open_image(job.path) as image:
            own = mpp_of_image(image, job.mpp)
            scale = resampling(str(job.path), (image.width, image.height), own, mpp)
            corners = grid(*image.scaled_size(scale), side, 0).tolist()
        places += [(job, scale, (x, y)) for x, y in corners]
    if not places:
        raise DataError("there are no images to adapt to", "give images or a data folder")
    spread = np.linspace(0, len(places) - 1, min(most, len(places))).round().astype(int)
    out = np.empty((len(spread), side, side, 3), np.uint8)
    chosen: dict[Path, list[tuple[int, Scale, tuple[int, int]]]] = {}
    for slot, place in enumerate(spread.tolist()):
        job, scale, corner = places[place]
        chosen.setdefault(job.path, []).append((slot, scale, corner))
    for path, tiles in chosen.items():
        with open_image(path) as image:
            for slot, scale, (x, y) in tiles:
                out[slot] = image.read_scaled(x, y, side, side, scale)
    return out
