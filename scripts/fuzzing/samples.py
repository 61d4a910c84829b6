"""Whole samples of every file that midog reads, made small in a folder."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image

TINY = [
    "model.backbone=resnet18",
    "model.weights=none",
    "model.anchor_sizes=[[40, 50, 63]]",
    "sampling.patch_size=64",
    "sampling.patches_per_roi=2",
    "train.batch_size=4",
    "train.epochs=1",
    "train.validate_every=1",
    "train.pictures=0",
    "machine.device=cpu",
    "machine.precision=32-true",
    "machine.workers=1",
    "inference.tile=256",
    "data.cache=false",
]


def make_samples(folder: Path) -> None:
    """Make data, a run, its model, detections, settings, and images of every kind."""
    from midog.config.load import load_config
    from midog.config.shipped import find_config
    from midog.data.phantom.draw import draw_phantom
    from midog.inference.detector import Detector
    from midog.training.train import train

    data = draw_phantom(folder / "data", rois_per_scanner=3, size=256, seed=1)
    for name in ("json", "csv", "yaml", "download", "images"):
        (folder / name).mkdir()
    tree = json.loads((data / "annotations.json").read_text())
    (folder / "json" / "midog.json").write_text(json.dumps(tree))
    for box in tree["annotations"]:
        x1, y1, x2, y2 = box["bbox"]
        box["bbox"] = [x1, y1, x2 - x1, y2 - y1 + 3]
    (folder / "json" / "coco.json").write_text(json.dumps(tree))
    points = ["file_name,x,y,label", "001.tiff,20.5,30,mitotic figure", "002.tiff,9,8,imposter"]
    boxes = ["file_name,x1,y1,x2,y2,label", "001.tiff,20,30,70,80,1", "001.tiff,5,6,55,56,2"]
    (folder / "csv" / "points.csv").write_text("\n".join(points) + "\n")
    (folder / "csv" / "boxes.csv").write_text("\n".join(boxes) + "\n")
    _write_objects_and_databases(folder)
    for name in ("default", "small", "fast"):
        shutil.copy(find_config(name), folder / "yaml")
    _write_studies(folder / "studies")
    (folder / "alarms").mkdir()
    alarms = ["file_name,x,y,label,origin,score", "001.tiff,20.5,30,mitotic figure,annotation,"]
    alarms += ["001.tiff,80,9,non-mitotic figure,out-of-fold,0.75", "002.tiff,9,8,debris,in-fold,1"]
    (folder / "alarms" / "alarms.csv").write_text("\n".join(alarms) + "\n")
    part = {"001.tiff": {"kind": "md5", "digest": "0" * 32, "size": 10}}
    manifest = {"dataset": "midog21", "published": part, "done": part}
    (folder / "download" / ".midog-download.json").write_text(json.dumps(manifest))

    run = folder / "runs" / "a"
    train(load_config(None, [f"data.dir={str(data)!r}", *TINY]), runs=run.parent, name=run.name)
    best = (run / "best").resolve()
    shutil.copytree(best, folder / "model")
    shutil.copytree(run, folder / "run", symlinks=True)
    settings = json.dumps({"settings": Detector.load(best, device="cpu").settings()})
    (folder / "detections").mkdir()
    (folder / "detections" / ".midog-infer.json").write_text(settings)
    _draw_detections(folder / "detections")
    draw_images(folder / "images")


def _write_objects_and_databases(folder: Path) -> None:
    """GeoJSON of QuPath, a database of SlideRunner, and tables without a header."""
    for name in ("geojson", "sqlite", "headerless"):
        (folder / name).mkdir()
    figure = {"name": "Mitosis", "color": [1, 2, 3]}
    ring = [[1, 2], [30, 2], [30, 40], [1, 2]]
    shapes = [
        {"type": "Point", "coordinates": [10.5, 20], "plane": {"c": -1, "z": 1, "t": 0}},
        {"type": "MultiPoint", "coordinates": [[10.5, 20], [7, 8]]},
        {"type": "Polygon", "coordinates": [ring], "isEllipse": True},
        {"type": "MultiPolygon", "coordinates": [[ring], [ring]]},
    ]
    features = [
        {"type": "Feature", "geometry": shape, "properties": {"classification": figure}}
        for shape in shapes
    ]
    features[0]["properties"] |= {"objectType": "tmaCore", "childObjects": [features[1]]}
    tree = {"type": "FeatureCollection", "features": features}
    (folder / "geojson" / "001.geojson").write_text(json.dumps(tree))
    (folder / "headerless" / "001_mitosis.csv").write_text("120,100,0.5\n7,8,0.25\n")
    base = sqlite3.connect(folder / "sqlite" / "a.sqlite")
    base.executescript(_SLIDERUNNER)
    base.close()


_SLIDERUNNER = """
create table Slides (uid integer primary key, filename text, width integer, directory text);
create table Classes (uid integer primary key, name text);
create table Annotations (uid integer primary key, slide, type, agreedClass, deleted default 0);
create table Annotations_coordinates (coordinateX, coordinateY, annoId, orderIdx);
insert into Slides values (1, '001.tiff', 256, ''), (2, '002.tiff', null, 'case');
insert into Classes values (1, 'Mitosis'), (2, 'Nonmitosis');
insert into Annotations values (1, 1, 1, 1, 0), (2, 1, 2, 2, 0), (3, 2, 1, 1, 1);
insert into Annotations_coordinates values (10, 20, 1, 1), (5, 6, 2, 1), (55, 56, 2, 2);
"""


def _write_studies(folder: Path) -> None:
    """Write the shipped study files, one that uses all that a file may hold, and a study's plan."""
    from midog.config.shipped import shipped_dir

    folder.mkdir()
    for path in sorted((shipped_dir("configs") / "studies").glob("*.yaml")):
        shutil.copy(path, folder)
    (folder / "all.yaml").write_text(_STUDY)
    detector = {"row": "r", "design": "all", "part": "all", "seeds": [0], "train_on": ["A"]}
    detector |= {"retuned": False, "trainings": ["0" * 12], "cells": {"val": "none.npz"}}
    plan = {"study": "s", "about": "why", "designs": ["all"], "tests": {"val": "the val ROIs"}}
    plan |= {"choose": {"by": "val F1", "design": "", "scanners": ""}, "detectors": [detector]}
    plan |= {
        "rows": [{"name": "r", "about": "", "changes": ["config=demo"], "budget": "40 updates"}]
    }
    (folder / "plan.json").write_text(json.dumps(plan))


