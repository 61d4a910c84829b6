"""What a checkpoint holds is compared with the model before native code sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from midog.config.load import load_config
from midog.errors import CheckpointError
from midog.training.checkpoint import Checkpoint, take_state
from midog.training.restore import restore
from tests.training.line_task import LineTask, line_learner


@pytest.fixture(params=["adamw", "sgd", "rmsprop"])
def trained(request, tmp_path):
    learner = line_learner(load_config(None, [f"train.optimizer={request.param}"]).train)
    LineTask().losses(learner.wrapped, torch.ones(2, 2))["error"].backward()
    learner.optimizer.step()
    learner.average.update()
    state = take_state(
        learner.progress, learner.network, learner.optimizer, learner.average, {"steps": 3}
    )
    return learner, Checkpoint(tmp_path / "last.ckpt", state)


def test_all_of_it_comes_back(trained):
    learner, checkpoint = trained
    torch.manual_seed(1)
    with torch.no_grad():
        learner.network.weight.zero_()
    restore(checkpoint, learner.network, learner.optimizer, learner.average)
    again = take_state(learner.progress, learner.network, learner.optimizer, learner.average, {})
    for part in ("model", "ema"):
        assert all(
            torch.equal(checkpoint.state[part][key], again[part][key]) for key in again[part]
        )
    for number, slots in again["optimizer"].items():
        old = checkpoint.state["optimizer"][number]
        assert all(torch.equal(old[key], slots[key]) for key in slots)


def test_a_checkpoint_from_before_scores_were_smoothed_compares_by_the_score(trained):
    learner, checkpoint = trained
    progress = checkpoint.state["progress"]
    progress["best_score"] = 0.5
    for name in ("best_value", "smoothed_score", "averaged_epoch"):
        del progress[name]
    restored = restore(checkpoint, learner.network, learner.optimizer, learner.average)
    assert (restored.best_value, restored.averaged_epoch) == (0.5, -1)


def first_moment(state: dict[str, Any]) -> tuple[dict[str, Any], str]:
    slots = state["optimizer"][0]
    return slots, "exp_avg" if "exp_avg" in slots else "momentum_buffer"


def set_moment(make: Callable[[torch.Tensor], Any]) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        slots, name = first_moment(state)
        slots[name] = make(slots[name])

    return change


def assign(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(state: dict[str, Any]) -> None:
        *parts, last = path.split(".")
        for part in parts:
            state = state[int(part) if part.isdigit() else part]
        state[last] = value

    return change


HOSTILE = {
    "a moment that is too small": set_moment(lambda old: torch.zeros(1)),
    "a moment of another type": set_moment(lambda old: old.double()),
    "a moment that is no tensor": set_moment(lambda old: [1.0]),
    "a sparse moment": set_moment(lambda old: old.to_sparse()),
    "a moment that is not finite": set_moment(lambda old: old * float("nan")),
    "a moment missing": lambda state: state["optimizer"][0].pop(first_moment(state)[1]),
    "moments of no weight": lambda state: state["optimizer"].update({9: {}}),
    "moments by name": lambda state: state["optimizer"].update({"a": {}}),
    "an optimizer that is a list": assign("optimizer", []),
    "an optimizer that is missing": lambda state: state.pop("optimizer"),
    "threads beyond any machine": assign("threads", 1_000_000),
    "threads of a wrong type": assign("threads", "2"),
    "no thread": assign("threads", 0),
    "weights of another shape": assign("model.weight", torch.zeros(3, 3)),
    "weights of another type": assign("model.weight", torch.zeros(1, 2, dtype=torch.int64)),
    "weights that are text": assign("model.weight", "x"),
    "a weight in excess": assign("model.more", torch.zeros(1)),
    "no model": assign("model", None),
    "no average": assign("ema", None),
    "an average of nothing": assign("ema.n_averaged", torch.tensor(-1)),
    "an average counted in floats": assign("ema.n_averaged", torch.tensor(0.5)),
    "a progress that is a list": assign("progress", []),
    "an epoch beyond all": assign("progress.epoch", 2**60),
    "weights averaged in a later epoch": assign("progress.averaged_epoch", 9),
    "a value that is text": assign("progress.best_value", "0.5"),
    "an epoch that is true": assign("progress.epoch", True),
    "a best model elsewhere": assign("progress.best_folder", "best-/../../etc"),
    "losses of text": assign("progress.losses", {"a": "b"}),
    "no facts": assign("facts", None),
    "steps of a wrong type": assign("facts.steps", "3"),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_what_does_not_fit_is_one_line_and_moves_nothing(trained, change):
    learner, checkpoint = trained
    before = learner.network.weight.detach().clone()
    change(checkpoint.state)
    with pytest.raises(
        CheckpointError, match=r"last\.ckpt does not fit this model: its "
    ) as caught:
        restore(checkpoint, learner.network, learner.optimizer, learner.average)
    assert len(str(caught.value)) < 500
    assert torch.equal(learner.network.weight, before)


def test_a_moment_whose_memory_is_smaller_than_its_shape_is_laid_out_anew(trained):
    learner, checkpoint = trained
    set_moment(lambda old: torch.zeros(1).expand_as(old))(checkpoint.state)
    restore(checkpoint, learner.network, learner.optimizer, learner.average)
    (slots, *_) = learner.optimizer.state.values()
    name = "exp_avg" if "exp_avg" in slots else "momentum_buffer"
    assert slots[name].is_contiguous()
    assert slots[name].untyped_storage().nbytes() >= slots[name].numel() * 4
