"""How long a push waits for a system that does not answer, or asks for time."""

from __future__ import annotations

import random
import time
from threading import Event, Lock

from features.core.errors import DeliveryError
from pipeline.settings.push import Push
from pipeline.sinks.protocol import LaterError

_FIRST_WAIT, _LONGEST_STEP, _GROWTH = 0.05, 30.0, 3.0
"""Seconds: 0.05, 0.15, 0.45 ... up to half a minute, where the system doesn't say how long."""


class Patience:
    """What all batches of a push know together: whether it is to stop, and since when no call was answered."""

    def __init__(self, push: Push) -> None:
        self._push, self._stop, self._lock = push, Event(), Lock()
        self._answered, self.is_given_up = time.monotonic(), False
        """The last is whether the system has answered nothing for longer than a push waits."""
        self._why: DeliveryError | None = None

    def stop(self, why: DeliveryError | None = None) -> None:
        """Have whoever waits, or would begin a call, end with DeliveryError: the first reason is told."""
        self._why = self._why or why
        self._stop.set()

    def refuse_stopped(self) -> None:
        """Raise DeliveryError where the push is to stop."""
        if self._stop.is_set():
            raise DeliveryError(str(self._why or "stopped"))

    def answered(self) -> None:
        """Note that a call was answered."""
        with self._lock:
            self._answered, self.is_given_up = time.monotonic(), False

    def wait(self, error: LaterError, failures: int, since: float) -> None:
        """Wait as long as the system says; raises LaterError when attempts, and the time of an outage, are used up.

        ``since``: when the first of so many failures in a row was. Where others were answered in the meantime, it is no
        outage. Raises DeliveryError where the system asks for more time than it may have.
        """
        with self._lock:
            if failures >= self._push.attempts:
                silent = time.monotonic() - self._answered
                self.is_given_up = self.is_given_up or silent >= self._push.longest_outage_seconds
                if self._answered > since:
                    raise error
            if self.is_given_up:
                raise error
        if error.after is not None and error.after > self._push.longest_wait_seconds:
            raise DeliveryError(
                f"the system asks to wait {error.after:,.0f} s, more than push.longest_wait_seconds: {error}; "
                "push again then"
            )
        step = min(_FIRST_WAIT * _GROWTH ** min(failures - 1, 9), _LONGEST_STEP, self._push.longest_wait_seconds)
        seconds = step * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        if error.after is not None:  # who says "at once" again and again is not believed
            seconds = max(error.after, seconds) if failures >= self._push.attempts else error.after
        self._stop.wait(seconds)


class Attempts:
    """The attempts at one thing; what got further begins to count anew: of many calls, some always fail."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures, self._since = 0, 0.0

    def failed(self, error: LaterError, *, further: bool = False) -> None:
        """Wait before the next attempt; raises as ``Patience.wait`` does."""
        if further or not self._failures:
            self._failures, self._since = 0, time.monotonic()
        self._failures += 1
        self._patience.wait(error, self._failures, self._since)
