"""Every detector of the registry by the real commands: trained, run and scored."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from midog.models.registry import DETECTORS
from tests.models.networks import lean
from tests.models.toys import train_detect_score
from tests.spoiled import Ran, settings

OTHERS = [kind for kind in DETECTORS if kind != "retinanet"]  # which the other tests use
TWO_LEVELS = {"levels": 2, "anchor_sizes": [[40, 50], [56, 70]]}
TIMM = {"kind": "timm", "name": "mobilenetv3_small_050"}


@pytest.mark.parametrize("kind", OTHERS)
def test_a_run_is_trained_detects_and_is_scored(
    kind: str,
    midog: Callable[..., Ran],
    phantom: Path,
    tiny: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    fields = DETECTORS[kind].settings.model_fields
    model = lean(kind) | {name: own for name, own in TWO_LEVELS.items() if name in fields}
    if kind == "fcos" and find_spec("timm"):
        model["backbone"] = TIMM
    ours = [f"model.{name}={json.dumps(own)}" for name, own in model.items()]
    others = [word for word in tiny if not word.startswith(("model.", "train.epochs"))]
    best = train_detect_score(midog, phantom, settings([*others, *ours, "train.epochs=1"]))
    stored = json.loads((best / "model.json").read_text())["config"]["model"]
    assert stored["kind"] == kind
    assert stored["backbone"]["kind"] in ("resnet18", "timm")
