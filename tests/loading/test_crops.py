"""Crops: centred to the px, anywhere, and the same ones for any number of threads."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from midog.augment.on_cpu import Scratch
from midog.config.schema import RunConfig
from midog.images.tiff_mapped import crop_into
from midog.loading.batches import Loader
from midog.loading.crops import CropSource, Draws, Passes, Places, crop_corner, cut_crop

SIDE = 32


def numbered(width: int, height: int) -> np.ndarray:
    """Pixels whose red and green are their x and y."""
    ys, xs = np.mgrid[:height, :width]
    return np.stack([xs, ys, xs * 0], axis=2).astype(np.uint8)


IMAGES = [numbered(200, 150), numbered(40, 20)]
PLACES = Places(
    images=np.array([0, 0, 1, 1]),
    centres=np.array([[100.0, 75.0], [0.0, 149.0], [20.25, 10.75], [39.5, 0.5]]),
    labels=np.array([1, 0, 1, 0]),
)


def source(**changes) -> CropSource:
    return CropSource(
        **{"images": IMAGES, "places": PLACES, "side": SIDE, "border": "mirrored"} | changes
    )


def loader(of: CropSource, workers: int = 0) -> Loader:
    return Loader(of, 8, workers, seed=3, fill=True)


@given(st.floats(-1e5, 1e5), st.sampled_from([32, 64, 96]))
def test_a_crop_is_centred_to_half_a_px(x, side):
    corner, _ = crop_corner(x, 0.0, side)
    assert abs(corner + side / 2 - x) <= 0.5


def test_a_half_is_always_rounded_to_the_same_side():
    assert [crop_corner(x, x, 32)[0] for x in (16.5, 17.5, 18.5)] == [1, 2, 3]


def test_the_px_of_a_place_is_in_the_middle_of_its_crop():
    (batch,) = Loader(source(), 4, 0, 0).batches()
    middle = batch.images[:, SIDE // 2, SIDE // 2, :2].tolist()
    # the corner between four px at the centre: it is the px right below of it
    assert middle == [[100, 75], [0, 149], [20, 11], [38, 1]]
    assert batch.targets["labels"].tolist() == [1, 0, 1, 0]
    assert batch.targets["numbers"].tolist() == [0, 1, 2, 3]


def crop(image: np.ndarray, x: int, y: int, border: str, side: int = SIDE) -> np.ndarray:
    out = np.full((side, side, 3), 77, np.uint8)
    cut_crop((image.shape[1], image.shape[0]), partial(crop_into, image), x, y, border, out)
    return out


@pytest.mark.parametrize("x", [-40, -7, 0, 180, 190, 230])
@pytest.mark.parametrize("y", [-3, 10, 149])
def test_beyond_the_edge_a_crop_is_mirrored_or_white(x, y):
    image = IMAGES[0]
    padded = np.pad(image, ((64, 64), (64, 64), (0, 0)), mode="reflect")
    wide = padded[y + 64 :, x + 64 :][:SIDE, :SIDE]
    assert np.array_equal(crop(image, x, y, "mirrored")[: len(wide), : wide.shape[1]], wide)
    white = np.pad(image, ((64, 64), (64, 64), (0, 0)), constant_values=255)
    part = white[y + 64 :, x + 64 :][:SIDE, :SIDE]
    assert np.array_equal(crop(image, x, y, "white")[: len(part), : part.shape[1]], part)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 5, 3), (3, 2, 3)])
def test_an_image_far_smaller_than_a_crop_is_mirrored_again_and_again(shape):
    image = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    assert np.array_equal(
        crop(image, 0, 0, "mirrored"),
        np.pad(image, ((0, 32 - shape[0]), (0, 32 - shape[1]), (0, 0)), mode="reflect"),
    )


DRAWS = Draws([np.array([0, 2]), np.array([1]), np.array([3])], [0.5, 0.25, 0.25], 400, jitter=4)


def test_the_groups_are_drawn_by_their_shares_within_the_jitter():
    crops = source(draws=DRAWS).locations(0, 1)(range(4000))
    counts = np.bincount([place.number for place in crops], minlength=4) / 4000
    assert counts == pytest.approx([0.25, 0.25, 0.25, 0.25], abs=0.03)
    shifts = np.array(
        [np.array([place.x, place.y]) + SIDE / 2 - PLACES.centres[place.number] for place in crops]
    )
    assert np.abs(shifts).max() <= 4.5
    assert shifts.std(axis=0) == pytest.approx([4 / 3**0.5] * 2, rel=0.05)


@pytest.mark.parametrize("augmented", ["by threads", "on the device", "not"])
def test_batches_are_the_same_for_any_number_of_threads_and_ranks(augmented):
    augment = RunConfig().augment
    drawn = source(
        draws=DRAWS,
        augment=None if augmented == "not" else augment,
        scratch=Scratch(SIDE) if augmented == "by threads" else None,
    )
    alone = [
        (batch.images.clone(), batch.targets["numbers"], batch.augmentation is None)
        for batch in loader(drawn).batches(2)
    ]
    for workers in (1, 3):
        for batch, (images, numbers, done) in zip(
            loader(drawn, workers).batches(2), alone, strict=True
        ):
            assert torch.equal(batch.images, images)
            assert torch.equal(batch.targets["numbers"], numbers)
            assert done == (augmented != "on the device")
    halves = [list(loader(drawn).batches(2, rank=rank, world=2)) for rank in (0, 1)]
    together = torch.stack([half[0].targets["numbers"] for half in halves], 1).flatten()
    assert torch.equal(together, torch.cat([alone[0][1], alone[1][1]]))


def test_another_epoch_draws_others():
    locations = source(draws=DRAWS).locations
    assert locations(0, 1)(range(8)) != locations(0, 2)(range(8))
    assert locations(0, 1)([5, 2]) == [locations(0, 1)([index])[0] for index in (5, 2)]


@given(
    st.integers(1, 9),
    st.integers(1, 30),
    st.integers(0, 5),
    st.lists(st.integers(0, 40), max_size=9),
)
def test_no_place_comes_again_before_all_others_have_come(count, length, epoch, some):
    passes = Passes(count, length, jitter=0)
    drawn = [one.number for one in passes.drawn(3, epoch, range(3 * count))]
    for begin in range(0, 3 * count, count):
        assert sorted(drawn[begin : begin + count]) == list(range(count))
    again = Passes(count, length, jitter=0).drawn(3, epoch, some)
    assert [one.number for one in again if some] == [
        one.number for one in passes.drawn(3, epoch, some)
    ]


def test_passes_differ_by_epoch_and_seed_and_shift_within_the_jitter():
    passes = Passes(50, 50, jitter=3)
    orders = [
        [one.number for one in passes.drawn(seed, epoch, range(50))]
        for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))
    ]
    assert orders[0] == orders[3]
    assert orders[0] != orders[1] != orders[2] != orders[0]
    shifts = [one.across for one in passes.drawn(0, 0, range(50))]
    assert max(map(abs, shifts)) <= 3
    assert max(shifts) > 1 > -1 > min(shifts)


@pytest.mark.parametrize("workers", [0, 1])
def test_masks_are_moved_as_their_crops_are(workers):
    """Light is the mask's opposite, so that whatever moves it must move the mask alike."""
    from midog.config.schema import augment_settings

    rng = np.random.default_rng(0)
    masks = [np.kron(rng.integers(0, 2, (12, 12)), np.ones((8, 8)))[..., None].astype(np.uint8)]
    images = [np.repeat(255 - 255 * masks[0], 3, axis=2)]
    places = Places(np.zeros(8, int), np.array([[20.0, 30.0], [5.0, 90.0]] * 4), np.arange(8) % 2)
    augment = augment_settings()(
        flip=True,
        stain=0,
        brightness=0,
        blur=0,
        warp={"rotation": 20, "shear": 0.2, "elastic": 0.03},
    )
    own = source(
        images=images,
        places=places,
        masks=masks,
        draws=Passes(8, 8, 3.0),
        augment=augment,
        scratch=Scratch(SIDE),
    )
    (batch,) = Loader(own, 8, workers, seed=3, fill=True).batches()
    assert batch.targets["masks"].shape == (8, SIDE, SIDE)
    assert batch.targets["masks"].dtype == torch.uint8
    dark = batch.images[..., 0] < 128
    assert torch.equal(batch.targets["masks"] == 1, dark)
    assert dark.any()
    assert "masks" not in next(iter(Loader(source(), 4, 0, 0).batches())).targets
