"""What every member of a detector reports of an open image, in every orientation: its views."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

from midog.inference.member import Member
from midog.inference.opened_image import OpenedImage
from midog.inference.orientations import Orientation
from midog.inference.tile_results import BoxArrays, joined
from midog.inference.tiles import Tiles

OnTiles = Callable[[int, int], None]
"""Called with the number of tiles done and that of all tiles."""


def views_of(
    opened: OpenedImage, orientations: Sequence[Orientation], progress: OnTiles | None
) -> list[BoxArrays]:
    """Look at an image once; tiles that several members are shown are read once.

    Args:
        opened: The image.
        orientations: In which every tile is shown to every member.
        progress: Called after every batch of tiles.

    Returns:
        Of each member in each orientation boxes (N, 4) in level-0 px, scores and labels, best
        first.
    """
    views, before = list[BoxArrays](), 0
    total = sum(len(tiles.origins) for tiles, _ in opened.groups)
    size = opened.image.width, opened.image.height
    for tiles, members in opened.groups:
        looks = [(member, turned) for member in members for turned in orientations]
        reports: list[list[BoxArrays]] = [[] for _ in looks]
        with closing(_reports(tiles, looks)) as coming:
            for look, done, report in coming:
                reports[look].append(report)
                if progress is not None and look == len(looks) - 1:
                    progress(before + done, total)
        for (member, _), parts in zip(looks, reports, strict=True):
            views.append(member.in_image(joined(parts), tiles.plan, size))
        before += len(tiles.origins)
    return views


def _reports(
    tiles: Tiles, looks: Sequence[tuple[Member, Orientation]]
) -> Generator[tuple[int, int, BoxArrays]]:
    """The number of the look, that of the tiles done with its batch, and what the batch reports."""
    pending: deque[tuple[int, int, Future[BoxArrays]]] = deque()
    done = 0
    # A thread places the results of a batch while the network runs on the next one.
    with ThreadPoolExecutor(1, thread_name_prefix="midog-results") as results:
        for corners, images in tiles.batches():
            done += len(corners)
            for look, (member, turned) in enumerate(looks):
                report = member.start(images, turned, corners, tiles.plan)
                pending.append((look, done, results.submit(report)))
                is_last = done == len(tiles.origins) and look == len(looks) - 1
                while len(pending) > (not is_last):
                    looked, so_far, result = pending.popleft()
                    yield looked, so_far, result.result()
