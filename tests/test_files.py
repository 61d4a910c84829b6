"""Small files are written whole or not at all."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from midog.errors import MidogError
from midog.files import write_text


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    for text in ("one\n", "zwei ä\n"):
        write_text(tmp_path / "a.txt", text)
    assert (tmp_path / "a.txt").read_bytes() == "zwei ä\n".encode()
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    ("code", "says"),
    [(errno.ENOSPC, "the disk is full; make room"), (errno.EROFS, "choose another place")],
)
def test_what_cannot_be_written_leaves_the_old_file_and_says_what_to_do(
    tmp_path, monkeypatch, code, says
):
    write_text(tmp_path / "a.txt", "old")

    def fail(self: Path, *_: object, **__: object) -> None:
        self.touch()
        raise OSError(code, "no")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(MidogError, match=rf"a\.txt cannot be written: .*{says}"):
        write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
