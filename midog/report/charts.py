"""The style of charts, and how they get into a page: matplotlib figures without pyplot, as SVG with
a label."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup, escape
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.style import context

INK, MUTED, FAINT = "#1b1b1b", "#5c6166", "#d9dcdf"
"""Colours of what matters, of what explains it, and of rules behind it."""

BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = (
    "#0072b2",
    "#d55e00",
    "#009e73",
    "#cc79a7",
    "#e69f00",
    "#56b4e9",
)
"""Told apart by every kind of colour vision (Okabe & Ito 2008); their yellow is too pale for lines
on white."""

_COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
_MARKERS = ("s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "d", "*")
MOST_STYLES = len(_MARKERS)
"""Names that can be told apart in one chart."""

_STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.labelsize": 9,
    "axes.linewidth": 0.7,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 9,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "path",  # the same on every machine, whatever its fonts
    "svg.hashsalt": "midog",
    "text.color": INK,
    "text.parse_math": False,  # a $ in a file's name is a $
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
}


@dataclass(frozen=True)
class Style:
    """How one name is drawn in all charts of a page: marker and dashes differ too, for print in
    grey."""

    colour: str
    marker: str
    dashes: Literal["-", "--", ":"]


def styles_of(names: Sequence[str]) -> dict[str, Style]:
    """Return a style for each name, in their order; those after MOST_STYLES share a grey one."""
    styles = {}
    for at, name in enumerate(names):
        if at < MOST_STYLES:
            colour = _COLOURS[at % len(_COLOURS)]
            styles[name] = Style(colour, _MARKERS[at], "-" if at < len(_COLOURS) else "--")
        else:
            styles[name] = Style(MUTED, ".", ":")
    return styles


@contextmanager
def drawing() -> Iterator[None]:
    """Set the house style, whatever the user's matplotlibrc; for `with`, or over a function that
    draws."""
    with context(_STYLE, after_reset=True):
        yield


@drawing()
def to_svg(figure: Figure, *, name: str, label: str) -> Markup:
    """Return a figure as an <svg> for a page: equal figures of one matplotlib give equal bytes.

    Args:
        figure: The figure.
        name: Starts every id in it, so that the ids of the charts of a page differ; a word, used
            once in the page.
        label: What it shows, for those who do not see it.
    """
    assert re.fullmatch(r"[a-z][a-z0-9-]*", name), name
    text = io.StringIO()
    with warnings.catch_warnings():
        # of a name in a script that the font lacks: a box
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(
            text, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].rstrip()
    svg = re.sub(r"<!--.*?-->\s*|<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    # a style would hold in all of the page
    svg = re.sub(r"<style.*?</style>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    head = (
        f'<svg class="chart" role="img" aria-label="{escape(label)}" stroke-linejoin="round"'
        ' stroke-linecap="butt"'
    )
    return Markup(svg.replace("<svg", head, 1))


def new_chart(width: float = 4.8, height: float = 3.9) -> tuple[Figure, Axes]:
    """Return an empty chart of that size, inches."""
    figure = Figure((width, height), layout="constrained")
    return figure, figure.add_subplot()


def legend_below(figure: Figure, entries: Sequence[tuple[str, Artist]], columns: int = 2) -> None:
    """Put a legend under the axes; the figure grows, so that charts of one size stay level."""
    if not entries:
        return
    rows = -(-len(entries) // columns)
    figure.set_figheight(figure.get_figheight() + 0.2 * rows)
    names, lines = [short(name) for name, _ in entries], [line for _, line in entries]
    figure.legend(lines, names, loc="outside lower center", ncols=min(columns, len(entries)))


def short(name: str, most: int = 26) -> str:
    """Shorten a name to the room in a chart; a leading _, by which matplotlib would hide it, gets a
    blank before it."""
    name = name if len(name) <= most else f"{name[: most - 1]}…"
    return f" {name}" if name.startswith("_") else name


def write_in_middle(axes: Axes, text: str) -> None:
    """Write words into axes that have nothing else to show."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=MUTED)


def unit_axis(axes: Axes, which: str) -> None:
    """Let axis "x" or "y" run from 0 to 1, with room for a line on the edge."""
    bounds, ticks = (-0.02, 1.02), [0, 0.2, 0.4, 0.6, 0.8, 1]
    axes.set(**{f"{which}lim": bounds, f"{which}ticks": ticks})
