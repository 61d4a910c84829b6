"""Progress goes to stderr and is silent if stderr is no terminal."""

from __future__ import annotations

from midog.progress import bar


def test_a_bar_in_a_pipe_prints_nothing(capsys):
    with bar("tiles") as move:
        for done in range(3):
            move(done + 1, 3)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == ""
