"""Files of every kind: a PNG and a JPEG, and what a file that is no image gets."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from midog.errors import ImageError
from midog.images.decode import decode
from tests.images.pictures import BIG, PIXELS, error_of, whole

PICTURES = [("a.png", mode) for mode in ("RGB", "L", "LA", "RGBA", "P", "1")] + [
    ("a.jpg", "RGB"),
    ("a.jpg", "L"),
]


@pytest.mark.parametrize(("name", "mode"), PICTURES)
def test_png_and_jpeg(tmp_path: Path, name: str, mode: str) -> None:
    picture = Image.fromarray(PIXELS).convert(mode)
    if "A" in mode:
        picture.putalpha(Image.fromarray(np.tile(np.uint8([0, 255]), (130, 75))))
    picture.save(tmp_path / name)
    expected = np.asarray(Image.open(tmp_path / name).convert("RGB"))
    actual = whole(tmp_path / name)
    if "A" in mode:
        assert (actual[:, ::2] == 255).all()
        actual, expected = actual[:, 1::2], expected[:, 1::2]
    np.testing.assert_array_equal(actual, expected)


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
    Image.fromarray(PIXELS).save(tmp_path / "d.gif")
    assert "is not an image" in error_of(tmp_path / "d.gif")
    with pytest.raises(ImageError, match="no image file"):
        decode(tmp_path / "a.tiff")


def test_png_of_16_bit_and_jpeg_of_cmyk(tmp_path: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    for colour_type, channels in ((0, 1), (2, 3), (6, 4)):
        header = struct.pack(">IIBBBBB", 20, 10, 16, colour_type, 0, 0, 0)
        rows = zlib.compress((b"\0" + bytes(20 * channels * 2)) * 10)
        png = (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + chunk(b"IDAT", rows)
            + chunk(b"IEND", b"")
        )
        (tmp_path / "a.png").write_bytes(png)
        assert "16-bit" in error_of(tmp_path / "a.png")
    Image.fromarray(PIXELS).convert("CMYK").save(tmp_path / "a.jpg")
    assert "CMYK" in error_of(tmp_path / "a.jpg")


@pytest.mark.parametrize("cut", [0.01, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize(
    ("name", "options"), [("a.png", {}), ("a.jpg", {}), ("a.jpg", {"progressive": True})]
)
def test_a_png_or_jpeg_cut_short(
    tmp_path: Path, name: str, options: dict[str, Any], cut: float
) -> None:
    Image.fromarray(PIXELS).save(tmp_path / name, **options)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: int(len(content) * cut)])
    error_of(tmp_path / name)


def test_a_jpeg_that_lacks_its_last_byte(tmp_path: Path) -> None:
    Image.fromarray(BIG).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:-1])
    error_of(tmp_path / "a.jpg")


def test_a_picture_too_large_to_decode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert "too large" in error_of(tmp_path / "a.png")
