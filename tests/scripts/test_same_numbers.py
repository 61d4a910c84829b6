"""scripts/same_numbers.py: what counts as equal, and what does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import same_numbers
import torch
from golden import canonical, chain, lookup, pure, spellings
from golden.canonical import Artefact
from golden.page import of_page
from golden.side import Side, StepError

ROOT = Path(__file__).resolve().parents[2]
PAGE = """<html><head><style>p { margin: 3px }</style></head><body>
<p>Of 27 figures, F1 is −0.5.</p>
<table><tr><td>0.030 <small>0.026–0.035</small></td></tr></table>
<img src="data:image/jpeg;base64,AB">
<svg><g id="a-line2d_1"><path d="M 1 2"/></g><g id="a-text_1"><path d="M 9 9"/></g></svg>
</body></html>"""


def rows(before: Artefact, after: Artefact) -> list[str]:
    """Whether each artefact is equal."""
    return [row[-1] for row in same_numbers.compare([before], [after])[0]]


def test_a_number_that_moves_by_one_bit_is_a_difference():
    one, other = 0.1, float(np.nextafter(0.1, 1))
    same = canonical.of_json("scores", "evaluation.json", f'{{"f1": {one!r}}}')
    moved = canonical.of_json("scores", "evaluation.json", f'{{"f1": {other!r}}}')
    assert rows(same, same) == ["yes"]
    assert rows(same, moved) == ["NO"]
    (_, lines) = same_numbers.compare([same], [moved])
    assert lines == ["scores:", "  -f1 = 0.1", "  +f1 = 0.10000000000000002"]


def test_a_tensor_is_compared_by_type_shape_and_bytes():
    weights = torch.arange(6.0)
    given = [weights, weights.reshape(2, 3), weights.double(), weights + 1e-6, weights.clone()]
    first, *others = [canonical.of_tensors("weights", "weights", {"a": each}) for each in given]
    assert [rows(first, other) for other in others] == [["NO"], ["NO"], ["NO"], ["yes"]]
    assert first.size == 24


def test_a_key_that_is_mapped_is_equal_and_one_that_is_not_is_no_news(monkeypatch):
    before = canonical.of_json("state", "state.json", '{"best_f1": 0.5, "epoch": 2}')
    after = canonical.of_json("state", "state.json", '{"epoch": 2, "best": 0.5, "task": "a"}')
    assert rows(before, after) == ["NO"]
    monkeypatch.setattr(canonical, "RENAMED_KEYS", (("state.json", "^best$", "best_f1"),))
    monkeypatch.setattr(canonical, "ADDED_KEYS", (("state.json", "task"),))
    assert rows(before, after) == ["yes"]


def test_measured_time_is_not_compared():
    one, other = (
        canonical.of_csv(
            "metrics", "metrics.csv", f"epoch,train/patches_per_second,f1\n1,{pace},{f1}"
        )
        for pace, f1 in ((3, 0.5), (4.25, 0.5))
    )
    assert rows(one, other) == ["yes"]
    slower = canonical.of_csv(
        "metrics", "metrics.csv", "epoch,train/patches_per_second,f1\n1,3,0.6"
    )
    assert rows(one, slower) == ["NO"]


def test_a_setting_is_compared_under_its_key_of_before(monkeypatch):
    before = canonical.of_settings("settings", {"train": {"colour": "red", "lr": 0.1}})
    after = canonical.of_settings("settings", {"looks": {"colour": "red"}, "train": {"lr": 0.1}})
    assert rows(before, after) == ["NO"]
    monkeypatch.setattr(canonical, "SETTINGS", {"train.colour": ("looks.colour={}",)})
    assert rows(before, after) == ["yes"]


def test_files_are_compared_byte_for_byte_and_by_name(tmp_path):
    for folder, name, content in (("a", "1.csv", b"x"), ("b", "1.csv", b"x"), ("c", "1.csv", b"y")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(content)
    a, b, c = (canonical.of_files("rows", [tmp_path / folder / "1.csv"]) for folder in "abc")
    assert rows(a, b) == ["yes"]
    assert rows(a, c) == ["NO"]


def test_a_page_is_compared_by_its_numbers(tmp_path):
    (tmp_path / "page.html").write_text(PAGE)
    made = {artefact.name: artefact.lines for artefact in of_page("page", tmp_path / "page.html")}
    assert made["page: tables"] == ["0.030", "0.026", "0.035"]
    assert made["page: text"] == ["27", "-0.5"]
    assert made["page: charts"] == ["d M 1 2"]
    assert len(made["page: pictures"]) == 1


@pytest.mark.parametrize(
    ("text", "expected"), [("F1 is 1,200 of 3e-05", ["1,200", "3e-05"]), ("", [])]
)
def test_digits_within_a_word_are_no_number(text, expected):
    assert canonical.numbers(text) == expected


def test_what_is_missing_or_failed_is_a_difference():
    made, failed = Artefact("a", ["1"], 1), Artefact("a FAILED", ["error"], 0)
    assert [row[-1] for row in same_numbers.compare([made], [])[0]] == ["NO"]
    assert rows(failed, failed) == ["NO"]


def test_a_failed_step_is_told_and_a_step_that_was_run_is_not_run_again(tmp_path, monkeypatch):
    calls = []

    def broken(side: Side) -> list[Artefact]:
        raise StepError("no such command")

    def fine(side: Side) -> list[Artefact]:
        calls.append(side.folder.name)
        return [Artefact("fine", ["1"], 1)]

    monkeypatch.setattr(same_numbers, "STEPS", {"fine": fine, "broken": broken})
    side = Side(ROOT, tmp_path / "before", 1)
    assert [each.name for each in same_numbers.run_chain(side, ["fine"])] == ["fine"]
    assert [each.name for each in same_numbers.run_chain(side, ["fine"])] == ["fine"]
    assert calls == ["before"]
    broken_too = same_numbers.run_chain(side, ["fine", "broken"])
    assert [each.name for each in broken_too] == ["fine", "broken FAILED"]


def test_this_checkout_takes_every_setting_of_the_chain_and_has_every_function():
    for more in chain.RUNS.values():
        assert len(lookup.spell(chain.TINY | more)) >= len(chain.TINY)
    for topic, numbers in pure.TOPICS.items():
        assert [name for name, _ in numbers()], topic
    assert all(callable(lookup.find(name)) for name in spellings.FUNCTIONS)


def test_the_command_names_its_steps():
    script = str(ROOT / "scripts" / "same_numbers.py")
    done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert all(step in done.stdout for step in chain.STEPS)
