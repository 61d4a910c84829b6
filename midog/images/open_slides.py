"""Slides that are opened when they are first read from, the latest of them kept open."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from midog.errors import DataError
from midog.images.image import SlideImage, open_image

MOST_OPEN = 64


class OpenSlides:
    """Slides by their numbers, for any number of threads.

    A slide that is read from stays open until it is let go, however many others are asked for.

    Args:
        paths: Of the slides.
        sizes: (width, height) of each, level-0 px, as they are expected.
        most: How many stay open while none is read from.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        sizes: Sequence[tuple[int, int]],
        most: int = MOST_OPEN,
    ) -> None:
        self._paths, self._sizes, self._most = paths, sizes, most
        self._open: OrderedDict[int, tuple[SlideImage, list[int]]] = OrderedDict()
        self._lock = threading.Lock()

    @contextmanager
    def reading(self, number: int) -> Iterator[SlideImage]:
        """Hold a slide open.

        Raises:
            DataError: It has another size.
            ImageError: It cannot be opened.
        """
        with self._lock:
            if number not in self._open:
                self._open[number] = self._opened(number), [0]
            image, readers = self._open[number]
            self._open.move_to_end(number)
            readers[0] += 1
            self._close_oldest()
        try:
            yield image
        finally:
            with self._lock:
                readers[0] -= 1

    def close(self) -> None:
        """Close all that are open."""
        with self._lock:
            for image, _ in self._open.values():
                image.close()
            self._open.clear()

    def _opened(self, number: int) -> SlideImage:
        path, size = self._paths[number], self._sizes[number]
        image = open_image(path, past_damage=True)
        if (image.width, image.height) != size:
            image.close()
            raise DataError(
                f"{path} is {image.width} x {image.height} px, {size[0]} x {size[1]} when it was"
                " sampled",
                "put the slide back, or sample the slides again",
            )
        return image

    def _close_oldest(self) -> None:
        for number in list(self._open):
            if len(self._open) <= self._most:
                return
            image, readers = self._open[number]
            if not readers[0]:
                del self._open[number]
                image.close()
