"""A model adapted to images: written beside the first, blind to labels, with its provenance."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from midog.data.folder import read_rois
from midog.errors import DataError, WeightsError
from midog.images.image import open_image
from midog.inference.adapt import adapt, find_images_to_adapt_to, read_tiles
from midog.inference.detector import Detector
from midog.tiling import grid


def jobs_of(data: Path, role: str = "unlabelled"):
    return find_images_to_adapt_to([data], subset=role)


def test_tiles_cover_the_images_at_the_models_mpp_or_are_spread_evenly(phantom):
    jobs = jobs_of(phantom)
    with open_image(jobs[0].path) as image:
        corners = grid(image.width, image.height, 64, 0)
        first = [image.read(x, y, 64, 64) for x, y in corners.tolist()]
    whole = read_tiles(jobs, jobs[0].mpp or 0.25, 64, 4096)
    assert len(whole) == len(jobs) * len(corners)
    assert np.array_equal(whole[: len(corners)], np.stack(first))
    few = read_tiles(jobs, jobs[0].mpp or 0.25, 64, 5)
    spread = np.linspace(0, len(whole) - 1, 5).round().astype(int)
    assert np.array_equal(few, whole[spread])


def test_an_image_smaller_than_a_tile_is_white_beyond_it(phantom):
    tiles = read_tiles(jobs_of(phantom)[:1], 0.25, 512, 9)
    assert tiles.shape == (1, 512, 512, 3)
    assert (tiles[0, 300:] == 255).all()


def test_roles_and_scanners_choose_rois(phantom, caplog):
    everything = read_rois(phantom)
    (unlabelled,) = {roi.scanner for roi in everything if roi.split == "unlabelled"}
    of_role = jobs_of(phantom)
    of_scanner = find_images_to_adapt_to([phantom], scanner=unlabelled)
    assert [job.path for job in of_role] == [job.path for job in of_scanner]
    assert find_images_to_adapt_to([phantom / "images"]) != []
    with caplog.at_level(logging.WARNING):
        find_images_to_adapt_to([phantom], subset="train")
    assert "of several scanners (Phantom A, Phantom B)" in caplog.text
    with pytest.raises(DataError, match="no ROI is of scanner Phantom Z, only of Phantom A"):
        find_images_to_adapt_to([phantom], subset="train", scanner="Phantom Z")


@pytest.fixture(scope="module")
def adapted(model: Path, phantom: Path, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("adapted") / "model"
    adapt(model, jobs_of(phantom), out, scanner="Phantom D", tiles=6, device="cpu")
    return out


def test_the_model_is_another_with_its_provenance(adapted, model):
    card = json.loads((adapted / "model.json").read_text())
    before = json.loads((model / "best" / "model.json").read_text())
    facts = card["adapted"]
    assert facts["threshold"] == "not re-tuned"
    assert card["threshold"] == before["threshold"]
    assert (facts["scanner"], facts["tiles"], facts["tile"]) == ("Phantom D", 6, 64)
    assert facts["layers"] == sum("running_mean" in n for n in load_file(_weights(adapted)))
    assert "val" not in card, "these are scores of other weights"
    assert facts["from"]["val"] == before["val"]
    assert facts["from"]["weights"] == Detector.load(model).settings()["weights"]
    assert Detector.load(adapted).settings()["weights"] != facts["from"]["weights"]
    old, new = load_file(_weights(model / "best")), load_file(_weights(adapted))
    changed = {name for name in old if not torch.equal(old[name], new[name])}
    assert changed == {name for name in old if "running" in name}


def _weights(folder: Path) -> Path:
    return folder / "model.safetensors"


def test_labels_are_not_looked_at(phantom, tmp_path, model):
    outputs = []
    for kind in ("as they are", "moved"):
        data = shutil.copytree(phantom, tmp_path / kind)
        if kind == "moved":
            path = data / "annotations.json"
            tree = json.loads(path.read_text())
            for record in tree["annotations"]:
                record["bbox"] = [10, 10, 60, 60]
                record["category_id"] = 1
            path.write_text(json.dumps(tree))
        adapt(model, jobs_of(data, "test"), tmp_path / f"to {kind}", tiles=3, device="cpu")
        outputs.append(_weights(tmp_path / f"to {kind}").read_bytes())
    assert outputs[0] == outputs[1]


def test_the_model_itself_is_not_overwritten(model, phantom):
    with pytest.raises(WeightsError, match="is the model that is to be adapted; give another out"):
        adapt(model, jobs_of(phantom), model / "best", device="cpu")


def test_without_images_there_is_nothing_to_adapt_to(model, tmp_path):
    with pytest.raises(DataError, match="no images to adapt to"):
        adapt(model, [], tmp_path / "out", device="cpu")
