"""The readers that are fuzzed: what each is given, and what it must never accept."""

from __future__ import annotations

import json
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fuzzing.mutate import mutated_bytes, mutated_text, mutated_tree
from fuzzing.mutate_images import mutated_image

ROLES = {"train", "val", "test", "unlabelled"}


@dataclass(frozen=True)
class Reader:
    """One reader.

    Args:
        files: Whole samples in the prepared folder: the name that a mutant gets, and the path.
        mutate: Makes a mutant of a sample's bytes.
        read: Reads a mutant; raises MidogError where it cannot.
        check: Raises AssertionError where what was read is out of range.
    """

    files: Callable[[Path], list[Path]]
    mutate: Callable[[random.Random, bytes], bytes]
    read: Callable[[Path], Any]
    check: Callable[[Any], None] = lambda value: None


def _tree(rng: random.Random, content: bytes) -> bytes:
    return mutated_tree(rng, json.loads(content))


def _text(rng: random.Random, content: bytes) -> bytes:
    return mutated_text(rng, content.decode())


def _yaml(rng: random.Random, content: bytes) -> bytes:
    """Mutants of YAML: cells of `key: value`, tags, aliases, and bytes."""
    lines = content.decode().split("\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        row = rng.randrange(len(lines))
        key, colon, _ = lines[row].partition(":")
        values = (
            *("yes", "1e-4", "!!int x", "!!python/object:os.system", "2020-01-01", ".nan", ".inf"),
            *("-.inf", "&a [*a]", "[1, 2", "'", '"\\x00"', "0x10", "1_000", "12:30", "null", "[]"),
            *("{}", "-1", "9" * 400, "1e400", "x" * 9000, "[" * 200, "true", '"8"', "- 1"),
        )
        kind = rng.randrange(5)
        if kind < 3 and colon:
            lines[row] = f"{key}: {rng.choice(values)}"
        elif kind == 3:
            lines.insert(row, lines[rng.randrange(len(lines))])
        else:
            return mutated_bytes(rng, "\n".join(lines).encode())
    return "\n".join(lines).encode()


def _database(rng: random.Random, content: bytes) -> bytes:
    """Mutants of a database: values of any type in its tables, and tables of other columns."""
    values = (
        *(None, -1, 0, 1, 2, 3, 1e300, -1e300, 2**62, 0.5, "", "1", "nan", "x" * 9000, b"\0\xff"),
        *("../../a", "/etc/passwd", "C:\\a", "a\0b", "\ud7ff", "no agreed class"),
    )
    with closing(sqlite3.connect(":memory:")) as base:
        base.deserialize(content)
        for _ in range(rng.choice((1, 1, 2, 4))):
            rows = base.execute("select name from sqlite_master where type = 'table'")
            table = rng.choice([row[0] for row in rows])
            columns = [row[1] for row in base.execute(f"pragma table_info({table})")]
            column, kind = rng.choice(columns), rng.randrange(8)
            with suppress(sqlite3.Error):
                if kind == 0:
                    base.execute(f"alter table {table} rename column {column} to other")
                elif kind == 1:
                    base.execute(f"alter table {table} rename to {table}2")
                elif kind == 2:
                    base.execute(f"delete from {table}")
                else:
                    base.execute(f"update {table} set {column} = ?", (rng.choice(values),))
        base.commit()
        return base.serialize()


def _annotations(annotations_format: str, path: Path) -> Any:
    from midog.data.annotations.read import read_annotations

    return read_annotations(path, annotations_format=annotations_format).rois


_shown = partial(_annotations, "auto")


def _check_rois(rois: Any) -> None:
    for roi in rois:
        boxes = roi.boxes.xyxy
        assert np.isfinite(boxes).all(), "a box is not finite"
        assert (np.abs(boxes) < 1e7).all(), "a box is far away"
        assert (boxes[:, 2:] > boxes[:, :2]).all(), "a box is empty"
        for size in (roi.width, roi.height):
            assert size is None or (type(size) is int and 0 < size < 1e7), f"a size is {size!r}"
        check_mpp(roi.mpp)
        assert "\0" not in roi.file_name, "a name holds NUL"


def check_mpp(mpp: Any) -> None:
    """Assert that micrometres per pixel are None, or plausible on both axes."""
    for value in () if mpp is None else mpp if isinstance(mpp, tuple | list) else (mpp,):
        assert isinstance(value, float), f"mpp is {mpp!r}"
        assert 0.05 <= value <= 5, f"mpp is {mpp!r}"


def _split(path: Path) -> Any:
    from midog.data.split_file import read_split

    return read_split(path).rows


def _check_split(rows: Any) -> None:
    for row in rows:
        assert row.split in ROLES, row.split
        assert row.file_name, "no name"
        check_mpp(row.mpp)


def _config(path: Path) -> Any:
    from midog.config.load import load_config

    return load_config(path)


def _check_config(config: Any) -> None:
    from midog.config.load import parse_config

    for value in (config.train.lr, config.train.batch_size, config.train.epochs):
        assert type(value) in (int, float), f"{value!r} is no number"
        assert 0 < value < 1e7, f"{value!r} is out of range"
    assert parse_config(yaml.safe_load(config.to_yaml())) == config, "it is not read back"


def _detections(path: Path) -> Any:
    from midog.formats.challenge import read_challenge

    return read_challenge(path)


def _check_points(points: Any) -> None:
    assert np.isfinite(points.points_mm).all(), "a point is not finite"
    scores = points.scores[~np.isnan(points.scores)]
    assert ((scores >= 0) & (scores <= 1)).all(), "a probability is out of range"
    assert len(points.points_mm) == len(points.scores), "counts differ"


def _card(path: Path) -> Any:
    from midog.inference.model_card import read_card

    return read_card(path)


def _model(path: Path) -> Any:
    from midog.inference.model_folder import read_model

    return read_model(path.parent)


def _checkpoint(path: Path) -> Any:
    from midog.training.checkpoint import read_checkpoint

    return read_checkpoint(path)


def _state(path: Path) -> Any:
    from midog.training.runs import read_state

    return read_state(path.parent)


def _metrics(path: Path) -> Any:
    from midog.training.log import read_metrics

    return read_metrics(path)


def _manifest(path: Path) -> Any:
    from midog.data.download.manifest import open_manifest

    return open_manifest(path.parent, "midog21", "MIDOG.json")


def _candidates(path: Path) -> Any:
    from midog.data.candidates import read_candidates

    return read_candidates(path)


def _check_candidates(candidates: Any) -> None:
    for one in candidates:
        assert np.isfinite([one.x, one.y]).all(), "a place is not finite"
        assert np.isnan(one.score) or 0 <= one.score <= 1, f"score {one.score!r}"
        assert one.file_name, "no name"
        assert one.label, "no label"


def _study(path: Path) -> Any:
    from midog.studies.study_file import read_study

    return read_study(path)


def _check_study(study: Any) -> None:
    from midog.studies.designs import DESIGNS
    from midog.studies.study_file import MOST_ROWS

    assert 0 < len(study.rows) <= MOST_ROWS, len(study.rows)
    assert study.folders, "no data"
    for row in study.rows.values():
        assert set(row.designs) <= set(DESIGNS), row.designs
        assert all(type(seed) is int and 0 <= seed < 2**63 for seed in row.seeds), row.seeds
        assert sum(row.seed_groups, ()) == row.seeds, "a seed is in no detector"
        assert row.budget is None or (row.budget.updates or row.budget.seconds or 0) > 0


def _study_plan(path: Path) -> Any:
    from midog.studies.store import read_result

    return read_result(path.parent, resamples=0).to_dict()


def _record(path: Path) -> Any:
    from midog.inference.output_folder import read_settings

    return read_settings(path.parent)


def _image(path: Path) -> Any:
    from midog.images.image import open_image

    with open_image(path) as image:
        sizes = (image.width, image.height)
        pixels = image.read(0, 0, min(image.width, 512), min(image.height, 512))
        return sizes, image.mpp, pixels


def _check_image(read: Any) -> None:
    (width, height), mpp, pixels = read
    assert width > 0, "no width"
    assert height > 0, "no height"
    assert pixels.shape == (min(height, 512), min(width, 512), 3), pixels.shape
    check_mpp(mpp)


def _named(*patterns: str) -> Callable[[Path], list[Path]]:
    def files(folder: Path) -> list[Path]:
        return sorted(path for pattern in patterns for path in folder.glob(pattern))

    return files


READERS = {
    "annotations, JSON": Reader(_named("json/*.json"), _tree, _shown, _check_rois),
    "annotations, CSV": Reader(_named("csv/*.csv"), _text, _shown, _check_rois),
    "annotations, bytes": Reader(_named("json/*", "csv/*"), mutated_bytes, _shown, _check_rois),
    "annotations, GeoJSON": Reader(_named("geojson/*"), _tree, _shown, _check_rois),
    "annotations, SQLite": Reader(_named("sqlite/*"), mutated_bytes, _shown, _check_rois),
    "annotations, records": Reader(_named("sqlite/*"), _database, _shown, _check_rois),
    "annotations, row and column": Reader(
        _named("headerless/*"), _text, partial(_annotations, "tupac16"), _check_rois
    ),
    "annotations, x and y": Reader(
        _named("headerless/*"), mutated_bytes, partial(_annotations, "mitos14"), _check_rois
    ),
    "split": Reader(_named("data/split.csv"), _text, _split, _check_split),
    "settings, YAML": Reader(_named("yaml/*.yaml"), _yaml, _config, _check_config),
    "detections": Reader(_named("detections/*.json"), _tree, _detections, _check_points),
    "model.json": Reader(_named("model/model.json"), _tree, _card),
    "model, weights": Reader(_named("model/model.safetensors"), mutated_bytes, _model),
    "last.ckpt": Reader(_named("run/last.ckpt"), mutated_bytes, _checkpoint),
    "state.json": Reader(_named("run/state.json"), _tree, _state),
    "metrics.csv": Reader(_named("run/metrics.csv"), _text, _metrics),
    "manifest": Reader(_named("download/.midog-download.json"), _tree, _manifest),
    "record": Reader(_named("detections/.midog-infer.json"), _tree, _record),
    "alarms, CSV": Reader(_named("alarms/*.csv"), _text, _candidates, _check_candidates),
    "study, YAML": Reader(_named("studies/*.yaml"), _yaml, _study, _check_study),
    "study, plan": Reader(_named("studies/plan.json"), _tree, _study_plan),
    "images": Reader(_named("images/*"), mutated_image, _image, _check_image),
}
"""Every reader that is given mutants, by name."""
