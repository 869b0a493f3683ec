"""What there is in a log: how many leads have each event type, channel, campaign and content, counted in one walk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numba
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.engines.compiled import runs_of
from features.engines.patterns import dictionary_of
from features.language.measures import TOUCHED

SEEN_COLUMNS = ("lead_id", "known_at", "event_type", "actor", "channel", "campaign", "content", "value")
"""What is read of the interactions."""


@dataclass
class Seen:
    """How many leads have an event type of an actor, a channel, a campaign, a content; and which types have values."""

    event_types: Counter[tuple[str, str]] = field(default_factory=Counter)
    channels: Counter[str] = field(default_factory=Counter)
    campaigns: Counter[str] = field(default_factory=Counter)
    contents: Counter[str] = field(default_factory=Counter)
    about: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many leads have an event of a type about a content."""
    valued: set[tuple[str, str]] = field(default_factory=set)

    def event_type_table(self) -> pd.DataFrame:
        """Give event_type, actor, leads and valued, sorted by the first two."""
        rows = [(*key, leads, key in self.valued) for key, leads in sorted(self.event_types.items())]
        return pd.DataFrame(rows, columns=["event_type", "actor", "leads", "valued"])

    def table(self, part: str) -> pd.DataFrame:
        """Give channel, campaign or content, and leads, sorted by the first."""
        return pd.DataFrame(sorted(self.of(part).items()), columns=[part, "leads"])

    def of(self, part: str) -> Counter[str]:
        """Give the leads of each channel, campaign or content."""
        counts: Counter[str] = getattr(self, f"{part}s")
        return counts

    def about_table(self) -> pd.DataFrame:
        """Give event_type, content and leads, sorted by the first two."""
        rows = [(*key, leads) for key, leads in sorted(self.about.items())]
        return pd.DataFrame(rows, columns=["event_type", "content", "leads"])


def see(parts: Iterable[pa.Table], until: datetime, actors: Sequence[str], unheard_of: Sequence[str] = ()) -> Seen:
    """Count the leads of the events known before ``until`` (UTC), but for the leads that nobody had heard of by then.

    ``parts``: SEEN_COLUMNS, each part of whole leads. Of all but types only events of the ``actors`` count.
    """
    seen, strangers = Seen(), pa.array(unheard_of, pa.string())
    for part in parts:
        if len(part):
            _see(part, until, actors, strangers, seen)
    return seen


def _see(part: pa.Table, until: datetime, actors: Sequence[str], strangers: pa.Array, seen: Seen) -> None:
    ids, starts = runs_of(part["lead_id"])
    known = pc.less(part["known_at"], pa.scalar(until, pa.timestamp("us"))).to_numpy()
    heard_of = pc.invert(pc.is_in(ids, value_set=strangers)).to_numpy(zero_copy_only=False)
    known &= np.repeat(heard_of, np.diff(starts))
    types, actor = dictionary_of(part["event_type"]), dictionary_of(part["actor"])
    codes = types.indices.to_numpy() * len(actor.dictionary) + actor.indices.to_numpy()
    names = [(kind, by) for kind in types.dictionary.to_pylist() for by in actor.dictionary.to_pylist()]
    leads = count_leads(codes.astype(np.int64), known, starts, len(names))
    has_value = np.zeros(len(names), dtype=bool)
    has_value[codes[known & part["value"].is_valid().to_numpy()]] = True
    for code in np.flatnonzero(leads):
        seen.event_types[names[code]] += int(leads[code])
        if has_value[code]:
            seen.valued.add(names[code])
    counts = np.isin(actor.dictionary.to_pylist(), list(actors))
    counted = known & counts[actor.indices.to_numpy()]
    for name in TOUCHED[1:]:
        _count_texts(dictionary_of(part[name]), counted, starts, seen.of(name))
    _count_about(types, dictionary_of(part["content"]), counted, starts, seen.about)


def _count_texts(
    column: pa.DictionaryArray, counted: NDArray[np.bool_], starts: NDArray[np.int64], counter: Counter[str]
) -> None:
    given = counted & column.is_valid().to_numpy(zero_copy_only=False)
    codes = pc.fill_null(column.indices, 0).to_numpy().astype(np.int64)
    leads = count_leads(codes, given, starts, max(len(column.dictionary), 1))
    found = np.flatnonzero(leads)
    counter.update(dict(zip(column.dictionary.take(pa.array(found)).to_pylist(), leads[found].tolist(), strict=True)))


def _count_about(
    types: pa.DictionaryArray,
    contents: pa.DictionaryArray,
    counted: NDArray[np.bool_],
    starts: NDArray[np.int64],
    counter: Counter[tuple[str, str]],
) -> None:
    """Count the leads of each pair of an event type and a content that occurs; there may be many contents."""
    if contents.null_count == len(contents):
        return
    given = counted & contents.is_valid().to_numpy(zero_copy_only=False)
    width = len(contents.dictionary)
    codes = types.indices.to_numpy().astype(np.int64) * width + pc.fill_null(contents.indices, 0).to_numpy()
    pairs, places = np.unique(codes, return_inverse=True)
    leads = count_leads(places.astype(np.int64), given, starts, len(pairs))
    names = types.dictionary.to_pylist(), contents.dictionary.to_pylist()
    for pair in np.flatnonzero(leads):
        kind, content = divmod(int(pairs[pair]), width)
        counter[names[0][kind], names[1][content]] += int(leads[pair])


@numba.njit(cache=True, nogil=True)
def count_leads(
    codes: NDArray[np.int64], counted: NDArray[np.bool_], starts: NDArray[np.int64], size: int
) -> NDArray[np.int64]:
    """Count, for each code below ``size``, the leads that have a counted event of it.

    ``codes`` and ``counted``, shape (events,); ``starts``, shape (leads + 1,): where the events of each lead begin.
    """
    leads, last = np.zeros(size, np.int64), np.full(size, -1, np.int64)
    for lead in range(len(starts) - 1):
        for event in range(starts[lead], starts[lead + 1]):
            code = codes[event]
            if counted[event] and last[code] != lead:
                last[code] = lead
                leads[code] += 1
    return leads
