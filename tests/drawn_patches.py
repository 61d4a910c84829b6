"""Drawn patches of two classes, in both layouts: dark spots that are purple (1) or green (0)."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
from PIL import Image

SIDE = 32
SIZES = {"train": 64, "valid": 32, "test": 32}

SETTINGS = [
    "task.kind=patches",
    "task.stem=spots",
    "task.network={kind: all_cnn, width: 4, stages: 2}",
    "train.epochs=4",
    "train.validate_every=1",
    "train.batch_size=16",
    "train.lr=0.02",
    "train.warmup_steps=0",
    "train.ema_decay=0",
    "machine.device=cpu",
    "machine.precision=32-true",
    "machine.workers=1",
    "data.cache=false",
]
"""Overrides of a training that takes a second or two."""


def draw(count: int, seed: int, noise: float = 6) -> tuple[np.ndarray, np.ndarray]:
    """Patches (N, S, S, 3) uint8 and their labels (N,)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    ys, xs = np.mgrid[:SIDE, :SIDE]
    patches = np.array([225, 200, 220]) + rng.normal(0, noise, (count, SIDE, SIDE, 3))
    for patch, label in zip(patches, labels, strict=True):
        x, y = rng.uniform(12, 20, 2)
        patch[(xs - x) ** 2 + (ys - y) ** 2 <= 36] = (60, 20, 90) if label else (20, 90, 60)
    return patches.clip(0, 255).astype(np.uint8), labels


def write_hdf5(
    folder: Path, stem: str = "spots", sizes: dict[str, int] = SIZES, scale: int = 1
) -> Path:
    """A data folder in the layout of PatchCamelyon, four patches of a slide."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, count) in enumerate(sizes.items()):
        patches, labels = draw(count, number)
        base = folder / f"{stem}_split_{name}"
        write_x(Path(f"{base}_x.h5"), patches.repeat(scale, axis=1).repeat(scale, axis=2))
        with h5py.File(f"{base}_y.h5", "w") as file:
            file["y"] = labels.astype(np.uint8).reshape(-1, 1, 1, 1)
        lines = [",coord_y,coord_x,tumor_patch,center_tumor_patch,wsi"]
        lines += [
            f"{at},0,0,False,{bool(label)},{name}{at // 4}" for at, label in enumerate(labels)
        ]
        Path(f"{base}_meta.csv").write_text("\n".join(lines) + "\n")
    return folder


def write_masks(folder: Path, stem: str = "spots", part: str = "train") -> None:
    """Masks beside drawn patches: the purple spots, 0 and 255."""
    with h5py.File(folder / f"{stem}_split_{part}_x.h5") as file:
        red, green, blue = np.moveaxis(file["x"][:].astype(int), -1, 0)
    purple = (blue < 130) & (green < 60) & (red < 130)
    with h5py.File(folder / f"{stem}_split_{part}_mask.h5", "w") as file:
        file["mask"] = (255 * purple[..., None]).astype(np.uint8)


def write_x(path: Path, patches: np.ndarray) -> None:
    with h5py.File(path, "w") as file:
        chunks = (min(8, len(patches)), *patches.shape[1:])
        file.create_dataset("x", data=patches, chunks=chunks, compression="gzip")


def write_folders(folder: Path, count: int = 48) -> Path:
    """A folder of class folders, three files of each of both classes of a case: CASE_NUMBER.png."""
    patches, labels = draw(count, 9)
    for number, (patch, label) in enumerate(zip(patches, labels, strict=True)):
        path = folder / ("purple" if label else "green") / f"{number // 6:02d}_{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(patch).save(path)
    return folder
