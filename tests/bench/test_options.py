"""What a benchmark can be asked for: the size of its ROIs."""

from __future__ import annotations

import pytest

from midog.bench.options import ROI_PX, BenchOptions, read_size
from midog.errors import ConfigError


@pytest.mark.parametrize(
    "text", ["7215", "7215x", "x", "0x0", "511x512", "7215x5412x3", "-600x600", "1e4x1e4"]
)
def test_sizes_that_are_out_of_range(text):
    with pytest.raises(ConfigError, match=r"is out of range; write WIDTHxHEIGHT"):
        read_size(text)


def test_sizes():
    assert read_size(ROI_PX) == BenchOptions().roi == (7215, 5412)
    assert read_size("512X600") == (512, 600)
