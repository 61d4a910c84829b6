"""An op is light: nothing heavy is imported until it is used."""

from __future__ import annotations

import subprocess
import sys

from tests.test_house import ROOT


def test_the_registry_imports_neither_numpy_nor_torch():
    code = (
        "import sys, midog.augment.ops;"
        " print([name for name in ('numpy', 'torch', 'cv2') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
