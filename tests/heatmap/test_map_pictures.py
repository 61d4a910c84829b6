"""Pictures of maps: the map at its place, the rest as it is."""

from __future__ import annotations

import numpy as np
from PIL import Image

from midog.heatmap.map_pictures import coloured, on_picture, outline, write_overlay_of_map
from midog.images.image import as_image
from tests.heatmap.test_heat_map import heat_map


def test_px_of_a_map_lie_where_they_are_in_the_slide():
    own = heat_map()  # px of 10, the slide 25 x 18
    shown = on_picture(own.values, own, (18, 25))
    assert np.isnan(shown[:10, 10:20]).all()
    assert (shown[:, 20:] == np.float32(0.9)).all()
    assert (shown[10:, :10] == np.float32(0.2)).all()
    assert on_picture(own.values, own, (2, 3)).shape == (2, 3)


def test_what_was_not_looked_at_stays_grey_and_high_values_are_coloured():
    ground = np.full((18, 25, 3), (200, 100, 150), np.uint8)
    picture = coloured(ground, heat_map())
    assert (picture[5, 12] == 150).all()
    inner = picture[4, 4].astype(int)
    assert inner.max() - inner.min() > 20
    assert (picture[9, 4] == 0).all(), "the outline of what is at least the threshold"


def test_an_outline_is_the_inner_edge_and_not_that_of_the_picture():
    chosen = np.zeros((6, 6), bool)
    chosen[1:5, 1:6] = True
    edge = outline(chosen)
    assert edge.sum() == 12
    assert not edge[2:4, 2:].any()


def test_the_overlay_is_a_picture_of_the_slide(tmp_path):
    path = tmp_path / "below" / "a.png"
    write_overlay_of_map(path, heat_map(), as_image(np.full((18, 25, 3), 200, np.uint8), 2.0))
    with Image.open(path) as picture:
        assert picture.height == 18 + 64
