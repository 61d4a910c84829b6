"""The cost of equivariance: p4 and p4m networks against plain ones, time and memory of a step.

    python benchmarks/equivariance.py [--kind group_cnn] [--width 24] [--side 64] [--batch 16]
                                      [--rounds 5] [--device cpu]

Each group stands against two plain networks of the same layers: one of as many parameters, and one
of the same width, whose maps hold as many values. All run in turns in one process: forward and
backward, and the forward of a copy for inference. Memory is what the forward keeps for the
backward, in MiB. Prints a row for each network, with ratios of medians to the plain network of as
many parameters, and beside them to that of the same width.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from midog.bench.timing import take_turns
from midog.models.build import count_parameters
from midog.models.classifiers.network import PatchNetwork
from midog.models.classifiers.registry import CLASSIFIERS, build_patch_network

GROUPS = {"p4": 4, "p4m": 8}
KINDS = ("group_cnn", "group_densenet")


@dataclass(frozen=True)
class Cost:
    """What a network costs: parameters, seconds of a step and of inference, MiB that a step
    keeps."""

    parameters: int
    step_s: float
    infer_s: float
    kept_mib: float


def measure(
    kind: str, width: int, side: int, batch: int, rounds: int, device: torch.device
) -> dict[str, Cost]:
    """Measure the plain network and, for each group, its own and a plain one as wide.

    Args:
        kind: One of KINDS.
        width: Channels of the plain network.
        side: Of a patch, px.
        batch: Patches.
        rounds: Each network's runs; the medians count.
        device: Where.

    Returns:
        Costs by "plain", the group's name, and "plain as wide as" that name.
    """
    networks = {"plain": _network(kind, "z2", width)}
    for group, order in GROUPS.items():
        networks[group] = _network(kind, group, width)
        # C channels of G slots are C * G maps, of width / sqrt(G) * G = width * sqrt(G)
        networks[f"plain as wide as {group}"] = _network(kind, "z2", round(width * order**0.5))
    images = torch.rand(batch, 3, side, side, device=device)
    labels = torch.arange(batch, device=device) % 2
    runs: dict[str, Callable[[], object]] = {}
    for name, network in networks.items():
        network.to(device).train()
        runs[f"step {name}"] = _step(network, images, labels)
        runs[f"infer {name}"] = _inference(network.for_inference(), images)
    seconds = take_turns(runs, rounds=rounds, device=device)
    return {
        name: Cost(
            count_parameters(network)[1],
            statistics.median(seconds[f"step {name}"]),
            statistics.median(seconds[f"infer {name}"]),
            kept_bytes(network, images, labels) / 2**20,
        )
        for name, network in networks.items()
    }


def kept_bytes(network: PatchNetwork, images: Tensor, labels: Tensor) -> int:
    """Count the bytes that a forward keeps for its backward, each storage once; not weights."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        losses = network(images, labels)  # what it keeps lives until the sum is taken
    total = sum(kept.values())
    del losses
    return total


def rows(costs: dict[str, Cost]) -> list[str]:
    """Lay out the table."""
    plain = costs["plain"]
    lines = [
        "| network | parameters | step, s | of plain | as wide | infer, s | of plain | as wide |"
        " kept, MiB | of plain | as wide |",
        "|---|" + "---:|" * 10,
    ]
    for name, cost in costs.items():
        wide = costs.get(f"plain as wide as {name}")
        cells = [name, str(cost.parameters)]
        for field, digits in (("step_s", 3), ("infer_s", 3), ("kept_mib", 1)):
            own = getattr(cost, field)
            cells.append(f"{own:.{digits}f}")
            cells.append(f"{own / getattr(plain, field):.2f}")
            cells.append(f"{own / getattr(wide, field):.2f}" if wide else "")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _network(kind: str, group: str, width: int) -> PatchNetwork:
    return build_patch_network(
        CLASSIFIERS[kind].settings(kind=kind, group=group, width=width), classes=2
    )


def _step(network: PatchNetwork, images: Tensor, labels: Tensor) -> Callable[[], object]:
    def run() -> None:
        network.zero_grad()
        network(images, labels)["classification"].backward()

    return run


def _inference(network: PatchNetwork, images: Tensor) -> Callable[[], object]:
    def run() -> Tensor:
        with torch.inference_mode():
            return network.logits(images)

    return run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kind", choices=KINDS, default="group_cnn")
    parser.add_argument("--width", type=int, default=24, help="channels of the plain network")
    parser.add_argument("--side", type=int, default=64, help="of a patch, px")
    parser.add_argument("--batch", type=int, default=16, help="patches")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    own = parser.parse_args()
    costs = measure(own.kind, own.width, own.side, own.batch, own.rounds, torch.device(own.device))
    print("\n".join(rows(costs)))


if __name__ == "__main__":
    main()
