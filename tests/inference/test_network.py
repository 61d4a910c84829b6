"""The network of detection: its precision, how much it is shown at a time, errors of memory told
from others."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from midog.inference import network
from midog.inference.network import TorchBackend, pick_precision, pixels_per_step

CPU = torch.device("cpu")


@pytest.mark.parametrize(("has", "picked"), [(True, "bf16"), (False, "32-true")])
def test_auto_is_bf16_where_the_device_computes_it(
    has: bool, picked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(network, "has_bf16", lambda device: has)
    assert pick_precision("auto", CPU) == picked
    assert pick_precision("32-true", CPU) == "32-true"
    assert pick_precision("bf16", CPU) == "bf16"


def test_less_memory_shows_less_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    for gib in (1, 2, 4, 64):
        monkeypatch.setattr(network, "_total_memory", lambda device, gib=gib: gib << 30)
        shown.append(pixels_per_step(CPU))
    assert shown == sorted(shown)
    assert shown[0] >= 512**2
    assert shown[-1] == 1536**2
    assert pixels_per_step(torch.device("cuda")) > shown[-1]


@pytest.mark.parametrize("precision", ["32-true", "bf16"])
def test_candidates_are_the_models_and_lie_on_the_host_in_float32(
    retinanet: nn.Module, precision: str
) -> None:
    images = torch.randint(
        0, 256, (2, 128, 160, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
    )
    candidates = TorchBackend(retinanet, CPU, precision).start(images, 0.0)()
    with torch.inference_mode():
        expected = retinanet.eval().candidates(images.permute(0, 3, 1, 2) / 255, 0.0)
    assert candidates.boxes.device == CPU
    assert {column.dtype for column in candidates} == {torch.float32, torch.int64}
    assert candidates.scores.shape == expected.scores.shape
    rtol = 1e-4 if precision == "32-true" else 0.05
    torch.testing.assert_close(candidates.scores.mean(), expected.scores.mean(), rtol=rtol, atol=0)


def test_the_copy_is_made_once_and_does_not_follow_the_model(retinanet: nn.Module) -> None:
    images = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    shown = TorchBackend(retinanet, CPU, "32-true")
    before = shown.start(images, 0.0)()
    logits = retinanet.head.classification_head.cls_logits
    with torch.no_grad():
        logits.bias += 1
        after = shown.start(images, 0.0)()
        logits.bias -= 1
    assert torch.equal(before.scores, after.scores)
