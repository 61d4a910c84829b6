"""Packed files: unpacked by their content, never further than asked, and never half."""

from __future__ import annotations

import gzip

import pytest

from midog.errors import DataError, MidogError
from midog.gzipped import read_unpacked

TEXT = b"one line\n" * 100
PACKED = gzip.compress(TEXT, mtime=0)


def test_content_decides_and_not_the_name(tmp_path):
    for name, raw in (("a.txt", PACKED), ("a.gz", TEXT)):
        (tmp_path / name).write_bytes(raw)
        assert read_unpacked(tmp_path / name, limit=len(TEXT)) == TEXT


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (PACKED[:-5], "is cut short or goes on after its end"),
        (PACKED + b"more", "is cut short or goes on after its end"),
        (b"\x1f\x8b" + b"\0" * 40, "is damaged"),
        (PACKED[:-8] + b"\0" * 8, "is damaged"),
        (gzip.compress(b"0" * (3 << 20), mtime=0), "unpacks to over 2 MB, which are not read"),
    ],
)
def test_damage_and_size_are_one_line(tmp_path, raw, words):
    path = tmp_path / "a.gz"
    path.write_bytes(raw)
    with pytest.raises(DataError, match=words):
        read_unpacked(path, DataError, limit=2 << 20)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(MidogError, match="cannot be read"):
        read_unpacked(tmp_path / "none", limit=9)
