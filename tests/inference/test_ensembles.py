"""Ensembles and orientations of a Detector: what they detect, and how their folders of detections
know them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from midog.boxes import Detections
from midog.config.load import parse_config
from midog.errors import ConfigError, DetectionsError, WeightsError
from midog.inference.batch import infer
from midog.inference.detector import Detector
from midog.inference.jobs import find_jobs
from tests.inference.small import CONFIG, same
from tests.inference.squares import Squares
from tests.inference.test_opened_image import HALF
from tests.inference.test_views import pixels


def squares(gain: float = 1.0, config: Any = CONFIG, **settings: Any) -> Detector:
    return Detector(Squares(gain), config, device="cpu", **settings)


@pytest.mark.parametrize("orientations", [1, 2, 8])
def test_figures_of_models_of_two_mpp_are_those_of_the_image(orientations: int) -> None:
    detector = squares(orientations=orientations, merged_with=[squares(0.5, HALF)])
    detections = detector(pixels(), mpp=0.25)
    expected = [[20, 30, 40, 52], [200, 100, 220, 122], [228, 230, 248, 252], [350, 450, 370, 472]]
    assert np.abs(detections.boxes - expected).max() <= 2
    means = (1 - np.array([0, 10, 20, 30]) / 255) * 0.75
    assert detections.scores == pytest.approx(means, abs=0.02)


def test_in_all_orientations_a_slanted_network_sees_all_sides_alike() -> None:
    """What is known of one quarter is known of all: scores are those of the mean of the eight."""
    image = np.full((256, 256, 3), 230, np.uint8)
    for x, y in ((30, 50), (198, 50), (30, 178), (198, 178)):
        image[y : y + 28, x : x + 28] = 0
    slanted = Detector(Squares(slant=0.5), CONFIG, device="cpu", orientations=8)
    scores = slanted(image, mpp=0.25).scores
    assert len(scores) == 4
    assert scores == pytest.approx(scores[0])
    once = Detector(Squares(slant=0.5), CONFIG, device="cpu")(image, mpp=0.25).scores
    assert np.ptp(once) > 0.1


def test_the_same_bytes_whatever_the_workers_and_the_order() -> None:
    rng, image = np.random.default_rng(0), np.full((700, 600, 3), 230, np.uint8)
    for x, y in rng.integers(0, 570, (60, 2)):
        image[y : y + 22, x : x + 20] = rng.integers(0, 120)

    def detect(first: float, second: float, workers: int) -> Detections:
        other = Detector(Squares(second, slant=second / 2), CONFIG, device="cpu")
        own = Squares(first, slant=first / 2)
        return Detector(
            own, CONFIG, device="cpu", workers=workers, orientations=4, merged_with=[other]
        )(image, mpp=0.25)

    reference = detect(1.0, 0.7, workers=0)
    assert len(reference) > 30
    assert same(detect(1.0, 0.7, workers=3), reference)
    assert same(detect(0.7, 1.0, workers=1), reference)


def test_each_set_of_models_and_orientations_has_settings_of_its_own() -> None:
    settings = [
        squares(
            gain, orientations=number, merged_with=[squares(other) for other in others]
        ).settings()
        for gain, number, others in (
            (1.0, 1, []),
            (0.5, 1, []),
            (1.0, 2, []),
            (1.0, 8, []),
            (1.0, 1, [0.5]),
            (1.0, 8, [0.5]),
        )
    ]
    again = squares(0.5, merged_with=[squares(1.0)]).settings()
    assert again == settings[4], "the order does not matter"
    assert all(a != b for n, a in enumerate(settings) for b in settings[:n])
    assert settings[0].keys() == {
        "weights",
        "class_names",
        "nms_iou",
        "tile",
        "threshold",
        "overlap",
        "precision",
        "floor",
        "mpp",
    }


def test_detections_of_others_are_never_resumed(images: Path, tmp_path: Path) -> None:
    out, jobs = tmp_path / "out", find_jobs([images])
    detectors = [
        squares(orientations=2, merged_with=[squares(0.5)]),
        squares(orientations=2),
        squares(merged_with=[squares(0.5)]),
        squares(),
    ]
    for detector in detectors:
        infer(jobs, detector, out, overwrite=True)
        assert len(infer(jobs, detector, out).skipped) == 2
        for other in detectors:
            if other is not detector:
                with pytest.raises(
                    DetectionsError, match=r"another .*(orientations|members|weight)"
                ):
                    infer(jobs, other, out)


def test_time_is_counted_by_the_pixels_of_the_image(images: Path, tmp_path: Path) -> None:
    outcome = infer(find_jobs([images]), squares(), tmp_path / "out")
    assert {name: spent.pixels for name, spent in outcome.spent.items()} == {
        "a.tiff": 120 * 150,
        "b.tiff": 120 * 150,
    }
    total = sum(spent.seconds for spent in outcome.spent.values())
    assert outcome.ms_per_megapixel == pytest.approx(total * 1e3 / 0.036)
    assert np.isnan(infer(find_jobs([images]), squares(), tmp_path / "out").ms_per_megapixel)


def test_what_is_refused(tmp_path: Path) -> None:
    two_classes = squares(class_names=("mitotic figure", "imposter"))
    with pytest.raises(ConfigError, match=r"classes .* cannot be merged"):
        squares(merged_with=[two_classes])
    with pytest.raises(ConfigError, match="3 orientations"):
        squares(orientations=3)
    with pytest.raises(WeightsError, match="midog ensemble make"):
        squares(merged_with=[squares(0.5)]).save(tmp_path / "out")


def test_a_floor_of_their_own_is_the_lowest_of_all() -> None:
    low = parse_config(CONFIG.to_dict() | {"inference": {"floor": 0.01}})
    settings = squares(merged_with=[squares(0.5, low)]).settings()
    assert settings["floor"] == 0.01
