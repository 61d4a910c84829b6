"""A quick start that changes nothing: torchvision whole, torch's compiler real afterwards, weights
all loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from midog.inference.start import import_torchvision, no_first_weights
from midog.models.build import build_model
from tests.inference.small import CONFIG

ROOT = Path(__file__).resolve().parents[2]


def ran(code: str) -> str:
    command = [
        sys.executable,
        "-c",
        f"import sys\nfrom midog.inference.start import import_torchvision\n{code}",
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT).stdout


def test_torchvision_is_imported_without_the_compiler_which_can_be_had_afterwards() -> None:
    code = """
import_torchvision()
assert "torchvision.ops.roi_align" in sys.modules
print("torch._dynamo" in sys.modules)
import torch, torchvision
boxes = torch.tensor([[0.0, 0, 8, 8]])
print(torchvision.ops.roi_align(torch.ones(1, 1, 8, 8), [boxes], 1).item())
print(torchvision.ops.nms(boxes, torch.ones(1), 0.5).tolist())
print(torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)).item())
print(torch._dynamo.utils.is_compile_supported.__module__)
"""
    assert ran(code).split() == ["False", "1.0", "[0]", "2.0", "torch._dynamo.utils"]


def test_another_torchvision_that_asks_more_of_the_compiler_is_imported_plainly(
    tmp_path: Path,
) -> None:
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("from torchvision import ops")
    (tmp_path / "torchvision" / "ops.py").write_text(
        "from torch._dynamo.eval_frame import optimize"
    )
    code = f"""
sys.path.insert(0, {str(tmp_path)!r})
import_torchvision()
print("torchvision" in sys.modules or "torchvision.ops" in sys.modules)
import torchvision
print(torchvision.ops.optimize.__module__)
"""
    assert ran(code).split() == ["False", "torch._dynamo.eval_frame"]


def test_what_is_imported_already_is_left_alone() -> None:
    before = sys.modules["torchvision"]
    import_torchvision()
    assert sys.modules["torchvision"] is before


def test_no_number_is_drawn_and_nothing_but_weights_is_different() -> None:
    state = torch.get_rng_state()
    with no_first_weights():
        empty = build_model(CONFIG, pretrained=False)
    assert torch.equal(torch.get_rng_state(), state)
    full = build_model(CONFIG, pretrained=False)
    empty.load_state_dict(full.state_dict())
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        one, other = (model.eval().candidates(images, 0.0) for model in (empty, full))
    assert torch.equal(one.scores, other.scores)
    assert torch.equal(one.boxes, other.boxes)


def test_weights_are_drawn_again_behind_it() -> None:
    with no_first_weights(), pytest.raises(ValueError, match="stop"):
        raise ValueError("stop")
    assert torch.nn.init.zeros_(torch.ones(3)).tolist() == [0, 0, 0]
