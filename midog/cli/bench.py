"""`midog bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from midog.cli.options import (
    DATA,
    DEVICE,
    RARE,
    SETTINGS,
    DeviceOption,
    JsonOption,
    SetOption,
    argument,
    option,
)
from midog.cli.shared import load_settings, print_table, stoppable
from midog.cli.terminal import say, show, show_text
from midog.errors import ConfigError
from midog.json_text import to_json


def bench(
    stages: Annotated[
        list[str] | None, argument("[STAGE]...", "Stages, default all: {stages}.")
    ] = None,
    config: Annotated[
        str, option("--config", "FILE", "Run to measure: YAML file, or one of {configs}.", SETTINGS)
    ] = "default",
    beside: Annotated[
        list[str] | None,
        option(
            "--beside",
            "FILE",
            "Config whose network is measured in the same turns; repeatable. [default: fast]",
            SETTINGS,
        ),
    ] = None,
    overrides: SetOption = None,
    data: Annotated[
        Path | None,
        option("--data", "FOLDER", "Measure on these training ROIs, not on drawn ones.", DATA),
    ] = None,
    roi: Annotated[str, option("--roi", "WxH", "Size of drawn ROIs, px.", DATA)] = "7215x5412",
    device: DeviceOption = "auto",
    threads: Annotated[
        int | None,
        option(
            "--threads", "N", "Threads of the CPU. [default: its cores]", DEVICE, min=1, max=1024
        ),
    ] = None,
    batch: Annotated[
        int | None,
        option(
            "--batch",
            "N",
            "Patches of a step. [default: 1 on a CPU, 16 on CUDA]",
            DEVICE,
            min=1,
            max=4096,
        ),
    ] = None,
    as_json: JsonOption = False,
    rounds: Annotated[
        int, option("--rounds", "N", "Rounds at most; long work gets fewer.", RARE, min=1, max=1000)
    ] = 5,
    detections: Annotated[
        int,
        option(
            "--detections", "N", "Detections that `sweep` counts.", RARE, min=200, max=10_000_000
        ),
    ] = 100_000,
) -> None:
    """Measure this machine, and estimate how long a run takes on it.

    Prints the machine's limits, the rate of each stage with its share of the limit, and the hours
    that `midog train` and the seconds per ROI that `midog infer` take with this config.
    """
    from midog.bench.options import BenchOptions, read_size
    from midog.bench.stages import STAGES

    if unknown := [name for name in stages or () if name not in (*STAGES, "all")]:
        raise ConfigError(
            f"unknown stage {', '.join(unknown)}", f"choose from {', '.join(STAGES)}, all"
        )
    everything = not stages or "all" in stages
    chosen = [name for name in STAGES if everything or name in (stages or ())]
    options = BenchOptions(
        device=device,
        threads=threads,
        rounds=rounds,
        batch=batch,
        roi=read_size(roi),
        detections=detections,
        own_data=data is not None,
    )
    names = dict.fromkeys([config, *(["fast"] if beside is None else beside)])
    configs = {name: load_settings(name, overrides, {"data.dir": data}) for name in names}
    from midog.bench.estimate import estimate_lines
    from midog.bench.run import run_bench
    from midog.bench.tables import HEADER, machine_lines, rows

    with stoppable("stopped"):
        tree = run_bench(chosen, configs, options, say=say)
    if as_json:
        show_text(to_json(tree))
        return
    for line in machine_lines(tree["machine"]):
        show(line)
    print_table(HEADER, [row for name in chosen for row in rows(name, tree[name])])
    for line in estimate_lines(tree["estimate"]):
        show(line)
