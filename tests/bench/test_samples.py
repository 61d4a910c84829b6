"""The samples' benchmark: every row, and that both ways cut the same patches."""

from __future__ import annotations

import cv2
import pytest
import torch

from midog.bench.samples import samples_stage

pytest.importorskip("albumentations")


@pytest.fixture
def found(plan):
    threads = torch.get_num_threads(), cv2.getNumThreads()
    result = samples_stage(plan, ours=24, plain=6)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == threads
    return result


def test_crops_and_augmented_patches_on_one_core_and_on_all(found):
    whats = [found.what, *(each.what for each in found.also)]
    assert [("augmented on the CPU" in what, "one core" in what) for what in whats] == [
        (False, True),
        (True, True),
        (True, True),
        (False, False),
        (True, False),
    ]
    assert {each.unit for each in (found, *found.also)} == {"patches/s"}
    # a patch of 128 px at 10 GB/s
    assert found.limit_share == pytest.approx(found.ours / (10e9 / (3 * 128**2)))
    assert found.also[0].plain == found.plain
    assert set(found.detail["plain_ms_per_patch"]["stain"]) == {"read", "query", "augment"}
