"""All stages of `midog bench`, in order, as one tree of plain JSON values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from midog.bench import timing
from midog.bench.conditions import Conditions, prepared
from midog.bench.estimate import REFERENCE_SPLIT, RunSize, estimate, run_size
from midog.bench.measured import Measured, did_not_fit
from midog.bench.options import BenchOptions
from midog.bench.stages import STAGES
from midog.config.schema import DataSettings, RunConfig
from midog.data.split_file import read_split
from midog.training.tasks.detection_data import read_training_rois


def run_bench(
    stages: Sequence[str],
    configs: Mapping[str, RunConfig],
    options: BenchOptions,
    *,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Measure the machine and each stage, and estimate how long a run of the first config takes.

    Args:
        stages: Names of STAGES.
        configs: By name; their weights are random, whatever they name.
        options: How to measure.
        say: Prints a line of progress.

    Returns:
        {"machine": …, each stage's name: what `Measured.to_dict` gives, "estimate": …}

    Raises:
        DeviceError: If the device does not exist.
        DataError: If there are no ROIs to measure on.
    """
    config = next(iter(configs.values()))
    size = _run_size(config.data, options.own_data)
    with_rois = any(STAGES[name].needs_rois for name in stages)
    with prepared(configs, options, with_rois=with_rois, say=say) as conditions:
        measured = {name: _run_stage(name, conditions).to_dict() for name in stages}
        return {
            "machine": conditions.machine.to_dict(),
            **measured,
            "estimate": estimate(
                config.train, config.sampling.patches_per_roi, size, measured
            ).to_dict(),
        }


def _run_stage(name: str, conditions: Conditions) -> Measured:
    """Run a stage; where not even its networks fit into the device's memory, it has one row."""
    try:
        return STAGES[name].run(conditions)
    except Exception as error:
        if not timing.did_not_fit(error):
            raise
    return did_not_fit(STAGES[name].about)


def _run_size(data: DataSettings, own_data: bool) -> RunSize:
    """The ROIs of the run's own data, else of its split, else of the reference study."""
    if own_data:
        rois = read_training_rois(data)
        return run_size([roi.split for roi in rois], str(data.dir))
    name = data.split or REFERENCE_SPLIT
    return run_size([row.split for row in read_split(name).rows], f"split {name}")
