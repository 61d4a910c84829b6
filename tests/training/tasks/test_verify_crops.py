"""The crops that a verifier is trained on: their places at any mpp, and their shares."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tifffile

from midog.boxes import Boxes, squares_around
from midog.config.load import load_config
from midog.data.candidates import OTHER_LABEL, Candidate
from midog.data.roi import Roi
from midog.errors import DataError
from midog.loading.rois import decode_rois
from midog.training.tasks.registry import VerifySettings
from midog.training.tasks.verify_crops import shares_of, training_crops, with_alarms

SETTINGS = VerifySettings(crop=32)


@pytest.fixture
def roi(tmp_path) -> Roi:
    path = tmp_path / "a.tiff"
    rng = np.random.default_rng(0)
    tifffile.imwrite(path, rng.integers(0, 255, (200, 300, 3), dtype=np.uint8))
    boxes = Boxes(squares_around(np.array([(100, 80), (50, 150)])), [1, 2])
    return Roi("a.tiff", 300, 200, boxes, path, mpp=0.25)


def crops_of(roi: Roi, *alarms: tuple[float, float], mpp: float = 0.25):
    listed = [Candidate("a.tiff", x, y, OTHER_LABEL) for x, y in alarms]
    config = load_config(None, [f"data.mpp={mpp}", "data.cache=false"])
    rois = with_alarms([roi], listed)
    return training_crops(decode_rois(rois, config.data, config.machine, 32), SETTINGS)


@pytest.mark.parametrize(("mpp", "scale"), [(0.25, 1.0), (0.5, 0.5), (0.125, 2.0)])
def test_figures_imposters_and_false_alarms_are_where_they_are_at_any_mpp(roi, mpp, scale):
    crops = crops_of(roi, (250.5, 20), (10, 190), mpp=mpp)
    assert crops.places.centres / scale == pytest.approx(
        np.array([(100, 80), (50, 150), (250.5, 20), (10, 190)])
    )
    assert crops.places.labels.tolist() == [1, 0, 0, 0]
    assert [group.tolist() for group in crops.draws.groups] == [[0], [1], [2, 3]]
    assert crops.draws.shares == pytest.approx([0.5, 0.2, 0.3])


def test_a_false_alarm_on_an_annotated_figure_is_left_out(roi, caplog):
    crops = crops_of(roi, (100, 110), (100, 110.5), (105, 80))
    assert crops.places.centres[2:].tolist() == [[100, 110.5]], "30 px are 7.5 um"
    assert "2 false alarms lie within 7.5 um of an annotated figure" in caplog.text


def test_a_candidate_outside_the_image_is_an_error(roi):
    with pytest.raises(DataError, match=r"1 candidates lie outside a\.tiff"):
        crops_of(roi, (20, 20), (301, 20))


def test_what_is_missing_gives_its_share_to_the_others(roi):
    assert shares_of([5, 0, 3], 0.5, 0.2) == [0.5, 0.0, 0.5]
    assert shares_of([5, 2, 0], 0.4, 0.2) == [0.4, 0.6, 0.0]
    with pytest.raises(DataError, match="no imposters and no false alarms"):
        shares_of([5, 0, 0], 0.5, 0.2)
    with pytest.raises(DataError, match="no figures"):
        shares_of([0, 1, 1], 0.5, 0.2)
    alone = crops_of(replace(roi, boxes=Boxes(roi.boxes.xyxy, [1, 1])), (250, 20))
    assert [group.tolist() for group in alone.draws.groups] == [[0, 1], [2]]
