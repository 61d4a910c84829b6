"""`midog bench`: its JSON and table, its own data, and what wrong input gets."""

from __future__ import annotations

import json
import tempfile

import pytest

from midog.cli import bench as cli_bench
from midog.cli.bench import read_size
from midog.errors import ConfigError
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
KEYS = {"ours", "plain", "ratio", "limit_share", "unit"}


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
    pytest.importorskip("albumentations")
    ran = midog("bench", "all", "--json", *FEW)
    assert ran.code == 0, ran.err
    tree = json.loads(ran.out)
    assert list(tree) == ["machine", "samples", "forward", "step", "infer", "sweep"]
    for stage in list(tree)[1:]:
        assert tree[stage].keys() >= KEYS
        assert tree[stage]["ratio"] == pytest.approx(
            tree[stage]["ours"] / tree[stage]["plain"], rel=1e-4
        )
        assert all(other.keys() >= KEYS for other in tree[stage]["also"])
    assert tree["samples"]["unit"] == "patches/s"
    assert "samples: 3 ROIs" in ran.err


def test_one_stage_as_a_table(midog, empty_temp):
    ran = midog("bench", "sweep", *FEW)
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert (
        " ".join(lines[-2].split())
        == "what ours plain unit ratio quartiles rounds share of the limit"
    )
    assert lines[-1].startswith("sweep  counts at 690 thresholds")
    assert any(line.startswith("convolution, GFLOP/s: float32") for line in lines)


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
            "error: unknown stage sampels; choose from samples, forward, step, infer, sweep, all",
        ),
        (["--roi", "big"], "error: --roi big is no size; write WIDTHxHEIGHT"),
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
    def stop(plan):
        raise KeyboardInterrupt

    monkeypatch.setattr("midog.bench.run.STAGES", {"infer": stop})
    ran = midog("bench", "infer", *FEW)
    assert ran.code == 130
    assert ran.out == ""


@pytest.mark.parametrize(
    "text", ["7215", "7215x", "x", "0x0", "511x512", "7215x5412x3", "-600x600", "1e4x1e4"]
)
def test_sizes_that_are_none(text):
    with pytest.raises(ConfigError, match="is no size"):
        read_size(text)


def test_sizes():
    assert read_size("7215x5412") == (7215, 5412)
    assert read_size("512X600") == (512, 600)


def test_the_command_line_knows_the_stages_that_there_are():
    from midog.bench.run import STAGES

    assert tuple(STAGES) == cli_bench.STAGES


def test_a_limit_that_is_unknown_is_a_dash():
    tree = {
        "what": "w",
        "ours": 2.0,
        "plain": 1.0,
        "unit": "x/s",
        "ratio": 2.0,
        "spread": [1.5, 2.5],
        "rounds": 3,
    }
    (row,) = cli_bench.rows("stage", tree | {"limit_share": None, "limit": "", "also": []})
    assert row == ["stage  w", "2", "1", "x/s", "2.0", "1.5-2.5", "3", "-"]
