"""Settings: defaults, overlays, overrides, and errors that name the key."""

from __future__ import annotations

import pytest
import yaml

from midog.config.load import load_config, parse_config
from midog.config.schema import RunConfig
from midog.config.shipped import find_config, shipped_dir

SHIPPED = sorted(path.stem for path in shipped_dir("configs").glob("*.yaml"))


def test_default_yaml_equals_the_defaults_in_code():
    tree = yaml.safe_load(find_config("default").read_text())
    assert parse_config(tree) == RunConfig()
    assert {section: set(keys) for section, keys in tree.items()} == {
        section: set(keys) for section, keys in RunConfig().to_dict().items()
    }, "default.yaml shows every key"


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_config_loads_and_survives_a_round_trip(name, tmp_path):
    config = load_config(name)
    path = tmp_path / "again.yaml"
    path.write_text(config.to_yaml())
    assert load_config(path) == config


def test_robust_yaml_is_quick_with_more_augmentation():
    quick, robust = load_config("quick"), load_config("robust")
    assert robust.with_values(augment=quick.augment.model_dump()) == quick
    before, after = quick.augment.model_dump(), robust.augment.model_dump()
    assert {key for key, value in after.items() if value != before[key]} == {
        *("hed", "stain_basis", "gamma", "white_balance", "noise", "shot_noise", "jpeg", "mpp"),
        "focus",
    }


def test_reference_yaml_is_the_reference_study():
    config = load_config("reference")
    assert (
        config.model.backbone.kind,
        config.model.weights,
        config.model.backbone.unfrozen_layers,
    ) == (
        "resnet50",
        "coco",
        5,
    )
    assert (config.model.resize, config.sampling.patch_size, config.sampling.patches_per_roi) == (
        800,
        512,
        10,
    )
    assert (config.sampling.p_mitotic, config.sampling.p_imposter, config.sampling.imposters) == (
        0.5,
        0,
        "leave_out",
    )
    train = config.train
    assert (train.optimizer, train.lr, train.weight_decay, train.schedule) == (
        "adam",
        1e-4,
        0,
        "constant",
    )
    assert (
        train.batch_size,
        train.epochs,
        train.warmup_steps,
        train.clip_norm,
        train.ema_decay,
    ) == (30, 2400, 0, 0, 0)
    assert config.model.anchor_sizes[0] == (32, 40, 50)
    assert config.model.anchor_ratios == (0.5, 1.0, 2.0)


def test_fast_yaml_changes_the_network_alone():
    fast, default = load_config("fast"), load_config("default")
    assert fast.model_copy(update={"model": default.model}) == default
    assert (fast.model.backbone.kind, fast.model.weights, fast.model.resize) == (
        "resnet50",
        "coco",
        None,
    )
    assert [len(level) for level in fast.model.anchor_sizes] == [1, 1], (
        "P3 and P4, one anchor per place"
    )
    assert (fast.model.pyramid_channels, fast.model.head_convs) == (128, 2)


@pytest.mark.parametrize("value", ["auto", 64, 8192])
def test_a_tile_is_auto_or_a_number_and_survives_a_round_trip(value, tmp_path):
    config = load_config(None, [f"inference.tile={value}", "inference.overlap=8"])
    assert config.inference.tile == value
    (tmp_path / "again.yaml").write_text(config.to_yaml())
    assert load_config(tmp_path / "again.yaml") == config


def test_a_config_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        RunConfig().train.epochs = 3
