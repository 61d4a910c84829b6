"""Settings of a study's rows: laid over those below, section by section."""

from __future__ import annotations

from midog.config.schema import RunConfig
from midog.studies.row_settings import laid_over, row_config
from tests.studies.small import study_of


def test_a_section_of_another_kind_replaces_the_one_below():
    below = {"model": {"backbone": "resnet18", "anchor_sizes": [[50]], "weights": "none"}}
    defaults = RunConfig()
    same = laid_over(below, {"model": {"kind": "retinanet", "prior": 0.1}}, defaults)
    assert same["model"] == {**below["model"], "kind": "retinanet", "prior": 0.1}
    other = laid_over(below, {"model": {"kind": "toy", "width": 3}}, defaults)
    assert other["model"] == {"kind": "toy", "width": 3}
    inner = laid_over(below, {"model": {"backbone": {"unfrozen_layers": 2}}}, defaults)
    assert inner["model"]["backbone"] == {"kind": "resnet18", "unfrozen_layers": 2}
    replaced = laid_over(below, {"model": {"backbone": {"kind": "resnet34"}}}, defaults)
    assert replaced["model"]["backbone"] == {"kind": "resnet34"}


def test_key_paths_and_sections_of_a_row_are_alike(tmp_path):
    rows = {
        "paths": {"set": {"model.backbone.kind": "resnet34", "train.lr": 0.5}},
        "sections": {"set": {"model": {"backbone": {"kind": "resnet34"}}, "train": {"lr": 0.5}}},
    }
    study = study_of(tmp_path, rows=rows)
    assert row_config(study.rows["paths"], {}) == row_config(study.rows["sections"], {})
