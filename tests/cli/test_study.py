"""`midog study`: what it prints where, and one line for bad input."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from midog.cli.study import named_folders
from midog.errors import ConfigError
from tests.processes import start, wait_for
from tests.spoiled import one_line
from tests.studies.small import study_of


@pytest.fixture
def file(tmp_path, monkeypatch) -> Path:
    """s.yaml: baseline, the same, and hot, over the phantom."""
    rows = {"baseline": None, "same": None, "hot": {"set": {"train.lr": 0.1}}}
    study_of(tmp_path, rows=rows, choose={"by": "val F1"}, budget={"updates": 8})
    monkeypatch.chdir(tmp_path)
    return tmp_path / "s.yaml"


def test_a_dry_run_prints_the_plan_and_makes_nothing(midog, file, phantom):
    ran = midog("study", "run", file, "--data", f"phantom={phantom}", "--dry-run")
    assert ran.code == 0, ran.err
    header, first, second, *closing = ran.out.splitlines()
    assert header.split() == ["training", "updates", "detectors", "rows", "state"]
    assert first.split()[0].startswith("baseline-all-s0-")
    assert first.split()[2:] == ["2", "baseline,", "same", "to", "do"]
    assert second.split()[2:] == ["1", "hot", "to", "do"]
    assert closing[0].startswith("3 detectors of 3 rows need 3 trainings; 2 are planned")
    assert not Path("studies").exists()


def test_a_run_prints_the_table_and_show_prints_it_again(midog, file, phantom, quick):
    ran = midog("study", "run", file, "--data", f"phantom={phantom}", "--resamples", 5)
    assert ran.code == 0, ran.err
    assert "val chose row baseline: F1 on the val ROIs of seen scanners" in ran.out
    assert ran.err.splitlines()[-1] == "the table is studies/s/table.html, .csv and .json"
    assert {path.name for path in Path("studies/s").glob("table.*")} == {
        "table.html",
        "table.csv",
        "table.json",
    }
    again = midog("study", "show", "s", "--resamples", 5)
    assert again.out == ran.out
    tree = json.loads(midog("study", "show", "s", "--resamples", 5, "--json").out)
    assert tree == json.loads(Path("studies/s/table.json").read_text())


def test_a_part_of_a_study_is_planned_run_and_shown(midog, file, phantom, quick):
    words = ["study", "run", file, "--data", f"phantom={phantom}", "--resamples", 5]
    dry = midog(*words, "--rows", "hot", "--dry-run").out.splitlines()
    assert len(dry) == 4, "a header, a training, two lines"
    assert dry[2].startswith("1 detectors of 1 rows need 1 trainings")
    ran = midog(*words, "--rows", "hot")
    assert quick == ["hot-all-s0", "test hot, all, seed 0"]
    assert "baseline" not in ran.out.split("val chooses by", 1)[0]
    assert ran.out.endswith(
        "not scored on it yet: baseline, same; tests are reported and choose nothing\n"
    )
    whole = midog("study", "show", "s", "--resamples", 5)
    assert "\nnot scored yet: baseline, same\n" in whole.out
    assert midog("study", "show", "s", "--rows", "hot", "--resamples", 5).out == ran.out
    ran = midog(*words)
    assert quick[2:] == ["baseline-all-s0", "test baseline, all, seed 0"]
    assert "not scored yet" not in ran.out
    tree = json.loads(midog("study", "show", "s", "--rows", "same,hot", "--json").out)
    assert [row["name"] for row in tree["rows"]] == ["same", "hot"]
    assert {line["row"] for line in tree["lines"]} == {"same", "hot"}
    assert tree["choice"]["row"] == "baseline", "of all rows"


def test_the_matrix_is_by_detector_and_scanner(midog, file, phantom, quick):
    words = ["study", "run", file, "--data", f"phantom={phantom}", "--resamples", 0]
    assert midog(*words, "--rows", "baseline,hot").code == 0
    ran = midog("study", "matrix", "s", "--rows", "hot", "--tests", "val")
    assert ran.code == 0, ran.err
    header, line, legend = ran.out.splitlines()
    assert header.split()[:4] == ["row", "design", "part", "test"]
    tree = json.loads(midog("study", "show", "s", "--rows", "hot", "--json").out)
    scanners = sorted(
        {one["scanners"] for one in tree["lines"] if one["part"] and one["test"] == "val"}
    )
    assert header.split("test", 1)[1].split() == " ".join(scanners).split()
    assert line.split() == ["hot", "all", "all", "val", *("1.000*" for _ in scanners)]
    assert legend == "* trained on that scanner"
    alarms = midog("study", "matrix", "s", "--rows", "hot", "--score", "fp_per_mm2")
    rows = alarms.out.splitlines()
    assert [row.split()[3] for row in rows[1:-1]] == ["val", "test"]
    assert rows[1].split()[4:] == ["0.00*", "0.00*", "-"], "val has no ROI of the third scanner"


def test_the_matrix_knows_scores_and_tests(midog, file, phantom, quick):
    assert midog("study", "run", file, "--data", f"phantom={phantom}", "--resamples", 0).code == 0
    wrong = one_line(midog("study", "matrix", "s", "--score", "F1"))
    assert "a study has no score 'F1'" in wrong
    assert "choose from ap, f1, f1_transferred" in wrong
    assert "the study has no test 'vall' (did you mean val?)" in one_line(
        midog("study", "matrix", "s", "--tests", "vall")
    )


BAD = [
    ([], "study s needs the data folder phantom; state where with --data phantom=FOLDER"),
    (["--data", "phantom"], "data folder 'phantom' is not NAME=FOLDER"),
    (["--data", "phantom=nowhere"], "there is no data folder nowhere"),
    (["--data", "phantom={phantom}", "--rows", "hott"], "no row 'hott' (did you mean hot?)"),
    (["--data", "phantom={phantom}", "--seeds", "x"], "the study has no seed 'x'; choose from 0"),
    (["--data", "phantom={phantom}", "--set", "train.lrr=1"], "unknown key train.lrr"),
]


@pytest.mark.parametrize(("words", "says"), BAD, ids=[" ".join(words) for words, _ in BAD])
def test_a_bad_study_gets_one_line_before_anything_is_made(midog, file, phantom, words, says):
    words = [word.format(phantom=phantom) for word in words]
    assert says in one_line(midog("study", "run", file, *words))
    assert not Path("studies").exists()


def test_a_missing_file_and_a_missing_study_get_one_line(midog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "none.yaml" in one_line(midog("study", "run", "none.yaml"))
    assert "studies/none is no study" in one_line(midog("study", "show", "none"))


def test_folders_are_named_once():
    assert named_folders(["a=x", "b=y=z"]) == {"a": Path("x"), "b": Path("y=z")}
    with pytest.raises(ConfigError, match="a is stated twice"):
        named_folders(["a=x", "a=y"])


@pytest.mark.slow
def test_ctrl_c_saves_writes_the_table_and_says_how_to_go_on(file, phantom, tmp_path):
    long = ["--set", "train.epochs=2000", "--set", "train.validate_every=2000"]
    study_of(tmp_path, rows={"baseline": None})
    words = ["study", "run", file, "--data", f"phantom={phantom}", "--studies", "kept", *long]
    process = start(*words, cwd=tmp_path)
    runs = tmp_path / "kept" / "s" / "runs"
    wait_for(lambda: any(runs.glob("baseline-*/metrics.csv")), process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.splitlines()[-1] == "stopped; the same command resumes from what is saved"
    assert "Traceback" not in err
    (folder,) = runs.glob("baseline-*")
    assert (folder / "last.ckpt").is_file()
    assert (tmp_path / "kept" / "s" / "table.csv").is_file()
