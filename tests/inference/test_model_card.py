"""model.json of any task: read where it fits, and one line where it does not."""

from __future__ import annotations

import json

import pytest

from midog.errors import WeightsError
from midog.inference.model_card import CARD, AnyCard, read_any_card, read_card


def test_a_card_of_the_task_is_read_with_its_config(saved):
    card, config = read_card(saved / CARD)
    assert (card.task, card.threshold) == ("detection", 0.4)
    assert config.model.backbone.kind == "resnet18"
    same, _ = read_any_card(saved / CARD, AnyCard, "detection")
    assert same.weights_sha256 == card.weights_sha256


def test_a_card_of_another_task_names_both(saved):
    with pytest.raises(WeightsError, match="of a model of task detection; give a model of task x"):
        read_any_card(saved / CARD, AnyCard, "x")
    tree = json.loads((saved / CARD).read_text()) | {"task": "verify"}
    (saved / CARD).write_text(json.dumps(tree))
    with pytest.raises(WeightsError, match="task verify; give a model of task detection"):
        read_card(saved / CARD)
