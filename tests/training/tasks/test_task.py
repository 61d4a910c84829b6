"""The seam: what a task has to be, held by the detection task and by one without images."""

from __future__ import annotations

import inspect

import pytest

from midog.training.tasks.detection import DetectionTask
from midog.training.tasks.task import Task, Validation
from tests.training.line_task import LineTask

METHODS = [name for name, value in vars(Task).items() if inspect.isfunction(value)]


@pytest.mark.parametrize("name", [name for name in METHODS if not name.startswith("_")])
@pytest.mark.parametrize("kind", [DetectionTask, LineTask])
def test_tasks_have_the_arguments_that_the_loop_passes(kind, name):
    wanted = inspect.signature(getattr(Task, name)).parameters
    assert inspect.signature(getattr(kind, name)).parameters.keys() == wanted.keys()


def test_a_validation_needs_neither_curve_nor_pictures():
    validation = Validation(0.5, "closeness", {}, "")
    assert validation.curve is None
    assert list(validation.pictures) == []
