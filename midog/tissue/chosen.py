"""Where in an image to look, as a user chooses it: its tissue, all of it, or areas of a file."""

from __future__ import annotations

from pathlib import Path

from midog.errors import DataError
from midog.images.image import SlideImage
from midog.mpp import MppLike
from midog.tissue.from_areas import mask_of_areas
from midog.tissue.from_pixels import tissue_mask
from midog.tissue.mask import TissueMask
from midog.tissue.rules import RULES

AUTO, ALL = "auto", "all"
AREAS_ENDINGS = (".geojson", ".geojson.gz", ".json")
"""Of a file of areas in a folder, after the image's stem."""

CHOICES = f"{AUTO}, {', '.join(RULES)}, {ALL}, a GeoJSON file, or a folder of them"


def chosen_tissue(
    image: SlideImage, choice: str | Path, *, mpp: MppLike | None = None
) -> TissueMask | None:
    """Return the mask of what a user wants looked at.

    Args:
        image: Open.
        choice: `auto` (rule otsu), a name in RULES, `all`, a GeoJSON file of areas, or a folder
            with STEM.geojson for each image.
        mpp: um/px of level 0; overrules what the image states.

    Returns:
        The mask; None for `all`.

    Raises:
        DataError: The choice is none of these, or the file cannot be used.
        ImageError: As of `tissue_mask`.
    """
    name = str(choice)
    if name == ALL:
        return None
    if name == AUTO or name in RULES:
        return tissue_mask(image, mpp=mpp, rule="otsu" if name == AUTO else name)
    return mask_of_areas(_areas_file(Path(choice), image), image, mpp)


def check_choice(choice: str | Path) -> None:
    """Refuse a choice that can be none, before anything is read.

    Raises:
        DataError: It is no name, and there is no such file or folder.
    """
    name = str(choice)
    if name not in (AUTO, ALL, *RULES) and not Path(choice).exists():
        raise DataError(f"tissue {name!r} is no choice and no file", f"give {CHOICES}")


def _areas_file(path: Path, image: SlideImage) -> Path:
    check_choice(path)
    if not path.is_dir():
        return path
    files = [path / (image.path.stem + ending) for ending in AREAS_ENDINGS]
    for file in files:
        if file.exists():
            return file
    raise DataError(f"no areas of {image.path.name} in {path}", f"put {files[0].name} there")
