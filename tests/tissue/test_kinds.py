"""Every kind of px has words and a colour of its own."""

from __future__ import annotations

from midog.tissue.kinds import GLASS, KINDS, LEFT_OUT, TISSUE


def test_kinds_are_told_apart() -> None:
    assert sorted(KINDS) == list(range(len(KINDS)))
    assert len({kind.words for kind in KINDS.values()}) == len(KINDS)
    assert len({kind.colour for kind in KINDS.values()}) == len(KINDS)
    assert set(LEFT_OUT) == set(KINDS) - {GLASS, TISSUE}
