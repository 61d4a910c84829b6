"""A study file read: rows over rows, grids written out, and one line for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from midog.config.shipped import shipped_dir
from midog.errors import ConfigError
from midog.studies.detect import check_options
from midog.studies.row_settings import row_config
from midog.studies.study_file import flat, read_study
from midog.training.tasks.registry import TASKS


def study(folder: Path, text: str) -> Path:
    (folder / "my.yaml").write_text(text)
    return folder / "my.yaml"


def test_rows_take_what_they_do_not_state_from_the_study_and_from_the_row_they_are_like(tmp_path):
    text = """
config: small
set: {train.epochs: 9}
designs: [all, single]
seeds: [0, 1]
budget: {updates: 7}
rows:
  a: {set: {train.lr: 0.1}, data: [x, y], about: first}
  b: {like: a, set: {train: {lr: 0.2}}, seeds: [5, 6], ensemble: 2}
  c: {like: b, designs: [single], budget: {seconds: 3}}
"""
    rows = read_study(study(tmp_path, text)).rows
    assert rows["a"].layers == ({"train.epochs": 9}, {"train.lr": 0.1})
    assert rows["b"].layers == (*rows["a"].layers, {"train": {"lr": 0.2}})
    assert (rows["b"].data, rows["b"].about, rows["b"].config) == (("x", "y"), "", "small")
    assert rows["b"].seed_groups == [(5, 6)]
    assert (rows["c"].designs, rows["c"].ensemble, str(rows["c"].budget)) == (("single",), 2, "3 s")
    assert rows["a"].seed_groups == [(0,), (1,)]


def test_a_grid_is_a_row_of_each_combination(tmp_path):
    text = """
rows: {a: {set: {train.lr: 1}}}
grids:
  g: {like: a, over: {train.lr: [1e-3, 2e-3], model.backbone.kind: [resnet18, resnet34]}}
"""
    rows = read_study(study(tmp_path, text)).rows
    assert list(rows) == [
        "a",
        "g,lr=1e-3,kind=resnet18",
        "g,lr=1e-3,kind=resnet34",
        "g,lr=2e-3,kind=resnet18",
        "g,lr=2e-3,kind=resnet34",
    ]
    assert flat(rows["g,lr=2e-3,kind=resnet34"].layers[-1]) == {
        "train.lr": "2e-3",
        "model.backbone.kind": "resnet34",
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("3", "my.yaml is no study"),
        ("rows: {a: }\nseed: [0]", "unknown key seed (did you mean seeds?)"),
        ("rows: {a: {sett: {}}}", "unknown key rows.a.sett (did you mean set?)"),
        ("rows: {b: {like: a}, ab: }", "row b is like 'a', which is no row (did you mean ab?)"),
        ("rows: {a: {like: b}, b: {like: a}}", "are like each other"),
        ("rows: {a: }\ndesigns: [al]", "no design is named 'al' (did you mean all?); choose all, "),
        ("rows: {a: {ensemble: 2}}", "row a: 1 seeds make no ensembles of 2; state as many"),
        ("rows: {a: }\nchoose: {by: test F1}", "choose.by is 'test F1'"),
        ("rows: {a: }\nchoose: {by: val beauty}", "choose.by is 'val beauty'"),
        ("rows: {a: }\ngrids: {g: {over: {lr: []}}}", "my.yaml: grid g has no value for lr"),
        ("rows: {a: }\nconfig: true", "config is True: write a number or a name"),
    ],
)
def test_a_bad_study_file_gets_one_line(tmp_path, text, says):
    with pytest.raises(ConfigError) as caught:
        read_study(study(tmp_path, text))
    assert says in str(caught.value)


@pytest.mark.parametrize("file", sorted((shipped_dir("configs") / "studies").glob("*.yaml")))
def test_the_shipped_studies_are_read(file):
    assert read_study(file).rows


@pytest.mark.parametrize("file", sorted((shipped_dir("configs") / "studies").glob("*.yaml")))
def test_the_rows_of_shipped_studies_are_settings_that_exist(file):
    for row in read_study(file).rows.values():
        check_options(row.name, row.detect)
        assert row_config(row, {}).task.kind in TASKS
