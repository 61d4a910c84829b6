"""Pictures of every kind, decoded whole: their pixels, and what bad ones get."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.images.pictures import BIG, PIXELS, error_of, whole

PICTURES = [
    (name, mode)
    for name, modes in {
        "a.png": ("RGB", "L", "LA", "RGBA", "P", "1"),
        "a.jpg": ("RGB", "L"),
        "a.bmp": ("RGB", "L", "P", "1"),
        "a.gif": ("P", "L"),
        "a.webp": ("RGB", "RGBA"),
        "a.jp2": ("RGB", "L", "LA", "RGBA"),
    }.items()
    for mode in modes
]


@pytest.mark.parametrize(("name", "mode"), PICTURES)
def test_a_picture(tmp_path: Path, name: str, mode: str) -> None:
    picture = Image.fromarray(PIXELS).convert(mode)
    if "A" in mode:
        picture.putalpha(Image.fromarray(np.tile(np.uint8([0, 255]), (130, 75))))
    picture.save(tmp_path / name, **({"lossless": True} if name == "a.webp" else {}))
    expected = np.asarray(Image.open(tmp_path / name).convert("RGB"))
    actual = whole(tmp_path / name)
    if "A" in mode:
        assert (actual[:, ::2] == 255).all()
        actual, expected = actual[:, 1::2], expected[:, 1::2]
    np.testing.assert_array_equal(actual, expected)


# Bad files


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


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png"])
def test_an_animation_is_refused(tmp_path: Path, name: str) -> None:
    frames = [Image.fromarray(pixels) for pixels in (PIXELS, 255 - PIXELS)]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
    assert "holds 2 pictures" in error_of(tmp_path / name)


def test_a_jpeg_2000_of_16_bit(tmp_path: Path) -> None:
    Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257).save(tmp_path / "a.jp2")
    assert "I;16" in error_of(tmp_path / "a.jp2")


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
