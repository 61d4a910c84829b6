"""Pictures of validation patches: those with figures first, true boxes in green."""

from __future__ import annotations

from midog.training.tasks.detection_pictures import draw_pictures
from tests.training.tasks.test_detection import CPU, FindsDark, task_of, world


def test_pictures_show_patches_with_figures():
    batches = task_of(world()).fixed_patches.batches()
    pictures = draw_pictures(FindsDark(), batches, CPU, 2, 0.5)
    assert len(pictures) == 2
    assert all(picture.shape == (256, 256, 3) for picture in pictures)
    green = [(picture == [0, 255, 0]).all(axis=-1).any() for picture in pictures]
    assert all(green), "true boxes are drawn in green"
