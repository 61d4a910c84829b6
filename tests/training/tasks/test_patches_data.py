"""The data of a classifier of patches: described, checked, decoded."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from midog.config.load import load_config
from midog.errors import ConfigError, DataError
from midog.models.classifiers.mask_losses import MaskTerms
from midog.training.tasks.patches_data import mask_terms, read_patches_data
from midog.training.tasks.registry import PatchesSettings
from tests.drawn_patches import SETTINGS, write_folders, write_hdf5, write_masks
from tests.tumour.slides import write_index

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


UNET = "task.network={kind: unet, width: 4, inputs: 1}"


def test_a_unet_learns_masks_and_says_where_they_are_missing(tmp_path):
    write_hdf5(tmp_path)
    with pytest.raises(DataError, match=r"no masks of train, which unet .* spots_split_train_mask"):
        read(tmp_path, UNET).open(CPU)
    write_masks(tmp_path)
    task = read(tmp_path, UNET).open(CPU)
    batch = next(iter(task.batches(0, start=0, rank=0, world=1)))
    assert batch.targets["masks"].shape == (16, 32, 32)
    network = task.build(pretrained=False)
    assert [*task.losses(network, batch)] == ["classification", "mask_32px"]
    assert [*task.losses(network, task.example(4))] == ["classification", "mask_32px"]


def test_tumour_weighs_by_how_rare_it_is_among_what_is_drawn():
    labels = np.array([0, 0, 0, 1])
    shares = np.array([0, 0, 0, 0.5])
    for balance, share in (("none", 0.125), ("loss", 0.125), ("draws", 0.25)):
        settings = PatchesSettings(balance=balance, loss="focal", focal_gamma=1.5)
        assert mask_terms(settings, labels, shares) == MaskTerms(1.5, share)
    assert mask_terms(PatchesSettings(), labels, shares).gamma == 0


def test_other_files_than_those_of_the_data_change_its_fingerprint(tmp_path):
    write_hdf5(tmp_path)
    before = read(tmp_path).fingerprint
    write_masks(tmp_path)
    assert read(tmp_path).fingerprint != before


def test_patches_without_a_middle_for_the_near_tower_are_one_line(tmp_path):
    network = "task.network={kind: two_towers, tower: {kind: all_cnn, width: 4, stages: 2}}"
    with pytest.raises(ConfigError, match="patches of 30 px have no middle"):
        read(write_hdf5(tmp_path), network, "task.side=30").open(CPU)


def test_places_of_slides_are_read_as_they_are_drawn(tmp_path):
    folder = write_index(tmp_path)
    task = read(folder, "data.mpp=1").open(CPU)
    assert (task.crops.side, task.val.side, len(task.crops), len(task.val)) == (32, 32, 60, 30)
    batch = next(iter(task.batches(0, start=0, rank=0, world=1)))
    assert batch.images.shape == (16, 32, 32, 3)
    dark = batch.images.float().mean(dim=(1, 2, 3)) < 160
    assert dark.int().tolist() == batch.targets["labels"].tolist()
    with pytest.raises(DataError, match=r"places in .* are of 1 um/px, .* of 0.25; .*data.mpp=1"):
        read(folder)


def test_masks_of_places_are_read_from_the_truth_of_slides(tmp_path):
    folder = write_index(tmp_path)
    task = read(folder, "data.mpp=1", UNET, "task.jitter=12").open(CPU)
    network = task.build(pretrained=False)
    seen = 0
    for batch in task.batches(0, start=0, rank=0, world=1):
        dark = batch.images.float().mean(dim=3) < 160
        masks = batch.targets["masks"].bool()
        seen += int(masks.flatten(1).float().mean(1).frac().gt(0).sum())
        assert (dark == masks).float().mean() > 0.99
    assert seen > 1  # the edge of tumour is in some
    assert [*task.losses(network, batch)] == ["classification", "mask_32px"]
    assert task.terms.share == pytest.approx(0.5, abs=0.1)
