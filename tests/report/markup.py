"""Reads a page as a browser would and tells what is wrong with it; nothing outside of the page may
be asked for."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "img", "hr", "input", "col"}
LOADING = {"src", "srcset", "poster", "data", "background", "action", "href", "xlink:href"}


@dataclass
class Element:
    """A tag, its attributes, and the text below it."""

    tag: str
    attributes: dict[str, str]
    text: str = ""
    inside: list[Element] = field(default_factory=list)


class Page(HTMLParser):
    """All elements of a page in order. problems: what is not valid or not self-contained."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.problems: list[str] = []
        self._open: list[Element] = []
        if not text.startswith("<!DOCTYPE html>\n"):
            self.problems.append("no doctype")
        self.feed(text)
        self.close()
        self.problems += [f"<{each.tag}> stays open" for each in self._open]
        self._check()

    def all(self, tag: str) -> list[Element]:
        return [each for each in self.elements if each.tag == tag]

    def by_id(self, name: str) -> Element:
        (outcome,) = [each for each in self.elements if each.attributes.get("id") == name]
        return outcome

    @property
    def text(self) -> str:
        """What is read, white space as one blank."""
        return " ".join(self.all("body")[0].text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        doubled = [
            name for name, number in Counter(name for name, _ in attrs).items() if number > 1
        ]
        self.problems += [f"<{tag}> has {name} twice" for name in doubled]
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.elements.append(element)
        for each in self._open:
            each.inside.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1].tag != tag:
            self.problems.append(
                f"</{tag}> closes {self._open[-1].tag if self._open else 'nothing'}"
            )
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for each in self._open:
            each.text += data

    def _check(self) -> None:
        ids = Counter(each.attributes["id"] for each in self.elements if "id" in each.attributes)
        self.problems += [f"id {name} {number} times" for name, number in ids.items() if number > 1]
        for each in self.elements:
            self.problems += _wrong(each, set(ids))


def _wrong(element: Element, ids: set[str]) -> list[str]:
    has, wrong = element.attributes, []
    if element.tag == "html" and not has.get("lang"):
        wrong.append("<html> has no lang")
    if element.tag == "script" or any(name.startswith("on") for name in has):
        wrong.append("there is a script")
    if element.tag == "th" and has.get("scope") not in ("col", "row", "colgroup", "rowgroup"):
        wrong.append(f"<th>{element.text}</th> has no scope")
    if element.tag == "img" and not has.get("alt"):
        wrong.append("<img> has no alt")
    if element.tag == "svg" and not (has.get("role") == "img" and has.get("aria-label")):
        wrong.append("<svg> does not say what it is")
    for name in LOADING & set(has):
        value = has[name]
        if value.startswith("#") and value[1:] not in ids:
            wrong.append(f"{name}={value} leads nowhere")
        elif not value.startswith(("#", "data:")) and element.tag != "a":
            wrong.append(f"<{element.tag}> asks for {value}")
    named = re.findall(
        r"url\(([^)]*)\)", " ".join([*has.values(), element.text if element.tag == "style" else ""])
    )
    wrong += [f"url({name}) leads nowhere" for name in named if name.lstrip("#") not in ids]
    wrong += [
        f"labelled by {name}" for name in has.get("aria-labelledby", "").split() if name not in ids
    ]
    if element.tag == "style" and "@import" in element.text:
        wrong.append("<style> imports")
    return wrong
