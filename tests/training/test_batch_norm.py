"""BatchNorm over several processes, which are threads here; test_several_ranks has real ones."""

from __future__ import annotations

import copy
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from midog.config.load import load_config
from midog.models.build import build_model
from midog.training import batch_norm
from midog.training.batch_norm import SyncedBatchNorm, learning_norms, sync_batch_norms


class Processes:
    """Threads that gather as processes do."""

    def __init__(self, count: int) -> None:
        self.count, self.rank = count, threading.local()
        self.barrier = threading.Barrier(count, timeout=20)
        self.shares: list[Tensor] = [torch.empty(0)] * count

    def of_all(self, values: Tensor) -> Tensor:
        self.shares[self.rank.number] = values.clone()
        self.barrier.wait()
        gathered = torch.stack(self.shares)
        self.barrier.wait()
        return gathered

    def run(self, work) -> list:
        def as_rank(number: int):
            self.rank.number = number
            return work(number)

        with ThreadPoolExecutor(self.count) as pool:
            return list(pool.map(as_rank, range(self.count)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("count", [2, 4])
def test_processes_normalise_their_batches_as_the_one_that_they_are(monkeypatch, count, dtype):
    processes = Processes(count)
    monkeypatch.setattr(batch_norm, "_processes", lambda: count)
    monkeypatch.setattr(batch_norm, "_of_all", processes.of_all)
    maps = (torch.randn(8, 6, 5, 4) * 3 + 7).to(dtype).contiguous(memory_format=torch.channels_last)
    gradient = torch.randn(8, 6, 5, 4).to(dtype)
    whole = nn.BatchNorm2d(6)
    nn.init.normal_(whole.weight)
    shared = [SyncedBatchNorm(copy.deepcopy(whole)) for _ in range(count)]
    true_maps = maps.float().clone().requires_grad_()
    true = whole(true_maps)
    true.backward(gradient.float())

    def work(rank: int) -> tuple[Tensor, Tensor]:
        own = maps.detach().chunk(count)[rank].clone().requires_grad_()
        result = shared[rank](own)
        result.backward(gradient.chunk(count)[rank])
        assert result.is_contiguous(memory_format=torch.channels_last)
        return result.detach(), own.grad

    results, gradients = zip(*processes.run(work), strict=True)
    close = {"rtol": 1e-5, "atol": 1e-5} if dtype == torch.float32 else {"rtol": 1e-2, "atol": 2e-2}
    torch.testing.assert_close(torch.cat(results).float(), true.detach(), **close)
    torch.testing.assert_close(torch.cat(gradients).float(), true_maps.grad, **close)
    for name in ("weight", "bias"):
        total = sum(getattr(norm, name).grad for norm in shared)
        torch.testing.assert_close(total, getattr(whole, name).grad, rtol=1e-5, atol=1e-4)
    for norm in shared:
        torch.testing.assert_close(norm.running_mean, whole.running_mean)
        torch.testing.assert_close(norm.running_var, whole.running_var)
        assert norm.num_batches_tracked == 1


def test_one_process_and_evaluation_are_torchs_to_the_bit(monkeypatch):
    maps, plain = torch.randn(4, 6, 5, 4), nn.BatchNorm2d(6)
    shared = SyncedBatchNorm(copy.deepcopy(plain))
    assert torch.equal(shared(maps), plain(maps))
    monkeypatch.setattr(batch_norm, "_processes", lambda: 2)
    assert torch.equal(shared.eval()(maps), plain.eval()(maps))


def test_only_what_learns_is_shared_under_the_same_names_and_tensors():
    config = load_config(
        None, ["model.backbone=resnet18", "model.weights=none", "model.backbone.unfrozen_layers=2"]
    )
    network = build_model(config)
    before, tensors = list(network.state_dict()), {id(value) for value in network.parameters()}
    count = len(learning_norms(network))
    sync_batch_norms(network)
    shared = [layer for layer in network.modules() if isinstance(layer, SyncedBatchNorm)]
    assert len(shared) == count == 10, "those of layer3 and layer4"
    assert all(norm.training for norm in shared)
    assert list(network.state_dict()) == before
    assert {id(value) for value in network.parameters()} == tensors
