"""scripts/make_slide.py: a pyramid that opens as one, whose pixels are the ROIs' on glass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import make_slide
import numpy as np
import pytest
import tifffile

from midog.images.image import open_image

ROOT = Path(__file__).resolve().parents[2]
COLOURS = ((200, 120, 180), (150, 90, 160))


@pytest.fixture
def rois(tmp_path: Path) -> list[Path]:
    paths = []
    for number, colour in enumerate(COLOURS):
        path = tmp_path / "rois" / f"{number}.tif"
        path.parent.mkdir(exist_ok=True)
        tifffile.imwrite(path, np.full((200, 230, 3), colour, np.uint8))
        paths.append(path)
    return paths


def test_regions_of_any_level_are_parts_of_one_slide(rois: list[Path]) -> None:
    slide = make_slide.Slide(rois, (5000, 3000), tissue=0.4, seed=3)
    assert slide.level_count() == 3
    for level in range(2):
        whole = slide.region(0, 0, 1200, 900, level)
        np.testing.assert_array_equal(
            slide.region(301, 402, 500, 300, level), whole[402:702, 301:801]
        )
    coarse = slide.region(0, 0, *slide.level_size(2), 2)
    colours, counts = np.unique(coarse.reshape(-1, 3), axis=0, return_counts=True)
    assert {tuple(colour) for colour in colours.tolist()} == {make_slide.GLASS, *COLOURS}
    glass = counts[(colours == make_slide.GLASS).all(axis=1)].sum() / counts.sum()
    assert glass == pytest.approx(0.6, abs=0.1)
    same = make_slide.Slide(rois, (5000, 3000), tissue=0.4, seed=3)
    np.testing.assert_array_equal(same.region(0, 0, 1250, 750, 2), coarse)
    other = make_slide.Slide(rois, (5000, 3000), tissue=0.4, seed=4)
    assert (other.region(0, 0, 1250, 750, 2) != coarse).any()


def test_the_command_writes_a_pyramid_that_states_its_mpp(rois: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    command = [sys.executable, ROOT / "scripts" / "make_slide.py", path, "--images", *rois]
    ran = subprocess.run(
        [*command, "--width", "2500", "--height", "1500", "--mpp", "0.5"],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(f"{path}: 2500 x 1500 px, 2 levels")
    with open_image(path) as image:
        assert (image.width, image.height) == (2500, 1500)
        assert image.mpp == pytest.approx((0.5, 0.5), rel=1e-4)
        assert [level.size for level in image.levels] == [(2500, 1500), (1250, 750)]
        made = make_slide.Slide(rois, (2500, 1500), tissue=1 / 3, seed=0)
        expected = made.region(0, 0, 1250, 750, 1).astype(int)
        assert np.abs(image.read(0, 0, 1250, 750, 1) - expected).mean() < 3
