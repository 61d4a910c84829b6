"""Figures counted inside tumour alone, by the heat map of a classifier."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from midog.errors import ConfigError, ImageError
from midog.heatmap.tumour_area import TumourArea
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.jobs import Job
from midog.inference.patch_classifier import PatchClassifier
from midog.inference.tissue_tiles import TissueSearch
from tests.heatmap.drawn import MPP, TUMOUR, classifier, slide, write
from tests.inference.small import CONFIG
from tests.inference.squares import Squares


@pytest.fixture
def model(tmp_path, monkeypatch) -> Path:
    """Whatever model is named is the classifier of `tests.heatmap.drawn`."""
    own = classifier(tmp_path / "model")
    monkeypatch.setattr(PatchClassifier, "load", lambda folder, device: own)
    return tmp_path / "model"


def with_figures() -> tuple[np.ndarray, int]:
    """The slide with dark squares of 10 px every 61 px; how many have their centre in tumour."""
    pixels, inside = slide(), 0
    x1, y1, x2, y2 = TUMOUR
    pixels[y1:y2, x1:x2] += 60  # the detector takes what is darker for a figure
    for y in range(150, 700, 61):
        for x in range(215, 1080, 61):
            pixels[y : y + 10, x : x + 10] = 20
            inside += x1 <= x + 5 < x2 and y1 <= y + 5 < y2
    return pixels, inside


def count(out: Path, job: Job, search: TissueSearch) -> int:
    outcome = infer([job], Detector(Squares(), CONFIG, device="cpu"), out, tissue=search)
    assert outcome.failed == {}
    return outcome.figures[job.name]


def test_figures_are_counted_inside_tumour_alone(tmp_path, model, caplog):
    pixels, inside = with_figures()
    job = Job(write(tmp_path / "a.tif", pixels), mpp=MPP)
    everywhere = count(tmp_path / "all", job, TissueSearch())
    out = tmp_path / "out"
    area = TumourArea(model, out / "heatmaps", device="cpu")
    with caplog.at_level(logging.INFO, "midog"):
        within = count(out, job, TissueSearch(within=area))
    assert within == inside
    assert everywhere > 2 * within
    assert "is tumour" in caplog.text
    assert (out / "heatmaps" / "a.heatmap.png").is_file()
    assert (out / "a.tissue.png").is_file()


def test_the_record_states_model_and_threshold(model, tmp_path):
    stated = TissueSearch(within=TumourArea(model, tmp_path, 0.7)).settings()
    assert stated["within"]["threshold"] == 0.7
    assert TissueSearch(within=TumourArea(model, tmp_path)).settings()["within"] == {
        "model": stated["within"]["model"],
        "threshold": 0.5,
    }


def test_a_slide_without_tumour_is_an_error_that_names_its_map(tmp_path, model):
    job = Job(write(tmp_path / "a.tif", slide(tumour=False)), mpp=MPP)
    area = TumourArea(model, tmp_path / "maps")
    with pytest.raises(ImageError, match=r"a\.tif: no tumour: nothing in .*a\.heatmap\.tif"):
        area.mask(job.path, job.name, job.mpp, TissueSearch())
    glass = write(tmp_path / "glass.tif", np.full((700, 700, 3), 245, np.uint8))
    with pytest.raises(ImageError, match="no tissue"):
        area.mask(glass, "glass.tif", MPP, TissueSearch("auto"))


def test_a_threshold_out_of_range_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="give within_threshold from 0 to 1"):
        TumourArea(tmp_path, tmp_path, 1.5)
