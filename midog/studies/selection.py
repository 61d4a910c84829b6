"""A part of a study: the rows, designs and seeds that are worked on now; the plan stays whole."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from midog.config.settings import near
from midog.errors import ConfigError, shortened
from midog.studies.plan import Plan, Planned
from midog.studies.study_file import Study


@dataclass(frozen=True)
class Selection:
    """Rows, designs and seeds of a study; an empty one stands for all.

    Attributes:
        rows: Names of rows.
        designs: Names of designs.
        seeds: Of trainings; a detector of several counts where all of its seeds are chosen.
    """

    rows: tuple[str, ...] = ()
    designs: tuple[str, ...] = ()
    seeds: tuple[int, ...] = ()

    def holds(self, detector: Planned) -> bool:
        """Whether a detector belongs to it."""
        return (
            (not self.rows or detector.row.name in self.rows)
            and (not self.designs or detector.design in self.designs)
            and (not self.seeds or set(detector.seeds) <= set(self.seeds))
        )


EVERYTHING = Selection()


def part_of_plan(plan: Plan, selection: Selection) -> Plan:
    """The plan of the detectors of a selection alone.

    Raises:
        ConfigError: No detector is left.
    """
    detectors = [one for one in plan.detectors if selection.holds(one)]
    if not detectors:
        words = {"rows": selection.rows, "designs": selection.designs, "seeds": selection.seeds}
        stated = [f"{key} {', '.join(map(str, chosen))}" for key, chosen in words.items() if chosen]
        fix = "choose others; a detector of several seeds needs all of them"
        raise ConfigError(
            f"study {plan.study.name} plans no detector of {' and '.join(stated)}", fix
        )
    return replace(plan, detectors=detectors)


def read_selection(
    study: Study, rows: Sequence[str], designs: Sequence[str], seeds: Sequence[str]
) -> Selection:
    """Read what of a study to work on.

    Args:
        study: The study.
        rows: Names of its rows, several in one text by commas; none: all.
        designs: Likewise.
        seeds: Likewise.

    Raises:
        ConfigError: The study does not have one of them.
    """
    planned = dict.fromkeys(name for row in study.rows.values() for name in row.designs)
    numbers = dict.fromkeys(str(seed) for row in study.rows.values() for seed in row.seeds)
    return Selection(
        chosen_names(rows, study.rows, "row"),
        chosen_names(designs, planned, "design"),
        tuple(map(int, chosen_names(seeds, numbers, "seed"))),
    )


def chosen_names(texts: Sequence[str], names: Collection[str], kind: str) -> tuple[str, ...]:
    """Read names that are separated by commas, in the order of a study.

    A name may hold commas itself, as the rows of a grid do: the longest name that fits is taken.

    Args:
        texts: As typed.
        names: Those that the study has.
        kind: What they name, for the error: "row", say.

    Raises:
        ConfigError: A name that the study does not have; the nearest one is offered.
    """
    chosen = set()
    for text in texts:
        pieces = [piece.strip() for piece in text.split(",")]
        while pieces:
            ends = range(len(pieces), 0, -1)
            end = next((end for end in ends if ",".join(pieces[:end]) in names), 0)
            if not end:
                what = f"the study has no {kind} {shortened(repr(pieces[0]), 80)}"
                raise ConfigError(
                    f"{what}{near(pieces[0], names)}",
                    f"choose from {shortened(', '.join(names), 1000)}",
                )
            chosen.add(",".join(pieces[:end]))
            pieces = pieces[end:]
    return tuple(name for name in names if name in chosen)
