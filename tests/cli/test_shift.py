"""`midog shift train` and `report`: what they print where, what they resume, bad input."""

from __future__ import annotations

import json
import re
import shutil
import signal
from contextlib import contextmanager
from pathlib import Path

import pytest

from midog import progress
from midog.config.load import load_config
from midog.report import shift_page
from midog.shift import domain_shift as measure
from midog.studies import scanners as study
from midog.studies import trainings
from midog.studies.scanners import train_study
from midog.training.runs import list_runs
from tests.processes import start, wait_for
from tests.spoiled import TINY, copy, one_line, settings

SMALL = ["--device", "cpu", "--patches-per-roi", 2, "--patch-px", 64, "--resamples", 20]


@pytest.fixture(scope="module")
def trained(phantom, tmp_path_factory) -> Path:
    """A folder of runs: only_phantom_a, only_phantom_b, latest."""
    runs = tmp_path_factory.mktemp("study") / "my runs"
    train_study(
        load_config(None, [f"data.dir={str(phantom)!r}", *TINY, "train.epochs=1"]), runs=runs
    )
    return runs


@pytest.fixture
def asked(monkeypatch) -> list[dict]:
    """What `midog shift report` asked to be measured, when that is all it does."""
    calls: list[dict] = []

    def note(runs, **settings):
        calls.append({"runs": runs, **settings})
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "domain_shift", note)
    return calls


@pytest.fixture
def plain_page(monkeypatch) -> None:
    """A page without its pictures, which take seconds."""
    monkeypatch.setattr(
        shift_page, "write_shift_page", lambda path, result: path.write_text(result.feature_model)
    )


# --- help


def test_help_of_shift_names_its_commands(midog):
    assert "shift" in midog("--help").out
    ran = midog("shift", "--help")
    assert ran.code == 0
    assert "train" in ran.out
    assert "report" in ran.out


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("train", ["--config", "--data", "--split", "--epochs", "--runs", "--design", "--set"]),
        (
            "report",
            ["--out", "--data", "--device", "--patches-per-roi", "--resamples", "--seed", "--json"],
        ),
    ],
)
def test_every_command_has_help(midog, command, options):
    ran = midog("shift", command, "--help")
    assert ran.code == 0
    assert f"Usage: midog shift {command}" in ran.out
    assert all(option in ran.out for option in options)


@pytest.mark.parametrize(
    "arguments",
    [["shfit"], ["shift", "trian"], ["shift", "report"], ["shift", "train", "--design", "all"]],
    ids=" ".join,
)
def test_a_wrong_command_line_exits_with_2(midog, arguments):
    assert midog(*arguments).code == 2


# --- train


def test_train_skips_what_is_done_and_says_what_comes_next(midog, phantom, trained, monkeypatch):
    monkeypatch.chdir(trained.parent)
    ran = midog(
        "shift", "train", *settings(TINY), "--data", phantom, "--epochs", 1, "--runs", "my runs"
    )
    assert ran.code == 0
    assert ran.out.splitlines() == [
        "my runs/only_phantom_a",
        "my runs/only_phantom_b",
    ], "the runs, on stdout"
    said = ran.err.splitlines()
    assert "[1/2] only_phantom_a is done" in said
    assert "[2/2] only_phantom_b is done" in said
    assert said[-1] == "next: midog shift report 'my runs/only_phantom_a' 'my runs/only_phantom_b'"


