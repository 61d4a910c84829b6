"""The `midog bench` command."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from midog.cli.shared import DeviceOption, load_settings, print_table, say, stoppable
from midog.errors import ConfigError

STAGES = ("samples", "forward", "step", "infer", "sweep")


def bench(
    stages: Annotated[
        list[str] | None,
        typer.Argument(help="samples, forward, step, infer, sweep, or all of them."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the figures as JSON on stdout.")
    ] = False,
    config: Annotated[
        str,
        typer.Option("--config", help="Whose network and patches: a YAML file, or a shipped one."),
    ] = "default",
    beside: Annotated[
        list[str] | None,
        typer.Option(
            "--beside",
            help="Further configs whose network is measured in the same turns. [default: fast]",
        ),
    ] = None,
    device: DeviceOption = "auto",
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, help="Of the CPU. [default: its cores]")
    ] = None,
    rounds: Annotated[
        int, typer.Option("--rounds", min=1, help="At most; of what takes minutes there are fewer.")
    ] = 5,
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, help="Patches of a step. [default: 1 on a CPU, 16 on CUDA]"),
    ] = None,
    roi: Annotated[
        str, typer.Option("--roi", help="Size of the ROIs that are drawn, px.")
    ] = "7215x5412",
    detections: Annotated[
        int, typer.Option("--detections", min=200, help="That are swept.")
    ] = 100_000,
    data: Annotated[
        Path | None, typer.Option("--data", help="Data folder whose ROIs to take, none drawn.")
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, e.g. machine.compile=true.")
    ] = None,
) -> None:
    """What this machine can do, what each stage reaches of it, and how much quicker that is than
    the plain way."""
    chosen = (
        [name for name in STAGES if name in stages or "all" in stages] if stages else list(STAGES)
    )
    unknown = [name for name in stages or () if name not in (*STAGES, "all")]
    if unknown:
        raise ConfigError(
            f"unknown stage {', '.join(unknown)}", f"choose from {', '.join(STAGES)}, all"
        )
    size = read_size(roi)
    names = list(dict.fromkeys([config, *(["fast"] if beside is None else beside)]))
    configs = {name: load_settings(name, overrides, {"data.dir": data}) for name in names}
    from midog.bench.run import run_bench

    with stoppable("stopped"):
        tree = run_bench(
            chosen,
            configs,
            device=device,
            threads=threads,
            rounds=rounds,
            batch=batch,
            roi=size,
            detections=detections,
            own_data=data is not None,
            say=say,
        )
    if as_json:
        typer.echo(json.dumps(tree, indent=1))
        return
    for line in describe(tree["machine"]):
        typer.echo(line)
    header = ["what", "ours", "plain", "unit", "ratio", "quartiles", "rounds", "share of the limit"]
    print_table(header, [row for name in chosen for row in rows(name, tree[name])])


def read_size(text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT in px, each at least 512. ConfigError otherwise."""
    parts = text.lower().split("x")
    if len(parts) == 2 and all(part.isdigit() and 512 <= int(part) <= 100_000 for part in parts):
        return int(parts[0]), int(parts[1])
    raise ConfigError(
        f"--roi {text} is no size", "write WIDTHxHEIGHT in px, each 512 or more, e.g. 7215x5412"
    )


def describe(machine: dict[str, Any]) -> Iterator[str]:
    """Lines that say what was measured on, and its limits."""
    yield (
        f"{machine['cpu']}, {machine['threads']} of {machine['cores']} cores,"
        f" {machine['memory_gib']:.0f} GiB"
    )
    bf16 = "with" if machine["bf16"] else "without"
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    yield f"device {machine['device']}, {bf16} bfloat16 in hardware; {versions}"
    for name, unit in (
        ("copy_gb_s", "GB/s"),
        ("matrix_gflop_s", "GFLOP/s"),
        ("convolution_gflop_s", "GFLOP/s"),
    ):
        values = ", ".join(f"{key} {value:.4g}" for key, value in machine[name].items())
        yield f"{name.split('_')[0]}, {unit}: {values}"


def rows(stage: str, tree: dict[str, Any]) -> Iterator[list[str]]:
    """A stage's rows of the table, those beside it below it."""
    share = "-" if tree["limit_share"] is None else f"{tree['limit_share']:.1%} of {tree['limit']}"
    low, high = tree["spread"]
    numbers = [f"{tree['ours']:.4g}", f"{tree['plain']:.4g}", tree["unit"], f"{tree['ratio']:.1f}"]
    yield [
        f"{stage}  {tree['what']}",
        *numbers,
        f"{low:.1f}-{high:.1f}",
        str(tree["rounds"]),
        share,
    ]
    for other in tree["also"]:
        yield from rows(" " * len(stage), other)
