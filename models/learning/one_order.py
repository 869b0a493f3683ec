"""Sums of matrices in one order, whatever the number of cores: their last bits, and so a model's, are the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

import scipy.linalg  # noqa: F401 - whose BLAS is another one than NumPy's: both are there before they are looked for
from threadpoolctl import ThreadpoolController

_lock = Lock()
_inside: list[Any] = []


@contextmanager
def in_one_order() -> Iterator[None]:
    """Hold BLAS to one thread for as long as any thread of this process is within.

    The limit is the process's own: lifted by the first fit that ends, it would be lifted for the one beside it. And
    OpenBLAS may not listen to a thread that is not the first one: who starts threads enters before, and they only join.
    """
    with _lock:
        # Only the first limit knows what there was before; it is lifted by the last to leave.
        _inside.append(_inside[0] if _inside else _libraries().limit(limits=1, user_api="blas"))
    try:
        yield
    finally:
        with _lock:
            limit = _inside.pop()
            if not _inside:
                limit.restore_original_limits()


@cache
def _libraries() -> ThreadpoolController:
    """Find the libraries that compute with threads: to look for them takes longer than many a fit."""
    return ThreadpoolController()
