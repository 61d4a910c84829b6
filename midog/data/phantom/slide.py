"""A phantom slide's pixels: textures laid where the plan has them, and scanned, strip by strip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from midog.data.phantom.paint import FloatImage, inside, smooth_noise
from midog.data.phantom.scanners import Scanner, scan
from midog.data.phantom.slide_plan import Ring, SlidePlan, Stroke
from midog.data.phantom.textures import Textures
from midog.images.pixels import Pixels
from midog.tissue.rings import fill_area

_COARSE_UM = 4.0  # um per px of the fields that say what lies where
_STRIP, _MARGIN = 768, 16  # rows
_CAPSULE_UM, _SINUS_UM = 26.0, 16.0
_RIM_UM = 14.0  # of stroma around a metastasis


@dataclass(frozen=True)
class _Fields:
    """How deep a px of 4 um is in the things of a plan, um; less than 0 outside; (h, w) float32.

    trabeculae: 0 to 1, strands of stroma. thickness: (2, h, w), factors of the stains.
    """

    node: FloatImage
    fat: FloatImage
    tumour: FloatImage
    follicle: FloatImage
    trabeculae: FloatImage
    thickness: FloatImage


def draw_slide(
    rng: np.random.Generator,
    plan: SlidePlan,
    textures: Textures,
    size: tuple[int, int],
    mpp: float,
    scanner: Scanner,
) -> Pixels:
    """Draw level 0 of a slide.

    Args:
        rng: draws turns, warps and noise.
        plan: What lies where.
        textures: Of mpp um/px.
        size: (width, height), px.
        mpp: um/px.
        scanner: That sees it.

    Returns:
        (height, width, 3) uint8 RGB.
    """
    fields = _fields(rng, plan, size, mpp)
    courses = {name: _course(rng, side, size) for name, side in _sides(textures).items()}
    out = np.empty((size[1], size[0], 3), np.uint8)
    for top in range(0, size[1], _STRIP):
        first, end = max(top - _MARGIN, 0), min(top + _STRIP + _MARGIN, size[1])
        stain = _stain(fields, textures, courses, (first, end), size[0], mpp)
        pixels = scan(stain, scanner, rng)
        _ink(pixels, plan.strokes, first, mpp)
        out[top : top + _STRIP] = pixels[top - first :][:_STRIP]
    return out


def _sides(textures: Textures) -> dict[str, int]:
    return {name: own.shape[1] for name, own in vars(textures).items()}


def _fields(
    rng: np.random.Generator, plan: SlidePlan, size: tuple[int, int], mpp: float
) -> _Fields:
    shape = tuple(math.ceil(side * mpp / _COARSE_UM) + 1 for side in size[::-1])
    rough = _noise(rng, shape, 9)
    node = _depth([plan.node], shape)
    tumour, holes = _depth(plan.tumours, shape), _depth(plan.holes, shape)
    ridge = np.abs(_noise(rng, shape, 70) + 0.35 * _noise(rng, shape, 24))
    strands = inside(0.10 - ridge, 0.08) * inside(_noise(rng, shape, 90) + 0.2, 0.5)
    thickness = 1 + np.stack([0.07 * _noise(rng, shape, 110), 0.09 * _noise(rng, shape, 80)])
    return _Fields(
        node + 4 * rough,
        _depth(plan.fat, shape) + 8 * rough,
        np.minimum(tumour, -holes) + 2.0 * _noise(rng, shape, 5),
        _depth(plan.follicles, shape) + 5 * rough,
        np.asarray(strands, np.float32),
        np.clip(thickness, 0.75, 1.3).astype(np.float32),
    )


def _depth(rings: Sequence[Ring], shape: tuple[int, ...]) -> FloatImage:
    """Distance to the nearest outline, um, positive inside; -1000 where there is none."""
    mask = np.zeros(shape, bool)
    for ring in rings:
        fill_area(mask, [ring / _COARSE_UM])
    if not mask.any():
        return np.full(shape, -1000, np.float32)
    depth = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
    return np.asarray(depth * _COARSE_UM, np.float32)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> FloatImage:
    """As `smooth_noise`, of any shape."""
    return smooth_noise(rng, max(shape), scale)[: shape[0], : shape[1]]


def _course(
    rng: np.random.Generator, side: int, size: tuple[int, int]
) -> tuple[NDArray[np.float32], FloatImage]:
    """How a texture is laid: turned, shifted and bent, so that its mirror lines are not seen.

    Returns:
        (2, 3): its px for a px of the slide; (2, n, n): how far they are bent, px, for 64 px.
    """
    angle = rng.uniform(0, 2 * np.pi)
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = np.array([[cos, -sin, 0], [sin, cos, 0]], np.float32)
    matrix[:, 2] = rng.uniform(0, side, 2)
    cells = max(size) // 64 + 3
    bend = np.stack([smooth_noise(rng, cells, 9) for _ in range(2)])
    return matrix, np.asarray(side / 40 * bend, np.float32)


def _stain(
    fields: _Fields,
    textures: Textures,
    courses: dict[str, tuple[NDArray[np.float32], FloatImage]],
    rows: tuple[int, int],
    width: int,
    mpp: float,
) -> FloatImage:
    """Both stains of some rows, (2, rows, width) float32."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(*rows, dtype=np.float32))

    def field(values: FloatImage) -> FloatImage:
        scale = mpp / _COARSE_UM
        across, down = (x + 0.5) * scale - 0.5, (y + 0.5) * scale - 0.5
        read = cv2.remap(values, across, down, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
        return np.asarray(read, np.float32)

    node, tumour, follicle = field(fields.node), field(fields.tumour), field(fields.follicle)
    stroma = np.maximum(inside(_CAPSULE_UM - node, 8), field(fields.trabeculae))
    stroma = np.maximum(stroma, inside(tumour + _RIM_UM, 6))
    pale = inside(follicle, 14)
    pale = np.maximum(pale, 0.9 * inside(_SINUS_UM / 2 - abs(node - _CAPSULE_UM - 10), 6))
    # from the outside in: each layer covers those before it
    layers = [
        ("fat", inside(field(fields.fat), 6)),
        ("lymphoid", inside(node, 3)),
        ("pale", pale * inside(node, 3)),
        ("stroma", stroma * inside(node, 3)),
        ("tumour", inside(tumour, 3)),
    ]
    stain = np.zeros((2, *x.shape), np.float32)
    for name, cover in layers:
        if cover.max() <= 0:
            continue
        own = _laid(getattr(textures, name), *courses[name], x, y)
        stain *= 1 - cover
        stain += own * cover
    mantle = np.exp(-(((follicle + 18) / 16) ** 2)) * (1 - stroma) * inside(-tumour, 3)
    stain[0] *= field(fields.thickness[0]) * (1 + 0.18 * mantle)
    stain[1] *= field(fields.thickness[1])
    return np.maximum(stain, 0)


def _laid(
    texture: FloatImage,
    matrix: NDArray[np.float32],
    bend: FloatImage,
    x: NDArray[np.float32],
    y: NDArray[np.float32],
) -> FloatImage:
    """A texture at px x, y, mirrored beyond its edges."""
    bent = [cv2.remap(own, x / 64, y / 64, cv2.INTER_LINEAR, None) for own in bend]
    at = [row[0] * x + row[1] * y + row[2] + off for row, off in zip(matrix, bent, strict=True)]
    last = texture.shape[1] - 1.0
    across, down = (last - abs(np.mod(axis, 2 * last) - last) for axis in at)
    return np.stack(
        [np.asarray(cv2.remap(own, across, down, cv2.INTER_LINEAR, None)) for own in texture]
    )


def _ink(pixels: Pixels, strokes: Sequence[Stroke], top: int, mpp: float) -> None:
    """Let pen strokes take light away, in place; top: the first row."""
    for stroke in strokes:
        cover = np.zeros(pixels.shape[:2], np.uint8)
        points = np.rint(stroke.points / mpp - (0, top)).astype(np.int32)
        cv2.polylines(cover, [points], False, 255, round(stroke.width_um / mpp), cv2.LINE_AA)
        inked = cover > 0
        if inked.any():
            share = cover[inked].astype(np.float32)[:, None] / 255
            factor = 1 - share * (1 - np.array(stroke.colour, np.float32))
            pixels[inked] = np.rint(pixels[inked] * factor).astype(np.uint8)
