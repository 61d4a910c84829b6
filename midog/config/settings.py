"""What sections of settings are made of: a strict base class, and sections chosen by registry."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, get_args, get_origin

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainValidator,
    ValidationInfo,
    field_validator,
)


class Settings(BaseModel):
    """A section: frozen, without unknown keys, every number finite.

    A number may be written as text ('1e-4' is text in YAML). Yes and no are no numbers, and numbers
    are no yes or no.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _yes_or_no(cls, value: Any, info: ValidationInfo) -> Any:
        """Refuse what pydantic would convert silently, true to 1.0, 'off' and 0 to false; and what
        no system takes in a name."""
        if isinstance(value, str | Path) and "\0" in str(value):
            raise ValueError("has a NUL character in it")
        field = cls.model_fields[info.field_name or ""]
        if any(isinstance(mark, PlainValidator | Chosen) for mark in field.metadata):
            return value  # these check themselves
        wanted = _parts_of(field.annotation)
        if bool not in wanted and _has_yes_or_no(value):
            raise ValueError("write a number or a name; YAML reads yes, no, on and off as booleans")
        if wanted == {bool} and type(value) is not bool:
            raise ValueError("write true or false")
        return value


class OnResume(Enum):
    """Marks a setting under another value of which a run that exists is resumed.

    FREELY: it changes where or how fast a run is computed, or what it reports, not what it learns.
    ASKED: it changes what is learned from then on, where it is asked for (`--resume-with`).
    """

    FREELY = "freely"
    ASKED = "asked"


class KindSettings(Settings):
    """A section of which there are several kinds; `kind` is the key of its registry's entry."""

    kind: str


class HasSettings(Protocol):
    """What every registry entry with settings of its own has."""

    @property
    def settings(self) -> type[KindSettings]:
        """The class of its section."""

    @property
    def about(self) -> str:
        """Its words for help and listings."""


class UnknownKind(ValueError):
    """A kind that its registry does not have; the message says which it has."""


@dataclass(frozen=True)
class Chosen:
    """Marks a field whose class is chosen when settings are read, as registries may grow.

    Args:
        choose: From what was written to the section's class and what to validate it with. Raises
            UnknownKind.
        classes: Every class that can be chosen now, for lists of known keys.
        kinds: The registry, where the choice is one by kind.
    """

    choose: Callable[[Any], tuple[type[Settings], Any]]
    classes: Callable[[], Collection[type[Settings]]]
    kinds: Callable[[], Mapping[str, HasSettings]] | None = None


def by_kind(registry: Callable[[], Mapping[str, HasSettings]], default: str) -> Chosen:
    """Mark a field as a union by `kind`; a bare string is short for its kind with all defaults."""

    def choose(value: Any) -> tuple[type[Settings], Any]:
        if isinstance(value, str):
            value = {"kind": value}
        if not isinstance(value, Mapping):
            return registry()[default].settings, value
        kind = value.get("kind", default)
        if not isinstance(kind, str) or kind not in registry():
            raise UnknownKind(f"is {kind!r}: choose {one_of(registry())}{near(kind, registry())}")
        return registry()[kind].settings, {**value, "kind": kind}

    return Chosen(choose, lambda: [entry.settings for entry in registry().values()], registry)


def one_of(names: Collection[str]) -> str:
    """The names as a choice: "a", "a or b", "a, b or c"."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def near(name: object, names: Collection[str]) -> str:
    """A hint at the nearest of the names, empty where none is near."""
    matches = difflib.get_close_matches(str(name), names, n=1, cutoff=0.6)
    return f" (did you mean {matches[0]}?)" if matches else ""


def auto_or_number(low: int, high: int, step: int = 1) -> PlainValidator:
    """Accept 'auto' or an int of that range and nothing else, with one message for both."""
    wish = f"write auto or a number from {low} to {high}"
    wish += f", a multiple of {step}" if step > 1 else ""

    def check(value: Any) -> Any:
        number = type(value) is int and low <= value <= high and value % step == 0
        if not number and value != "auto":
            raise ValueError(wish)
        return value

    return PlainValidator(check)


def _one_or_more_paths(value: Any) -> Any:
    """A path, or two or more as a tuple; a list of one is that one."""
    paths = value if isinstance(value, list | tuple) else [value]
    if not paths or not all(isinstance(path, str | Path) for path in paths):
        raise ValueError("write a path, or a list of paths")
    if any("\0" in str(path) for path in paths):
        raise ValueError("has a NUL character in it")
    made = tuple(Path(path) for path in paths)
    return made if len(made) > 1 else made[0]


Paths = Annotated[Path | tuple[Path, ...], BeforeValidator(_one_or_more_paths)]
"""One path, or two or more."""


def _parts_of(annotation: Any) -> set[Any]:
    """The types that an annotation is made of: those of `list[float] | None` are float and None."""
    parts = get_args(annotation)
    if get_origin(annotation) is Literal or not parts:
        return {annotation}
    return set().union(*(_parts_of(part) for part in parts))


def _has_yes_or_no(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(_has_yes_or_no(part) for part in value)
    return isinstance(value, bool)
