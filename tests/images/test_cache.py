"""Cached pixels: keyed by content, bounded, whole after kill -9, done without on a full disk."""

from __future__ import annotations

import errno
import logging
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from midog.errors import ConfigError, ImageError
from midog.images import cache as cache_module
from midog.images.cache import default_cache_dir
from midog.images.decode import decode
from tests.images.pictures import PIXELS, cached, packed, tiff, tissue


@pytest.mark.parametrize(
    "damage",
    [
        lambda b: b[:-1],
        lambda b: b + b"x",
        lambda b: b[:20],
        lambda b: b"",
        lambda b: b[:128] + bytes(len(b) - 148) + b[-20:],  # zeros for pixels
        lambda b: b[:9000] + bytes([b[9000] ^ 1]) + b[9001:],
        lambda b: b[:128] + b[128:-20][::-1] + b[-20:],
        lambda b: b.replace(b"(130, 150, 3)", b"(150, 130, 3)"),
        lambda b: b.replace(b"|u1", b"|i1"),
        lambda b: bytes(len(b)),
        lambda b: b"PK\3\4" + b[4:],
    ],
)
def test_a_cached_file_that_is_damaged_is_made_anew(
    tmp_path: Path, cache: Path, damage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = packed(tmp_path / "a.tiff")
    decode(path, cache_dir=cache)
    (file,) = cached(cache)
    good = file.read_bytes()
    file.write_bytes(damage(good))
    another_process()
    with caplog.at_level(logging.WARNING):
        np.testing.assert_array_equal(decode(path, cache_dir=cache), PIXELS)
    assert file.read_bytes() == good
    assert f"{file} is damaged: it is made anew" in caplog.text


def test_a_checksum_is_verified_once_in_a_process(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = packed(tmp_path / "a.tiff")
    decode(path, cache_dir=cache)
    verified = []
    is_whole = cache_module._is_whole

    def counted(file: Path, length: int) -> bool:
        verified.append(file)
        return is_whole(file, length)

    monkeypatch.setattr(cache_module, "_is_whole", counted)
    decode(path, cache_dir=cache)
    assert not verified
    another_process()
    for _ in range(3):
        decode(path, cache_dir=cache)
    assert len(verified) == 1


@pytest.mark.parametrize("note", [b"", b"0" * 32, b"\xff" * 99, b"x" * 9999, "swapped"])
def test_a_note_that_does_not_check_is_made_anew(
    tmp_path: Path, cache: Path, note: bytes | str
) -> None:
    """Empty notes, as a power cut leaves them, gave all images one key."""
    paths = [packed(tmp_path / f"{i}.tiff", PIXELS + np.uint8(i)) for i in range(2)]
    for path in paths:
        decode(path, cache_dir=cache)
    notes = sorted(cache.rglob("*.hash"))
    contents = [file.read_bytes() for file in notes]
    for file, other in zip(notes, reversed(contents), strict=True):
        file.write_bytes(other if isinstance(note, str) else note)
    for i, path in enumerate(paths):
        np.testing.assert_array_equal(decode(path, cache_dir=cache), PIXELS + np.uint8(i))
    assert [file.read_bytes() for file in notes] == contents


def test_an_image_replaced_but_for_its_ends_is_noticed(tmp_path: Path, cache: Path) -> None:
    """Of the same size and time of change."""
    path = tiff(tmp_path / "a.tiff")
    state = path.stat()
    decode(path, scale=0.5, cache_dir=cache)
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[: middle - 9999] + bytes(19998) + content[middle + 9999 :])
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert decode(path, scale=0.5, cache_dir=cache)[32].max() == 0


@pytest.mark.parametrize("pattern", ["*.npy", "*.hash", "decoded"])
@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_is_no_file_in_the_cache_folder_never_blocks(
    tmp_path: Path, cache: Path, pattern: str, kind: str
) -> None:
    path = packed(tmp_path / "a.tiff")
    decode(path, cache_dir=cache)
    (place,) = cache.rglob(pattern)
    place.rename(tmp_path / "moved")
    {
        "pipe": lambda: os.mkfifo(place),
        "link": lambda: place.symlink_to("/dev/zero"),
        "folder": lambda: place.mkdir(),
    }[kind]()
    another_process()
    np.testing.assert_array_equal(decode(path, cache_dir=cache), PIXELS)


def another_process() -> None:
    """Forget what this process has verified."""
    cache_module._checked.clear()


def test_the_cache_is_bounded_and_lets_go_of_what_was_used_least_recently(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDOG_CACHE_GB", str(2.5 * PIXELS.nbytes / 2**30))
    paths = [packed(tmp_path / f"{i}.tiff", PIXELS + np.uint8(i)) for i in range(3)]
    made = []
    for i, path in enumerate(paths[:2]):
        decode(path, cache_dir=cache)
        (new,) = set(cached(cache)) - set(made)
        os.utime(new, (1000 + i, 1000 + i))
        made.append(new)
    decode(paths[0], cache_dir=cache)  # used again: now the second is the one to go
    decode(paths[2], cache_dir=cache)
    assert made[0] in cached(cache)
    assert made[1] not in cached(cache)
    assert len(cached(cache)) == 2


def test_what_was_just_made_stays_however_small_the_bound(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDOG_CACHE_GB", "0")
    for i in range(2):
        pixels = decode(packed(tmp_path / f"{i}.tiff", PIXELS + np.uint8(i)), cache_dir=cache)
        assert isinstance(pixels, np.memmap)
        assert len(cached(cache)) == 1
    np.testing.assert_array_equal(pixels, PIXELS + np.uint8(1))


def test_a_bound_that_is_no_number(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text in ("lots", "nan", "-1"):
        monkeypatch.setenv("MIDOG_CACHE_GB", text)
        with pytest.raises(ConfigError, match=f"MIDOG_CACHE_GB is '{text}'; write a number of GiB"):
            decode(packed(tmp_path / "a.tiff"), cache_dir=cache)


def test_old_leftovers_go_and_strangers_files_stay(tmp_path: Path, cache: Path) -> None:
    folder = cache / "decoded"
    folder.mkdir(parents=True)
    old, fresh, stranger = folder / "1.part", folder / "2.part", folder / "notes.txt"
    for file in (old, fresh, stranger):
        file.write_bytes(b"x")
    for file in (old, stranger):
        os.utime(file, (time.time() - 1e6,) * 2)
    decode(packed(tmp_path / "a.tiff"), cache_dir=cache)
    assert [old.exists(), fresh.exists(), stranger.exists()] == [False, True, True]


def test_a_failed_decode_leaves_nothing_half_written(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(PIXELS).save(path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ImageError, match=r"a\.jpg"):
        decode(path, cache_dir=cache)
    assert not cached(cache)
    assert not list(cache.rglob("*.part"))


def test_a_cache_folder_that_cannot_be_made_is_warned_of_once(tmp_path: Path, caplog: Any) -> None:
    (tmp_path / "file").write_text("not a folder")
    path = packed(tmp_path / "a.tiff")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            pixels = decode(path, cache_dir=tmp_path / "file")
    np.testing.assert_array_equal(pixels, PIXELS)
    assert not isinstance(pixels, np.memmap)
    assert [str(tmp_path / "file") in record.message for record in caplog.records] == [True]


@pytest.mark.parametrize("room", [0, 3000])
def test_no_room_on_the_disk_is_warned_of(
    tmp_path: Path, cache: Path, caplog: Any, room: int
) -> None:
    path = packed(tmp_path / "a.tiff")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
    try:
        pixels = decode(path, cache_dir=cache)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    np.testing.assert_array_equal(pixels, PIXELS)
    assert os.strerror(errno.EFBIG) in caplog.text
    assert not cached(cache)
    assert not list(cache.rglob("*.part"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_cache_folder_serves_what_it_has(tmp_path: Path, cache: Path) -> None:
    path = packed(tmp_path / "a.tiff")
    decode(path, cache_dir=cache)
    (cache / "decoded").chmod(0o500)
    try:
        assert isinstance(decode(path, cache_dir=cache), np.memmap)
    finally:
        (cache / "decoded").chmod(0o700)


def test_a_killed_and_two_racing_processes(tmp_path: Path, cache: Path) -> None:
    path = packed(tmp_path / "a.tiff", tissue(300, 2000))
    code = (
        "import os, sys; from pathlib import Path; from midog.images import decode\n"
        "path, cache, killed = sys.argv[1:]; bands = decode._bands\n"
        "def stop(*of):\n"
        "    yield next(bands(*of))\n"
        "    os.kill(os.getpid(), 9)\n"
        "if killed == 'yes': decode._bands = stop\n"
        "made = []; write = decode._write_npy\n"
        "decode._write_npy = lambda *of: (made.append(1), write(*of))\n"
        "print(decode.decode(path, cache_dir=Path(cache)).sum(), len(made))\n"
    )

    def start(killed: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, str(path), str(cache), killed]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    assert start("yes").wait() == -9
    assert not cached(cache)
    assert len(list(cache.rglob("*.part"))) == 1
    racing = [start("no"), start("no")]
    expected = str(tissue(300, 2000).sum())
    printed = sorted(process.communicate()[0].split() for process in racing)
    assert printed == [[expected, "0"], [expected, "1"]]  # one makes it, the other waits
    assert len(cached(cache)) == 1
    assert not list(cache.rglob("*.lock"))


def test_the_cache_folder_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIDOG_CACHE", str(tmp_path / "mine"))
    assert default_cache_dir() == tmp_path / "mine"
    decode(packed(tmp_path / "a.tiff"))
    assert len(cached(tmp_path / "mine")) == 1
    monkeypatch.delenv("MIDOG_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert default_cache_dir() == tmp_path / "xdg" / "midog"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / ".cache" / "midog"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_cache_dir() == tmp_path / "Library" / "Caches" / "midog"


def test_the_content_decides_not_the_name(tmp_path: Path, cache: Path) -> None:
    decode(packed(tmp_path / "a.tiff"), cache_dir=cache)
    (tmp_path / "b.tiff").write_bytes((tmp_path / "a.tiff").read_bytes())
    decode(tmp_path / "b.tiff", cache_dir=cache)
    assert len(cached(cache)) == 1
    other = packed(tmp_path / "a.tiff", 255 - PIXELS)  # same name, same size
    np.testing.assert_array_equal(decode(other, cache_dir=cache), 255 - PIXELS)
    assert len(cached(cache)) == 2
    assert decode(other, scale=0.5, cache_dir=cache).shape == (65, 75, 3)
    assert len(cached(cache)) == 3
