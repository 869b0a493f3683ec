"""What may be asked of the sample world on top: a shift, or a day that a source loses."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Self

import numpy as np

from features.core.errors import InputError
from pipeline.sample.chain import Flags, Integers, Source
from pipeline.sample.timeline import DAY, END, ORIGIN, START, WEEK, microseconds


@dataclass(frozen=True)
class Scenario:
    """How a world differs from the plain one, all moments in microseconds since 1970 in UTC.

    mix_from: from when on leads come from the shifted mix of channels; rates and hazards shift at the next Monday.
    lost: the source that loses a day, and the moment at which the day begins.
    """

    mix_from: int = END
    lost: tuple[Source, int] | None = None

    @classmethod
    def read(cls, shift: str | None, gap: str | None) -> Self:
        """Take what the command line says, as in ``2026-04-01`` and ``web:2026-06-28``.

        Raises InputError for what is no date of the log, or no source of it.
        """
        mix_from = END if shift is None else _day("shift", shift)
        if gap is None:
            return cls(mix_from)
        name, colon, day = gap.partition(":")
        sources = {source.name.lower(): source for source in Source}
        if not colon or name not in sources:
            raise InputError(f"--gap {gap} names no source; write one of {', '.join(sources)}, as in web:2026-06-28")
        return cls(mix_from, (sources[name], _day("gap", day)))

    @property
    def shift(self) -> int | None:
        """The Monday from which on rates and hazards are shifted; None without a shift."""
        return None if self.mix_from >= END else ORIGIN + -(-(self.mix_from - ORIGIN) // WEEK) * WEEK

    def loses(self, source: Source, occurred: Integers) -> Flags:
        """Tell which events of a source, by the moments at which they occurred, are lost."""
        if self.lost is None or self.lost[0] != source:
            return np.zeros(len(occurred), dtype=np.bool_)
        return np.asarray((occurred >= self.lost[1]) & (occurred < self.lost[1] + DAY))


def _day(option: str, text: str) -> int:
    try:
        day = date.fromisoformat(text)
        moment = microseconds(day.year, day.month, day.day)
    except ValueError:
        moment = END
    if not START <= moment < END:
        raise InputError(f"--{option}: {text!r} is no day of the log; write one from 2025-01-01 to 2026-06-30")
    return moment


PLAIN = Scenario()
