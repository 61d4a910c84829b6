"""Images are opened one ahead, in order, and closed if nobody takes them."""

from __future__ import annotations

import pytest

from midog.inference.open_ahead import open_ahead


class File:
    def __init__(self, name: str) -> None:
        self.name, self.is_closed = name, False

    def close(self) -> None:
        self.is_closed = True


def test_each_job_comes_with_what_was_opened_for_it() -> None:
    rows = [(job, opening.result()) for job, opening in open_ahead("abc", File)]
    assert [(job, file.name) for job, file in rows if file] == [(one, one) for one in "abc"]
    assert list(open_ahead("", File)) == []
    assert [opening.result() for _, opening in open_ahead("ab", lambda job: None)] == [None] * 2


def test_what_nobody_takes_is_closed_and_errors_stay_in_their_turn() -> None:
    files: dict[str, File] = {}

    def open_one(job: str) -> File:
        if job == "b":
            raise OSError("b")
        files[job] = File(job)
        return files[job]

    opened = open_ahead("abcd", open_one)
    assert next(opened)[1].result() is files["a"]
    with pytest.raises(OSError, match="b"):
        next(opened)[1].result()
    opened.close()
    assert not files["a"].is_closed
    assert files["c"].is_closed
    assert "d" not in files
