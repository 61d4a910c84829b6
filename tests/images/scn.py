"""A small slide in the layout of a Leica SCN400, whose picture lies somewhere on the glass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tifffile

from midog.images.pixels import Pixels

NM_PER_PX = 500
_DESCRIPTION = """<?xml version="1.0" encoding="utf-8"?>
<scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01" uuid="urn:uuid:0">
<collection name="a" uuid="urn:uuid:1" sizeX="{wide}" sizeY="{tall}">
<barcode></barcode>
<image name="image_0" uuid="urn:uuid:2">
<creationDate>2020-01-01T00:00:00Z</creationDate>
<device model="Leica SCN400" version="1.0" />
<pixels sizeX="{macro_x}" sizeY="{macro_y}">
<dimension sizeX="{macro_x}" sizeY="{macro_y}" r="0" ifd="0" /></pixels>
<view sizeX="{wide}" sizeY="{tall}" offsetX="0" offsetY="0" spacingZ="0" />
<scanSettings><objectiveSettings><objective>0.6</objective></objectiveSettings>
<illuminationSettings><illuminationSource>brightfield</illuminationSource>
</illuminationSettings></scanSettings>
</image>
<image name="image_1" uuid="urn:uuid:3">
<creationDate>2020-01-01T00:00:00Z</creationDate>
<device model="Leica SCN400" version="1.0" />
<pixels sizeX="{px_x}" sizeY="{px_y}">
<dimension sizeX="{px_x}" sizeY="{px_y}" r="0" ifd="1" />
<dimension sizeX="{half_x}" sizeY="{half_y}" r="1" ifd="2" /></pixels>
<view sizeX="{view_x}" sizeY="{view_y}" offsetX="{left}" offsetY="{top}" spacingZ="0" />
<scanSettings><objectiveSettings><objective>20</objective></objectiveSettings>
<illuminationSettings><illuminationSource>brightfield</illuminationSource>
</illuminationSettings></scanSettings>
</image>
</collection>
</scn>"""


def write_scn(path: Path, pixels: Pixels, corner: tuple[int, int], size: tuple[int, int]) -> Path:
    """Write a slide of that size whose picture lies at a corner, all in px of level 0."""
    height, width = pixels.shape[:2]
    macro = np.full((256, 256, 3), 250, np.uint8)
    text = _DESCRIPTION.format(
        wide=size[0] * NM_PER_PX,
        tall=size[1] * NM_PER_PX,
        macro_x=macro.shape[1],
        macro_y=macro.shape[0],
        px_x=width,
        px_y=height,
        half_x=width // 2,
        half_y=height // 2,
        view_x=width * NM_PER_PX,
        view_y=height * NM_PER_PX,
        left=corner[0] * NM_PER_PX,
        top=corner[1] * NM_PER_PX,
    )
    levels = [macro, pixels, np.ascontiguousarray(pixels[::2, ::2])]
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for number, level in enumerate(levels):
            file.write(
                level,
                tile=(256, 256),
                photometric="rgb",
                subsampling=(1, 1),
                compression="jpeg",
                compressionargs={"level": 100},
                description=text if number == 0 else None,
                metadata=None,
                software=False,
                resolution=(1e7 / NM_PER_PX, 1e7 / NM_PER_PX) if number else None,
                resolutionunit="CENTIMETER" if number else None,
            )
    return path
