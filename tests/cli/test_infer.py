"""`midog infer` as typed: models and images that cannot be used."""

from __future__ import annotations

import shutil
from dataclasses import replace

import torch
from PIL import Image

from midog.formats.registry import FORMATS
from tests.spoiled import copy, one_line


def test_help_lists_the_formats_there_are(midog, monkeypatch):
    monkeypatch.setitem(FORMATS, "toy", replace(FORMATS["csv"], words="a toy's table"))
    text = midog("infer", "--help").out
    assert "\nFormats:\n  challenge  " in text
    assert "\n  toy        a toy's table\n" in text
    assert f"commas: {', '.join(FORMATS)}." in " ".join(text.split())


def test_a_bad_model_folder_gets_one_line(midog, model, phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, spoil in {
        "corrupt": lambda folder: (folder / "model.safetensors").write_bytes(b"\0" * 100),
        "pickled": lambda folder: torch.save({}, folder / "model.safetensors"),
        "card": lambda folder: (folder / "model.json").write_text("{}"),
    }.items():
        shutil.copytree(model / "best", tmp_path / name)
        spoil(tmp_path / name)
        assert name in one_line(
            midog("infer", phantom, "--subset", "test", "--model", name, "--device", "cpu")
        )
    assert not (tmp_path / "detections").exists()


def test_in_a_batch_one_bad_image_is_reported_at_the_end_and_the_others_are_done(
    midog, model, phantom, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    images = copy(phantom / "images", tmp_path / "rois")
    (images / "002.tiff").write_bytes(b"no image")
    Image.new("RGB", (80, 80)).save(images / "plain.png")
    ran = midog("infer", images, "--model", model, "--device", "cpu")
    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith("error: 2 of 11 images failed: 002.tiff, plain.png")
    assert "--mpp" in ran.err
    assert len(list((tmp_path / "detections").glob("0*.json"))) == 9
