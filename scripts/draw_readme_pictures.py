"""Draw the README's pictures: python scripts/draw_readme_pictures.py DEMO_FOLDER (as `midog demo`
leaves it)."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from midog.data.folder import read_rois

SIDE = 440


def scanners(demo: Path) -> Image.Image:
    """The same kind of tissue as each of the phantom's four scanners sees it."""
    rois = read_rois(demo / "data")
    names = sorted({roi.scanner for roi in rois})
    picture = Image.new("RGB", (SIDE * len(names), SIDE))
    font = ImageFont.load_default(size=20)
    for number, name in enumerate(names):
        roi = next(roi for roi in rois if roi.scanner == name)
        with Image.open(demo / "data" / "images" / roi.file_name) as image:
            picture.paste(
                image.convert("RGB").crop((300, 300, 300 + SIDE, 300 + SIDE)), (number * SIDE, 0)
            )
        draw = ImageDraw.Draw(picture)
        draw.rectangle((number * SIDE, SIDE - 32, number * SIDE + 130, SIDE), fill="white")
        draw.text((number * SIDE + 8, SIDE - 28), name, fill="black", font=font)
    return picture


def main() -> None:
    demo, docs = Path(sys.argv[1]), Path(__file__).resolve().parents[1] / "docs"
    scanners(demo).save(docs / "phantom.jpg", quality=88)
    with Image.open(demo / "detections" / "009.overlay.jpg") as overlay:
        overlay.save(docs / "overlay.jpg", quality=85)


if __name__ == "__main__":
    main()
