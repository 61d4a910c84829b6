"""Tasks by name: each has words and settings that name it."""

from __future__ import annotations

import pytest

from midog.training.tasks.registry import TASKS


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_words_and_settings_that_name_it(name):
    assert TASKS[name].about
    assert TASKS[name].next.format(data="data", model="runs/a/best")
    assert TASKS[name].settings(kind=name).kind == name
