"""Numbers of pure functions: draws, locations, augmentation, tiles, targets, learning rates.

Each topic yields named arrays. Where a function changed its parameters, the topic tries one way
after the other.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from golden.lookup import find, spell

Named = Iterator[tuple[str, Any]]

EPOCHS = (0, 1, 57)

SAMPLING = {
    "default": {"sampling.patch_size": "128"},
    "scanners": {"sampling.patch_size": "96", "sampling.balance": "scanner"},
    "jitter": {"sampling.patch_size": "64", "sampling.jitter": "4", "sampling.p_mitotic": "0.7"},
    "reference": {"sampling.p_imposter": "0"},
    "classes": {"sampling.imposters": "second_class", "sampling.min_visible": "0.25"},
}
"""Settings under which locations and targets are drawn."""

AUGMENT = {
    "default": {},
    "strong": {"augment.stain": "0.4", "augment.brightness": "0.3", "augment.blur": "0.9"},
    "flips": {"augment.stain": "0", "augment.brightness": "0", "augment.blur": "0"},
    "colours": {"augment.flip": "false", "augment.blur": "0"},
}
"""Settings under which patches are augmented."""


def draws() -> Named:
    """Philox numbers of each stream."""
    for stream in ("order", "train", "validation", "augment"):
        for seed, epoch, index in ((0, 0, 0), (7, 3, 11), (2**40, 200, 123456)):
            rng = find("random")(seed, stream, epoch, index)
            yield f"{stream} {seed} {epoch} {index}", rng.random(16)
        several = [rng.integers(1 << 30, size=4) for rng in find("randoms")(5, stream, 9, range(8))]
        yield f"{stream}, several", np.array(several)


def sampled() -> Named:
    """Order of ROIs, locations of three epochs and of validation, under several settings."""
    for name, settings in SAMPLING.items():
        config, fields = _config(settings).sampling, _fields()
        for epoch in EPOCHS:
            order = find("roi_order")(fields, config, 3, epoch)
            indices = range(find("epoch_length")(fields, config))
            taken = find("locations")(fields, config, 3, epoch, indices)
            yield f"{name}, epoch {epoch}: order", order
            yield f"{name}, epoch {epoch}: locations", np.array([tuple(each) for each in taken])
        fixed = find("validation_locations")(fields, config, 3)
        yield f"{name}: validation", np.array([tuple(each) for each in fixed])


def taught() -> Named:
    """Targets of the patches of an epoch, and boxes that are turned."""
    for name, settings in SAMPLING.items():
        config, fields = _config(settings).sampling, _fields()
        spots = find("locations")(fields, config, 3, 0, range(len(fields) * 5))
        turns = np.arange(len(spots)) % 8
        figures = find("taught_by")(fields, config)
        targets = find("batch_targets")(figures, spots, config, _moves(turns))
        for key in ("boxes", "labels", "ignore"):
            yield f"{name}: {key}", targets[key]
    boxes = np.concatenate([field.boxes.xyxy for field in _fields()])
    yield "turned", find("turn_boxes")(boxes, np.arange(len(boxes)) % 8, 96)


def augmented() -> Named:
    """What is drawn for a patch, and the patch that comes out, on the device and on a CPU."""
    images = np.random.default_rng(1).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
    numbers = find("draw_numbers")(4, 2, range(len(images)))
    yield "numbers", numbers
    for name, settings in AUGMENT.items():
        config = _config(settings).augment
        looks = find("looks_of")(numbers, config)
        yield f"{name}: turns", _turns(numbers, config)
        for part in ("flips", "mixing", "gains", "blurred", "amounts"):
            if (drawn := getattr(looks, part)) is not None:
                yield f"{name}: {part}", drawn
        yield f"{name}: on the device", find("augment")(torch.from_numpy(images), looks)
        bench, out = find("Workbench")(64), np.zeros_like(images)
        with find("opencv_on_one_thread")():
            for look, patch, to in zip(find("look_by_look")(looks, 12), images, out, strict=True):
                find("augment_patch")(bench, look, patch.copy(), to)
        yield f"{name}: on a CPU", out


def tiled() -> Named:
    """The grid of tiles, its sides, the rule at its edges and the merge."""
    rng = np.random.default_rng(2)
    for width, height in ((100, 90), (700, 500), (7000, 5000), (4097, 260)):
        for overlap in (32, 64):
            side = find("fit_tile")(width, height, overlap, 1024)
            corners = find("grid")(width, height, side, overlap)
            yield f"{width} x {height}, {overlap}: side, tiles", [side, len(corners)]
            yield f"{width} x {height}, {overlap}: grid", corners
    centres, sides = rng.uniform(0, 512, (400, 2)), rng.uniform(20, 80, (400, 2))
    boxes = np.concatenate([centres - sides / 2, centres + sides / 2], axis=1).clip(0, 512)
    boxes = boxes.astype(np.float32) + 512
    inside = find("inside_tile")
    # in an image of 4000 x 1024 px, which earlier versions were told, this tile ends at the bottom
    inner = [np.array([True, True, True, False])]
    own = inner if "inner" in inspect.signature(inside).parameters else [4000, 1024]
    yield "inside", inside(boxes, (512, 512), 512, 64, *own)
    scores, labels = rng.random(400).astype(np.float32), rng.integers(1, 3, 400)
    yield "merge", find("merge")(boxes, scores, labels, 0.2)


def rates() -> Named:
    """Learning rates over a run."""
    warmup = {"train.warmup_steps": "30"}
    for schedule in ("cosine", "constant"):
        config, rate = _config({"train.schedule": schedule, **warmup}), find("learning_rate")
        settings = config if "config" in inspect.signature(rate).parameters else config.train
        yield schedule, [rate(settings, step, 200) for step in range(200)]


TOPICS: dict[str, Callable[[], Named]] = {
    "draws": draws,
    "locations": sampled,
    "targets": taught,
    "augmentation": augmented,
    "tiles": tiled,
    "learning rates": rates,
}
"""What is asked of the pure functions, by topic."""


def _config(settings: dict[str, str]) -> Any:
    from midog import load_config

    return load_config(None, spell(settings))


def _moves(turns: np.ndarray) -> Any:
    """What `batch_targets` takes: turns, or a function that turns boxes by them."""
    turn_boxes = find("turn_boxes")
    if not turn_boxes.__module__.startswith("midog.augment"):
        return turns
    return lambda boxes, patch, side: turn_boxes(boxes, turns[patch], side)


def _turns(numbers: np.ndarray, config: Any) -> np.ndarray:
    """Turns of patches from all their numbers, 0 where they are not flipped."""
    turns = find("turns_of")(numbers, config)
    if not isinstance(turns, dict):
        return np.asarray(turns)
    return np.asarray(turns["turns"] if config.flip else 0 * turns["turns"])


def _fields() -> list[Any]:
    """ROIs of three scanners with figures and imposters, some over the edge, one ROI with none."""
    rng, fields = np.random.default_rng(0), []
    for number, (width, height) in enumerate([(300, 200), (512, 512), (90, 640), (256, 300)]):
        count = 0 if number == 3 else 9
        centres = rng.uniform(-10, [width + 10, height + 10], (count, 2))
        boxes = np.concatenate([centres - 25, centres + 25], axis=1).astype(np.float32)
        labels = (1 + (np.arange(count) % 3 == 2)).astype(np.int64)
        figures = find("Boxes")(boxes, labels)
        fields.append(find("Field")(width, height, figures, f"scanner {number % 3}"))
    return fields
