"""Backbones of timm: maps, normalisation, precision, published weights, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

timm = pytest.importorskip("timm", reason="timm is not installed")

from midog.errors import ConfigError, WeightsError  # noqa: E402
from midog.models.backbone_registry import TimmSettings, build_backbone  # noqa: E402
from midog.models.registry import FCOSSettings, build_detector  # noqa: E402
from midog.models.timm_backbone import TimmBody, weights_url  # noqa: E402
from midog.models.weights import load_pretrained  # noqa: E402
from tests.models.networks import lean  # noqa: E402
from tests.models.test_protocol import check_detector  # noqa: E402
from tests.models.test_weights import Server  # noqa: E402

SMALL = ("resnet10t", "convnext_atto", "mobilenetv3_small_050")


def detector(name: str, weights: str = "none") -> tuple[nn.Module, FCOSSettings]:
    backbone = TimmSettings(kind="timm", name=name)
    settings = FCOSSettings(
        kind="fcos", backbone=backbone, weights=weights, levels=2, pyramid_channels=32, head_convs=1
    )
    return build_detector(settings, 1, 1.0), settings


def filled(network: nn.Module, value: float = 0.5) -> dict[str, Tensor]:
    return {name: torch.full_like(own, value) for name, own in network.state_dict().items()}


def loaded(network: Any) -> set[bool]:
    """Whether the weights of the body hold the value that files here are filled with."""
    return {bool((own == 0.5).all()) for own in network.backbone.body.parameters()}


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "torch" / "hub" / "checkpoints"


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("maps", [1, 3])
def test_maps_are_of_strides_8_16_32_and_later_stages_are_not_built(name: str, maps: int) -> None:
    body = build_backbone(TimmSettings(kind="timm", name=name), maps)
    shapes = [tuple(level.shape) for level in body(torch.rand(2, 3, 96, 64))]
    assert shapes == [
        (2, channels, 96 // stride, 64 // stride)
        for channels, stride in zip(body.channels, (8, 16, 32)[:maps], strict=True)
    ]
    assert body.training
    body.zero_grad()
    body(torch.rand(2, 3, 64, 64))[-1].square().sum().backward()
    assert all(own.grad is not None for own in body.parameters()), "no stage behind the last map"


@pytest.mark.parametrize("name", SMALL)
def test_a_detector_on_it_keeps_the_protocol(name: str) -> None:
    check_detector({**lean("fcos"), "levels": 2, "backbone": {"kind": "timm", "name": name}})


def test_half_precision_is_near_float32_whatever_its_layers() -> None:
    for name in SMALL:
        torch.manual_seed(0)
        network: Any = detector(name)[0].eval()
        images = torch.rand(1, 3, 64, 64)
        with torch.no_grad():
            plain = network.features(images)
            half = network.for_detection(torch.bfloat16).features(images)
        for one, other in zip(plain, half, strict=True):
            assert other.dtype == torch.bfloat16
            torch.testing.assert_close(
                other.float(), one, rtol=0, atol=0.1 * float(one.abs().max())
            )


def test_normalisation_is_that_of_the_published_weights() -> None:
    body = TimmBody("tf_mobilenetv3_small_minimal_100", 1)
    published = timm.get_pretrained_cfg("tf_mobilenetv3_small_minimal_100")
    assert (body.mean, body.sd) == (published.mean, published.std) == ((0.5,) * 3, (0.5,) * 3)
    network: Any = detector("tf_mobilenetv3_small_minimal_100")[0]
    assert network.frame(torch.full((1, 3, 32, 32), 0.75)).images[0, 0, 0, 0] == 0.5


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_a_file_of_timms_whole_network_fills_the_body(
    name: str, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"net{suffix}"
    state = filled(timm.create_model(name, num_classes=7))
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    network, settings = detector(name, str(path))
    load_pretrained(network, settings)
    assert loaded(network) == {True}


def test_a_whole_detector_comes_back_as_it_was(tmp_path: Path) -> None:
    saved, _ = detector("resnet10t")
    save_file(saved.state_dict(), tmp_path / "net.safetensors")
    network, settings = detector("resnet10t", str(tmp_path / "net.safetensors"))
    load_pretrained(network, settings)
    own = network.state_dict()
    assert all(torch.equal(own[name], value) for name, value in saved.state_dict().items())


def test_another_networks_file_is_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("resnet14t").state_dict(), tmp_path / "r14.pth")
    network, settings = detector("resnet26t", str(tmp_path / "r14.pth"))
    with pytest.raises(WeightsError, match=r"not those of model\.backbone=timm"):
        load_pretrained(network, settings)


def test_imagenet_is_fetched_once_from_the_hub_under_a_name_of_its_own(
    checkpoints: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = tmp_path / "served"
    served.mkdir()
    save_file(filled(timm.create_model("resnet10t")), served / "model.safetensors")
    server = Server(served)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    for _ in range(2):
        network, settings = detector("resnet10t", "imagenet")
        load_pretrained(network, settings)
        assert loaded(network) == {True}
    server.stop()
    assert server.requests == 1
    (kept,) = checkpoints.iterdir()
    assert re.fullmatch(r"timm--resnet10t\.\w+--model\.safetensors", kept.name)


def test_without_a_network_the_line_names_the_file_and_its_place(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    network, settings = detector("resnet10t", "imagenet")
    with pytest.raises(WeightsError) as caught:
        load_pretrained(network, settings)
    line = str(caught.value)
    assert re.search(r"put the file timm--resnet10t\.\w+--model\.safetensors into", line)
    assert str(checkpoints) in line
    assert "\n" not in line


def test_a_network_without_published_weights_has_no_url() -> None:
    name = next(
        name
        for name in timm.list_models("resnet*")
        if not timm.get_pretrained_cfg(name).has_weights
    )
    with pytest.raises(WeightsError, match=r"timm has none.*model\.weights=none"):
        weights_url(name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("convnext_tinny", r"has no such network \(did you mean convnext_tiny"),
        ("nothing_like_it_at_all", r"has no such network; "),
        ("convnext_tiny.nope", r"no weights of that tag; choose convnext_tiny\.\w+, "),
        ("vit_tiny_patch16_224", r"gives maps of strides 16, 16"),
        ("maxvit_rmlp_pico_rw_256", r"does not take images of any size"),
    ],
)
def test_what_timm_lacks_or_does_not_suit_is_one_line(name: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build_backbone(TimmSettings(kind="timm", name=name), 3)
    assert re.search(says, str(caught.value)), str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "hf-hub:a/b", "../x", "a b"])
def test_a_name_is_no_address(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        TimmSettings(kind="timm", name=name)
