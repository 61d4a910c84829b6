"""Files, folders and links are replaced whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
from pathlib import Path

import pytest

from midog.errors import CheckpointError, DataError, MidogError
from midog.files import (
    point_link,
    read_bytes,
    replace_bytes,
    replace_folder,
    replace_text,
    replacing,
    replacing_folder,
    sweep_parts,
)
from midog.names import real_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    for text in ("one\n", "zwei ä\n"):
        replace_text(tmp_path / "a.txt", text)
    assert (tmp_path / "a.txt").read_bytes() == "zwei ä\n".encode()
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize(
    ("code", "says"),
    [(errno.ENOSPC, "the disk is full; make room"), (errno.EROFS, "choose another place")],
)
@pytest.mark.parametrize("kind", [MidogError, DataError])
def test_what_cannot_be_written_leaves_the_old_file_and_says_what_to_do(
    tmp_path, monkeypatch, code, says, kind
):
    replace_text(tmp_path / "a.txt", "old")

    def fail(self: Path, *_: object, **__: object) -> None:
        self.touch()
        raise OSError(code, "no")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(kind, match=rf"a\.txt cannot be written: .*{says}"):
        replace_text(tmp_path / "a.txt", "new", kind)
    assert (tmp_path / "a.txt").read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def write_half(path: Path, error: BaseException) -> None:
    path.write_bytes(b"half")
    raise error


def test_any_error_of_the_writer_leaves_the_old_file(tmp_path):
    replace_bytes(tmp_path / "a", b"old")
    for error in (KeyboardInterrupt(), RuntimeError("no")):
        with pytest.raises(type(error)), replacing(tmp_path / "a") as part:
            write_half(part, error)
    with pytest.raises(OSError, match="no"), replacing(tmp_path / "a", None):
        raise OSError("no")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_what_a_killed_process_left_is_swept_once_it_is_old(tmp_path):
    for name in ("a.txt", "b"):
        with contextlib.suppress(KeyboardInterrupt), replacing(tmp_path / name) as part:
            part.write_bytes(b"half")
            os.link(part, tmp_path / f"kept{len(names(tmp_path))}")
            raise KeyboardInterrupt
    kept = [path for path in tmp_path.iterdir() if path.name.startswith("kept")]
    old, new = (path.rename(tmp_path / f".a.{'0' * 31}{n}.part") for n, path in enumerate(kept))
    (tmp_path / f".d.{'0' * 32}.part").mkdir()
    for path in (old, tmp_path / f".d.{'0' * 32}.part"):
        os.utime(path, (0, 0))
    (tmp_path / "mine.part").write_text("a user's")
    os.utime(tmp_path / "mine.part", (0, 0))
    sweep_parts(tmp_path)
    assert names(tmp_path) == sorted([new.name, "mine.part"])
    sweep_parts(tmp_path, alone=True)
    assert names(tmp_path) == ["mine.part"]


def test_a_file_is_on_the_disk_before_it_takes_its_place_and_its_folder_after(
    tmp_path, monkeypatch
):
    done = []
    fsync, replace = os.fsync, os.replace
    here = {tmp_path.stat().st_ino: "folder"}
    monkeypatch.setattr(
        os,
        "fsync",
        lambda number: (done.append(here.get(os.fstat(number).st_ino, "file")), fsync(number)),
    )
    monkeypatch.setattr(os, "replace", lambda *at: (done.append("rename"), replace(*at)))
    replace_text(tmp_path / "a", "text")
    assert done == ["file", "rename", "folder"]
    done.clear()
    point_link(tmp_path / "link", tmp_path / "a")
    assert done == ["rename", "folder"]
    done.clear()
    replace_text(tmp_path / "b" / "c" / "a", "text", parents=True)
    assert done.count("folder") == 1, "b is in it"
    assert done[-3:] == ["file", "rename", "file"]  # the last one is c


@pytest.mark.parametrize("kind", ["link", "dangling link", "folder", "pipe", "device"])
def test_only_a_regular_file_is_replaced(tmp_path, kind):
    place, mine = tmp_path / "a", tmp_path / "mine"
    mine.write_text("mine")
    if kind == "device":
        place = Path("/dev/null")
    else:
        make = {
            "link": lambda: place.symlink_to(mine),
            "dangling link": lambda: place.symlink_to(tmp_path / "none"),
            "folder": place.mkdir,
            "pipe": lambda: os.mkfifo(place),
        }
        make[kind]()
    what = {"link": "symbolic link", "dangling link": "symbolic link", "pipe": "named pipe"}
    with pytest.raises(MidogError, match=f"it is a {what.get(kind, kind)}, not a regular file"):
        replace_text(place, "text")
    assert mine.read_text() == "mine"
    if kind != "device":
        assert names(tmp_path) == ["a", "mine"]
        assert kind != "link" or place.is_symlink()


def test_temporary_names_cannot_be_foreseen(tmp_path):
    with replacing(tmp_path / "a") as one, replacing(tmp_path / "a") as two:
        assert one != two
        assert len(one.name) >= 32
        assert one.read_bytes() == b"", "it is made, exclusively, before it is written"
    long = "ä" * 120  # 240 bytes: the system's bound is 255
    replace_text(tmp_path / long, "text")
    assert long in names(tmp_path)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "missing", "large", "NUL"])
def test_reading_refuses_what_is_no_file_of_a_size_that_can_be(tmp_path, kind):
    place = tmp_path / "a"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "device":
        place = Path("/dev/zero")
    elif kind == "folder":
        place.mkdir()
    elif kind == "large":
        place.write_bytes(b"x" * 101)
    elif kind == "NUL":
        place = Path("a\0b")
    says = {
        "pipe": "is a named pipe, not a regular file",
        "device": "is a device",
        "folder": "folder|directory",
        "missing": "No such file",
        "large": "has 101 bytes; at most 100 are read; give a smaller file",
        "NUL": r"a\\x00b cannot be read: embedded null byte",
    }
    with pytest.raises(DataError, match=says[kind]):
        read_bytes(place, DataError, limit=100)


def test_folders_on_the_way_are_made_where_asked_for(tmp_path):
    replace_text(tmp_path / "b" / "c" / "a", "text", parents=True)
    assert (tmp_path / "b" / "c" / "a").read_text() == "text"
    with pytest.raises(MidogError, match="none/a cannot be written"):
        replace_text(tmp_path / "none" / "a", "text")
    with pytest.raises(MidogError, match="cannot be written"):
        replace_text(tmp_path / "b" / "c" / "a" / "d", "text", parents=True)


def replace_often(path: Path, letter: str) -> None:
    for _ in range(200):
        replace_text(path, letter * 10_000)


def test_processes_that_replace_one_file_at_once_leave_a_whole_one(tmp_path):
    path = tmp_path / "a"
    workers = [
        multiprocessing.get_context("spawn").Process(target=replace_often, args=(path, letter))
        for letter in "xyz"
    ]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        if path.exists():
            text = path.read_text()
            assert text in {letter * 10_000 for letter in "xyz"}
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert names(tmp_path) == ["a"]


def test_a_folder_is_replaced_with_all_that_it_held(tmp_path):
    replace_folder(tmp_path / "new" / "a", {"1": b"one", "2": b"two"})
    replace_folder(tmp_path / "new" / "a", {"3": b"three"})
    assert names(tmp_path / "new") == ["a"]
    assert names(tmp_path / "new" / "a") == ["3"]


@pytest.mark.parametrize("step", ["write", "flush", "rename"])
def test_a_folder_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch, step):
    replace_folder(tmp_path / "a", {"1": b"old"})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    rename = Path.rename
    if step == "write":
        monkeypatch.setattr(Path, "write_bytes", full)
    elif step == "flush":
        monkeypatch.setattr(os, "fsync", full)
    else:
        monkeypatch.setattr(
            Path, "rename", lambda path, to: (full if path.suffix == ".part" else rename)(path, to)
        )
    with pytest.raises(CheckpointError, match="a cannot be written: the disk is full; make room"):
        replace_folder(tmp_path / "a", {"1": b"new"}, CheckpointError)
    assert (tmp_path / "a" / "1").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_folder_that_is_given_up_leaves_nothing(tmp_path):
    with pytest.raises(KeyboardInterrupt), replacing_folder(tmp_path / "a") as part:
        write_half(part / "1", KeyboardInterrupt())
    assert names(tmp_path) == []


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path):
    replace_folder(tmp_path / "a", {"1": b"old"})
    (tmp_path / "a").rename(tmp_path / f".a.{'0' * 32}.old")
    with pytest.raises(KeyboardInterrupt), replacing_folder(tmp_path / "a") as part:
        write_half(part / "1", KeyboardInterrupt())
    assert (tmp_path / "a" / "1").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def replace_folder_often(folder: Path, letter: str) -> None:
    for _ in range(30):
        replace_folder(folder, {"1": letter.encode() * 1000, "2": letter.encode()})


def test_processes_that_replace_one_folder_at_once_leave_a_whole_one(tmp_path):
    workers = [
        multiprocessing.get_context("spawn").Process(
            target=replace_folder_often, args=(tmp_path / "a", letter)
        )
        for letter in "xyz"
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert names(tmp_path) == ["a"]
    last = (tmp_path / "a" / "2").read_bytes()
    assert (tmp_path / "a" / "1").read_bytes() == last * 1000


def test_a_link_moves_in_one_step_and_is_relative(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        point_link(tmp_path / "link", tmp_path / name)
        assert os.readlink(tmp_path / "link") == name
    assert names(tmp_path) == ["a", "b", "link"]


def test_a_link_that_leads_to_itself_and_a_home_of_nobody_have_a_place(tmp_path, monkeypatch):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "link").symlink_to(tmp_path)
    assert real_path(tmp_path / "loop").name == "loop"
    assert real_path(tmp_path / "link" / "a") == tmp_path.resolve() / "a"
    monkeypatch.chdir(tmp_path)
    assert real_path("~nobody-of-that-name/a").name == "a"


LOOPS = [("infer", "loop", "--model", "loop"), ("data", "draw", "loop"), ("data", "check", "loop")]


@pytest.mark.parametrize("words", LOOPS)
def test_a_link_that_leads_to_itself_is_an_error_that_says_so(midog, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "loop").symlink_to("loop")
    ran = midog(*words)
    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith("error: ")
    assert "unexpected" not in ran.err
