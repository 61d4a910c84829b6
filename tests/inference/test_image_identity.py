"""Images are told apart by all of their bytes; an untouched file is recognised unread."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from midog.inference.image_identity import digest_of_file, identity_of, state_of


def test_every_byte_counts_and_the_place_does_not(tmp_path: Path) -> None:
    content = bytearray(os.urandom(200_000))
    (tmp_path / "a.tiff").write_bytes(content)
    shutil.copy(tmp_path / "a.tiff", tmp_path / "b.tiff")
    assert identity_of(tmp_path / "a.tiff") == identity_of(tmp_path / "b.tiff")
    content[100_000] ^= 1
    (tmp_path / "b.tiff").write_bytes(content)
    assert identity_of(tmp_path / "a.tiff") != identity_of(tmp_path / "b.tiff")
    assert digest_of_file(tmp_path / "a.tiff") != digest_of_file(tmp_path / "b.tiff")


def test_the_state_changes_with_a_write_that_keeps_size_and_time(tmp_path: Path) -> None:
    path = tmp_path / "a.tiff"
    path.write_bytes(b"one")
    before, times = state_of(path), path.stat()
    assert state_of(path) == before
    path.write_bytes(b"two")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert state_of(path) != before


def test_a_slide_of_several_files_is_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "s.mrxs").write_bytes(b"index")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "Data0000.dat").write_bytes(b"pixels")
    before = identity_of(tmp_path / "s.mrxs"), state_of(tmp_path / "s.mrxs")
    (tmp_path / "s" / "Data0000.dat").write_bytes(b"PIXELS")
    assert before[0] != identity_of(tmp_path / "s.mrxs")
    assert before[1] != state_of(tmp_path / "s.mrxs")
    assert identity_of(tmp_path / "s") == identity_of(tmp_path / "s")
