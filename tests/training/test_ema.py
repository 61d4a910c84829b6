"""The average of the weights: torch's own numbers and names, and nothing asked of the device."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel
from torch.profiler import ProfilerActivity, profile

from midog.training.ema import Average


def test_the_average_of_a_short_run_is_not_its_beginning():
    net = nn.Linear(1, 1)
    nn.init.constant_(net.weight, 100.0)
    average = Average(net, 0.999)
    nn.init.constant_(net.weight, 0.0)
    for _ in range(30):
        average.update()
    assert average.module.weight.item() < 1e-3


def test_the_average_tends_to_the_decay():
    net = nn.Linear(1, 1)
    average = Average(net, 0.5)
    for value in (1.0, 2.0, 4.0):
        nn.init.constant_(net.weight, value)
        average.update()
    # the first update copies; then shares of 1 - min(0.5, 2/11) and 1 - min(0.5, 3/12)
    expected = 1 + (2 - 1) * (1 - 2 / 11)
    expected += (4 - expected) * (1 - 3 / 12)
    assert average.module.weight.item() == pytest.approx(expected)


def test_batchnorm_statistics_are_averaged_too():
    net = nn.BatchNorm1d(2)
    average = Average(net, 0.9)
    net.running_mean.fill_(3.0)
    net.num_batches_tracked.fill_(7)
    average.update()
    assert average.module.running_mean.tolist() == [3, 3]
    assert average.module.num_batches_tracked.item() == 7


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Linear(4, 2)).to(
        memory_format=torch.channels_last
    )


def move(averages, values, count):
    share = 1 - min(0.9, (1 + int(count)) / (10 + int(count)))
    for average, value in zip(averages, values, strict=True):
        if average.is_floating_point():
            average.lerp_(value, share)
        else:
            average.copy_(value)


def test_names_and_bits_are_those_of_torchs_averaged_model_and_either_takes_up_the_others_state():
    net = small()
    ours, theirs = Average(net, 0.9), AveragedModel(net, multi_avg_fn=move, use_buffers=True)
    for step in range(25):
        for weights in net.parameters():
            weights.data.add_(torch.randn_like(weights))
        net[1].num_batches_tracked.add_(1)
        ours.update()
        theirs.update_parameters(net)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        for name, value in theirs.state_dict().items():
            assert torch.equal(ours.state_dict()[name], value), (step, name)
        if step == 10:  # as a run does that goes on
            state = copy.deepcopy(theirs.state_dict())
            ours = Average(net, 0.9)
            ours.load_state_dict(state)
    theirs.load_state_dict(ours.state_dict())


def test_a_state_of_another_model_is_refused():
    average = Average(small(), 0.9)
    with pytest.raises(RuntimeError, match="Missing key"):
        average.load_state_dict({"n_averaged": torch.tensor(1)})
    with pytest.raises(KeyError):
        average.load_state_dict(
            {f"module.{name}": value for name, value in small().state_dict().items()}
        )


def test_an_update_is_two_operations_whatever_the_model_and_nothing_is_read_from_the_device():
    net = nn.Sequential(*(small() for _ in range(5)))
    average = Average(net, 0.9)
    for _ in range(2):
        with profile(activities=[ProfilerActivity.CPU]) as prof:
            average.update()
    outermost = [event.name for event in prof.events() if event.cpu_parent is None]
    assert outermost == ["aten::_foreach_lerp_", "aten::_foreach_copy_"]
    assert not {"aten::item", "aten::_local_scalar_dense"} & {event.name for event in prof.events()}


def test_the_average_does_not_learn():
    assert not any(weights.requires_grad for weights in Average(small(), 0.9).module.parameters())
