"""Each stage against its baseline: both sides do the work, and the rates are those of the times."""

from __future__ import annotations

from dataclasses import replace

import cv2
import pytest
import torch

from benchmarks.baselines.torchvision_network import PlainStep
from benchmarks.comparisons import sweep as sweep_comparison
from benchmarks.comparisons.forward import compare_forward
from benchmarks.comparisons.infer import agreement, compare_infer
from benchmarks.comparisons.samples import compare_samples
from benchmarks.comparisons.step import compare_step
from benchmarks.comparisons.sweep import compare_sweep
from midog.bench.forward import best_precision
from midog.bench.sweep import PER_ROI
from midog.boxes import Detections, squares_around
from midog.errors import MidogError
from midog.formats.challenge import read_challenge
from midog.metrics.counts import Counts

CPU = torch.device("cpu")


@pytest.mark.usefixtures("hasty")
def test_each_config_is_set_against_torchvision_as_shipped(conditions):
    compared = compare_forward(conditions)
    assert compared.what.startswith("small: forward, 1 x 128 px")
    assert compared.ratio == pytest.approx(compared.ours / compared.plain)
    rate = conditions.machine.convolution_gflop_s[best_precision(CPU, "auto")]
    assert compared.limit_share == pytest.approx(compared.ours * compared.detail["gflop"] / rate)
    assert compared.detail["plain"]["gflop"] > compared.detail["gflop"]


@pytest.mark.usefixtures("hasty")
def test_a_step_and_its_gradients_are_set_against_torchvision(conditions):
    whole = compare_step(conditions)
    (gradients,) = whole.also
    assert whole.what.startswith("small: training step, 1 x 128 px")
    assert gradients.ours > whole.ours, "a part takes less than the whole"
    ms = whole.detail["gradients_ms"] + whole.detail["update_ms"]
    assert whole.ours == pytest.approx(1000 / ms, rel=1e-4)
    assert whole.detail["study_hours"] == pytest.approx(2400 * 1500 / whole.ours / 3600)
    assert whole.detail["with_loader"]["patches_per_s"] > 0
    assert set(whole.detail["plain"]) == {"gflop", "gradients_ms", "update_ms"}


@pytest.mark.usefixtures("hasty")
def test_torchvisions_step_updates_all_weights(conditions):
    torch.manual_seed(0)
    step = PlainStep(conditions.config, torch.rand(1, 3, 128, 128))
    before = {name: value.clone() for name, value in step.network.named_parameters()}
    step.gradients()
    assert all(value.grad is not None for value in step.network.head.parameters())
    step.update()
    after = dict(step.network.named_parameters())
    assert not any(torch.equal(after[name], value) for name, value in before.items())
    assert all(value.grad is None for value in after.values())


def test_crops_and_augmented_patches_on_one_core_and_on_all(conditions):
    pytest.importorskip("albumentations")
    threads = torch.get_num_threads(), cv2.getNumThreads()
    compared = compare_samples(conditions, ours=24, plain=6)
    assert (torch.get_num_threads(), cv2.getNumThreads()) == threads
    rows = (compared, *compared.also)
    assert [("augmented on the CPU" in row.what, "one core" in row.what) for row in rows] == [
        (False, True),
        (True, True),
        (True, True),
        (False, False),
        (True, False),
    ]
    assert {row.unit for row in rows} == {"patches/s"}
    # a patch of 128 px at 10 GB/s
    assert compared.limit_share == pytest.approx(compared.ours / (10e9 / (3 * 128**2)))
    assert compared.also[0].plain == compared.plain
    assert set(compared.detail["plain_ms_per_patch"]["stain"]) == {"read", "query", "augment"}


def test_an_roi_from_file_to_json_by_both_sides(conditions):
    compared = compare_infer(conditions)
    assert compared.unit == "Mpx/s"
    assert compared.ours == pytest.approx(0.42 / compared.detail["ours_s"])
    assert compared.plain == pytest.approx(0.42 / compared.detail["plain_s"])
    assert 0 <= compared.detail["agreement"] <= 1
    written = read_challenge(conditions.folder / "detections.json")
    assert len(written.scores) >= compared.detail["figures_plain"]


def detections_at(*points: tuple[float, float], score: float = 0.9) -> Detections:
    return Detections(squares_around(points), [score] * len(points), [1] * len(points))


def test_agreement_is_the_share_of_figures_that_both_sides_have():
    ours = detections_at((100, 100), (300, 300), (500, 500))
    plain = detections_at((110, 100), (300, 320))
    assert agreement(ours, plain, 0.25) == {"figures": 3, "figures_plain": 2, "agreement": 0.8}
    assert agreement(ours, detections_at(), 0.25)["agreement"] == 0
    assert agreement(detections_at(), detections_at(), 0.25)["agreement"] == 1


def test_what_is_below_the_threshold_is_no_figure():
    assert agreement(detections_at((9, 9), score=0.4), detections_at(), 0.25)["figures"] == 0


def test_the_sweep_is_set_against_690_calls(conditions):
    compared = compare_sweep(conditions)
    assert compared.detail["detections"] == 400
    assert compared.ratio == pytest.approx(compared.ours / compared.plain)
    assert compared.limit_share > 0


def test_too_few_detections_for_one_roi_are_one_roi(conditions):
    compared = compare_sweep(replace(conditions, detections=1))
    assert compared.detail["detections"] == PER_ROI


def test_counts_that_differ_are_an_error(conditions, monkeypatch):
    none = Counts(0, 0, 0)
    monkeypatch.setattr(sweep_comparison, "counts_at", lambda points, threshold: none)
    with pytest.raises(MidogError, match="not the plain rule's at 690 of 690 thresholds"):
        compare_sweep(conditions)
