"""`midog bench`: its JSON and table, its own data, and what wrong input gets."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace

import pytest

from midog.bench.stages import STAGES
from tests.bench.small import SMALL, make_haste

FEW = [
    "--device",
    "cpu",
    "--threads",
    1,
    "--rounds",
    1,
    "--roi",
    "700x600",
    "--detections",
    200,
    "--config",
    "small",
]
FEW += ["--beside", "small", *(word for value in SMALL for word in ("--set", value))]
KEYS = {"what", "rate", "spread", "limit_share", "unit", "detail"}


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    make_haste(monkeypatch)


@pytest.fixture
def empty_temp(tmp_path, monkeypatch):
    """A folder for temporary files that must be empty again."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    assert list(tmp_path.iterdir()) == []


def test_all_stages_as_json(midog, empty_temp):
    ran = midog("bench", "all", "--json", *FEW)
    assert ran.code == 0, ran.err
    tree = json.loads(ran.out)
    assert list(tree) == ["machine", *STAGES, "estimate"]
    for stage in STAGES:
        assert tree[stage].keys() >= KEYS
        assert all(other.keys() >= KEYS for other in tree[stage]["also"])
    assert tree["samples"]["unit"] == "patches/s"
    assert tree["estimate"]["training_hours"] > 0
    assert "samples: 3 ROIs" in ran.err


def test_stages_as_a_table_and_how_long_a_run_takes(midog, empty_temp):
    ran = midog("bench", "infer", "sweep", *FEW)
    assert ran.code == 0
    *_, header, infer, sweep, estimate = ran.out.splitlines()
    assert " ".join(header.split()) == "what rate unit quartiles rounds share of the limit"
    assert infer.startswith("infer  small: 700x600 px from file to JSON")
    assert sweep.startswith("sweep  counts at 690 thresholds")
    assert estimate.startswith("midog infer: ")
    assert "\nconvolution, GFLOP/s: float32" in ran.out


def test_own_data_are_taken_where_they_are_given(midog, phantom, empty_temp):
    ran = midog("bench", "infer", "--json", *FEW, "--data", phantom)
    assert ran.code == 0, ran.err
    assert "256x256 px" in json.loads(ran.out)["infer"]["what"]
    assert "drawing" not in ran.err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["sampels"],
            "error: unknown stage sampels; choose from samples, augment, forward, step, infer,"
            " sweep, all",
        ),
        (
            ["--roi", "big"],
            "error: size big of an ROI is out of range; write WIDTHxHEIGHT in px, at least 512"
            " each: --roi 7215x5412",
        ),
        (["--config", "defualt"], "error:"),
        (["sweep", "--device", "cuda:99"], "error:"),
        (["infer", "--data", "nowhere"], "error:"),
    ],
)
def test_wrong_input_gets_one_line(midog, words, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = midog("bench", *words)
    assert ran.code == 1
    assert ran.out == ""
    assert ran.err.splitlines()[-1].startswith(line)


def test_a_stop_leaves_nothing_behind(midog, empty_temp, monkeypatch):
    def stop(conditions):
        raise KeyboardInterrupt

    monkeypatch.setitem(STAGES, "infer", replace(STAGES["infer"], run=stop))
    ran = midog("bench", "infer", *FEW)
    assert ran.code == 130
    assert ran.out == ""


def test_help_lists_the_stages_there_are(midog, monkeypatch):
    monkeypatch.setitem(STAGES, "toy", STAGES["sweep"])
    words = " ".join(midog("bench", "--help").out.split())
    assert f"default all: {', '.join(STAGES)}." in words
