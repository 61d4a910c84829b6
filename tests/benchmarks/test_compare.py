"""benchmarks/compare.py: its JSON and table, and what wrong input gets."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from benchmarks import compare
from tests.bench.small import SMALL

ROOT = Path(__file__).resolve().parents[2]
FEW = [
    "--device",
    "cpu",
    "--threads",
    "1",
    "--rounds",
    "1",
    "--roi",
    "700x600",
    "--detections",
    "200",
    "--config",
    "small",
]
FEW += ["--beside", "small", *(word for value in SMALL for word in ("--set", value))]
KEYS = {"ours", "plain", "ratio", "limit_share", "unit"}
pytestmark = pytest.mark.usefixtures("hasty")


@pytest.fixture
def empty_temp(tmp_path, monkeypatch):
    """A folder for temporary files that must be empty again."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("empty_temp")
def test_all_stages_as_json(capsys):
    pytest.importorskip("albumentations")
    assert compare.main(["all", "--json", *FEW]) == 0
    printed = capsys.readouterr()
    tree = json.loads(printed.out)
    assert list(tree) == ["machine", "samples", "forward", "step", "infer", "sweep"]
    for stage in list(tree)[1:]:
        assert tree[stage].keys() >= KEYS
        ratio = tree[stage]["ours"] / tree[stage]["plain"]
        assert tree[stage]["ratio"] == pytest.approx(ratio, rel=1e-4)
        assert all(other.keys() >= KEYS for other in tree[stage]["also"])
    assert tree["samples"]["unit"] == "patches/s"
    assert "samples: 3 ROIs" in printed.err


@pytest.mark.usefixtures("empty_temp")
def test_one_stage_as_a_table(capsys):
    assert compare.main(["sweep", *FEW]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines[-2].split()) == " ".join(compare.HEADER)
    assert lines[-1].startswith("sweep  counts at 690 thresholds")
    assert any(line.startswith("convolution, GFLOP/s: float32") for line in lines)


@pytest.mark.usefixtures("empty_temp")
def test_own_data_are_taken_if_they_are_given(capsys, phantom):
    assert compare.main(["infer", "--json", *FEW, "--data", str(phantom)]) == 0
    printed = capsys.readouterr()
    assert "256x256 px" in json.loads(printed.out)["infer"]["what"]
    assert "drawing" not in printed.err


@pytest.mark.parametrize(
    "words", [["--roi", "big"], ["sweep", "--device", "cuda:99"], ["infer", "--data", "nowhere"]]
)
def test_wrong_input_gets_one_line(capsys, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert compare.main(words) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[-1].startswith("error: ")


def test_missing_albumentations_are_reported_before_anything_is_measured(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "albumentations", None)
    assert compare.main(["samples", "--device", "cpu"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "error: the baseline of samples needs albumentations; pip install -e '.[bench]'"
    ]


def test_it_runs_as_a_script():
    script = ROOT / "benchmarks" / "compare.py"
    done = subprocess.run(
        [sys.executable, str(script), "--help"], capture_output=True, text=True, cwd="/"
    )
    assert done.returncode == 0, done.stderr
    assert "python benchmarks/compare.py [STAGE...|all] [--json]" in done.stdout


def test_a_limit_that_is_unknown_is_a_dash():
    tree = {"what": "w", "ours": 2.0, "plain": 1.0, "unit": "x/s", "ratio": 2.0, "also": []}
    tree |= {"spread": [1.5, 2.5], "rounds": 3, "limit_share": None, "limit": ""}
    (row,) = compare.rows("stage", tree)
    assert row == ["stage  w", "2", "1", "x/s", "2.0", "1.5-2.5", "3", "-"]
