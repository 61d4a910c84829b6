"""Where `midog infer` detects: in this process, or on the nodes of a Ray cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from midog.cli.infer_words import announce, announce_atypical, print_cost
from midog.cli.shared import stoppable

if TYPE_CHECKING:
    from midog.inference.jobs import Job
    from midog.inference.order import Order
    from midog.inference.outcome import Outcome


def detect(order: Order, share: Sequence[Job], engine: str, address: str | None) -> Outcome:
    """Detect in a share of an order's images; one line says how to continue after a stop.

    Args:
        order: What is asked for.
        share: Of its images.
        engine: local or ray.
        address: Of a Ray cluster; None: of this machine alone.
    """
    hint = f"stopped; finished images stay in {order.out}/, the same command detects in the rest"
    if engine == "ray":
        return _on_ray(order, share, address, hint)
    from midog.progress import infer_bars

    detector = order.choice.load()
    announce(detector, str(order.choice))
    work = order.open(detector)
    if work.atypical is not None:
        announce_atypical(work.atypical)
    with stoppable(hint), infer_bars(len(share)) as (on_image, on_tile):
        outcome = work.do(share, on_image=on_image, on_tile=on_tile)
    print_cost(detector, outcome)
    return outcome


def require_ray_for(address: str | None, engine: str) -> None:
    """Check that an address is one of a cluster that is used, and that Ray is installed if it is.

    Raises:
        typer.BadParameter: An address is given to the engine that has none.
        MidogError: Ray is not installed.
    """
    if engine == "ray":
        from midog.scale.ray_cluster import require_ray

        require_ray()
    elif address is not None:
        raise typer.BadParameter("it is one of a Ray cluster: --engine ray", param_hint="--address")


def _on_ray(order: Order, share: Sequence[Job], address: str | None, hint: str) -> Outcome:
    from midog.progress import infer_bars
    from midog.scale.ray_cluster import infer_on_ray

    announce(replace(order.choice, device="cpu").load(), str(order.choice))
    if order.atypical is not None:
        from midog.inference.atypical import AtypicalClassifier

        announce_atypical(AtypicalClassifier.load(order.atypical, device="cpu"))
    with stoppable(hint), infer_bars(len(share), tiles=False) as (on_image, _):
        return infer_on_ray(order, share, address=address, on_image=on_image)
