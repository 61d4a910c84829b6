"""What every member of a detector reports of an open image, in every orientation: its views."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from midog.inference.member import Member
from midog.inference.opened_image import OpenedImage
from midog.inference.orientations import Orientation
from midog.inference.stage_times import StageTimes
from midog.inference.strip_merge import StripMerge
from midog.inference.tile_results import BoxArrays
from midog.inference.tiles import Tiles

OnTiles = Callable[[int, int], None]
"""Called with the number of tiles done and that of all tiles."""


def views_of(
    opened: OpenedImage,
    orientations: Sequence[Orientation],
    progress: OnTiles | None,
    shift_of: Callable[[Member], float] = lambda member: 0.0,
) -> list[BoxArrays]:
    """Look at an image once; tiles that several members are shown are read once.

    Args:
        opened: The image.
        orientations: In which every tile is shown to every member.
        progress: Called after every batch of tiles.
        shift_of: What is added to the log odds of a member's scores; called once for each.

    Returns:
        Of each member in each orientation boxes (N, 4) in level-0 px, scores and labels, best
        first.
    """
    views, before = list[BoxArrays](), 0
    total = sum(len(tiles.places) for tiles, _ in opened.groups)
    size = opened.image.width, opened.image.height
    for tiles, members in opened.groups:
        looks = [
            _Look(member, turned, member.merging(tiles.plan, size), shift)
            for member, shift in [(member, shift_of(member)) for member in members]
            for turned in orientations
        ]
        with closing(_look_through(tiles, looks)) as coming:
            for done in coming:
                if progress is not None:
                    progress(before + done, total)
        views += [look.member.moved(look.merging.result(), look.shift) for look in looks]
        before += len(tiles.places)
    return views


@dataclass(frozen=True, eq=False)
class _Look:
    """A member that is shown tiles in an orientation, and what becomes of its reports."""

    member: Member
    orientation: Orientation
    merging: StripMerge
    shift: float


def _look_through(tiles: Tiles, looks: Sequence[_Look]) -> Generator[int]:
    """Yield the number of tiles done after each batch that every look has taken in."""
    pending: deque[tuple[int | None, Future[None]]] = deque()
    done = 0
    # A thread merges what a batch reports while the network runs on the next one.
    with ThreadPoolExecutor(1, thread_name_prefix="midog-results") as results:
        for places, images in tiles.batches():
            done += len(places)
            is_last = done == len(tiles.places)
            frontier = tiles.plan.size[1] if is_last else int(tiles.places.corners[done, 1])
            for look in looks:
                with tiles.times.of("network"):
                    report = look.member.start(
                        images, look.orientation, places, tiles.plan, look.shift
                    )
                all_looked = look is looks[-1]
                merging = results.submit(_take, look, report, frontier, tiles.times)
                pending.append((done if all_looked else None, merging))
                while len(pending) > (not (is_last and all_looked)):
                    taken_in, result = pending.popleft()
                    result.result()
                    if taken_in is not None:
                        yield taken_in


def _take(look: _Look, report: Callable[[], BoxArrays], frontier: int, times: StageTimes) -> None:
    with times.of("merging"):
        look.merging.take(report(), frontier)
