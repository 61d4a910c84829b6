"""Errors are one line that ends with what to do."""

from __future__ import annotations

import pickle

from midog.errors import DataError, MidogError


def test_an_error_is_one_line_of_what_and_fix():
    error = DataError("data/split.csv line 7:\n split 'trian' is unknown.", "write train")
    assert str(error) == "data/split.csv line 7: split 'trian' is unknown; write train"
    assert isinstance(error, MidogError)


def test_the_fix_may_be_missing_and_errors_cross_processes():
    error = pickle.loads(pickle.dumps(MidogError("nothing to do")))
    assert str(error) == "nothing to do"
