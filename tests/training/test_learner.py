"""What a learner is made of: the optimizer, precision, and the compiled network."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from midog.config.load import load_config
from midog.errors import DeviceError
from midog.models.build import build_model
from midog.training import learner as setup
from midog.training.optimise import step_weights


@pytest.mark.parametrize(
    ("name", "kind"), [("adam", "Adam"), ("adamw", "AdamW"), ("sgd", "SGD"), ("rmsprop", "RMSprop")]
)
def test_the_optimizer_moves_what_learns_and_decays_no_norm(name, kind):
    config = load_config(
        None,
        [f"train.optimizer={name}", "train.weight_decay=0.1", "model.backbone.unfrozen_layers=2"],
    )
    net = build_model(config, pretrained=False)
    optimizer = setup.make_optimizer(net, config.train)
    assert type(optimizer).__name__ == kind
    moved = {id(weights) for group in optimizer.param_groups for weights in group["params"]}
    assert moved == {id(weights) for weights in net.parameters() if weights.requires_grad}
    for group in optimizer.param_groups:
        assert all((weights.ndim > 1) == (group["weight_decay"] > 0) for weights in group["params"])


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_the_fused_optimizer_moves_the_weights_as_the_plain_one_and_the_same_each_time(name):
    config = load_config(None, [f"train.optimizer={name}", "train.lr=0.01"])
    moved = []
    for fused in (True, True, False):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(70, 50), nn.Linear(50, 3))
        optimizer = setup.make_optimizer(net, config.train)
        assert all(group["fused"] for group in optimizer.param_groups)
        for group in optimizer.param_groups:
            group["fused"] = fused
        for _ in range(5):
            optimizer.zero_grad(set_to_none=True)
            net(torch.rand(4, 70)).square().sum().backward()
            optimizer.step()
        moved.append([weights.detach().clone() for weights in net.parameters()])
    for one, again, plain in zip(*moved, strict=True):
        assert torch.equal(one, again)
        torch.testing.assert_close(one, plain, rtol=1e-4, atol=1e-6)


def test_a_run_started_with_the_unfused_optimizer_resumes_with_it():
    net, config = nn.Linear(7, 5), load_config(None, ["train.optimizer=adamw"])
    plain = torch.optim.AdamW(net.parameters(), lr=1e-4)  # as runs had it before
    net(torch.rand(2, 7)).sum().backward()
    plain.step()
    state = plain.state_dict()
    state["param_groups"] = [{**state["param_groups"][0], "params": [number]} for number in (0, 1)]
    optimizer = setup.make_optimizer(net, config.train)
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
    with pytest.raises(
        DeviceError, match=r"InvalidCxxCompiler: No working.*; install a C\+\+ compiler"
    ) as caught:
        setup.require_compiler(torch.device("cpu"))
    assert "\n" not in str(caught.value)
    assert "machine.compile=false" in str(caught.value)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_boxes_and_images_reach_the_model_in_float32_and_it_computes_in_the_precision(precision):
    seen = {}

    class Spy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, images, targets):
            seen.update(images=images, boxes=targets[0]["boxes"], out=self.layer(images).dtype)
            return self.layer(images).sum()

    config = load_config(None, ["machine.device=cpu", f"machine.precision={precision}"])
    fabric = setup.make_fabric(config.machine)
    model = Spy()
    wrapped = fabric.setup(model, torch.optim.SGD(model.parameters()))[0]
    boxes = torch.tensor([[403.0, 451.0, 453.0, 501.0]])
    wrapped(torch.full((1, 4), 1 / 3), [{"boxes": boxes}])
    assert seen["boxes"].dtype == seen["images"].dtype == torch.float32
    assert torch.equal(seen["boxes"], boxes), "bfloat16 would have made 403 px 404"
    computed = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    assert seen["out"] == computed.get(precision, torch.float32)


def half(net: nn.Module) -> setup.Learner:
    """A learner in float16."""
    config = load_config(None, ["machine.device=cpu", "machine.precision=16-mixed"])
    return setup.make_learner(net, config.train, setup.make_fabric(config.machine))


def step(learner: setup.Learner, factor: float, limit: float = 0.0) -> torch.Tensor:
    """One update on the loss factor * output; the gradient's norm."""
    train = load_config(None, ["train.warmup_steps=0", f"train.clip_norm={limit}"]).train
    loss = learner.wrapped(torch.ones(1, 1)).sum() * factor
    learner.fabric.backward(loss)
    return step_weights(learner, train, updates=10)


@pytest.mark.parametrize("limit", [0.0, 1e6])
def test_float16_scales_the_loss_so_that_small_gradients_are_not_lost(limit):
    torch.manual_seed(0)
    learner = half(nn.Linear(1, 1, bias=False))
    norm = step(learner, 1e-8, limit)  # under what float16 holds
    assert float(norm) == pytest.approx(1e-8, rel=1e-2), "unscaled before it is clipped"
    assert learner.scaler is not None
    assert learner.scaler.get_scale() == 2**12


def test_a_gradient_too_large_for_float16_lowers_the_scale_and_is_not_finite():
    network = nn.Linear(1, 1, bias=False)
    learner, before = half(network), network.weight.clone()
    assert not step(learner, 1e5).isfinite(), "1e5 * 2**12 is infinite in float16"
    assert torch.equal(network.weight, before), "the update is skipped"
    assert learner.scaler.get_scale() == 2**11
    assert step(half(nn.Linear(1, 1, bias=False)), 1.0).isfinite()


def test_the_scale_of_the_loss_survives_a_checkpoint(tmp_path):
    learner = half(nn.Linear(1, 1, bias=False))
    step(learner, 1e5)
    step(learner, 1.0)
    learner.note_scale()
    assert (learner.progress.loss_scale, learner.progress.loss_scale_age) == (2**11, 1)
    again = half(nn.Linear(1, 1, bias=False))
    again.progress.loss_scale, again.progress.loss_scale_age = 2.0**11, 1
    again.resume_scale()
    assert again.scaler.state_dict() == learner.scaler.state_dict()


def test_other_precisions_have_no_scale():
    machine = load_config(None, ["machine.device=cpu", "machine.precision=bf16-mixed"]).machine
    train = load_config(None).train
    learner = setup.make_learner(nn.Linear(1, 1), train, setup.make_fabric(machine))
    assert learner.scaler is None
    learner.note_scale()
    assert learner.progress.loss_scale == 0
