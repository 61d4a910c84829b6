"""A training step: ours against a plain loop over torchvision's RetinaNet as shipped."""

from __future__ import annotations

from benchmarks.baselines.torchvision_network import (
    AS_SHIPPED,
    SHIPPED_PX,
    PlainStep,
    torchvision_gflop,
)
from benchmarks.comparisons.compared import Compared, compare
from midog.bench.conditions import Conditions
from midog.bench.network_cost import kernels_and_waits
from midog.bench.step import (
    TrainingStep,
    parts_ms,
    random_images,
    step_parts,
    step_row,
    with_loader,
)
from midog.bench.timing import fits, take_turns


def compare_step(conditions: Conditions) -> Compared:
    """Patches per second of each config: the whole step, and its gradients alone."""
    rounds, device = conditions.rounds, conditions.device
    images = random_images(conditions)
    ours = {name: TrainingStep(config, images) for name, config in conditions.configs.items()}
    other = PlainStep(conditions.config, images)
    steps: dict[str, TrainingStep | PlainStep] = {**ours, "plain": other}
    taken = take_turns(step_parts(steps), rounds=rounds, device=device, warm_up=rounds > 1)
    seconds = {name: taken[f"{name} gradients"] + taken[f"{name} update"] for name in steps}
    counts = {
        name: kernels_and_waits(step.whole, device) if fits(seconds[name]) else {}
        for name, step in steps.items()
    }
    plain_gflop = torchvision_gflop(other.network, SHIPPED_PX, backward=True)
    plain = {"gflop": plain_gflop, **counts["plain"], **parts_ms(taken, "plain")}
    rows: list[Compared] = []
    for name, step in ours.items():
        what, limit, detail = step_row(conditions, name, step, taken)
        detail |= {**counts[name], **parts_ms(taken, name), "plain": plain}
        if fits(seconds[name]):
            detail |= {"with_loader": with_loader(step, conditions)}
        for words, own, plainly, more in (
            (what, seconds[name], seconds["plain"], detail),
            (
                f"{name}: forward and backward alone",
                taken[f"{name} gradients"],
                taken["plain gradients"],
                None,
            ),
        ):
            batch = conditions.batch
            rates = batch / own, batch / plainly
            rows.append(compare(words, AS_SHIPPED, "patches/s", *rates, limit=limit, detail=more))
    return rows[0].with_also(*rows[1:])
