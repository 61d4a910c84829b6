"""DICOM slides: a folder is one, whichever of its files is opened; other DICOM files are named."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from midog.errors import ImageError
from midog.images.decode import decode
from midog.images.dicom import one_of_each_slide, series_of, slide_in
from midog.images.image import open_image
from midog.inference.given_images import find_images
from tests.images.dicom import write_dicom
from tests.images.pictures import BIG, PIXELS, error_of


def slide(folder: Path, series: str = "1.2.3") -> list[Path]:
    """The coarser level comes first."""
    coarse, fine = folder / f"{series}a.dcm", folder / f"{series}b.dcm"
    write_dicom(coarse, np.ascontiguousarray(BIG[::2, ::2]), 0.5, series, level=1)
    write_dicom(fine, BIG, 0.25, series)
    return [coarse, fine]


def test_a_folder_is_one_slide(tmp_path: Path, cache: Path) -> None:
    files = slide(tmp_path / "d")
    for path in (tmp_path / "d", *files):
        with open_image(path) as image:
            assert [level.size for level in image.levels] == [(700, 620), (350, 310)]
            assert image.mpp == (0.25, 0.25)
            np.testing.assert_array_equal(image.read(0, 0, 700, 620), BIG)
        np.testing.assert_array_equal(decode(path, cache_dir=cache), BIG)
    assert [image.path for image in find_images([tmp_path / "d"])] == files[:1]
    assert [image.path for image in find_images(files)] == files[:1]


def test_two_slides_of_one_folder(tmp_path: Path) -> None:
    first, second = slide(tmp_path), slide(tmp_path, "1.2.4")
    with pytest.raises(ImageError, match="holds 2 DICOM slides"):
        open_image(tmp_path)
    assert one_of_each_slide([*first, *second]) == [first[0], second[0]]
    with open_image(second[1]) as image:
        assert image.width == 700


def test_folders_without_dicom(tmp_path: Path) -> None:
    assert slide_in(tmp_path) is None
    (tmp_path / "a.dcm").write_bytes(b"no DICOM")
    assert slide_in(tmp_path) is None
    assert series_of(tmp_path / "a.dcm") is None
    with pytest.raises(ImageError, match="is a folder"):
        open_image(tmp_path)


def test_the_series_behind_sequences(tmp_path: Path) -> None:
    (path,) = [tmp_path / "a.dcm"]
    write_dicom(path, PIXELS, 0.25, "1.2.77")
    content = path.read_bytes()
    at = content.index(struct.pack("<HH", 0x20, 0xD))
    other = struct.pack("<HH2sH", 0x20, 0xE, b"UI", 4) + b"9.9\0"
    endless = struct.pack("<HH2sHI", 0x8, 0x1115, b"SQ", 0, 2**32 - 1)
    endless += struct.pack("<HHI", 0xFFFE, 0xE000, 2**32 - 1) + other
    endless += struct.pack("<HHI", 0xFFFE, 0xE00D, 0) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    path.write_bytes(content[:at] + endless + content[at:])
    assert series_of(path) == "1.2.77"
    for cut in range(132, at + 40, 7):
        path.write_bytes(content[:cut])
        series_of(path)


def test_a_dicom_file_of_another_kind_is_named(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", PIXELS, 0.25)
    content = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(content.replace(b".77.1.6", b".2\0\0\0\0\0"))
    assert "DICOM" in error_of(tmp_path / "a.dcm")


def test_a_dicom_file_cut_short(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", PIXELS, 0.25)
    content = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(content[: len(content) // 2])
    error_of(tmp_path / "a.dcm")
