"""The small conditions of the benchmarks' own tests; torchvision sees patches at 128 px."""

from __future__ import annotations

import pytest

from tests.bench.conftest import conditions, drawn  # noqa: F401
from tests.bench.small import make_haste


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    make_haste(monkeypatch)
    monkeypatch.setattr("benchmarks.baselines.torchvision_network.SHIPPED_PX", 128)
    for stage in ("forward", "step"):
        monkeypatch.setattr(f"benchmarks.comparisons.{stage}.SHIPPED_PX", 128)
