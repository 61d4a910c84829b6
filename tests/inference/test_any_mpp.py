"""The same figures are found in the same places at any um/px, from the file to its detections."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.planted import GROUND, PURPLE, save_detector

FIELD_UM = (100.0, 80.0)
PLACES_UM = [(12.0, 15.0), (50.0, 11.0), (88.0, 30.0), (20.0, 62.0), (61.0, 47.0), (87.0, 70.0)]
RADIUS_UM = 3.0  # wider than the detector's window, so that its peak is one px
SUB = 4  # samples of a px along each side, so that spots have soft edges


def draw(path: Path, mpp: tuple[float, float]) -> None:
    """Spots as a scanner of that um/px sees them; the file states it."""
    width, height = (round(side / own) for side, own in zip(FIELD_UM, mpp, strict=True))
    xs = (np.arange(width * SUB) + 0.5) / SUB * mpp[0]
    ys = (np.arange(height * SUB) + 0.5) / SUB * mpp[1]
    inside = np.zeros((height * SUB, width * SUB), bool)
    for x, y in PLACES_UM:
        inside |= (xs[None] - x) ** 2 + (ys[:, None] - y) ** 2 <= RADIUS_UM**2
    share = inside.reshape(height, SUB, width, SUB).mean(axis=(1, 3))[..., None]
    pixels = np.array(GROUND) * (1 - share) + np.array(PURPLE) * share
    resolution = tuple(10_000 / own for own in mpp)
    how = {"resolution": resolution, "resolutionunit": "CENTIMETER", "photometric": "rgb"}
    tifffile.imwrite(path, pixels.round().astype(np.uint8), **how)


@pytest.mark.parametrize(
    "mpp",
    [(own, own) for own in (0.2, 0.23, 0.25, 0.274, 0.3, 0.4, 0.5, 0.8, 1.1)] + [(0.25, 0.5)],
    ids=lambda mpp: "x".join(map(str, mpp)),
)
def test_figures_are_where_they_were_drawn(
    midog, dark_spots, tmp_path: Path, mpp: tuple[float, float]
) -> None:
    draw(tmp_path / "a.tiff", mpp)
    model = save_detector(tmp_path / "model", None)
    words = ("--model", model, "--device", "cpu", "--out", tmp_path / "out", "--workers", 0)
    ran = midog("infer", tmp_path / "a.tiff", *words)
    assert ran.code == 0, ran.err
    assert ran.out == "a.tiff\t6 mitotic figures\n"
    assert ("is that its true mpp?" in ran.err) == (max(mpp) > 0.5)
    points = json.loads((tmp_path / "out" / "a.json").read_text())["points"]
    found = np.array([point["point"][:2] for point in points]) * 1000
    apart = np.hypot(*(found[:, None] - np.array(PLACES_UM)).transpose(2, 0, 1))
    assert sorted(apart.argmin(axis=1)) == list(range(6)), "one for each"
    assert apart.min(axis=1).max() < max(0.25, *mpp), "to a px"
