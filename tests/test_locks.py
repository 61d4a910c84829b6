"""One process writes a folder at a time."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from midog.errors import DataError
from midog.locks import being_written, held_file, locked, locked_or_refused

HOLD = """
import sys
from pathlib import Path
from midog.locks import locked
with locked(Path(sys.argv[1])):
    print("holds", flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_refused_until_the_first_one_ends_however_it_ends(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"holds\n"
        with (
            pytest.raises(DataError, match=r"another process is writing .*; wait until it is done"),
            locked_or_refused(tmp_path, DataError),
        ):
            pass
        process.kill()
        process.wait()
        with (
            locked_or_refused(tmp_path, DataError),
            pytest.raises(DataError),
            locked_or_refused(tmp_path, DataError),
        ):
            pass


def test_threads_take_turns(tmp_path):
    inside = []

    def enter() -> None:
        with locked(tmp_path):
            inside.append(1)
            assert sum(inside) == 1
            inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == []


def test_a_held_file_refuses_others_and_leaves_the_folders_own_lock_free(tmp_path):
    with held_file(tmp_path / ".lock", being_written("the study", DataError)):
        with (
            pytest.raises(DataError, match="another process is writing the study; wait"),
            held_file(tmp_path / ".lock", being_written("the study", DataError)),
        ):
            pass
        with locked(tmp_path):
            pass
    with held_file(tmp_path / ".lock", being_written("the study")):
        pass


def test_a_planted_link_is_not_followed(tmp_path):
    (tmp_path / ".lock").symlink_to(tmp_path / "other")
    with pytest.raises(OSError), held_file(tmp_path / ".lock", being_written("a")):
        pass
    assert not (tmp_path / "other").exists()
