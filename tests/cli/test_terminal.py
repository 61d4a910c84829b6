"""What goes out: one line each, nothing that a terminal obeys, whatever stdout is."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from midog.cli.terminal import say, show, show_log, show_text

ROOT = Path(__file__).resolve().parents[2]
EVIL = "a\x1b[2Jb\nerror: c\x00\u202e"
MADE_VISIBLE = "a\\x1b[2Jb error: c\\x00\\u202e"


def run(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more.pop("env", {})}  # type: ignore[dict-item]
    return subprocess.run(
        [sys.executable, "-m", "midog", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env=environment,
        **more,  # type: ignore[call-overload]
    )


def test_a_line_on_stderr_is_visible_and_short(capsys):
    say(EVIL)
    say("x" * 25_000_000)
    first, second = capsys.readouterr().err.splitlines()
    assert first == MADE_VISIBLE
    assert len(second) < 2100


def test_a_result_on_stdout_is_visible_and_whole(capsys):
    show(EVIL)
    show("a" * 5000 + "   b")
    show_text('{"a": 1}\n')
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == MADE_VISIBLE.replace(" error", "\\nerror")
    assert second == "a" * 5000 + "   b"
    assert third == '{"a": 1}'


def test_log_and_warnings_are_lines(capsys):
    show_log(quiet=False)
    logging.getLogger("midog.some").info("read %s", EVIL)
    logging.getLogger("other").info("not ours")
    warnings.warn(EVIL, UserWarning, stacklevel=1)
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"read {MADE_VISIBLE}"
    assert second.startswith(f"warning: {MADE_VISIBLE} (UserWarning of ")


def test_quiet_prints_warnings_alone(capsys):
    show_log(quiet=True)
    logging.getLogger("midog.some").info("read")
    logging.getLogger("midog.some").warning("bad")
    assert capsys.readouterr().err == "bad\n"


@pytest.mark.parametrize(
    "words", [("zz\x1b[2J",), ("train", "--epochs", "1\x1b[2J"), ("train", "--zz\x1b[2J")]
)
def test_a_wrong_command_line_is_echoed_visibly(midog, words):
    ran = midog(*words)
    assert ran.code == 2
    assert "\x1b" not in ran.err
    assert ran.err.splitlines()[-1].startswith("Error: ")


def test_a_long_wrong_word_is_shortened(midog):
    ran = midog("train", "--set", "train.lr=" + "9" * 100_000)
    assert ran.code == 1
    assert len(ran.err) < 2500


def test_nothing_asked_for_is_answered_with_the_help(midog):
    ran = midog()
    assert ran.code == 2
    assert ran.err.splitlines()[0].startswith("Usage: midog")
    assert "  train " in ran.err


def test_a_closed_pipe_is_quiet():
    reader, writer = os.pipe()
    os.close(reader)
    done = run("settings", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_full_disk_behind_stdout_is_an_error():
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full on this system")
    with open("/dev/full", "w") as full:
        done = run("settings", stdout=full)
    assert (done.returncode, done.stderr) == (1, "error: stdout: No space left on device\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-16"])
def test_any_encoding_of_stdout_holds(encoding, tmp_path):
    name = os.fsdecode(b"d\xff\xe2\x80\x93")  # not UTF-8, and a dash
    done = run(
        *("data", "draw", str(tmp_path / name), "--rois", "1", "--size", "256"),
        stdout=subprocess.PIPE,
        env={"PYTHONIOENCODING": encoding},
        encoding="latin-1",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / name / "split.csv").is_file()
