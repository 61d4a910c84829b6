"""`midog infer` as typed: models and images that cannot be used."""

from __future__ import annotations

import csv
import json
import math
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

from midog.formats.registry import FORMATS
from tests.planted import PLACES
from tests.spoiled import copy, one_line


def test_help_lists_the_formats_there_are(midog, monkeypatch):
    monkeypatch.setitem(FORMATS, "toy", replace(FORMATS["csv"], words="a toy's table"))
    text = midog("infer", "--help").out
    assert "\nFormats:\n  challenge  " in text
    assert re.search(r"\n  toy +a toy's table\n", text)
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


def test_names_and_figures_have_a_tab_between_them(midog, model, phantom, tmp_path):
    ran = midog("infer", phantom / "images" / "001.tiff", "--model", model, "--out", tmp_path)
    assert re.fullmatch(r"001\.tiff\t\d+ mitotic figures\n", ran.out)


def test_case_folders_are_inferred_and_scored(midog, model, phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["01/01.tif", "02/01.tif"]
    for name in names:
        (tmp_path / "d" / "images" / name).parent.mkdir(parents=True)
        shutil.copy(phantom / "images" / "001.tiff", tmp_path / "d" / "images" / name)
    rows = "".join(f"{name},20,20,mitosis\n" for name in names)
    Path("d/points.csv").write_text(f"file_name,x,y,label\n{rows}")
    places = "".join(f"{name},S,p{name[:2]},test,0.25\n" for name in names)
    Path("d/split.csv").write_text(f"file_name,scanner,patient,split,mpp\n{places}")
    for words in (["d"], ["d", "--subset", "test"]):
        ran = midog("infer", *words, "--model", model, "--out", "out", "--threshold", 0.1)
        assert ran.code == 0, ran.err
    assert "2 were done before" in ran.err
    assert all(Path("out", f"{case}/01.json").is_file() for case in ("01", "02"))
    ran = midog("evaluate", "out", "--data", "d", "--resamples", 0, "--json")
    assert ran.code == 0, ran.err
    assert [roi["file_name"] for roi in json.loads(ran.out)["rois"]] == names


def test_every_kind_of_bad_image_is_named_and_the_others_are_done(
    midog, model, phantom, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    images = copy(phantom / "images", tmp_path / "rois")
    whole = (images / "003.tiff").read_bytes()
    bad = {
        "empty.tiff": b"",
        "cut.tiff": whole[: len(whole) // 3],
        "text.svs": b"hello",
        "half.jpg": b"\xff\xd8\xff\xe0" + bytes(20),
    }
    for name, content in bad.items():
        (images / name).write_bytes(content)
    (images / "gone.png").symlink_to("nowhere.png")
    (images / os.fsdecode(b"n\xff.tiff")).write_bytes(whole)
    formats = ("--format", "challenge,csv,coco,overlay")
    ran = midog("infer", images, "--model", model, "--out", "out", *formats)
    assert ran.code == 1
    last = ran.err.splitlines()[-1]
    assert last.startswith("error: 5 of 16 images failed: ")
    for name in (*bad, "gone.png"):
        assert name in last
        assert sum(name in line for line in ran.err.splitlines()) == 2, "and why, before it"
    assert len(ran.out.splitlines()) == 11
    assert "unexpected" not in ran.err


def test_a_damaged_output_is_made_anew(midog, model, phantom, tmp_path):
    words = ("infer", phantom, "--subset", "test", "--model", model, "--out", tmp_path)
    words = (*words, "--format", "challenge,overlay")
    assert midog(*words).code == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    stems = sorted(path.stem for path in before if path.suffix == ".json" and path.stem[0] != ".")
    damaged = [tmp_path / f"{stems[0]}.json", tmp_path / f"{stems[1]}.overlay.jpg"]
    damaged.append(tmp_path / f"{stems[2]}.json")
    for path, content in zip(damaged, (b"", before[damaged[1]][:-1], b"{"), strict=True):
        path.write_bytes(content)
    ran = midog(*words)
    assert ran.code == 0, ran.err
    assert all(f"{path} is damaged" in ran.err for path in damaged)
    assert {path: path.read_bytes() for path in before} == before


def test_um_per_px_that_no_microscope_has_are_an_error_and_a_large_factor_is_said(
    midog, model, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name, mpp in {"a": 2.5, "b": 25, "c": 0.001, "d": 352.8}.items():
        cm = (1e4 / mpp, 1e4 / mpp)
        pixels = np.full((40, 50, 3), 220, np.uint8)
        options = {"resolution": cm, "resolutionunit": "CENTIMETER", "photometric": "rgb"}
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels, **options)
    ran = midog("infer", tmp_path, "--model", model, "--device", "cpu")
    assert ran.code == 1
    assert "a.tif: at 2.5 um per px it is enlarged 10-fold for the model's 0.25" in ran.err
    for line in (
        "b.tif: mpp 25 (its TIFF resolution) is out of range, 0.05 to 5 um per px; give --mpp",
        "c.tif: mpp 0.001 (its TIFF resolution) is out of range",
        "d.tif: its mpp (um per px) is unknown (its TIFF resolution states 71.9955 dpi",
    ):
        assert line in ran.err
    assert [path.name for path in (tmp_path / "detections").glob("[a-d].json")] == ["a.json"]
    ran = midog("infer", tmp_path, "--model", model, "--device", "cpu", "--mpp", "0.25")
    assert ran.code == 0
    assert "b.tif: 0.25 um per px, as given by you" in ran.err
    for wrong in ("25", "0.001", "0", "nan"):
        ran = midog("infer", tmp_path / "a.tif", "--model", model, "--mpp", wrong)
        assert ran.code == 2
        reason = "mpp is 'nan'" if wrong == "nan" else f"mpp {wrong} is out of range, 0.05 to 5 um"
        assert f"Error: Invalid value for --mpp: {reason}" in ran.err


@pytest.mark.slow
def test_atypical_figures_are_told_in_files_and_counts(
    midog, planted, classifier, dark_spots, tmp_path
):
    image, out = planted / "data" / "images" / "007.tiff", tmp_path / "out"
    words = ("infer", image, "--model", planted / "detector", "--device", "cpu", "--out", out)
    formats = ("--format", "challenge,csv,coco,geojson,hotspot,hotspot.csv")
    ran = midog(*words, *formats, "--atypical", classifier)
    assert ran.code == 0, ran.err
    assert ran.out == "007.tiff\t6 mitotic figures, 3 atypical\n"
    assert "label 1 is taken for atypical" in ran.err
    assert "32 px of 0.25 um, threshold" in ran.err
    with (out / "007.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    purple = {place for number, place in enumerate(PLACES) if not number % 2}
    told = {(round(float(row["x"])), round(float(row["y"]))): row["kind"] for row in rows}
    near = {place: min(told, key=lambda own: math.dist(own, place)) for place in PLACES}
    for place, own in near.items():
        assert told[own] == ("atypical" if place in purple else "normal")
    features = json.loads((out / "007.geojson").read_text())["features"]
    names = [one["properties"]["classification"]["name"] for one in features]
    assert sorted(names) == ["atypical mitotic figure"] * 3 + ["normal mitotic figure"] * 3
    kinds = [one["kind"] for one in json.loads((out / "007.coco.json").read_text())["annotations"]]
    assert kinds == [row["kind"] for row in rows]
    assert json.loads((out / "007.hotspot.json").read_text())["atypical"] == 3
    points = json.loads((out / "007.json").read_text())["points"]
    assert {len(point) for point in points} == {3}, "the challenge takes no further keys"
    assert "were done before" in midog(*words, *formats, "--atypical", classifier).err
    assert "made with another atypical" in one_line(midog(*words, *formats))
    assert "of task detection" in one_line(
        midog(*words[:-1], tmp_path / "b", "--atypical", planted / "detector")
    )
    assert not (tmp_path / "b").exists()
