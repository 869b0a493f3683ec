"""Fixtures that several files share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from engines import on_kernel, on_reference

import features.engine
from features.kernel import walk

Engine = Callable[..., list[list[float]]]


@pytest.fixture(params=["reference", "kernel", "kernel uncompiled"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Every way there is to compute a feature."""
    if request.param == "reference":
        return on_reference
    if request.param == "kernel uncompiled":
        monkeypatch.setattr(features.engine, "walk", walk.py_func)
    return on_kernel
