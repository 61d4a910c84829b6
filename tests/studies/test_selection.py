"""A part of a study: only its detectors are trained and tested, and the plan stays whole."""

from __future__ import annotations

import csv
import json

import pytest

from midog.errors import ConfigError
from midog.studies.outlook import outlook
from midog.studies.run import plan_study, run_study, write_table
from midog.studies.selection import Selection, chosen_names, part_of_plan, read_selection
from tests.studies.small import planned, study_of

ROWS = {
    "base": None,
    "hot": {"set": {"train.lr": 0.1}},
    "same": {"like": "hot"},
    "three": {"seeds": [0, 1, 2], "ensemble": 3},
}


@pytest.fixture
def plan(phantom, tmp_path):
    return planned(tmp_path, phantom, rows=ROWS, seeds=[0, 1], designs=["all", "leave-one-out"])


def work_on(plan, folder, **only):
    return run_study(
        plan,
        folder / "s",
        device="cpu",
        say=lambda line: None,
        on_image=lambda *_: None,
        only=Selection(**only),
    )


def trained(quick: list[str]) -> list[str]:
    return [line for line in quick if not line.startswith("test")]


def test_only_the_chosen_rows_designs_and_seeds_are_trained_and_tested(quick, plan, tmp_path):
    done = work_on(plan, tmp_path, rows=("hot",), designs=("all",), seeds=(1,))
    assert (done.held, done.failed) == ([], {})
    assert quick == ["hot-all-s1", "test hot, all, seed 1"]
    result = write_table(tmp_path / "s", resamples=5)
    assert result.unscored == ("base", "three"), "same shares what hot trained"
    assert {(line.row, line.design, line.done, line.planned) for line in result.lines} == {
        ("hot", "all", 1, 2),
        ("same", "all", 1, 2),
    }
    assert all(line.gain == {} for line in result.lines), "the first row is not scored yet"
    assert result.choice.waiting == tuple(ROWS)
    page = (tmp_path / "s" / "table.html").read_text()
    assert "2 of 4 are scored; not yet: base, three" in page
    rows = csv.DictReader((tmp_path / "s" / "table.csv").open())
    assert {row["row"] for row in rows} == {"hot", "same"}


def test_later_runs_of_all_reuse_what_is_done(quick, plan, tmp_path):
    work_on(plan, tmp_path, rows=("hot",))
    work_on(plan, tmp_path, rows=("base",), seeds=(0,))
    before = trained(quick)
    work_on(plan, tmp_path)
    assert len(trained(quick)) == len(set(trained(quick))) == len(plan.trainings)
    assert trained(quick)[: len(before)] == before
    result = write_table(tmp_path / "s", resamples=5)
    assert result.unscored == ()
    assert all(line.done == line.planned for line in result.lines)
    assert all(line.gain for line in result.lines if line.row == "hot")


def test_detectors_of_several_seeds_need_all_of_them(plan):
    assert [one.row.name for one in part_of_plan(plan, Selection(("three",), ("all",))).detectors]
    with pytest.raises(ConfigError, match="no detector of rows three and seeds 0; choose others"):
        part_of_plan(plan, Selection(("three",), seeds=(0,)))


def test_a_second_look_brings_the_trainings_that_it_learns_from(phantom, tmp_path):
    rows = {"base": {"verifier": {}}, "other": {"set": {"train.lr": 0.1}}}
    plan = planned(tmp_path, phantom, rows=rows, designs=["all", "leave-one-out"])
    part = part_of_plan(plan, Selection(("base",), ("all",)))
    (detector,) = part.detectors
    sources = detector.verifier.sources
    assert len(sources) >= 2
    assert part.trainings == [*detector.trainings, *sources, detector.verifier]
    lines, _ = outlook(part, tmp_path / "s" / "runs")
    assert [line[3] for line in lines] == [
        "base",
        *["base (second look)"] * len(sources),
        "base",
    ]


def test_a_budget_in_seconds_is_measured_for_the_chosen_rows_alone(
    phantom, tmp_path, monkeypatch, capsys
):
    from midog.studies import rates

    monkeypatch.setattr(rates, "_measured", lambda training, *_: training.config.train.lr)
    study = study_of(tmp_path, rows=ROWS, budget={"seconds": 1.0}, set={"train.lr": 0.05})
    only = read_selection(study, ["hot"], [], [])
    plan = plan_study(
        study,
        {"phantom": phantom},
        tmp_path / "s",
        overlay={},
        measure=True,
        say=print,
        only=only,
    )
    assert len(json.loads((tmp_path / "s" / "rates" / "rates.json").read_text())) == 1
    assert capsys.readouterr().out.count("measuring the rate") == 1
    assert {one.row.name for one in plan.detectors} == set(ROWS), "the plan is whole"
    epochs = {one.row.name: one.trainings[0].config.train.epochs for one in plan.detectors}
    assert epochs["hot"] == epochs["same"] != epochs["base"]


def test_names_are_read_with_their_own_commas():
    names = ("lr,lr=0.1", "lr,lr=0.2", "lr", "b")
    assert chosen_names(["b, lr,lr=0.1", "lr"], names, "row") == ("lr,lr=0.1", "lr", "b")
    assert chosen_names([], names, "row") == ()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((["basee"], [], []), r"no row 'basee' \(did you mean base\?\); choose from base, hot"),
        (([""], [], []), "no row ''"),
        ((["base,,hot"], [], []), "no row ''"),
        (([], ["single"], []), "no design 'single'; choose from all"),
        (([], [], ["0,7"]), "no seed '7'; choose from 0, 1, 2"),
    ],
)
def test_what_the_study_does_not_have_is_one_line(tmp_path, words, says):
    with pytest.raises(ConfigError, match=says):
        read_selection(study_of(tmp_path, rows=ROWS), *words)
