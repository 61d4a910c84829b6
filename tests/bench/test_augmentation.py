"""The stage of augmentation: a row for each op and form."""

from __future__ import annotations

from midog.augment.ops import OPS
from midog.bench.augmentation import augment_stage


def test_every_op_is_timed_in_both_forms(conditions):
    measured = augment_stage(conditions)
    rows = [measured, *measured.also]
    assert len(rows) == 1 + len(OPS) + 1 + len(OPS) - 2
    assert rows[0].what == "no op, cut by one core"
    for name in OPS:
        own = [row for row in rows if row.what.startswith(f"{name} ")]
        assert len(own) == (1 if name in ("mpp", "copy_paste") else 2)
        assert all("ms_per_patch" in row.detail for row in own)
