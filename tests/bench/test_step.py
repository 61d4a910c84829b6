"""The stage of a training step: whole steps that update the weights."""

from __future__ import annotations

import pytest
import torch

from midog.bench.step import TrainingStep, step_stage


def test_a_step_and_its_gradients_have_their_rates(conditions):
    whole = step_stage(conditions)
    (gradients,) = whole.also
    assert whole.what.startswith("small: training step, 1 x 128 px")
    assert gradients.rate > whole.rate, "a part takes less than the whole"
    ms = whole.detail["gradients_ms"] + whole.detail["update_ms"]
    assert whole.rate == pytest.approx(1000 / ms, rel=1e-4)
    assert whole.detail["study_hours"] == pytest.approx(2400 * 1500 / whole.rate / 3600)
    assert whole.detail["with_loader"]["patches_per_s"] > 0
    assert 0 <= whole.detail["with_loader"]["data_wait"] <= 1


def test_a_step_updates_all_weights(conditions):
    torch.manual_seed(0)
    step = TrainingStep(conditions.config, torch.rand(1, 3, 128, 128))
    net = step.learner.network
    before = {name: value.clone() for name, value in net.named_parameters()}
    step.gradients()
    assert all(value.grad is not None for value in net.parameters())
    step.update()
    after = dict(net.named_parameters())
    assert not any(torch.equal(after[name], value) for name, value in before.items())
    assert all(value.grad is None for value in after.values())
