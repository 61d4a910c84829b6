"""`midog settings`: every setting with its default, range and meaning, and the kinds of each."""

from __future__ import annotations

from dataclasses import replace

from midog.augment.ops import OPS
from midog.config.describe import all_settings, kinds
from midog.config.load import load_config
from midog.config.schema import RunConfig
from tests.spoiled import one_line


def test_every_setting_is_listed_with_its_default_and_meaning(midog):
    lines = midog("settings").out.splitlines()
    heads = [line for line in lines if not line.startswith(" ")]
    assert heads == [f"{setting.key} = {setting.shown}" for setting in all_settings()]
    assert all(lines[lines.index(head) + 1].startswith("    ") for head in heads)
    assert "train.lr = 0.0001\n    Highest learning rate. [over 0]\n" in midog("settings").out
    assert max(len(line) for line in lines if line.startswith(" ")) <= 100


def test_a_union_is_listed_with_its_kinds(midog):
    shown = midog("settings", "model", "task").out
    for key, registry in kinds().items():
        assert f"{key}.kind = " in shown
        assert all(f"\n    {name}: {entry.about[:40]}" in shown for name, entry in registry.items())


def test_settings_and_sections_can_be_chosen(midog):
    lines = midog("settings", "train.lr", "model.backbone").out.splitlines()
    heads = [line.split()[0] for line in lines if not line.startswith(" ")]
    own = ["model.backbone.kind", "model.backbone.unfrozen_layers", "train.lr"]
    others = ["model.backbone.width", "model.backbone.name"]  # of other kinds than the default's
    assert heads == [*own, *others]


def test_an_unknown_one_is_an_error_with_the_nearest(midog):
    line = one_line(midog("settings", "train", "train.epoch"))
    assert line == (
        "error: unknown setting train.epoch (did you mean train.epochs?); `midog settings` lists"
        " all"
    )


def test_what_a_registry_gains_is_listed(midog, monkeypatch):
    monkeypatch.setitem(OPS, "noise", replace(OPS["stain"], about="grain", default=0.5))
    assert midog("settings", "augment.noise").out == ("augment.noise = 0.5\n    Grain. [0 to 1]\n")


def test_as_yaml_they_are_a_config_of_the_defaults(midog, tmp_path):
    (tmp_path / "mine.yaml").write_text(midog("settings", "--yaml").out)
    assert load_config(tmp_path / "mine.yaml") == RunConfig()
