"""Files that commands write: what is there and no such file is never replaced."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from midog.cli.outputs import PAGE, ROI_TABLE, check_output
from midog.errors import MidogError
from midog.report.page import write_page

COMMANDS = [
    (("evaluate", "detections", "--report"), "--report"),
    (("evaluate", "detections", "--csv"), "--csv"),
    (("shift", "report", "run", "--out"), "--out"),
    (("data", "preview", "--out"), "--out"),
]


def device(path: Path) -> None:
    path.symlink_to("/dev/null")


def link(path: Path) -> None:
    path.with_name("target").write_text("mine")
    path.symlink_to("target")


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def image(path: Path) -> None:
    path.write_bytes(b"II*\0" + bytes(5000))


def page_of_others(path: Path) -> None:
    path.write_text("<!DOCTYPE html><html>mine</html>")


def state(path: Path) -> tuple[int, ...]:
    stat = path.lstat()
    return stat.st_mode, stat.st_ino, stat.st_size, stat.st_mtime_ns


OCCUPIED = [device, link, dangling, image, page_of_others, os.mkfifo, Path.mkdir]


@pytest.mark.parametrize(("words", "flag"), COMMANDS)
@pytest.mark.parametrize("occupy", OCCUPIED)
def test_what_is_there_is_refused_before_the_work_and_stays(
    midog, tmp_path, monkeypatch, words, flag, occupy
):
    monkeypatch.chdir(tmp_path)
    occupy(tmp_path / "out")
    before = state(tmp_path / "out"), sorted(os.listdir())
    ran = midog(*words, "out")
    assert ran.code == 1
    assert ran.err.startswith("error: out ")
    assert f"choose another {flag}" in ran.err
    assert (state(tmp_path / "out"), sorted(os.listdir())) == before


@pytest.mark.parametrize("name", ["/dev/null", "/dev/stdout", "/dev/full"])
def test_devices_are_refused(name):
    if not Path(name).exists():
        pytest.skip(f"no {name} on this system")
    with pytest.raises(MidogError, match="not a regular file; choose another"):
        check_output(Path(name), PAGE, "report")


def test_a_file_needs_its_folder(tmp_path):
    with pytest.raises(
        MidogError, match=r"no folder .*gone for page\.html; make it, or choose"
    ) as caught:
        check_output(tmp_path / "gone" / "page.html", PAGE, "out")
    assert caught.value.settings == {"out": None}


def test_a_folder_that_takes_no_file_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, how: False)
    with pytest.raises(MidogError, match="cannot be written to; choose another"):
        check_output(tmp_path / "page.html", PAGE, "out")


@pytest.mark.parametrize("name", ["x" * 300, ".", "a/../.."])
def test_names_that_are_no_file(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MidogError, match=r"choose another \{?out|choose another out"):
        check_output(Path(name), PAGE, "out")


def test_an_earlier_file_of_the_kind_and_an_empty_one_are_replaced(tmp_path):
    path = tmp_path / "out"
    check_output(path, PAGE, "out")
    path.touch()
    check_output(path, PAGE, "out")
    write_page(path, "base.html", {"title": "mine"})
    check_output(path, PAGE, "out")
    path.write_text("file_name,patient,scanner,figures\n")
    check_output(path, ROI_TABLE, "csv")
