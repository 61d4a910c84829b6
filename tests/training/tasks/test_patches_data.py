"""The data of a classifier of patches: described, checked, decoded."""

from __future__ import annotations

import pytest
import torch

from midog.config.load import load_config
from midog.errors import ConfigError, DataError
from midog.training.tasks.patches_data import read_patches_data
from tests.drawn_patches import SETTINGS, write_folders, write_hdf5

CPU = torch.device("cpu")


def read(folder, *overrides: str):
    return read_patches_data(load_config(None, [*SETTINGS, f"data.dir={folder}", *overrides]))


def test_a_dry_run_says_what_is_learned(tmp_path):
    lines = read(write_hdf5(tmp_path), "task.classes=[green, purple]").describe()
    assert lines[0] == "train: 64 patches of 16 slides, 32 purple, 32 green"
    assert lines[3] == "patches per epoch: 64; 256 in all"
    assert lines[4].startswith("network: all_cnn, 0.00 M parameters")


def test_train_and_val_are_opened_at_one_size(tmp_path):
    task = read(write_hdf5(tmp_path), "task.side=24").open(CPU)
    assert (task.crops.side, task.val.side, len(task.crops), len(task.val)) == (24, 24, 64, 32)
    assert task.crops.scratch is not None, "a CPU augments in the threads"


def test_patches_that_are_too_small_are_one_line(tmp_path):
    network = "task.network={kind: all_cnn, width: 4, stages: 6}"
    with pytest.raises(ConfigError, match=r"32 px are too small for all_cnn, which needs 64"):
        read(write_hdf5(tmp_path), network).open(CPU)


def test_a_part_that_is_needed_and_missing_is_one_line(tmp_path):
    write_hdf5(tmp_path, sizes={"train": 8, "test": 8})
    with pytest.raises(DataError, match="has no patches of valid"):
        read(tmp_path)


def test_rois_and_several_folders_are_refused(tmp_path):
    config = load_config(None, [*SETTINGS, f"data.dir={write_hdf5(tmp_path)}"])
    with pytest.raises(DataError, match="learns from no ROIs"):
        read_patches_data(config, [])
    with pytest.raises(DataError, match="from one folder, not from 2"):
        read("[a, b]")


def test_class_folders_are_read_as_the_settings_say(tmp_path):
    folder = write_folders(tmp_path)
    own = read(folder, "task.slide_pattern='^([0-9]+)_'", "task.classes=[purple, green]")
    assert own.data.classes == ("purple", "green")
    other = read(folder, "task.slide_pattern='^([0-9]+)_'", "task.test_share=0.5")
    assert len(other.data.of("test")) > len(own.data.of("test"))


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("task.classes=[a]", "classes are a: name two, or none"),
        ("task.classes=[a, a]", "classes are a, a"),
        ("task.weights=imagenet", "weights fill a backbone or Inception-v3, and all_cnn has none"),
        ("task.weights=coco", "weights coco are a detector's"),
        ("task.stem=a/b", "task.stem"),
        ("task.network=lenet", "task.network.kind is 'lenet': choose"),
    ],
)
def test_settings_that_do_not_go_together_are_one_line(override, expected):
    with pytest.raises(ConfigError) as error:
        load_config(None, [*SETTINGS, override])
    assert expected in str(error.value)
