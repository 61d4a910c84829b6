"""Textures of a phantom slide: tumour, lymphoid tissue, stroma and fat, as squares of stain."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy import ndimage

from midog.data.phantom.cells import Tumour, lymphocyte, spindle_nucleus
from midog.data.phantom.ground import draw_stroma
from midog.data.phantom.paint import FloatImage, Grain, inside, smooth_noise
from midog.data.phantom.placing import lattice, paint_window, values_at
from midog.data.phantom.tissue import draw_tissue

DRAWN_MPP = 0.25
"""Um/px at which cells are drawn."""

_NESTS = 0.93  # of a metastasis that is nests, the rest is stroma between them
_FAT_CELL_PX = 230.0


@dataclass(frozen=True)
class Textures:
    """Squares of stain, (2, side, side) float32 each: haematoxylin and eosin.

    tumour: nests of carcinoma with little stroma. lymphoid: small dark cells, closely packed.
    pale: the same with larger, paler cells, as in germinal centres and sinuses. stroma: collagen.
    fat: empty cells with thin membranes.
    """

    tumour: FloatImage
    lymphoid: FloatImage
    pale: FloatImage
    stroma: FloatImage
    fat: FloatImage


def draw_textures(rng: np.random.Generator, tumour: Tumour, side: int, mpp: float) -> Textures:
    """Draw the textures of a patient.

    Args:
        rng: draws all of it.
        tumour: the patient's.
        side: of what is drawn, px of 0.25 um.
        mpp: um/px of the textures, 0.25 times a whole number.
    """
    nests = replace(tumour, share=_NESTS, foamy=0.3 * tumour.foamy, lymphocytes=0.1)
    drawn = (
        draw_tissue(rng, nests, side, False).stain,
        _lymphoid(rng, side, 23.0, 1.0),
        _lymphoid(rng, side, 33.0, 0.72),
        _collagen(rng, tumour, side),
        _fat(rng, side),
    )
    return Textures(*(_shrunk(stain, round(mpp / DRAWN_MPP)) for stain in drawn))


def _lymphoid(rng: np.random.Generator, side: int, spacing: float, strength: float) -> FloatImage:
    """Lymphocytes at that spacing on a thin net, px of 0.25 um; strength: of their chromatin."""
    fine = ndimage.gaussian_filter(rng.standard_normal((side, side), dtype=np.float32), 1.3) * 4
    cloud = smooth_noise(rng, side, 20)
    stain = np.empty((2, side, side), np.float32)
    stain[0] = 0.07 * np.maximum(1 + 0.25 * fine + 0.2 * cloud, 0.1)
    stain[1] = 0.14 * np.maximum(1 + 0.25 * fine + 0.3 * cloud, 0.1)
    cells = lattice(rng, side, spacing)
    sparse = smooth_noise(rng, side, 60)
    kept = cells[rng.random(len(cells)) < 0.93 - 0.12 * np.clip(values_at(sparse, cells), -0.5, 3)]
    grain = Grain(rng)
    for point in kept:
        window = lymphocyte(rng, grain)
        window.stain[:2] *= strength * rng.uniform(0.8, 1.1)
        paint_window(stain, window, point)
    return np.maximum(stain, 0)


def _collagen(rng: np.random.Generator, tumour: Tumour, side: int) -> FloatImage:
    stain, angle, gaps = draw_stroma(rng, tumour, np.zeros((side, side), np.float32))
    stain *= 1 - 0.8 * gaps
    grain = Grain(rng)
    for point in lattice(rng, side, 52.0):
        if rng.random() < 0.6:
            course = float(values_at(angle, point[None])[0])
            paint_window(stain, spindle_nucleus(rng, grain, course), point)
    return np.maximum(stain, 0)


def _fat(rng: np.random.Generator, side: int) -> FloatImage:
    """Membranes where two fat cells are equally near, and small nuclei that lie on them."""
    centres = lattice(rng, side, _FAT_CELL_PX)
    half = (side + 1) // 2
    seeds = np.ones((half, half), bool)
    at = np.clip(np.rint(centres / 2).astype(np.int64), 0, half - 1)
    seeds[at[:, 1], at[:, 0]] = False
    _, (rows, columns) = ndimage.distance_transform_edt(seeds, return_indices=True)
    owner = rows * half + columns
    edge = np.zeros((half, half), bool)
    edge[:-1] |= owner[1:] != owner[:-1]
    edge[:, :-1] |= owner[:, 1:] != owner[:, :-1]
    away = ndimage.distance_transform_edt(~edge).astype(np.float32) * 2
    away = np.asarray(cv2.resize(away, (side, side), interpolation=cv2.INTER_LINEAR))
    wall = inside(3.2 + 1.2 * smooth_noise(rng, side, 40) - away, 3)
    stain = np.stack([0.04 * wall, 0.26 * wall]).astype(np.float32)
    grain = Grain(rng)
    walls = rng.permutation(np.argwhere(edge))[: len(centres)] * 2.0
    for point in walls[:, ::-1]:
        window = spindle_nucleus(rng, grain, rng.uniform(0, np.pi))
        paint_window(stain, window, point)
    return stain


def _shrunk(stain: FloatImage, factor: int) -> FloatImage:
    side = stain.shape[1] // factor
    return np.stack(
        [cv2.resize(own, (side, side), interpolation=cv2.INTER_AREA) for own in stain]
    ).astype(np.float32)
