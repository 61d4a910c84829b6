"""scripts/gpu_bench.sh: what it runs, and that a part that fails loses none of the others."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STANDS_IN = """#!/usr/bin/env bash
echo "$*" >>"$CALLS"
echo "a line of progress" >&2
case "$*" in *"$FAILS"*) echo '{"half": '; echo "error: no memory" >&2; exit 1;; esac
echo '{"machine": {}}'
"""
PARTS = ["default", "fast", "reference", "compiled", "large"]


@pytest.fixture
def run(tmp_path):
    """Run the script with a stand-in for Python; gives its outcome and the calls that it made."""
    python = tmp_path / "python"
    python.write_text(STANDS_IN)
    python.chmod(0o755)

    def call(fails: str = "never", **settings: str):
        calls = tmp_path / "calls"
        given = {
            "PYTHON": str(python),
            "CALLS": str(calls),
            "FAILS": fails,
            "OUT": str(tmp_path / "out"),
            **settings,
        }
        script = ROOT / "scripts" / "gpu_bench.sh"
        done = subprocess.run(
            ["bash", str(script)], env={**os.environ, **given}, capture_output=True, text=True
        )
        return done, calls.read_text().splitlines()

    return call


def test_each_part_writes_its_json(run, tmp_path):
    done, calls = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(calls) == len(PARTS)
    assert all(
        call.startswith("benchmarks/compare.py ") and "--json --device cuda" in call
        for call in calls
    )
    assert {
        path.stem: json.loads(path.read_text()) for path in (tmp_path / "out").glob("*.json")
    } == {part: {"machine": {}} for part in PARTS}


def test_a_part_that_fails_is_named_and_the_others_are_kept(run, tmp_path):
    done, calls = run(fails="reference")
    assert done.returncode == 1
    assert "failed: reference" in done.stdout
    assert "error: no memory" in done.stdout
    assert len(calls) == len(PARTS)
    assert sorted(path.stem for path in (tmp_path / "out").glob("*.json*")) == sorted(
        {*PARTS} - {"reference"}
    )


def test_small_parts_for_a_cpu_and_chosen_ones(run):
    done, calls = run(DEVICE="cpu", SMALL="1", PARTS="fast large")
    assert done.returncode == 0
    assert len(calls) == 2
    assert all(
        "--device cpu" in call and "--roi 700x600" in call and "backbone=resnet18" in call
        for call in calls
    )


def test_all_parts_together_have_less_than_ten_minutes():
    lines = (ROOT / "scripts" / "gpu_bench.sh").read_text().splitlines()
    budgets = [int(line.split()[2]) for line in lines if line.startswith("part ")]
    assert len(budgets) == len(PARTS)
    assert sum(budgets) < 600
