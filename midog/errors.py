"""MidogError and its kinds: one line that states what is wrong, which value, and what to do."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping

_LONGEST = 2000
_LONGEST_WORD = 600


def clean(text: str, limit: int = _LONGEST) -> str:
    """Make any text fit to print as one line: what a file or an argument holds may be in it.

    Args:
        text: The text.
        limit: Its longest length; of a longer one the middle is left out, as of a word of more
            than 600 characters.

    Returns:
        The text with single spaces, and escapes (`\\x1b`, `\\u202e`) for what a terminal would obey
        or not show: control characters, marks of direction, halves of surrogate pairs.
    """
    text = shortened(text, 4 * limit)  # before the work is done for 25 MB
    words = (shortened(escaped(word), _LONGEST_WORD) for word in text.split())
    return shortened(" ".join(words), limit)


def shortened(text: str, limit: int) -> str:
    """Leave out the middle of a text of more than `limit` characters, and say how much it is."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 4
    return f"{text[:head]}[... {len(text) - head - tail:,} characters ...]{text[-tail:]}"


def escaped(text: str) -> str:
    """Escape what a terminal would obey or not show; spaces and length stay as they are."""
    return "".join(map(_visible, text))


def _visible(letter: str) -> str:
    if letter.isprintable() or unicodedata.category(letter) == "Zs":
        return letter
    return letter.encode("unicode_escape").decode("ascii")


def assignment(name: str, value: object) -> str:
    """A setting as Python and YAML name it: `inference.batch_size=4`, or its name where the value
    is None."""
    if value is None:
        return name
    return f"{name}={setting_text(value) if '.' in name else value}"


def setting_text(value: object) -> str:
    """A setting's value as YAML and `--set` write it (true, not True)."""
    return str(value).lower() if isinstance(value, bool) else str(value)


class MidogError(Exception):
    """Anything that a user can mend.

    `str(error)` is one line; the command line prints it and exits with 1. A library module names a
    setting by its key path and an argument by its name, in `settings`; the command line puts the
    running command's flag in its place:

        MidogError("out of memory with 8 tiles", settings={"inference.batch_size": 4})
            Python        out of memory with 8 tiles; use inference.batch_size=4
            midog infer   out of memory with 8 tiles; use --batch-size 4
            midog train   out of memory with 8 tiles; use --set inference.batch_size=4
        MidogError("a.png: mpp is unknown", "give {mpp}, for example 0.25", {"mpp": None})
            Python        a.png: mpp is unknown; give mpp, for example 0.25
            midog infer   a.png: mpp is unknown; give --mpp, for example 0.25
        MidogError("d/ holds files", "choose another {out}, or {overwrite}",
                   {"out": None, "overwrite": True})
            Python        d/ holds files; choose another out, or overwrite=True
            midog infer   d/ holds files; choose another --out, or --overwrite

    Args:
        what: What is wrong and where, with the value ("data/split.csv line 7: split 'trian' is
            not one of …").
        fix: What to do about it, an imperative ("write train, val, test or unlabelled"); may be
            empty. `{name}` stands for that entry of `settings`.
        settings: The settings and arguments that the fix names, with the value to give each, or
            None for no value. Those that `fix` does not place follow it: "use name=value".

    Attributes:
        of_all_ranks: All processes of a training raise it, and the first one prints it.
    """

    of_all_ranks: bool = False

    def __init__(
        self, what: str, fix: str = "", settings: Mapping[str, object] | None = None
    ) -> None:
        self.what = what
        self.fix = fix
        self.settings = dict(settings or {})
        super().__init__(what, fix, self.settings)  # all arguments, so that it can be pickled

    def __str__(self) -> str:
        return self.line(assignment)

    def line(self, name: Callable[[str, object], str]) -> str:
        """The error as one line.

        Args:
            name: Writes a setting, given its key path (or an argument's name) and its value.
        """
        fix = self.fix
        rest = []
        for key, value in self.settings.items():
            place, words = f"{{{key}}}", name(key, value)
            if place in fix:
                fix = fix.replace(place, words)
            else:
                rest.append(words)
        if rest:
            fix = f"{fix}, or use {' '.join(rest)}" if fix else f"use {' '.join(rest)}"
        what = clean(self.what)
        return f"{what.rstrip('.')}; {clean(fix)}" if fix else what


class ConfigError(MidogError):
    """A setting that is unknown, of the wrong type, or out of range."""


class DataError(MidogError):
    """A data folder, annotation file or split that cannot be used."""


class ImageError(MidogError):
    """An image or slide that cannot be opened, read or placed (no mpp)."""


class DownloadError(MidogError):
    """An archive that cannot be fetched or whose bytes are not the published ones."""


class WeightsError(MidogError):
    """Weights or a model folder that cannot be found, fetched, trusted or fitted."""


class CheckpointError(MidogError):
    """A run or a checkpoint that cannot be resumed."""


class TrainingError(MidogError):
    """Training that cannot continue: a non-finite loss, nothing to train on, no memory."""


class DetectionsError(MidogError):
    """A detections file or folder that cannot be read, written or scored."""


class DeviceError(MidogError):
    """A device that does not exist or is out of memory."""


class EndedElsewhere(MidogError):
    """A training that ended as another of its processes failed, which printed why."""
