"""What a user may choose to have looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from midog.errors import DataError
from midog.images.image import open_image
from midog.tissue.chosen import check_choice, chosen_tissue
from midog.tissue.rules import RULES
from tests.tissue.slides import MPP, draw_slide, pixels_of
from tests.tissue.test_from_areas import box
from tests.tissue.test_qupath_areas import feature, write


@pytest.fixture
def slide(tmp_path: Path) -> Path:
    Image.fromarray(pixels_of(draw_slide(1000, 800))).save(tmp_path / "slide.png")
    return tmp_path / "slide.png"


def test_names(slide: Path) -> None:
    with open_image(slide) as image:
        assert chosen_tissue(image, "all", mpp=MPP) is None
        auto = chosen_tissue(image, "auto", mpp=MPP)
        masks = {rule: chosen_tissue(image, rule, mpp=MPP) for rule in RULES}
        otsu = masks["otsu"]
        assert auto is not None
        assert otsu is not None
        np.testing.assert_array_equal(auto.kinds, otsu.kinds)
        assert all(mask is not None and rule in mask.source for rule, mask in masks.items())


def test_a_file_and_a_folder_with_a_file_per_image(slide: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "slide.geojson", feature("Polygon", [box(0, 0, 500, 800).tolist()]))
    with open_image(slide) as image:
        for choice in (path, str(path), tmp_path):
            mask = chosen_tissue(image, choice, mpp=MPP)
            assert mask is not None
            assert mask.share == 0.5
        path.unlink()
        with pytest.raises(DataError, match=r"no areas of slide.png .*put slide.geojson there"):
            chosen_tissue(image, tmp_path, mpp=MPP)


def test_what_is_none_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    for choice in ("auto", "all", *RULES, tmp_path):
        check_choice(choice)
    with pytest.raises(DataError, match=r"tissue 'al' is no choice and no file; give auto, otsu"):
        check_choice("al")
    with pytest.raises(DataError, match="no choice and no file"):
        check_choice(tmp_path / "none.geojson")
