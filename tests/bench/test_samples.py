"""The stage of training samples."""

from __future__ import annotations

import cv2
import pytest
import torch

from midog.bench.samples import samples_stage


def test_crops_and_augmented_patches_on_one_core_and_on_all(conditions):
    threads = torch.get_num_threads(), cv2.getNumThreads()
    measured = samples_stage(conditions, patches=24)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == threads
    rows = (measured, *measured.also)
    assert [("augmented on the CPU" in row.what, "one core" in row.what) for row in rows] == [
        (False, True),
        (True, True),
        (False, False),
        (True, False),
    ]
    assert {row.unit for row in rows} == {"patches/s"}
    # a patch of 128 px at 10 GB/s
    assert measured.limit_share == pytest.approx(measured.rate / (10e9 / (3 * 128**2)))
