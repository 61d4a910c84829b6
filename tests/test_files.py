"""Files, folders and links are replaced whole or not at all; JSON has no NaN."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from midog.errors import CheckpointError, DataError, MidogError
from midog.files import (
    plain,
    point_link,
    replace_bytes,
    replace_folder,
    replace_text,
    replacing,
    replacing_folder,
    to_json,
)


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


def test_what_a_killed_process_left_is_overwritten(tmp_path):
    (tmp_path / ".a.part").write_text("half")
    replace_text(tmp_path / "a", "whole")
    assert names(tmp_path) == ["a"]


def test_folders_on_the_way_are_made_where_asked_for(tmp_path):
    replace_text(tmp_path / "b" / "c" / "a", "text", parents=True)
    assert (tmp_path / "b" / "c" / "a").read_text() == "text"
    with pytest.raises(MidogError, match="none/a cannot be written"):
        replace_text(tmp_path / "none" / "a", "text")
    with pytest.raises(MidogError, match="cannot be written"):
        replace_text(tmp_path / "b" / "c" / "a" / "d", "text", parents=True)


def replace_often(path: Path, letter: str) -> None:
    for _ in range(200):
        replace_text(path, letter * 10_000, shared=True)


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
    replace_folder(tmp_path / "new" / "a", {"1": b"one", "2": b"two"}, durable=True)
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
        replace_folder(tmp_path / "a", {"1": b"new"}, CheckpointError, durable=True)
    assert (tmp_path / "a" / "1").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_folder_that_is_given_up_leaves_nothing(tmp_path):
    (tmp_path / ".a.part").mkdir()
    (tmp_path / ".a.part" / "left by a killed process").touch()
    with pytest.raises(KeyboardInterrupt), replacing_folder(tmp_path / "a") as part:
        write_half(part / "1", KeyboardInterrupt())
    assert names(tmp_path) == []


def test_a_kill_between_the_two_renames_loses_nothing(tmp_path):
    replace_folder(tmp_path / ".a.old", {"1": b"old"})
    with pytest.raises(KeyboardInterrupt), replacing_folder(tmp_path / "a") as part:
        write_half(part / "1", KeyboardInterrupt())
    assert (tmp_path / "a" / "1").read_bytes() == b"old"
    assert names(tmp_path) == ["a"]


def test_a_link_moves_in_one_step_and_is_relative(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        point_link(tmp_path / "link", tmp_path / name)
        assert os.readlink(tmp_path / "link") == name
    assert names(tmp_path) == ["a", "b", "link"]


def test_json_has_null_for_nan_and_lists_for_arrays():
    value = {
        "a": float("nan"),
        "b": np.array([[1.5, np.nan]]),
        "c": (1, None, "ä", True),
        "d": {"e": [np.float32(0.5), np.int64(3), np.float64("nan")]},
    }
    expected = {
        "a": None,
        "b": [[1.5, None]],
        "c": [1, None, "ä", True],
        "d": {"e": [0.5, 3, None]},
    }
    assert plain(value) == expected
    assert json.loads(to_json(value)) == expected
    assert to_json({"a": "ä"}, indent=None) == '{"a": "\\u00e4"}\n'
    assert to_json({"a": "ä"}, ascii_only=False) == '{\n "a": "ä"\n}\n'
    with pytest.raises(ValueError, match="JSON"):
        to_json(float("inf"))
