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


def test_a_kit_of_track_2_is_made_of_a_classifier(midog, classifier, model, tmp_path: Path) -> None:
    out = tmp_path / "kit"
    words = ("submission", "make", "--track", 2, "--out", out)
    ran = midog(*words, "--model", classifier, "--threshold", 0.25, "--mpp", 0.25)
    assert (ran.code, ran.out) == (0, f"{out}\n"), ran.err
    assert "threshold 0.250 (given)" in ran.err
    assert f"{out}/try.sh STACK.tiff" in ran.err
    kit = json.loads((out / "model" / "kit.json").read_text())
    assert (kit["track"], kit["threshold"], kit["mpp"]) == (2, 0.25, 0.25)
    assert "track 2" in (out / "README.md").read_text()
    assert "of task detection" in one_line(midog(*words, "--model", model))
    assert "of task patches" in one_line(
        midog("submission", "make", "--model", classifier, "--out", out)
    )
    for further in (("--verifier", "a"), ("--orientations", 2)):
        ran = midog(*words, "--model", classifier, *further)
        assert (ran.code, "it is one of track 1" in ran.err) == (2, True)


def test_classes_are_checked_against_the_truth_of_track_2(midog, tmp_path: Path) -> None:
    folder, truth = tmp_path / "classes", tmp_path / "truth.json"
    folder.mkdir()
    stack = {"image": "stack_1.tiff", "labels": ["normal"] * 2, "tumordomains": [1, 1]}
    truth.write_text(json.dumps([stack]))
    sure = {"class": "normal", "confidence": 0.97}
    (folder / "stack_1.json").write_text(json.dumps([sure]))
    words = ("submission", "check", folder, "--track", 2)
    ran = midog(*words, "--truth", truth)
    assert (ran.code, ran.out) == (
        1,
        "stack_1.json: it classifies 1 crops of a stack of 2\n",
    )
    (folder / "stack_1.json").write_text(json.dumps([sure, sure]))
    ran = midog(*words, "--truth", truth)
    assert (ran.code, ran.out) == (0, "")
    assert "1 files with 2 crops, all of them accepted" in ran.err
    assert "is it that of the class that is stated?" in ran.err
    ran = midog(*words)
    assert "--truth names those that the scorer knows" in ran.err
    assert midog(*words, "--data", tmp_path).code == 2
    assert "no ground truth of the challenge" in one_line(
        midog("submission", "check", folder, "--truth", truth)
    )
