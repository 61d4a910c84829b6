"""What makes a short command start quickly: torchvision without a compiler."""

from __future__ import annotations

import sys
from types import ModuleType


def import_torchvision() -> None:
    """Import torchvision in a tenth of the time; to be called before anything else does.

    Its roi_align, which no network here has, asks torch's compiler whether it supports a device,
    and importing that takes as long as torch itself. Here an empty module answers "no" while
    torchvision is imported; it is taken away afterwards, so that whoever compiles gets the real
    one. A torchvision that asks more than that is left to be imported in its own way.
    """
    if "torchvision" in sys.modules or "torch._dynamo" in sys.modules:
        return
    import torch  # noqa: F401  # with the real modules

    package, utils = ModuleType("torch._dynamo"), ModuleType("torch._dynamo.utils")
    utils.is_compile_supported = lambda device_type: False  # type: ignore[attr-defined]
    stand_ins = {module.__name__: module for module in (package, utils)}
    sys.modules |= stand_ins
    try:
        import torchvision  # noqa: F401
    except (ImportError, AttributeError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
    finally:
        for name in stand_ins:
            del sys.modules[name]
