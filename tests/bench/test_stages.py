"""STAGES: light entries whose work is imported when it is run."""

from __future__ import annotations

import subprocess
import sys

from midog.bench.measured import Measured
from midog.bench.stages import STAGES


def test_the_registry_imports_no_torch():
    code = "import sys, midog.bench.stages; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_every_stage_runs(conditions):
    for name, stage in STAGES.items():
        assert stage.about
        assert isinstance(stage.run(conditions), Measured), name
