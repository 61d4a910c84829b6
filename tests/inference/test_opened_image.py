"""An image opened for several members: tiles that they share are read once, its own image is
closed."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from midog.config.load import parse_config
from midog.errors import ImageError
from midog.images.image import as_image
from midog.inference.detector import Detector
from midog.inference.member import Member
from midog.inference.opened_image import open_for, resident
from midog.inference.tiles import ResidentTiles
from tests.inference.small import CONFIG
from tests.inference.squares import Squares

HALF = parse_config(CONFIG.to_dict() | {"data": {"mpp": 0.5}})


def members(*configs: object) -> list[Member]:
    return [Detector(Squares(), config, device="cpu").members[0] for config in configs]


def test_members_of_one_tiling_share_what_is_read() -> None:
    one, two, coarse = members(CONFIG, CONFIG, HALF)
    image = as_image(np.full((300, 400, 3), 230, np.uint8), 0.25)
    with open_for([one, coarse, two], image, mpp=None, workers=1) as opened:
        assert [group for _, group in opened.groups] == [(one, two), (coarse,)]
        assert [tiles.plan.size for tiles, _ in opened.groups] == [(400, 300), (200, 150)]


def test_closing_ends_the_threads_and_closes_only_its_own_image(images: Path, monkeypatch) -> None:
    from midog.inference import opened_image

    threads, closed = threading.active_count(), []
    real = opened_image.as_opened

    def watched(path: Path):
        image = real(path)
        image.close = lambda: closed.append(path)
        return image

    monkeypatch.setattr(opened_image, "as_opened", watched)
    with open_for(members(CONFIG, HALF), images / "a.tiff", mpp=None, workers=2):
        pass
    assert (closed, threading.active_count()) == ([images / "a.tiff"], threads)
    image = as_image(np.zeros((9, 9, 3), np.uint8), 0.25)
    image.close = lambda: closed.append("not its own")
    open_for(members(CONFIG), image, mpp=None, workers=0).close()
    assert closed == [images / "a.tiff"]
    with pytest.raises(ImageError, match="out of range"):
        open_for(members(CONFIG), images / "a.tiff", mpp=9.0, workers=0)
    assert closed == [images / "a.tiff"] * 2


def test_pixels_on_a_device_are_of_one_mpp() -> None:
    pixels = torch.zeros((300, 280, 3), dtype=torch.uint8)
    opened = resident(members(CONFIG, CONFIG), pixels)
    ((tiles, group),) = opened.groups
    assert isinstance(tiles, ResidentTiles)
    assert (len(group), opened.mpp, opened.image.width) == (2, (0.25, 0.25), 280)
