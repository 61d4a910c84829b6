"""A quick start that changes nothing: torchvision whole, torch's compiler real afterwards, weights
all loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from midog.inference.start import import_torchvision

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
