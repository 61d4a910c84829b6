"""The answers of the field's own scorers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def parity(shared: Path) -> dict:
    """Points of images and what the field's scorers make of them."""
    return json.loads((shared / "parity" / "parity.json").read_text())
