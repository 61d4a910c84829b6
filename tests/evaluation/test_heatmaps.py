"""Heat maps scored: px, lesions, slides, thresholds; alike whatever the map's px."""

from __future__ import annotations

import math

import numpy as np
import pytest

from midog.errors import DataError
from midog.evaluation.heatmaps import ScoredMap, choose_threshold, evaluate_heatmaps
from midog.heatmap.heat_map import HeatMap
from midog.mpp import Mpp
from midog.tissue.qupath_areas import Area
from midog.tumour.read import truth_of_areas
from midog.tumour.truth import no_tumour

SIZE = (8000, 6000)
LESIONS = [(1000, 1000, 3000, 2600), (5000, 3200, 7000, 5000)]


def truth(boxes=LESIONS):
    rings = [np.array([[a, b], [c, b], [c, d], [a, d]], float) for a, b, c, d in boxes]
    return truth_of_areas([Area((ring,), False) for ring in rings], SIZE, "drawn")


def heat_map(scores: dict[tuple[int, int, int, int], float], step: int = 100) -> HeatMap:
    """0.02 but for boxes, level-0 px; the first 4000 px of the last 1000 rows are glass."""
    values = np.full((SIZE[1] // step, SIZE[0] // step), 0.02, np.float32)
    for (x1, y1, x2, y2), score in scores.items():
        values[y1 // step : y2 // step, x1 // step : x2 // step] = score
    values[5000 // step :, : 4000 // step] = np.nan
    return HeatMap(values, (1 / step, 1 / step), SIZE, Mpp.of(0.25), "tumour", 0.5, "the model's")


GOOD = {LESIONS[0]: 0.9, LESIONS[1]: 0.6, (4000, 200, 4200, 400): 0.7, (200, 200, 400, 400): 0.1}


def scored(name: str, scores: dict, boxes=LESIONS, step: int = 100) -> ScoredMap:
    own = heat_map(scores, step)
    return ScoredMap.of(name, own, truth(boxes) if boxes else no_tumour(SIZE))


@pytest.mark.parametrize("step", [50, 100, 200])
def test_px_lesions_and_slides_of_a_good_map(step):
    maps = [scored("a", GOOD, step=step), scored("b", {}, boxes=[], step=step)]
    result = evaluate_heatmaps(maps, threshold=0.5, class_name="tumour", resamples=0)
    scores = {key: one.value for key, one in result.scores.items()}
    area = 2000 * 1600 + 2000 * 1800
    assert scores["recall"] == 1
    assert scores["precision"] == pytest.approx(area / (area + 200 * 200))
    assert result.counts.prevalence == pytest.approx(area / (2 * (48e6 - 4e6)), rel=1e-6)
    assert scores["pixel_auc"] > 0.999
    assert scores["slide_auc"] == 1
    # the false alarm lies between both lesions, and is 0.5 a slide
    assert (result.froc.lesions, result.froc.slides) == (2, 2)
    assert result.froc.sensitivities == pytest.approx((0.5, 1, 1, 1, 1, 1))
    first, second = result.slides
    assert (first.lesions, first.hit, first.has_tumour) == (2, 2, True)
    assert (second.lesions, second.peaks, second.has_tumour) == (0, 0, False)
    assert math.isnan(second.auc)
    assert math.isnan(result.scores["froc"].low)


def test_a_missed_lesion_and_a_false_alarm_cost_what_they_should():
    missed = scored("a", {LESIONS[0]: 0.9, (4000, 200, 4200, 400): 0.95})
    result = evaluate_heatmaps([missed], threshold=0.5, class_name="tumour", resamples=0)
    assert result.slides[0].hit == 1
    assert result.slides[0].false_positives == 1
    # one false alarm ranks above all: half of the lesions from 1 false positive a slide on
    assert result.froc.sensitivities == pytest.approx((0, 0, 0.5, 0.5, 0.5, 0.5))
    assert result.counts.recall == pytest.approx(2000 * 1600 / (2000 * 1600 + 2000 * 1800))


def test_tumour_that_was_left_out_as_glass_is_missed():
    boxes = [(1000, 5000, 3000, 6000)]
    result = evaluate_heatmaps(
        [scored("a", {}, boxes)], threshold=0.5, class_name="tumour", resamples=0
    )
    assert (result.counts.tp, result.counts.fn) == (0, 200)
    assert result.scores["froc"].value == 0


def test_the_threshold_of_highest_dice_lies_between_what_is_tumour_and_what_is_not():
    fooled = {LESIONS[0]: 0.9, LESIONS[1]: 0.7, (3500, 200, 4900, 2600): 0.6}
    assert 0.6 < choose_threshold([scored("a", fooled)]) < 0.7
    with pytest.raises(DataError, match="none of the slides"):
        choose_threshold([scored("a", fooled, boxes=[])])


def test_intervals_are_drawn_over_slides():
    maps = [
        scored("a", GOOD),
        scored("b", {LESIONS[0]: 0.4}),
        scored("c", {}, []),
        scored("d", {(0, 0, 500, 500): 0.8}, []),
    ]
    result = evaluate_heatmaps(maps, threshold=0.5, class_name="tumour", resamples=150, seed=1)
    for key in ("recall", "froc", "pixel_auc", "specificity"):
        score = result.scores[key]
        assert score.low <= score.value <= score.high
        assert score.low < score.high
    again = evaluate_heatmaps(maps, threshold=0.5, class_name="tumour", resamples=150, seed=1)
    assert again.scores == result.scores