_STUDY = """about: why
config: demo
set: {train.pictures: 0}
data: [phantom]
designs: [all, leave-one-out, single, folds]
folds: 3
seeds: [0, 1]
budget: {seconds: 9.5}
tests:
  t: {data: phantom, subset: test, where: {scanner: Phantom C}}
choose: {by: val AP, design: all, scanners: seen}
rows:
  base:
  like: {like: base, about: words, set: {augment.stain: 0.4}, budget: {updates: 7}}
  three:
    like: base
    seeds: [1, 2, 3]
    ensemble: 3
    detect: {orientations: 8}
  second: {verifier: {config: verify, set: {train.lr: 0.01}}, data: [phantom, more]}
grids:
  lr: {like: base, over: {train.lr: [0.1, 0.01], train.batch_size: [2, 4]}}
"""


def _draw_detections(folder: Path) -> None:
    points = [
        {"name": "mitotic figure", "point": [0.01, 0.02, 0], "probability": 0.9},
        {"name": "non-mitotic figure", "point": [0.03, 0.01], "probability": 0.2},
    ]
    document = {"name": "Mitotic figures", "type": "Multiple points", "points": points}
    document["version"] = {"major": 1, "minor": 0}
    for number in range(1, 13):
        (folder / f"{number:03}.json").write_text(json.dumps(document))


def draw_images(folder: Path) -> None:
    """Write small images of every kind that is read."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (96, 80, 3), np.uint8)
    for name, options in _TIFFS.items():
        unit = {"resolution": (40000, 40000), "resolutionunit": "CENTIMETER"}
        tifffile.imwrite(folder / name, pixels, **{"photometric": "rgb", **unit, **options})
    size = {"PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    tifffile.imwrite(folder / "a.ome.tiff", pixels, metadata={"axes": "YXS", **size}, tile=(32, 32))
    planes = np.ascontiguousarray(np.moveaxis(pixels, 2, 0))
    kind = {"photometric": "minisblack", "metadata": {"axes": "CYX", **size}}
    tifffile.imwrite(folder / "planes.ome.tiff", planes, tile=(32, 32), **kind)
    tifffile.imwrite(folder / "planar.tiff", planes, photometric="rgb", planarconfig="separate")
    for name, levels in (("pyramid.tiff", (1, 2, 4)), ("thumbnail.tiff", (4, 1, 2))):
        with tifffile.TiffWriter(folder / name) as file:
            for level in levels:
                marked = {"subfiletype": int(level > 1), "tile": (32, 32), "photometric": "rgb"}
                file.write(pixels[::level, ::level], **marked, resolution=(40000, 40000))
    _draw_pictures(folder, Image.fromarray(pixels))


_TILES: dict[str, Any] = {"tile": (32, 32)}
_APERIO = "Aperio Image Library v11\r\n80x96 (32x32) JPEG/RGB |AppMag = 40|MPP = 0.25"
_TIFFS: dict[str, dict[str, Any]] = {
    "strips.tiff": {"rowsperstrip": 16},
    "tiles.tiff": _TILES,
    "deflate.tiff": {"compression": "zlib", "predictor": True, **_TILES},
    "lzw.tiff": {"compression": "lzw", "rowsperstrip": 16},
    "zstd.tiff": {"compression": "zstd", **_TILES},
    "packbits.tiff": {"compression": "packbits", **_TILES},
    "jpeg tiles.tiff": {"compression": "jpeg", **_TILES},
    "jpeg strips.tiff": {"compression": "jpeg", "rowsperstrip": 16},
    "jpeg 2000.tiff": {"compression": "jpeg2000", **_TILES},
    "webp.tiff": {"compression": "webp", **_TILES},
    "big.tiff": {"bigtiff": True, **_TILES},
    "big endian.tiff": {"byteorder": ">", **_TILES},
    "ycbcr.tiff": {"photometric": "ycbcr"},
    "turned.tiff": {"extratags": [(274, "H", 1, 6, True)]},
    "aperio.svs": {"compression": "jpeg", "description": _APERIO, "metadata": None, **_TILES},
}


def _draw_pictures(folder: Path, picture: Image.Image) -> None:
    for name in ("a.png", "a.jpg", "a.bmp", "a.webp", "a.jp2", "a.gif"):
        picture.save(folder / name, dpi=(101600, 101600))
    picture.save(folder / "progressive.jpg", progressive=True)
    picture.save(folder / "jpeg.tiff", compression="jpeg", dpi=(101600, 101600))
    for name in ("palette.png", "palette.tiff", "palette.bmp"):
        picture.quantize(16).save(folder / name)
    for mode, name in (("LA", "grey.tiff"), ("RGBA", "alpha.webp"), ("LA", "grey.png")):
        picture.convert(mode).save(folder / name)
