"""TruthOfSlides: the files of truth that belong to slides."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from midog.errors import DataError
from midog.tumour.read import ENDINGS, TruthRule, truth_in
from midog.tumour.truth import SlideTruth

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TruthOfSlides:
    """Where the truth of slides is.

    files: of slides that have one, by the slide's file. rule: how they are read.
    """

    files: dict[Path, Path]
    rule: TruthRule = field(default_factory=TruthRule)

    @classmethod
    def at(cls, path: Path, slides: Sequence[Path], rule: TruthRule | None = None) -> TruthOfSlides:
        """Find the truth of slides.

        Args:
            path: A folder with STEM.xml or STEM_mask.tif for slides, or such a file for one slide.
            slides: Their files.
            rule: How they are read; None: as masks and groups of CAMELYON16.

        Raises:
            DataError: There is no such path, a file is given for several slides, a slide has two
                files, or none has one.
        """
        if path.is_file():
            if len(slides) != 1:
                raise DataError(
                    f"{path} is one file, and there are {len(slides)} slides",
                    "give a folder with a file for each",
                )
            return cls({slides[0]: path}, rule or TruthRule())
        if not path.is_dir():
            raise DataError(f"{path} does not exist", "give a file of truth or a folder of them")
        in_folder = {slide: truth_in(path, slide) for slide in slides}
        files = {slide: file for slide, file in in_folder.items() if file is not None}
        if not files:
            raise DataError(
                f"{path} has no truth of {slides[0].name}",
                f"put STEM{ENDINGS[0]} or STEM{ENDINGS[1]} there for each slide",
            )
        if without := [slide.name for slide in slides if slide not in files]:
            logger.warning(
                "%s has no truth of %d of %d slides, such as %s: they are mapped without",
                path,
                len(without),
                len(slides),
                without[0],
            )
        return cls(files, rule or TruthRule())

    def open(self, slide: Path, size: tuple[int, int]) -> SlideTruth | None:
        """Open the truth of a slide of (width, height) px; None where it has none.

        Raises:
            DataError: It cannot be read, or is of another slide.
        """
        file = self.files.get(slide)
        return None if file is None else self.rule.read(file, size)
