"""A verified detector: joint scores of class 1, the floor, the order, and what is recorded."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from midog.boxes import Detections
from midog.errors import ConfigError
from midog.inference.detector import Detector
from midog.inference.score_rule import ScoreRule
from midog.inference.verified import VerifiedDetector, identity_of, with_scores
from midog.inference.verifier import Verifier, build_classifier
from midog.training.tasks.registry import VerifySettings
from tests.inference.small import CONFIG, same

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def detector(retinanet) -> Detector:
    return Detector(retinanet, CONFIG, threshold=0.4, device="cpu", floor=0.3)


@pytest.fixture(scope="module")
def verifier(detector) -> Verifier:
    torch.manual_seed(0)
    settings = VerifySettings(body="own", maps=1)
    network, rule = build_classifier(settings).for_inference(), ScoreRule(0.1, 0.9, 2.0)
    return Verifier(network, 64, "mirrored", 0.25, rule, 0.6, identity_of(detector.settings()), CPU)


def test_each_detection_has_the_joint_score_and_the_best_comes_first(detector, verifier, roi):
    roi = roi[:240, :240]
    alone = detector(roi, mpp=0.25)
    assert len(alone) > 3
    both = VerifiedDetector(detector, verifier)
    verified = both(roi, mpp=0.25)
    with both.open(roi, mpp=0.25) as opened:
        logits = verifier.logits(opened.image, opened.mpp, alone.centers)
    scores = verifier.rule(alone.scores, logits)
    keep = scores > 0.3
    pairs = zip(alone.boxes[keep].tolist(), scores[keep].tolist(), strict=True)
    expected = {tuple(box): score for box, score in pairs}
    pairs = zip(verified.boxes.tolist(), verified.scores.tolist(), strict=True)
    assert {tuple(box): score for box, score in pairs} == expected
    assert verified.scores.tolist() == sorted(verified.scores.tolist(), reverse=True)
    assert both.crops == len(alone)
    assert f"{len(alone)} crops in" in both.cost
    assert same(both(roi, mpp=0.25), verified)


def test_class_2_keeps_its_scores_and_the_floor_holds_for_all():
    boxes = np.arange(16, dtype=np.float32).reshape(4, 4)
    some = Detections(boxes, [0.9, 0.8, 0.7, 0.6], [1, 2, 1, 1])
    kept = with_scores(some, np.array([0.5, 0.8, 0.05, 0.6], np.float32), 0.05)
    assert kept.scores.tolist() == pytest.approx([0.8, 0.6, 0.5])
    assert kept.labels.tolist() == [2, 1, 1]
    assert kept.boxes.tolist() == [boxes[1].tolist(), boxes[3].tolist(), boxes[0].tolist()]
    assert len(with_scores(Detections(), np.zeros(0, np.float32), 0.05)) == 0


def test_the_record_holds_both_and_another_verifier_is_another_record(detector, verifier):
    record = VerifiedDetector(detector, verifier).settings()
    assert record["threshold"] == 0.6
    assert {**detector.settings(), "threshold": 0.6} == {
        key: value for key, value in record.items() if key != "verifier"
    }
    for changed in (
        replace(verifier, rule=ScoreRule(0.1, 0.9, 2.1)),
        replace(verifier, border="white"),
        replace(verifier, network=build_classifier(VerifySettings(maps=1)).for_inference()),
    ):
        assert VerifiedDetector(detector, changed).settings() != record
    asked = VerifiedDetector(detector, verifier, threshold=0.25)
    assert asked.threshold == asked.settings()["threshold"] == 0.25
    with pytest.raises(ConfigError, match=r"threshold 1\.5 is not a score"):
        VerifiedDetector(detector, verifier, threshold=1.5)


def test_a_rule_of_another_detector_is_warned_of(detector, verifier, retinanet, caplog):
    same_one = Detector(retinanet, CONFIG, threshold=0.9, device="cpu", tile=320, floor=0.2)
    VerifiedDetector(same_one, verifier)
    assert not caplog.records, "another threshold, tile or floor is the same detector"
    VerifiedDetector(detector, replace(verifier, detector="f" * 16))
    assert "fitted for another detector" in caplog.text


def test_nested_settings_of_an_ensemble_count_too():
    members = {"members": [{"weights": "a", "tile": 256}, {"weights": "b", "tile": 256}]}
    other_tiles = {"members": [{"weights": "a", "tile": 512}, {"weights": "b", "tile": 512}]}
    other = {"members": [{"weights": "a"}, {"weights": "c"}]}
    assert identity_of(members) == identity_of(other_tiles)
    assert identity_of(members) != identity_of(other)


def test_an_ensemble_is_looked_at_like_one_detector(detector, verifier, retinanet, roi, caplog):
    """Its detections are fused first; a rule that was fitted for one of its models is warned of."""
    other = copy.deepcopy(retinanet)
    with torch.no_grad():
        next(iter(other.head.parameters())).mul_(1.01)
    second = Detector(other, CONFIG, threshold=0.4, device="cpu", floor=0.3)
    options = {"device": "cpu", "floor": 0.3, "merged_with": [second]}
    ensemble = Detector(retinanet, CONFIG, **options)
    both = VerifiedDetector(ensemble, verifier)
    assert "fitted for another detector" in caplog.text
    assert (both.views, both.threshold) == (2, 0.6)
    roi = roi[:240, :240]
    fused, verified = ensemble(roi, mpp=0.25), both(roi, mpp=0.25)
    assert both.crops == len(fused) > 0
    assert {tuple(box) for box in verified.boxes.tolist()} <= {
        tuple(box) for box in fused.boxes.tolist()
    }
    own = replace(verifier, detector=identity_of(ensemble.settings()))
    caplog.clear()
    assert same(VerifiedDetector(ensemble, own)(roi, mpp=0.25), verified)
    assert not caplog.records
