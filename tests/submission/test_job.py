"""The job of a container: the one that its kit is for, and its errors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from midog.errors import DetectionsError
from midog.submission.container import Kit, Places
from midog.submission.job import main, run_job
from midog.submission.kit import make_kit
from tests.submission.cases import write_input, write_stack

WHITE = np.full((2, 32, 32, 3), 255, np.uint8)


def test_an_error_is_one_line_and_exit_code_1(tmp_path: Path, caplog) -> None:
    kit = tmp_path / "model"
    kit.mkdir()
    (kit / "kit.json").write_text(json.dumps({"track": 2}))
    for model, expected in ((tmp_path, "holds no kit.json"), (kit, "inputs.json cannot be read")):
        caplog.clear()
        words = ["--input", tmp_path, "--output", tmp_path, "--model", model]
        assert main([str(word) for word in words]) == 1
        (record,) = caplog.records
        assert record.getMessage().startswith("error: ")
        assert expected in record.getMessage()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_kit_does_the_job_of_its_track(weights: Path, classifier: Path, tmp_path: Path) -> None:
    write_input(tmp_path / "roi")
    write_stack(tmp_path / "stack", WHITE)
    for track, own, other, model in (
        (1, "roi", "stack", weights),
        (2, "stack", "roi", classifier),
    ):
        kit = tmp_path / f"kit{track}"
        make_kit(model, kit, Kit(track=track))
        models = (kit / "model",)
        path = run_job(Places(tmp_path / own, tmp_path / "out", models), device="cpu")
        tree = json.loads(path.read_text())
        assert ("points" in tree) if track == 1 else len(tree) == 2
        with pytest.raises(DetectionsError, match=f"run this container in .* track {track}"):
            run_job(Places(tmp_path / other, tmp_path / "out", models), device="cpu")
