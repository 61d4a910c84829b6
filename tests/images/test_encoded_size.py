"""Sizes that encoded pictures state, as Pillow reads them."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from midog.images.encoded_size import stated_size


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "comment": b"x" * 999}),
        ("JPEG2000", {}),
        ("JPEG2000", {"no_jp2": True}),
    ],
)
def test_the_stated_size(kind: str, options: dict[str, Any]) -> None:
    file = io.BytesIO()
    Image.new("RGB", (321, 123)).save(file, kind, **options)
    assert stated_size(file.getvalue()) == (321, 123)
    assert stated_size(file.getvalue()[:20]) is None


@given(st.binary(max_size=60), st.sampled_from([b"", b"\xff\xd8", b"\xff\x4f\xff\x51"]))
def test_any_bytes(data: bytes, head: bytes) -> None:
    stated_size(head + data)
