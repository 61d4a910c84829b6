"""The level of scores over the images that a threshold is chosen on."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from midog.errors import DataError
from midog.inference.image_levels import measure_calibration
from midog.inference.jobs import Job
from tests.inference.test_calibration import SIDE, detector, odds, tissue


def jobs_of(folder, *pictures: np.ndarray) -> list[Job]:
    paths = [folder / f"{number}.png" for number in range(len(pictures))]
    for path, pixels in zip(paths, pictures, strict=True):
        Image.fromarray(pixels).save(path)
    return [Job(path, 0.25) for path in paths]


def test_the_level_is_the_median_of_the_images_with_tissue(tmp_path):
    blank = np.full((SIDE, SIDE, 3), 255, np.uint8)
    jobs = jobs_of(tmp_path, tissue(100), blank, tissue(120), tissue(140))
    members, done = detector().members, []
    calibration = measure_calibration(members, jobs, lambda name, figures: done.append(name))
    (reference,) = calibration.references.values()
    assert reference == pytest.approx(odds(1 - 120 / 255), abs=1e-3)
    assert done == ["0.png", "1.png", "2.png", "3.png"]
    assert list(calibration.references) == [members[0].weights]


def test_images_without_tissue_give_no_level(tmp_path):
    jobs = jobs_of(tmp_path, np.full((SIDE, SIDE, 3), 255, np.uint8))
    with pytest.raises(DataError, match="none of 1 images has 32 fields of 32 um with tissue"):
        measure_calibration(detector().members, jobs)
