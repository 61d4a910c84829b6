"""Settings: defaults, overlays, overrides, and errors that name the key."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from midog.config import RunConfig, find_config, load_config, parse_config, shipped_dir
from midog.errors import ConfigError

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


def test_reference_yaml_is_the_reference_study():
    config = load_config("reference")
    assert (config.model.backbone, config.model.weights, config.model.unfrozen_layers) == ("resnet50", "coco", 5)
    assert (config.model.resize, config.sampling.patch_size, config.sampling.patches_per_roi) == (800, 512, 10)
    assert (config.sampling.p_mitotic, config.sampling.p_imposter, config.sampling.imposters) == (0.5, 0, "ignore")
    train = config.train
    assert (train.optimizer, train.lr, train.weight_decay, train.schedule) == ("adam", 1e-4, 0, "constant")
    assert (train.batch_size, train.epochs, train.warmup_steps, train.clip_norm, train.ema_decay) == (30, 2400, 0, 0, 0)
    assert config.model.anchor_sizes[0] == (32, 40, 50)
    assert config.model.anchor_ratios == (0.5, 1.0, 2.0)


def test_fast_yaml_changes_the_network_alone():
    fast, default = load_config("fast"), load_config("default")
    assert fast.model_copy(update={"model": default.model}) == default
    assert (fast.model.backbone, fast.model.weights, fast.model.resize) == ("resnet50", "coco", None)
    assert [len(level) for level in fast.model.anchor_sizes] == [1, 1], "P3 and P4, one anchor per place"
    assert (fast.model.pyramid_channels, fast.model.head_convs) == (128, 2)


@pytest.mark.parametrize("value", ["auto", 64, 8192])
def test_a_tile_is_auto_or_a_number_and_survives_a_round_trip(value, tmp_path):
    config = load_config(None, [f"inference.tile={value}", "inference.overlap=8"])
    assert config.inference.tile == value
    (tmp_path / "again.yaml").write_text(config.to_yaml())
    assert load_config(tmp_path / "again.yaml") == config


def test_overrides_reach_nested_keys_and_win():
    config = load_config("small", ["train.lr=1e-3", "model.anchor_sizes=[[40, 50]]", "sampling.jitter=null"])
    assert config.train.lr == 0.001
    assert config.model.anchor_sizes == ((40, 50),)
    assert config.model.backbone == "resnet18"


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.epoch=3", "unknown key train.epoch (did you mean train.epochs?)"),
        ("lr=3", "unknown key lr (did you mean train.lr?)"),
        ("train.epochs=-1", "train.epochs is -1: Input should be greater than or equal to 1"),
        ("train.lr=fast", "train.lr is 'fast'"),
        ("inference={tile: 512, overlap: 300}", "overlap 300 is over half of tile 512"),
        ("inference.tile=big", "inference.tile is 'big': write auto or a number from 64 to 8192, a multiple of 32"),
        ("inference.tile=100", "inference.tile is 100: write auto or a number from 64 to 8192, a multiple of 32"),
        ("inference.tile=true", "inference.tile is True: write auto or a number"),
        ("inference.batch_size=0", "inference.batch_size is 0: write auto or a number from 1 up"),
        ("inference.batch_size=null", "inference.batch_size is None: write auto or a number from 1 up"),
        ("model.pyramid_channels=100", "model.pyramid_channels is 100: Input should be a multiple of 32"),
        ("sampling.p_mitotic=0.9", "p_mitotic + p_imposter = 1.15 is over 1"),
        ("model.anchor_sizes=[]", "anchor_sizes needs 1 to 5 lists"),
        ("train.schedule=step", "'cosine' or 'constant'"),
        ("train.lr=.nan", "finite"),
        ("epochs", "is not key=value"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(override, says):
    with pytest.raises(ConfigError) as caught:
        load_config(None, [override])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_wrong_keys_are_told_at_once():
    with pytest.raises(ConfigError, match=r"train\.epoch\b.*train\.lrr"):
        load_config(None, ["train.epoch=3", "train.lrr=1"])


def test_a_missing_file_names_the_shipped_ones(tmp_path):
    with pytest.raises(ConfigError, match=r"default.*reference.*small"):
        load_config(tmp_path / "none.yaml")


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "a: [", "\x00"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"bad\.yaml"):
        load_config(path)


def test_an_empty_file_is_the_defaults(tmp_path):
    path = tmp_path / "empty.yaml"
    path.write_text("")
    assert load_config(path) == RunConfig()


def test_a_config_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        RunConfig().train.epochs = 3


def test_shipped_files_are_found_in_a_checkout():
    assert shipped_dir("configs") == Path(__file__).resolve().parents[1] / "configs"
    assert (shipped_dir("data_splits") / "midog21.csv").is_file()


LOOK = """
import json
from midog.config import load_config, shipped_dir
from midog.data.splits import read_split
import midog.data.loader
print(json.dumps({
    "home": midog.__file__,
    "split": len(read_split("midog21").rows),
    "epochs": load_config("reference").train.epochs,
    "places": [str(shipped_dir(name)) for name in ("configs", "data_splits")],
}))
"""


def test_the_wheel_carries_configs_splits_and_every_module(tmp_path):
    from hatchling.builders.wheel import WheelBuilder

    root = Path(__file__).resolve().parents[1]
    wheel = next(WheelBuilder(str(root)).build(directory=str(tmp_path / "dist")))
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    sources = {str(path.relative_to(root)) for path in (root / "midog").rglob("*.py")}
    assert sources | {"midog/py.typed"} <= names
    assert not [name for name in names if name.startswith(("tests/", "configs/", "data_splits/", "scripts/"))]
    environment = {"PYTHONPATH": str(tmp_path / "site"), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", LOOK], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    seen = json.loads(done.stdout)
    assert seen["home"].startswith(str(tmp_path / "site")), "it is the wheel that was looked at"
    assert (seen["split"], seen["epochs"]) == (200, 2400)
    assert all(place.startswith(str(tmp_path / "site")) for place in seen["places"])


def test_the_network_sees_images_as_much_larger_as_the_patches_that_it_learned_from():
    assert load_config().magnification == 1
    assert load_config(None, ["model.resize=800"]).magnification == 800 / 512
