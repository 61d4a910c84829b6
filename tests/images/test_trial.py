"""Files that end a process, or hold damage that decoders pass over, are found in another one."""

from __future__ import annotations

import logging
import os
import signal
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from midog.errors import ImageError
from midog.images import trial
from midog.images.decode import decode
from midog.images.image import open_image
from tests.images.pictures import BIG, TILE, error_of, tiff, whole

APERIO = "Aperio Image Library v11\r\n700x620 |MPP = 0.25"


def aperio(path: Path, **options: Any) -> Path:
    return tiff(
        path, BIG, tile=TILE, compression="jpeg", description=APERIO, metadata=None, **options
    )


def set_tag(path: Path, tag: str | int, value: int) -> None:
    """Overwrite a number that lies in the directory itself."""
    with tifffile.TiffFile(path) as file:
        place = file.pages.first.tags[tag].offset
    content = bytearray(path.read_bytes())
    struct.pack_into("<HII", content, place + 2, 4, 1, value)
    path.write_bytes(content)


def test_a_slide_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = aperio(tmp_path / "a.svs")
    asked = []
    ask = trial._Helper.ask

    def counted(helper: Any, request: Any) -> Any:
        asked.append(request)
        return ask(helper, request)

    monkeypatch.setattr(trial._Helper, "ask", counted)
    for _ in range(3):
        with open_image(path) as image:
            assert image.mpp == (0.25, 0.25)
    assert len(asked) == 1
    os.utime(path, ns=(1, 1))
    with open_image(path):
        assert len(asked) == 2


def test_a_file_that_ends_the_process_is_an_error(tmp_path: Path) -> None:
    path = aperio(tmp_path / "a.svs")
    set_tag(path, "TileWidth", 65520)
    set_tag(path, "TileLength", 65520)
    with pytest.raises(ImageError, match=r"a\.svs cannot be read \(its library ended.*alloc"):
        trial.try_slide(path)
    good = aperio(tmp_path / "b.svs")
    trial.try_slide(good)  # by another process


def test_a_process_that_is_killed_is_replaced(tmp_path: Path) -> None:
    path = aperio(tmp_path / "a.svs")
    trial.try_slide(path)
    process = trial._helper()._process
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(ImageError, match="its library ended"):
        trial.try_slide(aperio(tmp_path / "b.svs"))
    trial.try_slide(aperio(tmp_path / "c.svs"))


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    path = aperio(tmp_path / os.fsdecode(b"\xff\xfe.svs"))
    with open_image(path) as image:
        assert image.width == 700
    picture = tmp_path / os.fsdecode(b"\xe9.jpg")
    Image.fromarray(BIG).save(picture)
    assert whole(picture).shape == BIG.shape


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("damage", ["taken out", "an end within"])
def test_a_jpeg_with_most_of_its_pixels_wrong(
    tmp_path: Path, damage: str, progressive: bool
) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(BIG).save(path, progressive=progressive)
    assert whole(path).shape == BIG.shape
    content = path.read_bytes()
    third = len(content) // 3
    if damage == "taken out":
        path.write_bytes(content[:third] + content[third + 500 :])
    else:
        path.write_bytes(content[:third] + b"\xff\xd9" + content[third + 2 :])
    Image.open(path).load()  # without a word
    assert "Corrupt JPEG data" in error_of(path)


@pytest.mark.parametrize("layout", [{"rowsperstrip": 64}, {"tile": TILE, "planarconfig": "contig"}])
def test_a_damaged_jpeg_within_a_tiff(tmp_path: Path, layout: dict[str, Any]) -> None:
    path = tiff(tmp_path / "a.tif", BIG, compression="jpeg", **layout)
    good = whole(path)
    assert np.abs(good.astype(int) - BIG).mean() < 8
    with tifffile.TiffFile(path) as file:
        start, count = file.pages.first.dataoffsets[3], file.pages.first.databytecounts[3]
    content = bytearray(path.read_bytes())
    content[start + count // 2 : start + count // 2 + 2] = b"\xff\xd9"
    path.write_bytes(content)
    assert "JPEG" in error_of(path)


@pytest.mark.parametrize("name", ["a.tif", "a.svs"])
def test_a_tile_over_whose_damage_openslide_passes(tmp_path: Path, cache: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.svs":
        aperio(path)
    else:
        tiff(path, BIG, tile=TILE, compression="jpeg")
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        start, count = page.dataoffsets[3], page.databytecounts[3]
        offsets, counts = page.tags["TileOffsets"], page.tags["TileByteCounts"]
    content = bytearray(path.read_bytes())
    tile = content[start : start + count - 2] + b"\x55" * 90 + b"\xff\xd9"
    for tag, value in ((offsets, len(content)), (counts, len(tile))):
        size = tag.valuebytecount // tag.count
        struct.pack_into("<I" if size == 4 else "<H", content, tag.valueoffset + 3 * size, value)
    path.write_bytes(content + tile)
    damage = r"is damaged .Corrupt JPEG data: .* extraneous bytes"
    with open_image(path) as image:
        image.read(0, 0, 3 * TILE[0], TILE[1])
        with pytest.raises(ImageError, match=damage):
            image.read(0, 0, 700, 620)
    with pytest.raises(ImageError, match=damage):
        decode(path, cache_dir=cache)


def test_a_helper_does_not_outlive_its_close(caplog: pytest.LogCaptureFixture) -> None:
    helper = trial._Helper()
    with caplog.at_level(logging.ERROR):
        assert helper.ask({"task": "slide", "path": "/no such file"}) == (None, None)
        process = helper._process
        assert process is not None
        helper.close()
        assert process.poll() is not None
        helper.close()
