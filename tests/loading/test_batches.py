"""Batches: the right pixels and targets, the same ones for any number of threads and ranks."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import nullcontext

import pytest
import torch

from midog.errors import ConfigError
from midog.loading.batches import rank_indices, require_memory
from midog.loading.locations import locations
from tests.loading.small import config, everything, rois_of, training, validation
from tests.test_house import ROOT


def test_a_patch_holds_the_pixels_of_its_place():
    rois, settings = (
        rois_of((200, 150), (100, 100)),
        config("machine.augment_on=device", "train.batch_size=1"),
    )
    places = locations(rois.sampled, settings.sampling, 0, 3, range(14))
    for place, batch in zip(places, training(rois, settings).batches(3), strict=True):
        assert len(batch) == 1
        assert batch.images.shape == (1, 64, 64, 3)
        assert batch.images[0, 5, 9].tolist() == [place.x + 9, place.y + 5, place.roi]


@pytest.mark.parametrize("workers", [0, 1, 2, 4])
@pytest.mark.parametrize("where", ["cpu", "device"])
def test_a_batch_keeps_its_bytes_until_the_next_is_requested(workers, where):
    """Threads get all the time they want to write into a slot that is not theirs yet."""
    rois = rois_of((200, 150), (100, 100), (40, 300))
    settings = config(
        f"machine.workers={workers}", f"machine.augment_on={where}", "sampling.patches_per_roi=20"
    )
    for epoch in (0, 1):
        for batch in training(rois, settings).batches(epoch):
            first = batch.images.numpy().tobytes()
            time.sleep(0.002)
            assert batch.images.numpy().tobytes() == first


def test_the_memory_of_batches_is_used_again_by_the_next_batches_and_the_next_epoch():
    rois, settings = (
        rois_of((200, 150)),
        config("machine.workers=1", "sampling.patches_per_roi=40"),
    )
    loader = training(rois, settings)
    places = [{batch.images.data_ptr() for batch in loader.batches(epoch)} for epoch in (0, 1)]
    assert len(places[0]) == 3
    assert places[0] == places[1]


def test_a_reader_that_stops_early_keeps_the_last_batch():
    rois, settings = rois_of((200, 150)), config("machine.workers=2")
    loader = training(rois, settings)
    kept = next(iter(loader.batches(0)))
    first = kept.images.numpy().tobytes()
    for _ in loader.batches(1):
        pass
    assert kept.images.numpy().tobytes() == first


def test_two_readers_at_once_do_not_share_memory():
    rois, settings = rois_of((200, 150)), config("machine.workers=1")
    loader = training(rois, settings)
    for _ in loader.batches(0):
        pass
    for one, other in zip(loader.batches(1), loader.batches(2), strict=True):
        assert one.images.data_ptr() != other.images.data_ptr()


def test_the_same_batches_for_0_1_and_4_threads():
    rois = rois_of((200, 150), (100, 100), (40, 300))
    first = everything(training(rois, config()).batches(3))
    assert len(first) == 24, "3 ROIs of 7 patches, and 3 that fill up the last batch of 4"
    for workers in (1, 4):
        assert everything(training(rois, config(f"machine.workers={workers}")).batches(3)) == first


@pytest.mark.parametrize("balance", ["roi", "scanner"])
@pytest.mark.parametrize("world", [2, 4, 8])
def test_ranks_together_take_step_by_step_what_one_takes(world, balance):
    rois = rois_of((200, 150), (100, 100), (90, 300))
    alone = training(rois, config("train.batch_size=8", f"sampling.balance={balance}"))
    shared = training(rois, config(f"train.batch_size={8 // world}", f"sampling.balance={balance}"))
    assert alone.steps() == shared.steps(world) == 3
    ranks = [shared.batches(1, rank=rank, world=world) for rank in range(world)]
    for whole, *shares in zip(alone.batches(1), *ranks, strict=True):
        assert {len(share) for share in shares} == {8 // world}
        assert sorted(patch for share in shares for patch in everything([share])) == everything(
            [whole]
        )


def test_the_last_batch_is_filled_with_new_patches_of_the_epochs_first_rois():
    rois, settings = (
        rois_of((200, 150), (100, 100)),
        config("machine.augment_on=device", "train.batch_size=8"),
    )
    loader = training(rois, settings)
    places = [place for step in (0, 1) for place in loader.locations(5, step)]
    assert [len(batch) for batch in loader.batches(5)] == [8, 8]
    assert places[:14] == locations(rois.sampled, settings.sampling, 0, 5, range(14))
    assert [place.roi for place in places[14:]] == [place.roi for place in places[:2]]
    assert not set(places[14:]) & set(places[:14])


def test_a_batch_larger_than_the_epoch_is_filled_with_every_roi_again_and_again():
    loader = training(rois_of((200, 150), (100, 100)), config("train.batch_size=64"))
    assert loader.steps() == 1
    rois = [place.roi for place in loader.locations(0, 0)]
    assert len(rois) == 64
    assert abs(rois.count(0) - rois.count(1)) <= 7


def test_validation_batches_are_not_filled():
    loader = validation(rois_of((200, 150), (100, 100)), config("train.batch_size=8"))
    assert [len(batch) for batch in loader.batches()] == [8, 6]


def test_an_epoch_is_resumed_in_its_middle():
    rois = rois_of((200, 150), (100, 100))
    whole = everything(training(rois, config()).batches(0))
    assert everything(training(rois, config()).batches(0, start=2)) == whole[8:]
    assert everything(training(rois, config()).batches(0, start=3)) == whole[12:]
    assert everything(training(rois, config()).batches(0, start=4)) == []


def test_a_rank_without_a_patch_left_repeats_one():
    assert rank_indices(9, 4, 1, 0, 2) == [8]
    assert rank_indices(9, 4, 1, 1, 2) == [8]
    assert rank_indices(10, 4, 2, 0, 1) == [8, 9]


def test_a_reader_that_stops_early_leaves_no_thread_behind():
    batches = training(rois_of((200, 150)), config("machine.workers=4")).batches(0)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if "ThreadPoolExecutor" in thread.name]


def test_validation_batches_are_the_same_each_time():
    rois = rois_of((200, 150), (100, 100))
    first = everything(validation(rois, config()).batches())
    assert len(first) == 14
    assert everything(validation(rois, config("machine.workers=3")).batches()) == first


def test_a_loader_says_where_the_patches_of_a_batch_are():
    rois, settings = rois_of((200, 150), (100, 100)), config("machine.augment_on=device")
    loader = training(rois, settings)
    for step, batch in enumerate(loader.batches(2, rank=1, world=2)):
        places = loader.locations(2, step, rank=1, world=2)
        assert batch.indices == loader.indices(step, 1, 2)
        corners = [[place.x, place.y, place.roi] for place in places]
        assert batch.images[:, 0, 0].tolist() == corners


def test_threads_buffers_and_ranks_import_no_boxes_and_no_rois():
    code = (
        "import sys, midog.loading.batches; print([name for name in sys.modules if name.startswith("
        "('midog.boxes', 'midog.data', 'midog.images', 'midog.models', 'midog.loading.rois'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("batch_size", "side", "device", "fits"),
    [
        (16, 512, "cpu", True),
        (64, 512, "cuda", True),
        (4096, 4096, "cpu", False),
        (4096, 4096, "cuda", False),
        (256, 1024, "cpu", False),
        (256, 1024, "cuda", True),
    ],
)
def test_batches_that_the_machine_can_never_hold_are_refused(batch_size, side, device, fits):
    memory = 16 * 2**30
    refused = nullcontext() if fits else pytest.raises(ConfigError, match=r"takes at least .* GiB")
    with refused as caught:
        require_memory(batch_size, side, 2, torch.device(device), memory)
    least = batch_size if fits else caught.value.settings["train.batch_size"]
    if least > 1:
        require_memory(least, side, 2, torch.device(device), memory)
