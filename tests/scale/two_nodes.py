"""Two Ray nodes on this machine, of which one is removed half-way; run as a process of its own."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from midog.inference.detector import Detector
from midog.inference.detector_choice import DetectorChoice
from midog.inference.jobs import find_jobs
from midog.inference.order import Order
from midog.scale.ray_cluster import infer_on_ray, require_ray


@dataclass(frozen=True)
class Announced(DetectorChoice):
    """One that leaves a file where it is loaded."""

    def load(self) -> Detector:
        loaded = super().load()
        assert isinstance(loaded, Detector)
        (self.models[0].parent / f"{os.getpid()}.ready").touch()
        return loaded


def main(model: Path, images: Path, out: Path) -> None:
    """Detect in the images and print, as JSON, what became of them, which were done when the node
    was removed, and on how many nodes."""
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO)
    require_ray()
    from ray.cluster_utils import Cluster

    jobs = find_jobs([images])
    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    quick = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "_system_config": quick})
    second = cluster.add_node(**node)
    names: list[str] = []
    before: dict[str, int] = {}

    def on_image(name: str, figures: int | None) -> None:
        names.append(name)
        while len(list(model.parent.glob("*.ready"))) < 2:  # both work before one is removed
            time.sleep(0.05)
        if len(names) == len(jobs) // 2:
            before.update({path.name: path.stat().st_mtime_ns for path in out.glob("[!.]*")})
            cluster.remove_node(second, allow_graceful=False)

    order = Order(Announced((model,), device="cpu"), jobs, out, ("challenge", "csv"))
    outcome = infer_on_ray(order, jobs, address=cluster.address, on_image=on_image)
    cluster.shutdown()
    told = {
        "names": names,
        "done": [*outcome.figures, *outcome.skipped],
        "failed": [str(error) for error in outcome.failed.values()],
        "again": [name for name, time in before.items() if (out / name).stat().st_mtime_ns != time],
    }
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
