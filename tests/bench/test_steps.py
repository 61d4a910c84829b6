"""The training step's benchmark: whole steps that move weights, ours and the plain way."""

from __future__ import annotations

import pytest
import torch

from midog.bench.steps import OurStep, PlainStep, step_stage


@pytest.mark.usefixtures("hasty")
def test_a_step_and_its_gradients_are_set_against_torchvision(plan):
    whole = step_stage(plan)
    (gradients,) = whole.also
    assert whole.what.startswith("small: training step, 1 x 128 px")
    assert gradients.ours > whole.ours, "a part takes less than the whole"
    ms = whole.detail["gradients_ms"] + whole.detail["update_ms"]
    assert whole.ours == pytest.approx(1000 / ms, rel=1e-4)
    assert whole.detail["study_hours"] == pytest.approx(2400 * 1500 / whole.ours / 3600)
    assert whole.detail["with_loader"]["patches_per_s"] > 0
    assert 0 <= whole.detail["with_loader"]["data_wait"] <= 1


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("kind", [OurStep, PlainStep])
def test_a_step_learns_from_both_figures(plan, kind):
    torch.manual_seed(0)
    step = kind(plan.config, torch.rand(1, 3, 128, 128))
    net = step.learner.net if isinstance(step, OurStep) else step.network
    before = {name: value.clone() for name, value in net.named_parameters()}
    step.gradients()
    assert all(value.grad is not None for value in net.head.parameters())
    step.update()
    moved = [name for name, value in net.named_parameters() if not torch.equal(value, before[name])]
    assert len(moved) == len(before)
    assert all(value.grad is None for value in net.parameters())
