"""What every setting means: for the help, for listings, and as default.yaml."""

from __future__ import annotations

import pytest

from midog.augment.op import Op
from midog.augment.ops import OPS
from midog.config.describe import about, all_settings, default_yaml, kinds
from midog.config.load import known_keys
from midog.config.schema import RunConfig
from midog.config.shipped import find_config
from midog.errors import ConfigError


def test_default_yaml_is_made_from_the_schema():
    assert find_config("default").read_text() == default_yaml(), "run scripts/make_default_yaml.py"


def test_every_setting_is_described_once_with_its_default():
    settings = {setting.key: setting for setting in all_settings()}
    assert len(settings) == len(all_settings())
    assert {key: settings[key].default for key in RunConfig().by_key()} == RunConfig().by_key()
    assert all(setting.description for setting in settings.values())
    assert set(settings) == {key for key in known_keys() if not _is_section(key)}


def _is_section(key: str) -> bool:
    return any(other.startswith(f"{key}.") for other in known_keys())


def test_a_setting_has_words_with_its_choices_and_its_default_as_yaml():
    assert about("train.patience").words == (
        "validations without a better score before training stops; 0: never"
    )
    assert about("train.optimizer").words == "update rule (adam, adamw, sgd, rmsprop)"
    assert about("data.split").shown == "null"
    assert about("train.optimizer").shown == "adamw"
    assert about("model.anchor_ratios").shown == "[1.0]"


@pytest.mark.parametrize(
    ("key", "limits"),
    [
        ("train.epochs", "1 to 1000000"),
        ("train.lr", "over 0"),
        ("train.ema_decay", "at least 0, under 1"),
        ("sampling.patch_size", "64 to 4096, a multiple of 32"),
        ("data.dir", ""),
    ],
)
def test_a_number_has_its_range_in_words(key, limits):
    assert about(key).limits == limits


def test_an_unknown_setting_is_an_error_with_the_nearest_one():
    with pytest.raises(ConfigError, match=r"train\.epoch .*train\.epochs"):
        about("train.epoch")


def test_kinds_and_ops_are_those_of_the_registries_now(monkeypatch):
    models = {"model", "model.backbone"}
    tasks = {"task", "task.backbone", "task.network", "task.network.tower"}
    assert set(kinds()) == models | tasks
    grain = Op("grain", float, 0.5, draws=0, parameters=lambda numbers, setting: {})
    monkeypatch.setitem(OPS, "noise", grain)
    assert about("augment.noise").default == 0.5
    assert "  noise: 0.5" in default_yaml()


def test_every_number_is_bounded_on_both_sides():
    for setting in all_settings():
        if setting.key == "train.lr" or setting.choices:
            continue
        if type(setting.default) in (int, float):
            assert any(word in setting.limits for word in (" to ", "at most", "under")), setting
            assert any(word in setting.limits for word in (" to ", "at least", "over")), setting
