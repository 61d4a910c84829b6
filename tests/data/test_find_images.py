"""Which image of a data folder is whose."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from midog.data.find_images import with_images
from midog.data.roi import Roi


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("place", ["images", "images/s1", ""])
def test_an_image_is_found_however_its_accents_are_encoded(
    tmp_path: Path, form: str, place: str
) -> None:
    path = tmp_path / place / unicodedata.normalize(form, "Präparat 1.tiff")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    name = "s1/Präparat 1.tiff" if "s1" in place else "Präparat 1.tiff"
    assert with_images([Roi(name)], tmp_path)[0].path == path


def test_images_by_full_then_by_bare_name(tmp_path: Path) -> None:
    for name in ("s1/a.tiff", "a.tiff"):
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / name).touch()
    rois = with_images([Roi("s1/a.tiff"), Roi("C:/old/a.tiff"), Roi("b.tiff")], tmp_path)
    images = tmp_path / "images"
    assert [roi.path for roi in rois] == [images / "s1" / "a.tiff", images / "a.tiff", None]


def test_a_name_that_no_system_takes_is_no_image(tmp_path: Path) -> None:
    rois = [Roi("a" * 3000), Roi("a/" * 200 + "b.tiff"), Roi("é" * 3000)]
    assert [roi.path for roi in with_images(rois, tmp_path)] == [None] * 3
