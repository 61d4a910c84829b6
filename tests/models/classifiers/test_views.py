"""Views of one place: concentric, and the same whether they are given or cut from one picture."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from midog.errors import ConfigError
from midog.models.classifiers.views import View, views_in, widest_field


def coordinates(side: int) -> torch.Tensor:
    """A picture (1, 3, side, side) that says where a px is: x and y of its middle from the centre,
    px, and 0."""
    along = torch.arange(side, dtype=torch.float64) + 0.5 - side / 2
    y, x = torch.meshgrid(along, along, indexing="ij")
    return torch.stack([x, y, torch.zeros_like(x)])[None]


@given(half=st.integers(1, 12), downsample=st.integers(1, 5), wider=st.integers(0, 9))
def test_every_view_shows_the_same_centre_at_its_own_scale(half, downsample, wider):
    view = View(2 * half, downsample)
    views = (View(view.field + 2 * wider), view)
    _, cut = views_in(coordinates(widest_field(views)), views)
    torch.testing.assert_close(cut, downsample * coordinates(view.side))


def test_views_that_are_given_stay_as_they_are():
    views = (View(4), View(2, 4))
    pictures = [torch.rand(3, 3, 4, 4), torch.rand(3, 3, 2, 2)]
    taken = views_in(pictures, views)
    assert all(one is other for one, other in zip(taken, pictures, strict=True))


def test_the_widest_field_counts_px_of_the_finest_view():
    assert widest_field((View(256), View(64, 4), View(16, 16))) == 256
    assert widest_field((View(80), View(80, 2))) == 160


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        ([4], "views of 4x4 px are given to a network that sees 4x4, 2x2 px"),
        ([2, 4], "views of 2x2, 4x4 px"),
    ],
)
def test_views_of_another_network_are_refused(sides, message):
    with pytest.raises(ConfigError, match=message):
        views_in([torch.zeros(1, 3, side, side) for side in sides], (View(4), View(2, 4)))


def test_a_patch_of_another_field_is_refused():
    with pytest.raises(ConfigError, match="6x6 px does not show the 8 px"):
        views_in(torch.zeros(1, 3, 6, 6), (View(4), View(2, 4)))


def test_a_view_without_a_middle_of_whole_px_is_refused():
    with pytest.raises(ConfigError, match="3 px have no place in the middle of 8 px"):
        views_in(torch.zeros(1, 3, 8, 8), (View(3), View(4, 2)))
