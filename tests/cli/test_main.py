"""The real command line: its help, its exit codes, and the line that bad input gets."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from midog.cli import main as cli
from tests.spoiled import copy, one_line, settings

GROUPS = {name: entry for name, entry in cli.COMMANDS.items() if entry.where.endswith("_app")}
COMMANDS = [
    *(name for name in cli.COMMANDS if name not in GROUPS),
    *(f"data {name}" for name in ("draw", "download", "cut", "check", "preview")),
    *(f"splits {name}" for name in ("make", "check")),
    *(f"shift {name}" for name in ("train", "report")),
    *(f"study {name}" for name in ("run", "show")),
    *(f"patches {name}" for name in ("train", "evaluate")),
    *(f"heatmap {name}" for name in ("make", "evaluate")),
]


@pytest.fixture(params=[80, 100])
def columns(request, monkeypatch) -> int:
    """The width of the terminal."""
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


def test_help_lists_the_commands_in_the_order_of_use_in_panels(midog, columns):
    ran = midog("--help")
    assert ran.code == 0
    assert "Not for diagnosis" in ran.out
    lines = ran.out.splitlines()
    panels = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert panels == [
        f"{name}:"
        for name in [
            "Start",
            "Data",
            "Train",
            "Detect",
            "Score",
            "Patches",
            "Study",
            "Hand over",
            "Options",
        ]
    ]
    listed = [line.split()[0] for line in lines if line.startswith("  ") and line[2:3].isalpha()]
    order = [
        "demo",
        "bench",
        "data",
        "splits",
        "settings",
        "train",
        "tune",
        "ensemble",
        "alarms",
        "infer",
        "evaluate",
        "compare",
        "patches",
        "heatmap",
        "shift",
        "study",
        "export",
        "submission",
    ]
    assert [name for name in listed if name in order] == list(cli.COMMANDS) == order
    widest = max(map(len, cli.COMMANDS))
    for name, entry in cli.COMMANDS.items():
        assert f"  {name.ljust(widest)}  {entry.about}" in lines, "a sentence fits its line"
    assert max(map(len, lines)) <= columns


@pytest.mark.parametrize("command", [*COMMANDS, *GROUPS])
def test_every_command_has_help_that_fits(midog, command, columns):
    ran = midog(*command.split(), "--help")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith(f"Usage: midog {command} ")
    assert max(map(len, lines)) <= columns
    assert not any(line.rstrip().endswith("...") for line in lines[1:]), "no sentence is cut"
    assert "{" not in ran.out, "every name in braces has its words"
    assert "None" not in ran.out
    if command in cli.COMMANDS:
        assert lines[2] == f"  {cli.COMMANDS[command].about}", "as `midog --help` states it"


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_lists_its_commands_with_the_first_sentence_of_their_help(midog, group):
    rows = [line for line in midog(group, "--help").out.splitlines() if line.startswith("  ")]
    for command in (name for name in COMMANDS if name.startswith(f"{group} ")):
        name = command.split()[1]
        about = midog(*command.split(), "--help").out.splitlines()[2].strip()
        assert any(row.split(maxsplit=1) == [name, about] for row in rows)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_its_words_and_the_rare_ones_come_last(midog, command):
    lines = midog(*command.split(), "--help").out.splitlines()
    options = [number for number, line in enumerate(lines) if line.startswith("  -")]
    for number in options:
        words = lines[number].split("  ", 2)[-1].strip()
        assert words or lines[number + 1].strip(), lines[number]
    panels = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    panels = panels[: panels.index("Other:") + 1]  # lists of entries follow
    assert "Rarely needed:" not in panels[:-2]


def test_help_needs_no_heavy_package():
    code = (
        "import sys; sys.argv = ['midog', '--help']\n"
        "from midog.cli.main import main\n"
        "main(), print()\n"
        "heavy = ('torch', 'numpy', 'pandas', 'pydantic', 'yaml', 'matplotlib')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_command_that_does_not_exist_is_answered_with_the_nearest(midog):
    ran = midog("trian")
    assert ran.code == 2
    assert "No such command 'trian'. Did you mean train?" in ran.err


def test_version(midog):
    assert midog("--version").out.startswith("midog 0.")


@pytest.mark.parametrize(
    "arguments", ["trian", "train --epoch", "train --epochs none", "infer", "data download midog22"]
)
def test_a_wrong_command_line_exits_with_2(midog, arguments):
    assert midog(*arguments.split()).code == 2


def test_a_user_gets_from_a_folder_to_an_f1_per_scanner(
    midog, phantom, tiny, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert midog("data", "check", phantom).code == 0
    ran = midog("train", *settings(tiny), "--set", "train.epochs=1")
    assert ran.code == 0
    assert Path(ran.out.strip()).name == "best", "the model is the result, on stdout"
    assert "epoch 1/1" in ran.err
    ran = midog(
        "infer",
        phantom,
        "--subset",
        "test",
        "--format",
        "challenge,csv,coco,overlay",
        "--device",
        "cpu",
    )
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 4
    again = midog(
        "infer",
        phantom,
        "--subset",
        "test",
        "--format",
        "challenge,csv,coco,overlay",
        "--device",
        "cpu",
    )
    assert "4 were done before" in again.err
    ran = midog("evaluate", "detections", "--data", phantom)
    assert ran.code == 0
    scores, costs, *_ = ran.out.split("\n\n")
    assert [line.split("  ")[0] for line in scores.splitlines()] == [
        "group",
        "all",
        "Phantom A",
        "Phantom B",
        "Phantom C",
    ]
    assert "threshold loss" in costs
    tree = json.loads(midog("evaluate", "detections", "--data", phantom, "--json").out)
    assert tree["threshold"] is None
    assert set(tree["groups"]) == {"all", "Phantom A", "Phantom B", "Phantom C"}
    assert {"tp", "fp", "fn", "precision", "recall", "f1", "ap50"} <= set(tree["groups"]["all"])
    low = json.loads(
        midog("evaluate", "detections", "--data", phantom, "--json", "--threshold", 0.05).out
    )
    assert low["groups"]["all"]["tp"] >= tree["groups"]["all"]["tp"]


BAD_COMMANDS = [
    (["train", "--config", "smal"], "no config file smal"),
    (["train", "--set", "train.epoch=3"], "did you mean train.epochs?"),
    (["train", "--set", "train.lr=-1"], "train.lr is -1"),
    (["train", "--set", "epochs"], "is not key=value"),
    (["train", "--split", "midog22"], "midog22"),
    (["train", "--device", "cuda:9"], "cuda:9"),
    (["train", "--name", "a/b"], "run name 'a/b'"),
    (["train", "--set", "model.weights=missing.pth"], "missing.pth"),
    (["infer", "none.tiff"], "none.tiff does not exist"),
    (["infer", "data", "--subset", "tset"], "'tset' is no part of a split"),
    (["infer", "data", "--format", "xml"], "unknown format xml"),
    (["infer", "data"], "no trained model"),
    (["infer", "data", "--model", "nowhere"], "nowhere"),
    (["data", "draw", "data"], "not empty"),
    (["splits", "make", "--data", "data", "--out", "data/split.csv"], "--overwrite"),
]


@pytest.mark.parametrize(
    ("arguments", "says"), BAD_COMMANDS, ids=[" ".join(each[0]) for each in BAD_COMMANDS]
)
def test_a_bad_argument_gets_one_line(midog, phantom, tiny, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    copy(phantom, tmp_path / "data")
    before = sorted(path for path in tmp_path.rglob("*"))
    said = {"machine.device=cpu": "--device", "model.weights=none": "model.weights=missing.pth"}
    extra = (
        settings([each for each in tiny if said.get(each) not in arguments])
        if arguments[0] == "train"
        else []
    )
    line = one_line(midog(arguments[0], *extra, *arguments[1:]))
    assert says in line
    after = sorted(
        path for path in tmp_path.rglob("*") if "runs" not in path.relative_to(tmp_path).parts
    )
    assert after == before


def test_our_own_mistake_is_one_line_and_debug_shows_it(midog, monkeypatch):
    def broken(*_: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("midog.config.load.load_config", broken)
    line = one_line(midog("train"))
    assert "unexpected RuntimeError: two lines (--debug" in line
    monkeypatch.setattr(sys, "argv", ["midog", "train", "--debug"])
    with pytest.raises(RuntimeError):
        cli.main()
