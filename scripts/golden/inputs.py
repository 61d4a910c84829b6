"""What the chain is given besides the phantom: made up with a seed, without midog."""

from __future__ import annotations

import csv
import json
import random
import shutil
from pathlib import Path

KINDS = ("lzw", "jpeg", "pyramid", "png")
"""Images that `write_images` writes."""


def write_backbone(path: Path) -> None:
    """Weights of a ResNet-34 to start from, drawn with a seed."""
    import torch
    from torchvision.models import resnet34

    torch.manual_seed(34)
    torch.save(resnet34().state_dict(), path)


def write_points(folder: Path) -> None:
    """Detections of two made-up models in the challenge's format."""
    tree = json.loads((folder / "data" / "annotations.json").read_text())
    for name, hits in (("made_a", 0.85), ("made_b", 0.6)):
        (folder / name).mkdir(exist_ok=True)
        rng = random.Random(name)
        for image in tree["images"]:
            boxes = [each for each in tree["annotations"] if each["image_id"] == image["id"]]
            centres = [(each["bbox"][0] + 25, each["bbox"][1] + 25) for each in boxes]
            centres = [centre for centre in centres if rng.random() < hits]
            centres += [(rng.uniform(0, 448), rng.uniform(0, 448)) for _ in range(rng.randrange(5))]
            rows = [_point(x + rng.gauss(0, 8), y + rng.gauss(0, 8), rng) for x, y in centres]
            document = {"type": "Multiple points", "points": rows, "version": {"major": 1}}
            (folder / name / f"{image['id']:03d}.json").write_text(json.dumps(document))


def write_nested(folder: Path) -> None:
    """The split with a further column."""
    with (folder / "data" / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for number, row in enumerate(rows):
        row["tumour"] = ("lung", "skin", "breast")[number % 3]
    with (folder / "nested.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_annotations(folder: Path) -> list[Path]:
    """The phantom's annotations as CSV of points and of boxes, and as COCO JSON."""
    tree = json.loads((folder / "data" / "annotations.json").read_text())
    names = {image["id"]: image["file_name"] for image in tree["images"]}
    boxes, points = ["file_name,x1,y1,x2,y2,label"], ["file_name,x,y,label"]
    for figure in tree["annotations"]:
        x1, y1, x2, y2 = figure["bbox"]
        name, label = names[figure["image_id"]], figure["category_id"]
        boxes.append(f"{name},{x1},{y1},{x2},{y2},{label}")
        points.append(f"{name},{(x1 + x2) / 2},{(y1 + y2) / 2},{label}")
        figure["bbox"] = [x1, y1, x2 - x1, y2 - y1]
    for name in sorted({*names.values()} - {line.partition(",")[0] for line in boxes}):
        boxes.append(f"{name},,,,,")
        points.append(f"{name},,,")
    texts = {
        "boxes.csv": "\n".join(boxes) + "\n",
        "points.csv": "\n".join(points) + "\n",
        "coco.json": json.dumps(tree),
    }
    for name, text in texts.items():
        (folder / name).write_text(text)
    return [folder / name for name in texts]


def write_images(folder: Path) -> None:
    """The first ROI in the formats KINDS, in the folder `others`."""
    import tifffile
    from PIL import Image

    others = folder / "others"
    shutil.rmtree(others, ignore_errors=True)
    others.mkdir()
    pixels = tifffile.imread(folder / "data" / "images" / "001.tiff")
    tiled = {"tile": (128, 128), "photometric": "rgb"}
    tifffile.imwrite(others / "lzw.tiff", pixels, compression="lzw", **tiled)
    tifffile.imwrite(others / "jpeg.tiff", pixels, compression="jpeg", **tiled)
    with tifffile.TiffWriter(others / "pyramid.tiff") as file:
        file.write(pixels, compression="jpeg", **tiled)
        file.write(pixels[::2, ::2], compression="jpeg", subfiletype=1, **tiled)
    Image.fromarray(pixels).save(others / "png.png")


def _point(x: float, y: float, rng: random.Random) -> dict[str, object]:
    score = round(rng.betavariate(2, 2), 3)
    name = "mitotic figure" if score >= 0.4 else "non-mitotic figure"
    return {"name": name, "point": [x * 0.25 / 1000, y * 0.25 / 1000, 0], "probability": score}
