"""Every detector's compiled parts compute what they do uncompiled; traced, without a compiler."""

from __future__ import annotations

import copy
from functools import partial

import pytest
import torch

from midog.config.load import parse_config
from midog.models.build import build_model
from midog.models.protocol import BoxTargets


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["centroid", "fcos", "faster_rcnn"])
def test_compiled_parts_give_the_same_losses_and_candidates(kind, monkeypatch):
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    tree = {"model": {"kind": kind, "backbone": "resnet18", "weights": "none"}}
    torch.manual_seed(0)
    network = build_model(parse_config(tree), pretrained=False).train()
    compiled = copy.deepcopy(network)
    compiled.compile_parts()
    assert list(compiled.state_dict()) == list(network.state_dict())
    images = torch.rand(1, 3, 64, 64)
    targets = BoxTargets(
        boxes=torch.tensor([[[5.0, 5, 45, 45]]]),
        labels=torch.tensor([[1]]),
        ignore=torch.zeros(1, 1, 4),
    )
    losses = []
    for own in (network, compiled):
        torch.manual_seed(1)
        losses.append({name: loss.item() for name, loss in own(images, targets).items()})
    assert losses[0] == pytest.approx(losses[1])
    breaks = torch._dynamo.utils.counters["graph_break"]
    assert not breaks, f"it is not compiled as a whole: {dict(breaks)}"
    with torch.no_grad():
        for one, other in zip(
            network.eval().candidates(images, 0.0),
            compiled.eval().candidates(images, 0.0),
            strict=True,
        ):
            torch.testing.assert_close(one, other)
