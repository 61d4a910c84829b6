"""The process that opens files which could end it: a script of its own, started by `trial`.

It takes a request a line, as JSON, and answers a line, as JSON: what the library had to say, or
null. Where a library ends the process, its last words stand in the file behind stderr.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import resource
import sys
from collections.abc import Mapping

_MEMORY = 8 * 2**30  # bytes of address space: a damaged number must not fill the machine's
_START, _END = b"\xff\xd8", b"\xff\xd9"


def main() -> None:
    """Answer requests until the parent is gone."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    for line in sys.stdin:
        os.ftruncate(2, 0)
        os.lseek(2, 0, os.SEEK_SET)
        request = json.loads(line)
        answer = TASKS[request["task"]](request)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def try_slide(request: Mapping[str, object]) -> None:
    """Open a slide and read a px of every level. An error is the parent's to find and report."""
    import openslide

    with contextlib.suppress(Exception), openslide.OpenSlide(str(request["path"])) as slide:
        dict(slide.properties)
        for level, (width, height) in enumerate(slide.level_dimensions):
            for share in (0.0, 0.5):
                factor = slide.level_downsamples[level] * share
                with contextlib.suppress(openslide.OpenSlideError):
                    slide.read_region((int(width * factor), int(height * factor)), level, (1, 1))


def try_jpeg(request: Mapping[str, object]) -> str | None:
    """What libjpeg has to say of a JPEG that it decodes: it repairs what it can, and warns."""
    import cv2
    import numpy as np

    with open(str(request["path"]), "rb") as file:
        file.seek(int(str(request["offset"])))
        content = file.read(int(str(request["count"])))
    tables = base64.b64decode(str(request["tables"]))
    if tables:  # those of a TIFF are stored once, for all its tiles
        content = tables.removesuffix(_END) + content.removeprefix(_START)
    values = np.frombuffer(content, np.uint8)
    whole = cv2.imdecode(values, cv2.IMREAD_REDUCED_GRAYSCALE_8)  # all is read, little is kept
    with open(os.dup(2), "rb") as words:
        words.seek(0)
        said = words.read().decode(errors="replace").strip()
    if said or whole is None:
        return said.splitlines()[0] if said else "it cannot be decoded"
    return None


TASKS = {"slide": try_slide, "jpeg": try_jpeg}

if __name__ == "__main__":
    main()
