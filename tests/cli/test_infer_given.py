"""`midog infer` with shards, patterns, manifests and um/px as typed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from midog.inference.image_identity import digest_of_file
from tests.inference.test_killed_shards import contents


def test_shards_fill_one_folder_as_one_process_does(midog, model, phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(phantom / "images", tmp_path / "rois")
    words = ("infer", "rois/0*.tiff", "--model", model, "--device", "cpu", "--mpp", "0.25")
    words = (*words, "--format", "challenge,overlay")
    assert midog(*words, "--out", "one").code == 0
    lines = []
    for number in (2, 3, 1):
        ran = midog(*words, "--out", "rois", "--shard", f"{number}/3")
        assert ran.code == 0, ran.err
        lines.append(ran.err.splitlines()[-1])
    images = len(list((tmp_path / "rois").glob("0*.tiff")))
    assert lines[-1] == f"shard 1/3: {images} of the {images} images of all shards are done by now"
    assert lines[0].startswith("shard 2/3: ")
    both = contents(tmp_path / "rois")
    assert {name: both[name] for name in contents(tmp_path / "one")} == contents(tmp_path / "one")
    ran = midog(*words, "--out", "rois", "--shard", "1/3", "--threshold", 0.9)
    assert "holds detections made with another threshold" in ran.err
    beyond = midog(*words, "--out", "rois", "--shard", "99/99")
    assert beyond.code == 0
    assert "0 images done" in beyond.err


def test_images_of_one_name_in_different_shards_are_refused(midog, model, phantom, tmp_path):
    first = tmp_path / "a"
    first.mkdir()
    for ending in (".tif", ".tiff"):
        shutil.copy(phantom / "images" / "001.tiff", first / f"x{ending}")
    for number in (1, 2):
        ran = midog(
            "infer", first, "--model", model, "--out", tmp_path / "o", "--shard", f"{number}/2"
        )
        assert ran.code == 1
        assert "would both be written as x.json" in ran.err
    assert not (tmp_path / "o").exists()


def test_overwriting_shards_take_the_folder_over_once(midog, model, phantom, tmp_path):
    words = ("infer", phantom / "images", "--model", model, "--out", tmp_path / "o")
    assert midog(*words).code == 0
    words = (*words, "--threshold", 0.2, "--overwrite")
    assert midog(*words, "--shard", "1/2").code == 0
    done = {path.name for path in (tmp_path / "o").glob("0*.json")}
    assert 0 < len(done) < len(list((phantom / "images").iterdir()))
    kept = {name: digest_of_file(tmp_path / "o" / name) for name in done}
    ran = midog(*words, "--shard", "2/2")
    assert ran.code == 0, ran.err
    assert {name: digest_of_file(tmp_path / "o" / name) for name in done} == kept
    assert len(list((tmp_path / "o").glob("0*.json"))) == len(list((phantom / "images").iterdir()))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("--shard", "9/8"), "Error: Invalid value for --shard: shard 9/8 is out of range; give K"),
        (("--shard", "x"), "Error: Invalid value for --shard: shard 'x' is not K/N; give the"),
        (("--mpp", "0,25"), "Error: Invalid value for --mpp: mpp is '0,25'; write um per px as"),
        (("--mpp", "40"), "Error: Invalid value for --mpp: mpp 40 is out of range, 0.05 to 5 um"),
        (("--mpp", "0.25/9"), "Error: Invalid value for --mpp: mpp 0.25 x 9 is out of range"),
    ],
)
def test_a_wrong_value_is_a_wrong_command_line(midog, phantom, words, line):
    ran = midog("infer", phantom, *words)
    assert ran.code == 2
    assert ran.err.splitlines()[-1].startswith(line)


def test_a_manifest_as_typed(midog, model, phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = phantom / "images" / "001.tiff"
    Path("slides.csv").write_text(f"path,mpp,scanner,patient\n{image},0.25/0.28,XR,p1\n")
    words = ("infer", "slides.csv", "--model", model, "--device", "cpu")
    ran = midog(*words)
    assert ran.code == 0, ran.err
    assert "0.25 x 0.28 um per px, as slides.csv line 2 states, though its" in ran.err
    assert "Hamamatsu XR: 1 images done" in ran.err
    assert "1 were done before" in midog(*words).err
    Path("slides.csv").write_text(f"path,mpp\n{image},0.25\n")
    assert "1 images done" in midog(*words).err, "another um/px is done again"
    Path("slides.csv").write_text("path,mpp\n001.tif,0.25\n")
    ran = midog(*words)
    assert ran.code == 1
    assert ran.err == (
        "error: slides.csv line 2: 001.tif does not exist; relative paths are from ./\n"
    )


def test_a_threshold_of_an_area_needs_the_area(midog, model, phantom):
    ran = midog("infer", phantom / "images", "--model", model, "--within-threshold", 0.4)
    assert ran.code == 2
    assert "--within" in ran.err


def test_a_detector_is_no_area(midog, model, phantom, tmp_path):
    words = ["--model", model, "--within", model, "--out", tmp_path / "out"]
    ran = midog("infer", phantom / "images", *words)
    assert ran.code == 1
    assert "of task detection" in ran.err
