"""A run that takes something of unlabelled images goes on with the same ones."""

from __future__ import annotations

import shutil

import pytest
import torch

from midog.config.load import load_config
from midog.data.folder import data_fingerprint, read_rois
from midog.training.tasks.registry import TASKS
from midog.training.tasks.unlabelled_images import images_state, require_same_images


@pytest.fixture
def data(phantom, tmp_path):
    return shutil.copytree(phantom, tmp_path / "data")


def unlabelled(data):
    return [roi for roi in read_rois(data) if roi.split == "unlabelled"]


def opened(data, tiny, *overrides):
    config = load_config(None, [*tiny, f"data.dir={str(data)!r}", *overrides])
    return TASKS[config.task.kind].read(config, None).open(torch.device("cpu"))


def test_the_state_differs_where_images_do_and_not_where_they_lie(data, phantom):
    before = unlabelled(data)
    require_same_images(images_state(before), unlabelled(phantom))
    before[0].path.unlink()
    with pytest.raises(ValueError, match="other unlabelled ROIs have an image"):
        require_same_images(images_state(before), unlabelled(data))
    with pytest.raises(ValueError, match="other unlabelled ROIs have an image"):
        require_same_images({"unlabelled": "x"}, before)


def test_nothing_is_required_where_nothing_is_taken_or_nothing_was_noted(data):
    assert images_state([]) == {}
    require_same_images(images_state(unlabelled(data)), [])
    require_same_images({}, unlabelled(data))


@pytest.mark.parametrize("takes", ["augment.randstainna.share=1", "task.kind=adversarial"])
def test_a_task_that_takes_something_of_them_remembers_which(data, tiny, takes):
    state = opened(data, tiny, takes).state_dict()
    whole = data_fingerprint(read_rois(data))
    opened(data, tiny, takes).load_state_dict(state)
    unlabelled(data)[0].path.unlink()
    with pytest.raises(ValueError, match="other unlabelled ROIs have an image"):
        opened(data, tiny, takes).load_state_dict(state)
    assert data_fingerprint(read_rois(data)) == whole, "no other labels: val and test are the same"
    assert opened(data, tiny).state_dict() == {}
