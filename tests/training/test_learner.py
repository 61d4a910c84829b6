"""What a run is made of before it learns."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from midog.config.load import load_config
from midog.errors import DataError, DeviceError
from midog.models.build import build_model
from midog.training import learner as setup


@pytest.mark.parametrize(("name", "kind"), [("adam", "Adam"), ("adamw", "AdamW"), ("sgd", "SGD")])
def test_the_optimizer_moves_what_learns_and_decays_no_norm(name, kind):
    config = load_config(
        None,
        [f"train.optimizer={name}", "train.weight_decay=0.1", "model.backbone.unfrozen_layers=2"],
    )
    net = build_model(config, pretrained=False)
    optimizer = setup.make_optimizer(net, config)
    assert type(optimizer).__name__ == kind
    moved = {id(each) for group in optimizer.param_groups for each in group["params"]}
    assert moved == {id(each) for each in net.parameters() if each.requires_grad}
    for group in optimizer.param_groups:
        assert all((each.ndim > 1) == (group["weight_decay"] > 0) for each in group["params"])


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_the_fused_optimizer_moves_the_weights_as_the_plain_one_and_the_same_each_time(name):
    config = load_config(None, [f"train.optimizer={name}", "train.lr=0.01"])
    moved = []
    for fused in (True, True, False):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(70, 50), nn.Linear(50, 3))
        optimizer = setup.make_optimizer(net, config)
        assert all(group["fused"] for group in optimizer.param_groups)
        for group in optimizer.param_groups:
            group["fused"] = fused
        for _ in range(5):
            optimizer.zero_grad(set_to_none=True)
            net(torch.rand(4, 70)).square().sum().backward()
            optimizer.step()
        moved.append([each.detach().clone() for each in net.parameters()])
    for one, again, plain in zip(*moved, strict=True):
        assert torch.equal(one, again)
        torch.testing.assert_close(one, plain, rtol=1e-4, atol=1e-6)


def test_a_run_begun_with_the_plain_optimizer_goes_on_with_it():
    net, config = nn.Linear(7, 5), load_config(None, ["train.optimizer=adamw"])
    plain = torch.optim.AdamW(net.parameters(), lr=1e-4)  # as runs had it before
    net(torch.rand(2, 7)).sum().backward()
    plain.step()
    state = plain.state_dict()
    state["param_groups"] = [{**state["param_groups"][0], "params": [each]} for each in (0, 1)]
    optimizer = setup.make_optimizer(net, config)
    optimizer.load_state_dict(state)
    assert not any(group["fused"] for group in optimizer.param_groups)
    optimizer.step()


def test_a_compiled_model_keeps_the_names_of_its_weights_and_its_copies_are_plain():
    net = build_model(load_config(None, ["model.backbone=resnet18", "model.weights=none"]))
    names = list(net.state_dict())
    net.compile_parts()
    assert list(net.state_dict()) == names
    assert net.backbone._compiled_call_impl is not None
    copied = copy.deepcopy(net)
    assert copied.backbone._compiled_call_impl is None
    assert copied.head._compiled_call_impl is None


def test_where_nothing_can_be_compiled_one_line_says_so_before_anything_starts(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError(
            "backend='inductor' raised:\nInvalidCxxCompiler: No working C++ compiler found\n\nSet"
            " X=1\n"
        )

    monkeypatch.setattr(torch, "compile", broken)
    config = load_config(
        None, ["machine.compile=true", "machine.device=cpu", "model.backbone=resnet18"]
    )
    config = config.model_copy(
        update={"model": config.model.model_copy(update={"weights": "none"})}
    )
    with pytest.raises(
        DeviceError, match=r"InvalidCxxCompiler: No working.*; install a C\+\+ compiler"
    ) as caught:
        setup.make_learner(config, setup.make_fabric(setup.resolve(config)), None)
    assert "\n" not in str(caught.value)
    assert "machine.compile=false" in str(caught.value)


@pytest.mark.parametrize(("bf16", "precision"), [(True, "bf16-mixed"), (False, "32-true")])
def test_precision_auto_is_settled_for_the_device_and_a_given_one_is_kept(
    monkeypatch, bf16, precision
):
    monkeypatch.setattr(setup, "has_bf16", lambda device: bf16)
    assert setup.resolve(load_config(None, ["machine.device=cpu"])).machine.precision == precision
    given = load_config(None, ["machine.device=cpu", "machine.precision=32-true"])
    assert setup.resolve(given) == given


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
def test_boxes_and_images_reach_the_model_in_float32_and_it_computes_in_the_precision(precision):
    seen = {}

    class Spy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, images, targets):
            seen.update(images=images, boxes=targets[0]["boxes"], out=self.layer(images).dtype)
            return self.layer(images).sum()

    fabric = setup.make_fabric(
        load_config(None, ["machine.device=cpu", f"machine.precision={precision}"])
    )
    model = Spy()
    wrapped = fabric.setup(model, torch.optim.SGD(model.parameters()))[0]
    boxes = torch.tensor([[403.0, 451.0, 453.0, 501.0]])
    wrapped(torch.full((1, 4), 1 / 3), [{"boxes": boxes}])
    assert seen["boxes"].dtype == seen["images"].dtype == torch.float32
    assert torch.equal(seen["boxes"], boxes), "bfloat16 would have made 403 px 404"
    assert seen["out"] == (torch.bfloat16 if precision == "bf16-mixed" else torch.float32)


def test_the_description_counts_data_patches_and_parameters(phantom, tiny):
    config = load_config(None, tiny)
    rois = setup.read_training_rois(config)
    lines = "\n".join(setup.describe(config, rois))
    figures = sum(int((roi.boxes.labels == 1).sum()) for roi in rois if roi.split == "train")
    assert f"train: 2 ROIs (1 Phantom A, 1 Phantom B), {figures} mitotic figures" in lines
    assert "patches per epoch: 12 of 64x64 px, 3 updates; 36 in all" in lines
    assert "retinanet on resnet18" in lines


def test_a_missing_training_image_is_named_before_anything_starts(phantom, tiny, tmp_path):
    import shutil

    copy = tmp_path / "data"
    shutil.copytree(phantom, copy)
    (copy / "images" / "001.tiff").unlink()
    with pytest.raises(DataError, match=r"001\.tiff"):
        setup.read_training_rois(load_config(None, [*tiny, f"data.dir={str(copy)!r}"]))
