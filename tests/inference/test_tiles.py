"""Tiles of an open image: all of them, in order and in batches of one shape, read ahead but not
far."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from midog.images.image import SlideImage, as_image
from midog.inference.tiles import OpenTiles, ResidentTiles, TilePlan


def plan(batch_size: int = 3, size: tuple[int, int] = (500, 300)) -> TilePlan:
    return TilePlan(scale=1.0, size=size, tile=128, overlap=32, batch_size=batch_size)


@pytest.fixture
def pixels() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 255, (300, 500, 3), dtype=np.uint8)


def opened(image: SlideImage, workers: int = 2, batch_size: int = 3) -> OpenTiles:
    return OpenTiles(image, 0.25, plan(batch_size), workers=workers)


@pytest.mark.parametrize("workers", [0, 1, 4])
@pytest.mark.parametrize("batch_size", [1, 4, 40])
def test_each_tile_once_row_by_row_and_white_beyond_the_image_and_behind_the_last(
    workers: int, batch_size: int, pixels: NDArray[np.uint8]
) -> None:
    on_white = np.pad(pixels, [(0, 128), (0, 128), (0, 0)], constant_values=255)
    seen = []
    with opened(as_image(pixels, 0.25), workers, batch_size) as tiles:
        for places, batch in tiles.batches():
            assert batch.shape == (batch_size, 128, 128, 3)
            assert len(places) <= batch_size
            for (x, y), tile in zip(places.corners.tolist(), batch.numpy(), strict=False):
                assert np.array_equal(tile, on_white[y : y + 128, x : x + 128])
                seen.append([x, y])
            assert (batch[len(places) :] == 255).all()
    assert seen == plan().places().corners.tolist()


@pytest.mark.parametrize("size", [(500, 300), (100, 90), (128, 300)])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_tiles_of_pixels_on_a_device_are_those_of_the_host(size, batch_size, pixels) -> None:
    part = np.ascontiguousarray(pixels[: size[1], : size[0]])
    layout = TilePlan(scale=(1.0, 1.0), size=size, tile=128, overlap=32, batch_size=batch_size)
    resident = ResidentTiles(torch.from_numpy(part), layout)
    with OpenTiles(as_image(part, 0.25), 0.25, layout, workers=0) as tiles:
        for (places, batch), (same, other) in zip(resident.batches(), tiles.batches(), strict=True):
            assert np.array_equal(places.corners, same.corners)
            assert torch.equal(batch, other)


def test_reading_begins_when_it_is_opened_and_stops_a_few_tiles_ahead(
    pixels: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    image, read = as_image(pixels, 0.25), []
    monkeypatch.setattr(
        image, "read_scaled", lambda x, y, *_: read.append((x, y)) or pixels[:128, :128]
    )
    with opened(image, workers=2, batch_size=1) as tiles:
        ahead = 2 + 1
        deadline = time.monotonic() + 10
        while len(read) < ahead and time.monotonic() < deadline:
            time.sleep(0.01)
        assert sorted(read) == sorted(map(tuple, tiles.places.corners[:ahead].tolist()))


def test_closing_ends_the_threads_and_leaves_the_image_open(pixels: NDArray[np.uint8]) -> None:
    threads, closed = threading.active_count(), []
    image = as_image(pixels, 0.25)
    image.close = lambda: closed.append(True)  # type: ignore[method-assign]
    with opened(image) as tiles:
        next(iter(tiles.batches()))
    assert threading.active_count() == threads
    assert closed == []


def test_tiles_that_are_left_out_are_not_read(pixels: NDArray[np.uint8]) -> None:
    layout = plan(2)
    looked_at = np.arange(len(layout.places())) % 3 == 1
    with OpenTiles(as_image(pixels, 0.25), 0.25, layout, workers=2, looked_at=looked_at) as tiles:
        places = [corner for part, _ in tiles.batches() for corner in part.corners.tolist()]
    assert places == layout.places().corners[looked_at].tolist()
    assert (tiles.all_tiles, len(tiles.places)) == (len(looked_at), looked_at.sum())


def test_the_coarsest_level_that_is_fine_enough_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from midog.images.opened_file import Level, OpenedFile
    from midog.mpp import StatedMpp

    read = list[int]()

    def level(number: int) -> Level:
        def read_into(x: int, y: int, out: NDArray[np.uint8]) -> None:
            read.append(number)
            out[:] = 100 + number

        return Level((1024 >> number, 768 >> number), float(2**number), read_into)

    file = OpenedFile(tuple(level(number) for number in range(4)), StatedMpp(), lambda: None)
    image = SlideImage(Path("slide.tif"), file)
    for scale, expected in ((1.0, 0), (0.6, 0), (0.5, 1), (0.45, 1), (0.25, 2), (0.2, 2)):
        read.clear()
        size = image.scaled_size(scale)
        layout = TilePlan((scale, scale), size, tile=128, overlap=32, batch_size=4)
        with OpenTiles(image, 0.25, layout, workers=0) as tiles:
            inside = [batch[:, :32, :32] for _, batch in tiles.batches()]
        assert set(read) == {expected}
        assert (inside[0][0] == 100 + expected).all()


@pytest.mark.parametrize(("value", "expected"), [(10, True), (90, False), (240, False)])
def test_what_is_mostly_black_is_dark(value: int, expected: bool) -> None:
    image = as_image(np.full((300, 500, 3), value, np.uint8), 0.25)
    with opened(image) as tiles:
        list(tiles.batches())
        assert tiles.is_dark == expected
