"""First weights of Inception-v3: files by torchvision's names or our own, and what is refused."""

from __future__ import annotations

import logging

import pytest
import torch
from safetensors.torch import save_file

from midog.errors import WeightsError
from midog.models.classifiers.first_weights import load_first_weights
from midog.models.classifiers.registry import CLASSIFIERS, build_patch_network


def settings(kind="inception_v3", **own):
    own = {"width": 0.0625} | own if kind == "inception_v3" else own
    return CLASSIFIERS[kind].settings(kind=kind, **own)


def filled(network, value=0.5):
    return {name: torch.full_like(tensor, value) for name, tensor in network.state_dict().items()}


def loaded(network, value=0.5):
    """The layers of which all weights and statistics hold that value."""
    state = {n: own for n, own in network.net.state_dict().items() if own.is_floating_point()}
    layers = {name.split(".")[0] for name in state}
    return layers - {name.split(".")[0] for name, own in state.items() if not (own == value).all()}


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_of_a_thousand_classes_fills_all_but_the_heads(suffix, tmp_path, caplog):
    path, state = tmp_path / f"w{suffix}", filled(build_patch_network(settings(), 1000).net)
    if suffix == ".pth":
        torch.save(state, path)
    else:
        save_file(state, path)
    network = build_patch_network(settings(), 2)
    with caplog.at_level(logging.INFO):
        load_first_weights(network, settings(), str(path))
    layers = {name.split(".")[0] for name in network.net.state_dict()}
    assert loaded(network) == layers - {"fc", "AuxLogits"}
    assert "fresh: net.AuxLogits" in caplog.text


def test_a_file_of_the_same_classes_fills_everything(tmp_path):
    network = build_patch_network(settings(), 2)
    torch.save(filled(network), tmp_path / "w.pth")
    load_first_weights(network, settings(), str(tmp_path / "w.pth"))
    assert {"fc", "AuxLogits", "Mixed_7c"} <= loaded(network)


def test_a_network_without_the_auxiliary_head_leaves_it_out(tmp_path):
    torch.save(filled(build_patch_network(settings(), 2).net), tmp_path / "w.pth")
    own = settings(freeze_until="fc")
    network = build_patch_network(own, 2)
    load_first_weights(network, own, str(tmp_path / "w.pth"))
    assert (network.net.Mixed_7c.branch1x1.conv.weight == 0.5).all()
    assert network.net.AuxLogits is None


def test_weights_of_another_width_or_network_are_refused(tmp_path):
    network = build_patch_network(settings(), 2)
    torch.save(filled(build_patch_network(settings(width=0.125), 2).net), tmp_path / "wide.pth")
    with pytest.raises(
        WeightsError, match=r"not those of inception_v3; give weights .* same width"
    ):
        load_first_weights(network, settings(), str(tmp_path / "wide.pth"))
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="nothing in it fits inception_v3"):
        load_first_weights(network, settings(), str(tmp_path / "other.pth"))
    with pytest.raises(WeightsError, match=r"^task\.weights=.*: no such file; use imagenet, none"):
        load_first_weights(network, settings(), str(tmp_path / "missing.pth"))


def test_imagenets_are_the_entrys_and_others_have_none(monkeypatch):
    asked = []
    network = build_patch_network(settings(), 2)
    monkeypatch.setattr(
        "midog.models.classifiers.first_weights.fetch_weights",
        lambda url: asked.append(url) or filled(network),
    )
    load_first_weights(network, settings(), "imagenet")
    assert asked == ["https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth"]
    assert (network.net.Mixed_5b.branch1x1.conv.weight == 0.5).all()
    plain = settings("all_cnn", width=4)
    with pytest.raises(WeightsError, match=r"task\.weights=imagenet: there are none of all_cnn"):
        load_first_weights(build_patch_network(plain, 2), plain, "imagenet")


def test_frozen_layers_at_random_are_warned_of(caplog):
    own = settings(freeze_until="fc")
    network = build_patch_network(own, 2)
    load_first_weights(network, own, "none")
    assert "frozen layers of inception_v3 stay at random" in caplog.text