def test_options_reach_the_study(midog, phantom, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(
        study, "train_study", lambda config, **rest: asked.append((config, rest)) or []
    )
    words = [
        "--config",
        "small",
        "--data",
        phantom,
        "--split",
        "midog21",
        "--epochs",
        7,
        "--seed",
        5,
    ]
    more = [
        "--device",
        "cpu",
        "--runs",
        "elsewhere",
        "--design",
        "leave-one-out",
        "--set",
        "train.lr=0.5",
    ]
    assert midog("shift", "train", *words, *more).code == 0
    ((config, rest),) = asked
    assert (config.data.dir, config.data.split) == (phantom, "midog21")
    assert (config.train.epochs, config.train.seed, config.machine.device, config.train.lr) == (
        7,
        5,
        "cpu",
        0.5,
    )
    assert config.model.backbone == load_config("small").model.backbone
    assert (rest["runs"], rest["design"]) == (Path("elsewhere"), "leave-one-out")


def test_trainings_of_other_processes_are_counted_and_no_report_is_advised(
    midog, phantom, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    tried = []

    def busy(lock, refusal):
        tried.append(lock.name)
        raise refusal

    monkeypatch.setattr(trainings, "held_file", busy)
    ran = midog("shift", "train", *settings(TINY), "--data", phantom)
    assert ran.code == 0
    assert len(tried) == 2
    assert ran.out == ""
    assert (
        ran.err.splitlines()[-1]
        == "2 of 2 are still being trained by other processes: ask again when they are done"
    )
    assert "next:" not in ran.err


def test_ctrl_c_saves_and_says_how_to_go_on(phantom, tmp_path):
    words = [
        "shift",
        "train",
        "--runs",
        "runs",
        *settings(TINY),
        "--data",
        phantom,
        "--epochs",
        2000,
    ]
    process = start(*words, cwd=tmp_path)
    wait_for((tmp_path / "runs" / "only_phantom_a" / "metrics.csv").is_file, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130
    assert "[1/2] only_phantom_a: training on Phantom A" in err
    assert err.splitlines()[-1] == "stopped; the same command resumes from what is saved"
    assert "Traceback" not in err
    assert out == ""
    assert (tmp_path / "runs" / "only_phantom_a" / "last.ckpt").is_file()


BAD_STUDIES = [
    (["--set", "train.epoch=3"], "did you mean train.epochs?"),
    (["--set", "train.lr=-1"], "train.lr is -1"),
    (["--config", "smal"], "no config file smal"),
    (["--data", "nowhere"], "no data folder nowhere"),
    (["--split", "one.csv"], "figures in train and ROIs in val: Phantom A; "),
    (["--split", "untested.csv"], "no ROI in test"),
]


@pytest.mark.parametrize(
    ("arguments", "says"), BAD_STUDIES, ids=[" ".join(each[0]) for each in BAD_STUDIES]
)
def test_a_bad_study_gets_one_line_before_a_run_is_made(
    midog, phantom, tmp_path, monkeypatch, arguments, says
):
    monkeypatch.chdir(tmp_path)
    lines = (copy(phantom, tmp_path / "data") / "split.csv").read_text().splitlines()
    (tmp_path / "one.csv").write_text("\n".join(line for line in lines if "Phantom B" not in line))
    (tmp_path / "untested.csv").write_text(
        "\n".join(line for line in lines if ",test," not in line)
    )
    line = one_line(midog("shift", "train", *settings(TINY), *arguments))
    assert says in line
    assert not (tmp_path / "runs").exists()


def test_runs_of_other_settings_get_one_line(midog, phantom, trained):
    words = [
        "shift",
        "train",
        *settings(TINY),
        "--data",
        phantom,
        "--epochs",
        1,
        "--runs",
        trained,
        "--seed",
        9,
    ]
    line = one_line(midog(*words))
    assert (
        "run only_phantom_a was started with other settings: train.seed: 0, now 9; choose another"
        " --runs" in line
    )


# --- report


def test_report_prints_the_matrix_and_writes_the_page(midog, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = midog("shift", "report", *sorted(trained.iterdir()), *SMALL)
    assert ran.code == 0, ran.err
    first, *others = ran.out.split("\n\n")
    header, *rows = first.splitlines()
    assert re.split(r"\s{2,}", header) == [
        "F1 of / on", "Phantom A", "Phantom B", "Phantom C", "seen", "unseen", "drop"
    ]  # fmt: skip
    cells = {row.split()[0]: row.split()[1:] for row in rows[:2]}
    assert set(cells) == {"only_phantom_a", "only_phantom_b"}
    assert [cell.endswith("*") for cell in cells["only_phantom_a"]] == [
        True,
        False,
        False,
        False,
        False,
        False,
    ]
    assert [cell.endswith("*") for cell in cells["only_phantom_b"]] == [
        False,
        True,
        False,
        False,
        False,
        False,
    ]
    assert rows[2] == "* trained on that scanner"
    assert [row.split(":")[0] for row in rows[3:]] == [
        "mean F1 on the diagonal (models of one scanner, on it)",
        "mean F1 off the diagonal (on the other scanners)",
        "mean F1 gap",
    ]
    assert all("95% interval" in row for row in rows[3:])
    assert [table.split("  ")[0] for table in others] == [
        "oracle F1 of / on",
        "threshold loss of / on",
    ]
    assert others[1].splitlines()[-1].endswith("an upper bound: not to be published as F1")
    assert "[1/2] only_phantom_b: testing on 4 ROIs" in ran.err, (
        "latest is one of them, and comes first"
    )
    assert ran.err.splitlines()[-1] == "the report is shift.html"
    assert "<html" in (tmp_path / "shift.html").read_text()


KEYS_OF_CELLS = ("f1", "oracle_f1", "threshold_loss")


def test_json_is_on_stdout_alone_and_says_what_the_table_says(
    midog, trained, plain_page, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    runs = [trained / "only_phantom_a", trained / "only_phantom_b"]
    tree = json.loads(
        midog("shift", "report", *runs, *SMALL, "--out", "a.html", "--json", "--seed", 3).out
    )
    assert tree["schema_version"] == 1
    assert tree["bootstrap"] == {"unit": "patient", "level": 0.95, "resamples": 20, "seed": 3}
    table = midog("shift", "report", *runs, *SMALL, "--out", "b.html", "--seed", 3).out
    for model in tree["models"]:
        for part, key in zip(table.split("\n\n"), KEYS_OF_CELLS, strict=True):
            (row,) = (line.split() for line in part.splitlines() if line.startswith(model["name"]))
            values = [cell[key]["value"] for cell in model["cells"].values()]
            assert [cell.rstrip("*") for cell in row[1:4]] == [f"{value:.3f}" for value in values]
    assert {file.name for file in tmp_path.iterdir()} == {"a.html", "b.html"}


def test_options_reach_the_report(midog, asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [
        "a",
        "b",
        "--data",
        "d",
        "--device",
        "cpu",
        "--patches-per-roi",
        3,
        "--patch-px",
        128,
        "--resamples",
        9,
    ]
    midog("shift", "report", *words, "--seed", 4)
    (call,) = asked
    assert callable(call.pop("on_step"))
    assert callable(call.pop("on_image"))
    assert call == {
        "runs": [Path("a"), Path("b")],
        "data": [Path("d")],
        "device": "cpu",
        "per_roi": 3,
        "patch_px": 128,
        "resamples": 9,
        "seed": 4,
    }


def test_a_bar_moves_with_the_images_that_are_tested(
    midog, trained, plain_page, tmp_path, monkeypatch
):
    moved = []

    @contextmanager
    def watched(title):
        yield lambda done, total: moved.append((title, done, total))

    monkeypatch.setattr(progress, "bar", watched)
    monkeypatch.chdir(tmp_path)
    runs = [trained / "only_phantom_a", trained / "only_phantom_b"]
    assert midog("shift", "report", *runs, *SMALL).code == 0
    assert moved == [("test images", done, 8) for done in range(1, 9)]


def test_ctrl_c_in_a_report_says_that_what_was_detected_stays(midog, asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = midog("shift", "report", "a")
    assert ran.code == 130
    assert ran.err.splitlines() == [
        "stopped; finished detections stay, the same command does the rest"
    ]
    assert (asked[0]["per_roi"], asked[0]["patch_px"], asked[0]["resamples"]) == (16, 256, 2000)
    assert ran.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_has_no_folder_is_said_before_the_work(
    midog, trained, asked, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    line = one_line(
        midog("shift", "report", trained / "only_phantom_a", "--out", "reports/shift.html")
    )
    assert "no folder reports for shift.html" in line
    assert asked == []


def test_no_runs_get_one_line(midog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    ran = midog("shift", "report", "images", "nowhere")
    assert "none of these is a run; train some with `midog shift train`" in one_line(ran)
    assert f"{tmp_path.resolve()}/nowhere is no run" in ran.err


def spoil_data(run: Path) -> None:
    edited = load_config(run / "config.yaml")
    data = edited.data.model_copy(update={"dir": Path("/gone")})
    (run / "config.yaml").write_text(edited.model_copy(update={"data": data}).to_yaml())


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda run: (run / "best").unlink(), "run only_phantom_a has no model yet"),
        (lambda run: (run / "config.yaml").write_text("train: 3"), "config.yaml"),
        (
            lambda run: (run / "data.json").write_text('{"fingerprint": "0"}'),
            "not those that run only_phantom_a was",
        ),
        (
            lambda run: (run / "best" / "model.safetensors").write_bytes(b"0"),
            "model.safetensors is damaged",
        ),
        (spoil_data, "the data folder /gone does not exist; state where it is now with --data"),
    ],
    ids=["no model", "config", "other data", "weights", "data moved"],
)
def test_a_bad_run_gets_one_line(midog, trained, tmp_path, monkeypatch, spoil, says):
    monkeypatch.chdir(tmp_path)
    ignore = shutil.ignore_patterns("last.ckpt", "events*")
    run = Path(
        shutil.copytree(
            trained / "only_phantom_a", tmp_path / "only_phantom_a", symlinks=True, ignore=ignore
        )
    )
    spoil(run)
    assert says in one_line(midog("shift", "report", run, *SMALL))
    assert not (tmp_path / "shift.html").exists()


def test_a_user_gets_from_a_folder_to_a_report(midog, phantom, plain_page, tmp_path, monkeypatch):
    """With the study interrupted between its two trainings."""
    monkeypatch.chdir(tmp_path)
    words = ["shift", "train", *settings(TINY), "--data", phantom, "--epochs", 1]
    write = trainings.write_split

    def stop(split, path) -> None:
        if path.stem == "only_phantom_b" and not path.exists():
            write(split, path)
            raise KeyboardInterrupt
        write(split, path)

    monkeypatch.setattr(trainings, "write_split", stop)
    assert midog(*words).code == 130
    assert [run.name for run in list_runs(tmp_path / "runs")] == ["only_phantom_a"]
    ran = midog(*words)
    assert ran.code == 0
    assert "[1/2] only_phantom_a is done" in ran.err
    assert "[2/2] only_phantom_b: training on Phantom B" in ran.err
    next_words = ran.err.splitlines()[-1].removeprefix("next: midog ").split()
    assert midog(*next_words, *SMALL).code == 0
    assert (tmp_path / "shift.html").is_file()
