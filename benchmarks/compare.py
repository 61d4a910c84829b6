"""midog against the baselines: torchvision as shipped, the field's notebooks, the scoring rule.

    pip install -e '.[bench]'
    python benchmarks/compare.py [STAGE...|all] [--json]

Both sides run in turns in one process, on the same data. Prints a table, or JSON: {"machine": …,
and of each stage "ours", "plain", "ratio", "spread", "limit_share", "unit", "detail", …}, the
layout that all earlier records have.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs as a script

from benchmarks.baselines.notebook_samples import load_albumentations
from benchmarks.comparisons.compared import Compared
from benchmarks.comparisons.forward import compare_forward
from benchmarks.comparisons.infer import compare_infer
from benchmarks.comparisons.samples import compare_samples
from benchmarks.comparisons.step import compare_step
from benchmarks.comparisons.sweep import compare_sweep
from midog.bench.conditions import Conditions, prepared
from midog.bench.options import ROI_PX, BenchOptions, read_size
from midog.bench.tables import limit_share, machine_lines
from midog.cli.shared import load_settings, print_table, say
from midog.errors import MidogError
from midog.json_text import to_json


@dataclass(frozen=True)
class Comparison:
    """A stage. needs_rois: whether it cuts patches from ROIs or detects in them."""

    run: Callable[[Conditions], Compared]
    needs_rois: bool


STAGES = {
    "samples": Comparison(compare_samples, True),
    "forward": Comparison(compare_forward, False),
    "step": Comparison(compare_step, True),
    "infer": Comparison(compare_infer, True),
    "sweep": Comparison(compare_sweep, False),
}
"""In the order in which they run."""

HEADER = ["what", "ours", "baseline", "unit", "ratio", "quartiles", "rounds", "share of the limit"]


def main(words: list[str] | None = None) -> int:
    """Run the stages that the command line names and print the result; 1 for an error."""
    parser = _parser()
    arguments = parser.parse_args(words)
    if unknown := [name for name in arguments.stages if name not in (*STAGES, "all")]:
        parser.error(f"unknown stage {', '.join(unknown)}; choose from {', '.join(STAGES)}, all")
    everything = not arguments.stages or "all" in arguments.stages
    chosen = [name for name in STAGES if everything or name in arguments.stages]
    try:
        tree = _compare(chosen, arguments)
    except MidogError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        say("stopped")
        return 130
    if arguments.json:
        print(to_json(tree), end="")
        return 0
    for line in machine_lines(tree["machine"]):
        print(line)
    print_table(HEADER, [row for name in chosen for row in rows(name, tree[name])])
    return 0


def rows(stage: str, tree: Mapping[str, Any]) -> Iterator[list[str]]:
    """A stage's rows, given as `Compared.to_dict` does."""
    low, high = tree["spread"]
    yield [
        f"{stage}  {tree['what']}",
        *(
            "did not fit" if math.isnan(tree[side]) else f"{tree[side]:.4g}"
            for side in ("ours", "plain")
        ),
        tree["unit"],
        *(
            ["-", "-"]
            if math.isnan(tree["ratio"])
            else [f"{tree['ratio']:.1f}", f"{low:.1f}-{high:.1f}"]
        ),
        str(tree["rounds"]),
        limit_share(tree),
    ]
    for other in tree["also"]:
        yield from rows(" " * len(stage), other)


def _compare(chosen: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    options = BenchOptions(
        device=arguments.device,
        threads=arguments.threads,
        rounds=arguments.rounds,
        batch=arguments.batch,
        roi=read_size(arguments.roi),
        detections=arguments.detections,
        own_data=arguments.data is not None,
    )
    names = dict.fromkeys([arguments.config, *(arguments.beside or ["fast"])])
    values = {"data.dir": arguments.data}
    configs = {name: load_settings(name, arguments.set, values) for name in names}
    if "samples" in chosen:
        load_albumentations()  # before the work, not in its middle
    with_rois = any(STAGES[name].needs_rois for name in chosen)
    with prepared(configs, options, with_rois=with_rois, say=say) as conditions:
        return {
            "machine": conditions.machine.to_dict(),
            **{name: STAGES[name].run(conditions).to_dict() for name in chosen},
        }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "stages", nargs="*", metavar="STAGE", help=f"{', '.join(STAGES)} or all [default: all]"
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--config", default="default", help="config whose network is measured")
    parser.add_argument("--beside", action="append", help="further config [default: fast]")
    parser.add_argument(
        "--set", action="append", metavar="KEY=VALUE", help="setting of the configs"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
    parser.add_argument("--threads", type=int, help="threads of the CPU [default: its cores]")
    parser.add_argument("--rounds", type=int, default=5, help="rounds at most [default: 5]")
    parser.add_argument("--batch", type=int, help="patches of a step [default: 1, on CUDA 16]")
    parser.add_argument("--roi", default=ROI_PX, help=f"size of drawn ROIs, px [default: {ROI_PX}]")
    parser.add_argument("--detections", type=int, default=100_000, help="detections to sweep")
    parser.add_argument("--data", type=Path, help="folder whose training ROIs to measure on")
    return parser


if __name__ == "__main__":
    sys.exit(main())
