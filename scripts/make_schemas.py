"""Writes what docs/*.schema.json say of measures anew from MEASURES and PATCH_MEASURES; all else in
them is written by hand.

Run `python scripts/make_schemas.py` after a change of MEASURES; a test compares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from midog.evaluation.measure import Measure
from midog.evaluation.measures import MEASURES, compared
from midog.evaluation.patch_measures import PATCH_MEASURES

DOCS = Path(__file__).resolve().parents[1] / "docs"
Schema = dict[str, Any]
Limits = list[tuple[str, float | None]]

BEFORE = ("keys", "rois", "patients", "figures", "area_mm2", "tp", "fp", "fn")
AFTER = (
    "oracle",
    "figure_free",
    "agreement",
    "calibration",
    "mistakes",
    "misses_by_distance",
    "curve",
)
"""Keys of a group that are no measures, before and after these."""
PATCHES_BEFORE = ("keys", "patches", "slides", "positives", "tp", "fp", "fn", "tn")
PATCHES_AFTER = ("roc", "calibration")
"""Keys of a group of patches that are no measures, likewise."""
FOLDERS = {
    "oracle": ("threshold", "at_floor", "f1", "threshold_loss", "ranking_loss"),
    "figure_free": ("rois", "patients", "area_mm2", "fp", "clean_rois"),
    "agreement": ("rois", "spearman", "icc", "bias", "sd", "low", "high"),
    "calibration": ("edges", "count", "mean_score", "hit_share", "ece"),
}
"""Keys of a group that hold measures among other things, in their order; further ones follow."""


def evaluation_schema(schema: Schema) -> Schema:
    """Return the schema of `midog evaluate --json` with the measures of MEASURES.

    Args:
        schema: The schema with whatever measures; it stays as it is.
    """
    group = schema["$defs"]["group"]
    old = group["properties"]
    on_top = [measure for measure in MEASURES.values() if len(measure.path) == 1]
    properties = {
        **{key: old[key] for key in BEFORE},
        **{measure.key: of_measure(measure) for measure in on_top if measure.compared},
        "intervals": old["intervals"]
        | {"properties": {key: of_interval(measure) for key, measure in MEASURES.items()}},
        **{measure.key: of_measure(measure) for measure in on_top if not measure.compared},
        **{key: of_folder(key, old[key]) for key in AFTER},
    }
    new = group | {"required": list(properties), "properties": properties}
    return schema | {"$defs": schema["$defs"] | {"group": new}}


def comparison_schema(schema: Schema) -> Schema:
    """Return the schema of `midog compare --json` with the measures of MEASURES.

    Args:
        schema: The schema with whatever measures; it stays as it is.
    """
    measures = compared()
    lows, highs = [measure.low for measure in measures], [measure.high for measure in measures]
    low = None if None in lows else min(lows)
    high = None if None in highs else max(highs)
    span = None if low is None or high is None else high - low
    limits: Limits = [("minimum", low), ("maximum", high)]
    furthest: Limits = [("minimum", None if span is None else -span), ("maximum", span)]
    definitions = schema["$defs"]
    row = definitions["difference"]["properties"]
    row = row | {
        "a": bounded(row["a"], limits),
        "b": bounded(row["b"], limits),
        "difference": bounded(row["difference"], furthest),
        "interval": row["interval"] | {"items": bounded(row["interval"]["items"], furthest)},
    }
    group = {
        "required": [measure.key for measure in measures],
        "properties": {
            measure.key: {"$ref": "#/$defs/difference", "description": f"Of {measure.compared}."}
            for measure in measures
        },
    }
    return schema | {
        "$defs": definitions
        | {
            "group": definitions["group"] | group,
            "difference": definitions["difference"] | {"properties": row},
        }
    }


def patches_schema(schema: Schema) -> Schema:
    """Return the schema of `midog patches evaluate --json` with the measures of PATCH_MEASURES.

    Args:
        schema: The schema with whatever measures; it stays as it is.
    """
    group = schema["$defs"]["group"]
    old = group["properties"]
    properties = {
        **{key: old[key] for key in PATCHES_BEFORE},
        **{
            key: {"$ref": "#/$defs/ratio", "description": measure.description}
            for key, measure in PATCH_MEASURES.items()
        },
        "intervals": old["intervals"]
        | {
            "properties": {
                key: {"$ref": "#/$defs/interval", "description": f"Of {key}."}
                for key in PATCH_MEASURES
            }
        },
        **{key: old[key] for key in PATCHES_AFTER},
    }
    new = group | {"required": list(properties), "properties": properties}
    return schema | {"$defs": schema["$defs"] | {"group": new}}


def of_measure(measure: Measure) -> Schema:
    """Describe the value of a measure, by one of the schema's types if its limits are those."""
    types = {(0, 1): "ratio", (0, None): "amount", (None, None): "number"}
    name = types.get((measure.low, measure.high))
    if name is not None:
        return {"$ref": f"#/$defs/{name}", "description": measure.description}
    limits: Limits = [("minimum", measure.low), ("maximum", measure.high)]
    return bounded({"type": ["number", "null"]}, limits) | {"description": measure.description}


def of_interval(measure: Measure) -> Schema:
    """Describe the interval of a measure."""
    signed = measure.low is None or measure.low < 0
    return {
        "$ref": f"#/$defs/{'signed_interval' if signed else 'interval'}",
        "description": f"Of {' of the '.join(reversed(measure.path))}.",
    }


def of_folder(key: str, old: Schema) -> Schema:
    """Describe a key of a group that may hold measures."""
    if key not in FOLDERS:
        return old
    inside = {
        measure.path[1]: of_measure(measure)
        for measure in MEASURES.values()
        if measure.path[0] == key
    }
    names = dict.fromkeys([*FOLDERS[key], *inside])
    properties = {name: inside.get(name) or old["properties"][name] for name in names}
    return old | {"required": list(properties), "properties": properties}


def bounded(schema: Schema, limits: Limits) -> Schema:
    """Return a schema with these limits, of which None is left out; a description stands last."""
    without = {key: value for key, value in schema.items() if key not in ("minimum", "maximum")}
    description = without.pop("description", None)
    new = without | {key: limit for key, limit in limits if limit is not None}
    return new if description is None else new | {"description": description}


def text_of(schema: Mapping[str, Any]) -> str:
    """Write a schema as its file has it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


MAKERS = {
    "evaluation.schema.json": evaluation_schema,
    "comparison.schema.json": comparison_schema,
    "patches.schema.json": patches_schema,
}
"""What makes a file in docs/ anew."""


def main() -> None:
    """Write the files anew."""
    for name, make in MAKERS.items():
        path = DOCS / name
        path.write_text(text_of(make(json.loads(path.read_text()))))


if __name__ == "__main__":
    main()
