"""What servers state: lengths, ranges, redirects and waits, as they may be and as they are."""

from __future__ import annotations

from email.message import Message
from urllib.error import HTTPError
from urllib.request import Request

import pytest

from midog.data.download import answers


@pytest.mark.parametrize(
    ("before", "after", "followed"),
    [
        ("https://a/b", "https://c/d", True),
        ("https://a/b", "http://c/d", False),
        ("http://a/b", "http://c/d", True),
        ("http://a/b", "ftp://c/d", False),
    ],
)
def test_no_redirect_leaves_https(before, after, followed):
    request = Request(before)
    arguments = (request, None, 302, "Found", Message(), after)
    if followed:
        assert answers._Redirects().redirect_request(*arguments).full_url == after
    else:
        with pytest.raises(HTTPError, match=f"redirect to {after}"):
            answers._Redirects().redirect_request(*arguments)
