"""YAML of settings: plain values alone, and one error for whatever is wrong with it."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import SafeConstructor

from midog.errors import ConfigError, MidogError, clean
from midog.files import read_bytes

_BYTES = 1 << 18
_DEPTH = 20
_CHARACTERS = 1_000_000
_WORDS = "tag:yaml.org,2002:"
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9_]*|0x[0-9a-fA-F]+|0b[01]+)")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_yaml(path: Path, kind: type[MidogError] = ConfigError) -> Any:
    """Read a YAML file; see `parse_yaml`.

    Args:
        path: A regular file of at most 256 KiB, in UTF-8 or UTF-16.
        kind: The error to raise.

    Raises:
        MidogError: Of that kind: the file cannot be read, is larger, or as of `parse_yaml`.
    """
    content = read_bytes(path, kind, limit=_BYTES)
    try:
        text = content.decode("utf-16" if content.startswith(_UTF_16) else "utf-8-sig")
    except UnicodeDecodeError as error:
        what = f"{path} is not text in UTF-8: {error.reason} at byte {error.start:,}"
        raise kind(what, "save it as UTF-8") from None
    return parse_yaml(text, str(path), kind)


def parse_yaml(text: str, where: str, kind: type[MidogError] = ConfigError) -> Any:
    """Parse the text of one YAML document.

    Args:
        text: The text.
        where: What it is, for the error.
        kind: The error to raise.

    Returns:
        Mappings with texts as keys, lists, texts, numbers, booleans, None. What YAML 1.1 reads as
        a time, a number to base 60 or, for a leading 0, to base 8 is text. Aliases and merge keys
        (`<<`) are followed.

    Raises:
        MidogError: Of that kind, with the line: it is not YAML, has a tag (`!!int x`) or a key
            twice, is nested deeper than 20, holds a whole number of more than 64 bits, or unfolds
            to more than 1,000,000 characters.
    """
    try:
        return _Reader(text).document()
    except _Problem as problem:
        raise kind(f"{where} line {problem.line}: {problem}", problem.fix) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" line {mark.line + 1}" if mark else ""
        raise kind(f"{where}{place} is not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:  # a control character
        raise kind(f"{where} is not YAML: {clean(str(error), 200)}") from None


class _Problem(Exception):
    """What is wrong, in which line (from 1), and what to do about it."""

    def __init__(self, what: str, event: yaml.Event, fix: str = "") -> None:
        super().__init__(what)
        self.line = event.start_mark.line + 1 if event.start_mark else 1
        self.fix = fix


class _Reader:
    """Makes values of the parser's events, in one pass; an alias counts as what it stands for."""

    def __init__(self, text: str) -> None:
        self._loader: Any = yaml.SafeLoader(text)
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._read = 0

    def document(self) -> Any:
        self._next()  # the stream's start
        event = self._next()
        if isinstance(event, yaml.StreamEndEvent):
            return None
        value = self._value(self._next(), 1)
        self._next()  # the document's end
        event = self._next()
        if not isinstance(event, yaml.StreamEndEvent):
            raise _Problem("a second document begins", event, "keep one")
        return value

    def _next(self) -> yaml.Event:
        event: yaml.Event = self._loader.get_event()
        return event

    def _value(self, event: yaml.Event, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self._followed(event)
        if depth > _DEPTH:
            raise _Problem(f"nested deeper than {_DEPTH}", event)
        before = self._read
        self._count(event, 1)
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._list(event, depth)
        else:
            value = self._mapping(event, depth)
        if anchor := getattr(event, "anchor", None):
            self._anchors[anchor] = (value, self._read - before)
        return value

    def _followed(self, event: yaml.AliasEvent) -> Any:
        if event.anchor not in self._anchors:
            raise _Problem(f"the alias *{event.anchor} has no anchor before it", event)
        value, size = self._anchors[event.anchor]
        self._count(event, size)
        return value

    def _count(self, event: yaml.Event, characters: int) -> None:
        self._read += characters
        if self._read > _CHARACTERS:
            raise _Problem(f"it unfolds to more than {_CHARACTERS:,} characters", event)

    def _list(self, start: yaml.Event, depth: int) -> list[Any]:
        _refuse_tag(start, "seq")
        values = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            values.append(self._value(event, depth + 1))
        return values

    def _mapping(self, start: yaml.Event, depth: int) -> dict[str, Any]:
        _refuse_tag(start, "map")
        values: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise _Problem("a key is no text", event, "write `key: value`")
            _refuse_tag(event, "str")
            self._count(event, 1 + len(event.value))
            value = self._value(self._next(), depth + 1)
            if event.value == "<<" and event.implicit[0]:
                merged = _merged(value, event) | merged
            elif event.value in values:
                raise _Problem(f"the key {event.value!r} is there twice", event, "keep one")
            else:
                values[event.value] = value
        return merged | values

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        _refuse_tag(event, "str")
        text = event.value
        self._count(event, len(text))
        if not event.implicit[0]:  # quoted
            return text
        return self._plain(text, event)

    def _plain(self, text: str, event: yaml.Event) -> Any:
        """The value of what is written without quotes."""
        tag = self._loader.resolve(yaml.ScalarNode, text, (True, False)).removeprefix(_WORDS)
        if tag == "null":
            return None
        if tag == "bool":
            return SafeConstructor.bool_values[text.lower()]
        if tag == "float" and ":" not in text:
            return float(re.sub(r"\.(?=inf|nan)", "", text.replace("_", "").lower()))
        if tag == "int" and _WHOLE.fullmatch(text):
            if len(text) > 70 or abs(value := int(text.replace("_", ""), 0)) >= 2**63:
                raise _Problem(f"the number {clean(text, 40)} has more than 64 bits", event)
            return value
        return text


def _refuse_tag(event: yaml.Event, usual: str) -> None:
    tag = getattr(event, "tag", None)
    if tag not in (None, f"{_WORDS}{usual}"):
        short = tag.replace(_WORDS, "!!")
        raise _Problem(f"the tag {short} is not read", event, "write the value without it")


def _merged(value: Any, event: yaml.Event) -> dict[str, Any]:
    """What a merge key brings; of several mappings the first one's values win."""
    merged: dict[str, Any] = {}
    for mapping in value if isinstance(value, list) else [value]:
        if not isinstance(mapping, dict):
            raise _Problem("<< is followed by no mapping", event)
        merged = mapping | merged
    return merged
