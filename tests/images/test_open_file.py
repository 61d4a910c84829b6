"""Files of every kind: an ending says nothing, and what a file that is no image gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from midog.errors import ImageError
from midog.images.decode import decode
from tests.images.pictures import PIXELS, error_of, whole


def test_a_suffix_says_nothing(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.tiff")
    np.testing.assert_array_equal(whole(tmp_path / "a.tiff"), PIXELS)


# Bad files


def test_missing_folder_empty_and_text(tmp_path: Path) -> None:
    assert "no image file" in error_of(tmp_path / "a.tiff")
    (tmp_path / "folder.tiff").mkdir()
    assert "is a folder" in error_of(tmp_path / "folder.tiff")
    (tmp_path / "b.tiff").touch()
    assert "is empty" in error_of(tmp_path / "b.tiff")
    (tmp_path / "c.tiff").write_text("not an image\n" * 100)
    assert "is not an image" in error_of(tmp_path / "c.tiff")
    Image.fromarray(PIXELS).save(tmp_path / "d.ppm")
    assert "is a PPM picture, which is not read" in error_of(tmp_path / "d.ppm")
    (tmp_path / "e.nd2").write_bytes(b"\xda\xce\xbe\x0a" + bytes(100))
    assert "is a Nikon ND2 file, which is not read" in error_of(tmp_path / "e.nd2")
    with pytest.raises(ImageError, match="no image file"):
        decode(tmp_path / "a.tiff")
