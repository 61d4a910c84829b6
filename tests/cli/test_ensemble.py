"""`midog ensemble make` and what `midog infer` does with several models and orientations."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from midog.inference.detector import Detector
from tests.spoiled import one_line


@pytest.fixture
def models(model: Path, tmp_path: Path) -> list[Path]:
    """Copies of a run, of which the second has other weights."""
    import torch

    folders = [tmp_path / "runs" / name for name in ("a", "b")]
    for folder in folders:
        shutil.copytree(model, folder, symlinks=True)
    detector = Detector.load(folders[1], device="cpu", threshold=0.9)
    with torch.no_grad():
        detector.model.head.classification_head.cls_logits.bias += 0.5
    shutil.rmtree((folders[1] / "best").resolve())
    detector.save(folders[1] / "best")
    return folders


def test_an_ensemble_is_made_tuned_and_detects(midog, models, phantom, tmp_path: Path) -> None:
    named = [word for folder in models for word in ("--model", folder)]
    out = tmp_path / "ensemble"
    ran = midog("ensemble", "make", *named, "--out", out)
    assert (ran.code, ran.out) == (0, f"{out}\n")
    assert "the mean of the models' own" in ran.err
    ran = midog("ensemble", "make", *named, "--out", out, "--data", phantom, "--device", "cpu")
    assert ran.code == 0, ran.err
    card = json.loads((out / "model.json").read_text())
    assert card["tuned"] == {"goal": "best F1", "subset": "val", "rois": 2}
    image = phantom / "images" / "001.tiff"
    words = ("infer", image, "--device", "cpu", "--out")
    ran = midog(*words, tmp_path / "one", "--model", out)
    assert f"threshold {card['threshold']:.3f} (best F1 on 2 val ROIs)" in ran.err
    assert "2 models in 1 orientation: 2 times the work of one" in ran.err
    assert "ms per megapixel" in ran.err
    assert "was not chosen" not in ran.err
    ran = midog(*words, tmp_path / "two", *named, "--orientations", 2)
    assert "2 models in 2 orientations: 4 times the work of one" in ran.err
    assert "this threshold was not chosen for scores that are merged like this" in ran.err
    again = midog(*words, tmp_path / "two", *named, "--orientations", 2)
    assert "1 were done before" in again.err
    assert "another threshold, members, orientations, merge" in one_line(
        midog(*words, tmp_path / "two", *named[:2])
    )


def test_what_cannot_be_made_gets_one_line(midog, models, tmp_path: Path) -> None:
    first, second = models
    out = tmp_path / "out"
    make = ("ensemble", "make", "--out", out)
    assert "at least two models; give --model" in one_line(midog(*make, "--model", first))
    twice = ("--model", first, "--model", first / "best")
    assert "are one model" in one_line(midog(*make, *twice))
    both = ("--model", first, "--model", second)
    taken = one_line(midog("ensemble", "make", "--out", first, *both))
    assert "exists and is no ensemble; choose another --out" in taken
    assert midog(*make, *both, "--orientations", 8).code == 2
    assert not out.exists()
    assert midog(*make, *both, "--data", tmp_path / "none").code == 1
    assert not out.exists()


def test_other_numbers_of_orientations_get_one_line(midog, model, phantom) -> None:
    ran = midog("infer", phantom, "--model", model, "--orientations", 3)
    assert "3 orientations are out of range; choose --orientations among 1, 2, 4, 8" in one_line(
        ran
    )
