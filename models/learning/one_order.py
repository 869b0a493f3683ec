"""Sums of matrices in one order, whatever the number of cores: their last bits, and so a model's, are the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

from threadpoolctl import threadpool_limits

_lock = Lock()
_inside: list[threadpool_limits] = []


@contextmanager
def in_one_order() -> Iterator[None]:
    """Hold BLAS to one thread for as long as any thread of this process is within.

    The limit is the process's own: lifted by the first fit that ends, it would be lifted for the one beside it. And
    OpenBLAS may not listen to a thread that is not the first one: who starts threads enters before, and they only join.
    """
    with _lock:
        # Only the first limit knows what there was before; it is lifted by the last to leave.
        _inside.append(_inside[0] if _inside else threadpool_limits(1, "blas"))
    try:
        yield
    finally:
        with _lock:
            limit = _inside.pop()
            if not _inside:
                limit.restore_original_limits()
