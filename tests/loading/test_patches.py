"""Patches decoded once: mapped from the cache, of one size, drawn by class or pass after pass."""

from __future__ import annotations

import logging

import h5py
import numpy as np
import pytest
from PIL import Image

from midog.config.load import load_config
from midog.config.schema import RunConfig
from midog.data.patches.folders import Folders, read_folders
from midog.data.patches.hdf5 import read_hdf5
from midog.errors import ConfigError, DataError
from midog.loading import patches as loading
from midog.loading.batches import Loader
from midog.loading.patches import decode_patches, patch_source, training_patches
from tests.drawn_patches import SIDE, draw, write_folders, write_hdf5

PIXELS, LABELS = draw(24, 0)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MIDOG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def train(tmp_path):
    return read_hdf5(write_hdf5(tmp_path / "d"), "spots").of("train")


def test_an_hdf5_file_is_decoded_once_for_all_processes(train, cache, monkeypatch):
    expected = draw(64, 0)[0]
    assert np.array_equal(decode_patches(train, cache=False), expected)
    assert not cache.exists()
    assert np.array_equal(decode_patches(train, cache=True), expected)
    monkeypatch.setattr(loading, "blocks_of", None)  # is not asked again
    pixels = decode_patches(train, cache=True)
    assert np.array_equal(pixels, expected)
    assert not pixels.flags.writeable
    assert len(list((cache / "patches").glob("*.npy"))) == 1


def test_another_file_of_the_same_name_is_not_mistaken_for_the_first(train, cache):
    decode_patches(train, cache=True)
    with h5py.File(train.files[0], "r+") as file:
        file["x"][0] = 7
    assert (decode_patches(train, cache=True)[0] == 7).all()


def test_a_cache_that_cannot_be_used_is_done_without(train, cache, caplog, monkeypatch):
    cache.write_text("a file")
    with caplog.at_level(logging.WARNING, "midog"):
        assert len(decode_patches(train, cache=True)) == 64
    assert "decoding into memory" in caplog.text


def pictures(folder, sizes=()):
    write_folders(folder)
    for number, size in enumerate(sizes):
        Image.new("RGB", size, (10 * number, 0, 0)).save(folder / "green" / f"00_{number}9.png")
    data = read_folders(folder, Folders(slide_pattern="^([0-9]+)_"))
    role = next(role for role, own in data.sets.items() if "00" in own.slides)
    return data.of(role)


def test_pictures_are_decoded(tmp_path):
    own = pictures(tmp_path / "d")
    pixels = decode_patches(own, cache=True)
    assert pixels.shape == (len(own), SIDE, SIDE, 3)
    for number in (0, len(own) - 1):
        assert np.array_equal(pixels[number], np.asarray(Image.open(own.files[number])))


def test_pictures_of_other_sizes_are_brought_to_a_side(tmp_path):
    own = pictures(tmp_path / "d", [(31, 32), (40, 36)])
    with pytest.raises(DataError, match=r"is 31x32 px, .*png is 32 px wide.*task\.side"):
        decode_patches(own, cache=True)
    pixels = decode_patches(own, cache=True, side=24)
    assert pixels.shape == (len(own), 24, 24, 3)
    number = [path.name for path in own.files].index("00_0.png")
    assert np.array_equal(pixels[number], np.asarray(Image.open(own.files[number]))[4:28, 4:28])


def test_the_middle_of_patches_is_taken():
    source = patch_source(PIXELS, LABELS, 20)
    (batch,) = Loader(source, 24, 0, 0).batches()
    assert np.array_equal(batch.images.numpy(), PIXELS[:, 6:26, 6:26])
    assert batch.targets["labels"].tolist() == LABELS.tolist()
    with pytest.raises(ConfigError, match=r"task\.side=40 is over the 32 px"):
        patch_source(PIXELS, LABELS, 40)


def drawn(**changes) -> np.ndarray:
    how = {"side": None, "balance": "none", "length": None, "jitter": 0, "on_cpu": False}
    augment = RunConfig().augment
    source = training_patches(PIXELS[:20], LABELS[:20], augment, **{**how, **changes})
    numbers = [one.number for one in source.locations(0, 0)(range(len(source)))]
    return np.array(numbers)


def test_an_epoch_shows_every_patch_once_or_both_classes_alike(monkeypatch):
    assert sorted(drawn()) == list(range(20))
    assert len(drawn(length=7)) == 7
    monkeypatch.setattr("tests.loading.test_patches.LABELS", np.array([1, 1] + [0] * 22))
    balanced = drawn(balance="draws", length=400)
    assert np.mean(balanced < 2) == pytest.approx(0.5, abs=0.08)


def test_ops_that_need_more_than_a_patch_are_left_out_with_a_line(caplog):
    augment = load_config(None, ["augment.mpp=0.2"]).augment
    with caplog.at_level(logging.WARNING, "midog"):
        source = training_patches(
            PIXELS, LABELS, augment, side=None, balance="none", length=None, jitter=0, on_cpu=True
        )
    assert "augment.mpp: not for patches, and left out" in caplog.text
    assert not source.augment.mpp


def test_more_than_the_memory_is_one_line(train, monkeypatch):
    monkeypatch.setattr(loading, "machine_memory", lambda: 1000)
    with pytest.raises(DataError, match=r"64 patches of 32 px take .*data\.cache"):
        decode_patches(train, cache=False)
    assert len(decode_patches(train, cache=True)) == 64, "a map needs none"
