"""The U-Net: its resolution, that it sees both paths, and scores that no tile changes."""

from __future__ import annotations

import pytest
import torch

from midog.config.load import parse_config
from midog.errors import ConfigError
from midog.models.build import build_model
from midog.models.unet import Contracting, Expanding, UNet


def unet(**model):
    torch.manual_seed(1)
    settings = {"kind": "unet", "backbone": {"kind": "resnet10", "width": 8}, "weights": "none"}
    return build_model(parse_config({"model": {**settings, "width": 4, **model}})).eval()


@pytest.mark.parametrize("cell", [1, 2])
@pytest.mark.parametrize("maps", [1, 3])
def test_its_map_has_the_resolution_that_is_asked_for(cell, maps):
    network = unet(cell_px=cell, maps=maps)
    assert isinstance(network, UNet)
    framed, logits = network._see(torch.rand(2, 3, 64, 96))
    assert logits.shape == (2, 1, 64 // cell, 96 // cell)
    assert logits.dtype == torch.float32
    assert network.figure_px == 50
    assert len(network.body(framed.images)) == maps
    assert float(logits.detach().sigmoid().mean()) == pytest.approx(0.01, abs=0.005)


def test_other_resolutions_are_refused():
    with pytest.raises(ConfigError, match=r"model\.cell_px"):
        unet(cell_px=4)


def test_widths_double_with_the_stride_up_to_eight_times():
    network = unet(cell_px=1, maps=3)
    maps = network.contracting(torch.rand(1, 3, 64, 64))
    assert [(level.shape[1], level.shape[2]) for level in maps] == [(4, 64), (8, 32), (16, 16)]
    assert [up.out_channels for up in network.expanding.ups] == [4, 8, 16, 32, 32]
    assert [up.in_channels for up in network.expanding.ups] == [8, 16, 32, 32, 64]


def test_every_map_of_both_paths_has_a_part_in_the_result():
    torch.manual_seed(0)
    contracting, expanding = Contracting([4, 8, 16], 1), Expanding([4, 8, 16, 12], [4, 8, 16])
    maps = [*contracting(torch.rand(1, 3, 32, 32)), torch.rand(1, 12, 4, 4)]
    maps = [level.detach().requires_grad_() for level in maps]
    expanding(maps).square().sum().backward()
    assert all(float(level.grad.abs().sum()) > 0 for level in maps)


def test_a_figure_of_the_finest_detail_changes_its_map():
    network = unet(cell_px=1)
    images = torch.full((1, 3, 64, 64), 0.8)
    spotted = images.clone()
    spotted[..., 20, 30] = 0.1
    with torch.inference_mode():
        changed = (network._see(spotted)[1] - network._see(images)[1]).abs()[0, 0]
    assert float(changed[16:25, 26:35].max()) == float(changed.max()) > 0


def test_what_a_larger_picture_shows_elsewhere_changes_no_score():
    network = unet(maps=1, cell_px=2)
    generator = torch.Generator().manual_seed(0)
    alone = torch.rand((1, 3, 256, 256), generator=generator)
    larger = torch.rand((1, 3, 320, 288), generator=generator)
    larger[..., 64:, :256] = alone
    with torch.inference_mode():
        own, embedded = network._see(alone)[1], network._see(larger)[1]
    inner = own[..., 48:80, 48:80]
    assert float(inner.std()) > 1e-4
    torch.testing.assert_close(embedded[..., 80:112, 48:80], inner, rtol=1e-5, atol=1e-5)


def test_a_copy_for_detection_detects_the_same():
    network = unet()
    with torch.no_grad():
        for _ in range(2):
            network.train()._see(torch.rand(2, 3, 64, 64))
    network.eval()
    images = torch.rand(1, 3, 64, 64)
    copied = network.for_detection(torch.float32)
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in copied.modules())
    with torch.inference_mode():
        torch.testing.assert_close(
            copied._see(images)[1], network._see(images)[1], rtol=1e-4, atol=1e-4
        )


def test_the_backbone_and_both_paths_are_what_is_compiled(monkeypatch):
    compiled = []
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda part, *, dynamic: compiled.append((part, dynamic))
    )
    network = unet()
    network.compile_parts()
    parts = (network.body, network.contracting, network.expanding)
    assert compiled == [(part, False) for part in parts]
