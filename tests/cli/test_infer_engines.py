"""`midog infer --engine ray` as typed, where it cannot be used."""

from __future__ import annotations

import sys


def test_ray_that_is_not_installed_is_one_line_before_anything_is_read(midog, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    ran = midog("infer", "nowhere.tif", "--engine", "ray")
    assert ran.code == 1
    assert ran.err == (
        "error: --engine ray needs Ray, which is not installed; pip install 'midog[scale]'\n"
    )


def test_an_address_is_one_of_a_ray_cluster(midog):
    ran = midog("infer", "nowhere.tif", "--address", "auto")
    assert ran.code == 2
    assert ran.err.splitlines()[-1] == (
        "Error: Invalid value for --address: it is one of a Ray cluster: --engine ray"
    )
    assert midog("infer", "nowhere.tif", "--engine", "spark").code == 2
