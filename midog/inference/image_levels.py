"""The levels of scores in the images that a threshold is chosen on, to which others are moved."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from midog.data.mpp import mpp_of_image
from midog.errors import DataError
from midog.images.image import open_image
from midog.inference.calibration import FIELD_UM, LEAST_FIELDS, Calibration, level_of
from midog.inference.jobs import Job
from midog.inference.member import Member
from midog.progress import OnImage


def measure_calibration(
    members: Sequence[Member], jobs: Sequence[Job], on_image: OnImage | None = None
) -> Calibration:
    """Measure the levels of networks in images that a threshold is to be chosen on.

    Args:
        members: The networks.
        jobs: The images; those with too little tissue play no part.
        on_image: Called with the name of each image, and None.

    Raises:
        DataError: No image has enough tissue.
        ImageError: One cannot be read.
    """
    levels: dict[str, list[float]] = {member.weights: [] for member in members}
    for job in jobs:
        with open_image(job.path) as image:
            for member in members:
                level = level_of(member, image, mpp_of_image(image, job.given_mpp))
                if not math.isnan(level):
                    levels[member.weights].append(level)
        if on_image is not None:
            on_image(job.name, None)
    if not all(levels.values()):
        raise DataError(
            f"none of {len(jobs)} images has {LEAST_FIELDS} fields of {FIELD_UM:g} um with tissue:"
            " scores cannot be calibrated by them",
            "use larger images",
        )
    return Calibration({name: float(np.median(own)) for name, own in levels.items()})
