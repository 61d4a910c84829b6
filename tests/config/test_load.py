"""From files and overrides to settings, and errors that name the key."""

from __future__ import annotations

import pytest

from midog.config.load import load_config
from midog.config.schema import RunConfig
from midog.errors import ConfigError


def test_overrides_reach_nested_keys_and_win():
    config = load_config(
        "small", ["train.lr=1e-3", "model.anchor_sizes=[[40, 50]]", "sampling.jitter=null"]
    )
    assert config.train.lr == 0.001
    assert config.model.anchor_sizes == ((40, 50),)
    assert config.model.backbone.kind == "resnet18"


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("train.epoch=3", "unknown key train.epoch (did you mean train.epochs?)"),
        ("lr=3", "unknown key lr (did you mean train.lr?)"),
        ("train.epochs=-1", "train.epochs is -1: Input should be greater than or equal to 1"),
        ("train.lr=fast", "train.lr is 'fast'"),
        ("inference={tile: 512, overlap: 300}", "overlap 300 is over half of tile 512"),
        (
            "inference.tile=big",
            "inference.tile is 'big': write auto or a number from 64 to 8192, a multiple of 32",
        ),
        (
            "inference.tile=100",
            "inference.tile is 100: write auto or a number from 64 to 8192, a multiple of 32",
        ),
        ("inference.tile=true", "inference.tile is True: write auto or a number"),
        (
            "inference.batch_size=0",
            "inference.batch_size is 0: write auto or a number from 1 to 4096",
        ),
        ("inference.batch_size=null", "inference.batch_size is None: write auto or a number"),
        (
            "model.pyramid_channels=100",
            "model.pyramid_channels is 100: Input should be a multiple of 32",
        ),
        ("sampling.p_mitotic=0.9", "p_mitotic + p_imposter = 1.15 is over 1"),
        ("model.anchor_sizes=[]", "anchor_sizes needs 1 to 5 lists"),
        ("train.schedule=stairs", "'cosine', 'constant', 'step' or 'cyclic'"),
        ("train.lr=.nan", "finite"),
        ("epochs", "is not key=value"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(override, says):
    with pytest.raises(ConfigError) as caught:
        load_config(None, [override])
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "override",
    [
        "train.lr=yes",
        "train.epochs=on",
        "train.seed=false",
        "sampling.jitter=no",
        "augment.stain=true",
        "inference.floor=off",
        "inference.tile=yes",
        "model.nms_iou=no",
        "model.backbone.unfrozen_layers=true",
        "model.anchor_sizes=[[yes, 40]]",
        "model.anchor_ratios=[on]",
        "data.split=no",
        "sampling.balance=off",
    ],
)
def test_yes_and_no_are_never_a_number_or_a_name(override):
    with pytest.raises(ConfigError, match=override.partition("=")[0]):
        load_config(None, [override])


@pytest.mark.parametrize("text", ["1", "0", "'yes'", "'true'", "1.0", "[true]"])
@pytest.mark.parametrize("key", ["machine.compile", "augment.flip", "data.cache"])
def test_a_yes_or_no_is_written_as_such(key, text):
    with pytest.raises(ConfigError, match=f"{key} is .*: write true or false"):
        load_config(None, [f"{key}={text}"])
    assert load_config(None, [f"{key}=off"]).by_key()[key] is False


def test_a_number_may_be_text_as_yaml_takes_1e_4_for_text():
    config = load_config(None, ["train.lr=1e-4", "train.weight_decay='0.5'", "train.epochs='7'"])
    assert (config.train.lr, config.train.weight_decay, config.train.epochs) == (0.0001, 0.5, 7)
    with pytest.raises(ConfigError, match=r"train\.lr is '1,5'"):
        load_config(None, ["train.lr='1,5'"])


@pytest.mark.parametrize(
    ("override", "bound"),
    [
        ("train.batch_size=1000000000", "4096"),
        ("inference.batch_size=1000000000", "4096"),
        ("machine.workers=100000", "256"),
        ("machine.num_nodes=100000", "1024"),
        ("machine.devices=1000", "128"),
        ("sampling.patches_per_roi=100000000", "100000"),
        ("train.weight_decay=1000", "10"),
        ("model.max_detections=1000000000", "100000"),
        ("model.anchor_sizes=[[1e9]]", "8192"),
        ("model.anchor_ratios=[1e-9]", "0.01"),
        (f"model.anchor_ratios={[1.0] * 65}", "64"),
        ("model.resize=8192", "over 8 times sampling.patch_size 512"),
    ],
)
def test_a_number_that_is_too_large_is_told_its_bound(override, bound):
    with pytest.raises(
        ConfigError, match=rf"{override.partition('=')[0].split('.')[1]}.*\b{bound}"
    ):
        load_config(None, [override])


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


def test_values_are_taken_as_they_are_and_win():
    config = load_config("small", ["train.seed=1"], {"train.seed": 2, "data.split": "007"})
    assert config.train.seed == 2
    assert config.data.split == "007", "text that looks like a number stays text"


def test_keys_of_another_kind_are_told_as_such():
    with pytest.raises(ConfigError) as wrong:
        load_config("small", ["model.kind=centroid", "model.colur=1"])
    assert str(wrong.value) == (
        "small: model: anchor_sizes is of another kind than centroid;"
        " `--set 'model={kind: centroid}'` starts the section anew;"
        " unknown key model.colur (did you mean augment.blur?)"
    )
    with pytest.raises(ConfigError, match=r"backbone: width is of another kind than resnet18;"):
        load_config("quick", ["model.backbone.kind=resnet18"])
