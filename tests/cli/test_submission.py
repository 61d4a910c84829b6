"""`midog submission` as typed."""

from __future__ import annotations

import json
from pathlib import Path

from tests.spoiled import one_line
from tests.submission.cases import document, point


def test_a_kit_is_made_of_a_run(midog, model, tmp_path: Path) -> None:
    out = tmp_path / "kit"
    ran = midog("submission", "make", "--model", model, "--out", out, "--threshold", 0.25)
    assert (ran.code, ran.out) == (0, f"{out}\n"), ran.err
    assert "threshold 0.250 (given)" in ran.err
    assert f"{out}/try.sh ROI.tiff" in ran.err
    assert json.loads((out / "model" / "kit.json").read_text())["threshold"] == 0.25
    assert f"| model | {model} |" in (out / "README.md").read_text()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    words = ("submission", "make", "--model", model, "--out", tmp_path / "other")
    assert "choose another --out" in one_line(midog(*words))
    assert "no model folder" in one_line(midog(*words[:3], tmp_path / "none", "--out", out))


def test_refusals_are_listed_file_by_file_and_fail(midog, tmp_path: Path) -> None:
    folder, truth = tmp_path / "detections", tmp_path / "truth.json"
    folder.mkdir()
    own = {"annotations": [], "tumor domain": 0, "roi type": "random"}
    truth.write_text(json.dumps({"001.tiff": own, "002.tiff": own}))
    (folder / "001.json").write_text(json.dumps(document(point())))
    (folder / "002.json").write_text(json.dumps(document(*[point(name=None)] * 12)))
    ran = midog("submission", "check", folder, "--truth", truth)
    assert ran.code == 1
    lines = ran.out.splitlines()
    assert lines[0] == "002.json: point 1 has no `name`"
    assert lines[10:] == ["002.json: and 2 more"]
    assert "1 of 2 files would be refused" in ran.err
    (folder / "002.json").write_text(json.dumps(document()))
    ran = midog("submission", "check", folder, "--truth", truth)
    assert (ran.code, ran.out) == (0, "")
    assert "2 files with 1 points, all of them accepted" in ran.err
    assert "were not looked at" not in ran.err
    assert "were not looked at" in midog("submission", "check", folder).err


def test_images_may_be_those_of_a_data_folder(midog, phantom, tmp_path: Path) -> None:
    (tmp_path / "001.json").write_text(json.dumps(document()))
    ran = midog("submission", "check", tmp_path, "--data", phantom)
    assert ran.code == 1
    assert "no file is of this image" in ran.out
    ran = midog("submission", "check", tmp_path, "--data", phantom, "--truth", "x.json")
    assert ran.code == 2
    assert "not both" in ran.err
