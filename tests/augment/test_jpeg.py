"""JPEG: qualities as far below 100 as the setting, and colours that stay what they are."""

from __future__ import annotations

import numpy as np
import torch

from midog.augment.jpeg import jpeg_qualities
from tests.augment.both_forms import by_cpu, by_device, only
from tests.augment.test_jpeg_blocks import by_libjpeg, tissue
from tests.augment.test_stain_shift import numbers_of


def test_qualities_reach_as_far_as_the_setting():
    drawn = jpeg_qualities(np.array([[0], [0.5], [1]], np.float32), 60)
    assert drawn["qualities"].tolist() == [100, 70, 40]


def test_the_cpu_writes_and_reads_a_file_and_the_device_loses_as_much():
    patches = torch.from_numpy(tissue())
    numbers = numbers_of("jpeg", np.array([[0.1], [0.5], [0.9]], np.float32))
    files = by_cpu(patches, only("jpeg", 60), numbers)
    for patch, own, quality in zip(patches.numpy(), files, (94, 70, 46), strict=True):
        assert np.array_equal(own, by_libjpeg(patch, quality))
    off = np.abs(by_device(patches, only("jpeg", 60), numbers) - files)
    assert off.mean() < 0.7
