"""Make a pyramidal slide of any size out of ROI images, mostly glass, for trials and benchmarks.

    python scripts/make_slide.py slide.tif --images ../data/images --width 60000 --height 40000

Islands of tissue lie on glass. The tissue is the ROIs, side by side in an order of the seed, each
turned in one of eight ways; they are of one size, cut to that of the smallest. The slide is a tiled
JPEG TIFF with levels of half, a quarter, ... the size, written tile by tile. The same arguments
make the same pixels.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from midog.images.image import open_image
from midog.inference.given_images import find_images
from midog.random_streams import seeded

TILE = 256
GLASS = (243, 241, 244)
LEAST_LEVEL_PX = 1024
"""The coarsest level is the first whose longer side is at most twice that."""

_FIELD_PX = 512  # level-0 px between the points at which the shape of the islands is drawn
_ISLAND = 0.12  # of the slide's longer side: how far the shape of an island is smooth

Pixels = NDArray[np.uint8]


class Slide:
    """A slide that is made region by region, at any level.

    Args:
        images: ROI files.
        size: (width, height), px of level 0.
        tissue: share of the slide that is tissue.
        seed: of islands, order and turns.
    """

    def __init__(
        self, images: Sequence[Path], size: tuple[int, int], tissue: float, seed: int
    ) -> None:
        self.size, self._images = size, list(images)
        self._side = min(_smaller_side(path) for path in self._images) // 64 * 64
        rng = seeded("timed", seed)
        down, across = (-(-end // self._side) for end in size[::-1])
        self._roi = rng.integers(0, len(self._images), (down, across))
        self._turn = rng.integers(0, 8, (down, across))
        self._field = _islands(rng, size, tissue)
        self._levels = lru_cache(maxsize=len(self._images))(self._levels_of)

    def level_count(self) -> int:
        """How many levels the slide has."""
        return 1 + max(0, math.ceil(math.log2(max(self.size) / (2 * LEAST_LEVEL_PX))))

    def level_size(self, level: int) -> tuple[int, int]:
        """(width, height) of a level, px."""
        return self.size[0] >> level, self.size[1] >> level

    def region(self, x: int, y: int, width: int, height: int, level: int) -> Pixels:
        """A region of a level, (height, width, 3) uint8 RGB, glass beyond the slide."""
        inside = self._is_tissue(x, y, width, height, level)
        out = np.empty((height, width, 3), np.uint8)
        out[:] = GLASS
        if not inside.any():
            return out
        side = self._side >> level
        for row in range(y // side, -(-(y + height) // side)):
            for column in range(x // side, -(-(x + width) // side)):
                if row >= self._roi.shape[0] or column >= self._roi.shape[1]:
                    continue
                cell = self._cell(row, column, level)
                top, left = max(row * side, y), max(column * side, x)
                bottom, right = (
                    min((row + 1) * side, y + height),
                    min((column + 1) * side, x + width),
                )
                out[top - y : bottom - y, left - x : right - x] = cell[
                    top - row * side : bottom - row * side,
                    left - column * side : right - column * side,
                ]
        out[~inside] = GLASS
        return out

    def _cell(self, row: int, column: int, level: int) -> Pixels:
        turn = int(self._turn[row, column])
        pixels = self._levels(int(self._roi[row, column]))[level]
        turned = np.rot90(pixels, turn % 4)
        return turned[:, ::-1] if turn >= 4 else turned

    def _levels_of(self, number: int) -> list[Pixels]:
        """The middle of an ROI at every level."""
        with open_image(self._images[number]) as image:
            left, top = (image.width - self._side) // 2, (image.height - self._side) // 2
            levels = [image.read(left, top, self._side, self._side)]
        for level in range(1, self.level_count()):
            side = self._side >> level
            levels.append(cv2.resize(levels[-1], (side, side), interpolation=cv2.INTER_AREA))
        return levels

    def _is_tissue(self, x: int, y: int, width: int, height: int, level: int) -> NDArray[np.bool_]:
        scale = 2**level / _FIELD_PX
        columns = ((np.arange(x, x + width) + 0.5) * scale).astype(np.float32)
        rows = ((np.arange(y, y + height) + 0.5) * scale).astype(np.float32)
        columns, rows = np.meshgrid(columns, rows)
        return (
            cv2.remap(self._field, columns, rows, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE) > 0
        )


def _islands(rng: np.random.Generator, size: tuple[int, int], tissue: float) -> NDArray[np.float32]:
    """A smooth field, a point for _FIELD_PX px, that is positive where the slide is tissue."""
    shape = tuple(-(-end // _FIELD_PX) + 1 for end in size[::-1])
    noise = ndimage.gaussian_filter(rng.normal(size=shape), _ISLAND * max(shape), mode="reflect")
    return (noise - np.quantile(noise, 1 - tissue)).astype(np.float32)


def _smaller_side(path: Path) -> int:
    with open_image(path) as image:
        return min(image.width, image.height)


def write_slide(path: Path, slide: Slide, *, mpp: float, quality: int = 85) -> None:
    """Write a slide as a tiled pyramid.

    Args:
        path: The file.
        slide: What it shows.
        mpp: um/px of level 0, which the file states.
        quality: of JPEG, 1 to 100.
    """
    with tifffile.TiffWriter(path, bigtiff=slide.size[0] * slide.size[1] > 2e9) as file:
        for level in range(slide.level_count()):
            width, height = slide.level_size(level)
            per_cm = 10000 / (mpp * 2**level)
            file.write(
                _tiles(slide, level),
                shape=(height, width, 3),
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": quality},
                subfiletype=1 if level else 0,
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                metadata=None,
                maxworkers=2,
            )


def _tiles(slide: Slide, level: int) -> Iterator[Pixels]:
    width, height = slide.level_size(level)
    for y in range(0, height, TILE):
        for x in range(0, width, TILE):
            yield slide.region(x, y, TILE, TILE, level)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, help="the TIFF to write")
    parser.add_argument("--images", type=Path, nargs="+", required=True, help="ROIs, or folders")
    parser.add_argument("--width", type=int, default=8000, help="px")
    parser.add_argument("--height", type=int, default=6000, help="px")
    parser.add_argument("--mpp", type=float, default=0.25, help="um per px that the file states")
    parser.add_argument("--tissue", type=float, default=1 / 3, help="share that is tissue")
    parser.add_argument("--quality", type=int, default=85, help="of JPEG")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    images = [image.path for image in find_images(arguments.images)]
    slide = Slide(images, (arguments.width, arguments.height), arguments.tissue, arguments.seed)
    write_slide(arguments.out, slide, mpp=arguments.mpp, quality=arguments.quality)
    print(
        f"{arguments.out}: {arguments.width} x {arguments.height} px, {slide.level_count()} levels,"
        f" {arguments.out.stat().st_size / 1e6:.0f} MB"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
