"""Names of classes, as the field writes them, and what the user states of further ones."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from midog.boxes import IMPOSTER, MITOTIC_FIGURE
from midog.data.columns import squeeze
from midog.errors import ConfigError

UNKNOWN = 0
IGNORED = -1
"""Label of a box that is neither: what lies in it counts neither for nor against a detector."""
SKIPPED = -2
"""Label of what is left out."""
AREA = -3
"""Label of a rectangle that is annotated, where the rest of its slide is not."""

_NAMES = {
    MITOTIC_FIGURE: (
        "mitotic figure, mitotic figures, mitosis, mitoses, mitose, mitosen, mitotic, mitotic cell,"
        " mitotic cells, mitotic nucleus, mitotic nuclei, mitosis figure, mitosis cell, mitotische"
        " figur, mf, is mitosis, true mitosis, atypical mitotic figure, atypical mitosis, normal"
        " mitotic figure, normal mitosis, typical mitotic figure"
    ),
    IMPOSTER: (
        "imposter, imposters, impostor, impostors, hard negative, hard negatives, hard negative"
        " look alike, hard negative look alikes, hard negative imposter, hard example, look alike,"
        " look alikes, mitosis like, mitosis like cell, mitosis like figure, mitotic like, mitotic"
        " like figure, mitotic like cell, mitotic figure look alike, mitosis look alike, mitotic"
        " look alike, mimic, mimicker, mitotic mimic, mitosis mimic, mitotic figure mimic, pseudo"
        " mitosis, non mitosis, non mitoses, non mitotic, non mitotic figure, non mitotic figures,"
        " non mitotic cell, non mitotic cells, non mitotic nucleus, non mitose, non mf, not"
        " mitosis, not mitotic, not mitotic figure, not mitotic figures, not a mitosis, not a"
        " mitotic figure, no mitosis, no mitotic figure"
    ),
}
_LABELS = {squeeze(name): label for label, names in _NAMES.items() for name in names.split(", ")}
_PLAIN_NAMES = (
    "mitotic figure, mitotic figures, mitosis, imposter, hard negative, non mitotic figure, not"
    " mitotic figure"
)
_PLAIN = {squeeze(name) for name in _PLAIN_NAMES.split(", ")}
_IDS = {"1": MITOTIC_FIGURE, "2": IMPOSTER}
_FURTHER = {"skip": SKIPPED, "ignore": IGNORED, "area": AREA}

LABEL_FIX = (
    "name each category 'mitotic figure' or 'imposter' ('not mitotic figure'), or state what it is"
    ' with {data.classes}, such as "NAME=skip"'
)
"""What to do about an unknown label or category, with `settings=CLASSES_SETTING`."""
CLASSES_SETTING = {"data.classes": None}


@dataclass(frozen=True)
class ClassNames:
    """What names of classes mean: those of the field, and those that the user states.

    given: by squeezed name, a label: MITOTIC_FIGURE, IMPOSTER, IGNORED, SKIPPED or AREA.
    written: the same names as the user wrote them.
    """

    given: Mapping[str, int] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)

    def label_of(self, name: str, *, ids: bool = False) -> int:
        """The label of a class; UNKNOWN for one that neither knows.

        Args:
            name: as a file writes it.
            ids: numbers are MIDOG's category ids: 1 mitotic figure, 2 imposter.
        """
        word = squeeze(name)
        if word in self.given:
            return self.given[word]
        return _LABELS.get(word, _IDS.get(word, UNKNOWN) if ids else UNKNOWN)

    def is_plain(self, name: str) -> bool:
        """Whether what a name means needs no word: it is one of ours, or the user states it."""
        return squeeze(name) in _PLAIN or squeeze(name) in self.given

    def without_use(self, names: Iterable[str]) -> list[str]:
        """The names that the user states and that are not among those of a file."""
        words = {squeeze(name) for name in names}
        return [name for word, name in self.written.items() if word not in words]


def parse_classes(text: str) -> ClassNames:
    """What the setting data.classes states.

    Args:
        text: "tumor cell=skip,Mitosis=mitotic figure": names as the file writes them, each with a
            name that is known, skip (left out), ignore (neither for nor against a detector) or area
            (a rectangle that is annotated, where the rest of its slide is not).

    Raises:
        ConfigError: where it is not of that form, or one name stands for two things.
    """
    given: dict[str, int] = {}
    written: dict[str, str] = {}
    for part in next(csv.reader([text], skipinitialspace=True), []) if text.strip() else []:
        name, equals, meaning = (piece.strip() for piece in part.rpartition("="))
        word, target = squeeze(name), squeeze(meaning)
        label = _FURTHER.get(target, _LABELS.get(target, UNKNOWN))
        if not equals or not word or label == UNKNOWN:
            raise ConfigError(
                f"data.classes: {part.strip()!r} is not NAME=CLASS",
                "write each class as NAME=mitotic figure, NAME=imposter, NAME=ignore, NAME=skip or"
                " NAME=area, with commas between",
                CLASSES_SETTING,
            )
        if given.setdefault(word, label) != label:
            raise ConfigError(
                f"data.classes: {name!r} stands for two classes", "state it once", CLASSES_SETTING
            )
        written[word] = name
    return ClassNames(given, written)


def label_of(name: str) -> int:
    """1 or 2 for the name of a class as the field writes it, 0 for any other."""
    return ClassNames().label_of(name)
