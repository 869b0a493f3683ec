"""Parallel arrays of the sample world: people, segments of their time, and events.

All moments are whole microseconds since 1970 in UTC, all arrays of one table are parallel.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from enum import IntEnum
from typing import Self

import numpy as np

from pipeline.sample import company
from pipeline.sample.chain import Flags, Floats, Integers, State
from pipeline.sample.contents import NO_CONTENT


@dataclass(frozen=True, eq=False)
class Table:
    """Parallel arrays, one row a thing."""

    def take(self, rows: Integers | Flags) -> Self:
        """Return the chosen rows of every column."""
        return replace(self, **{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    @classmethod
    def concatenate(cls, tables: list[Self]) -> Self:
        """One table below the other."""
        return cls(**{f.name: np.concatenate([getattr(table, f.name) for table in tables]) for f in fields(cls)})


@dataclass(frozen=True, eq=False)
class People(Table):
    """Who the leads are, in order of creation; born is the first hit, under a cookie or as a lead.

    territory is a place in sellers.TERRITORIES. written says who agreed to mail; scanned and proxied, whose mail
    passes a scanner of links or a proxy of images.
    """

    created: Integers
    born: Integers
    channel: Integers
    employees: Integers
    country: Integers
    territory: Integers
    duplicated: Flags
    merged: Integers
    written: Flags
    scanned: Flags
    proxied: Flags

    @property
    def size(self) -> Integers:
        """0 for small companies, 1 for large ones."""
        return (self.employees >= company.LARGE_COMPANY).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Segments(Table):
    """Stretches [start, end) of a lead in one state within one week; exit says how it ended by chance, if it did.

    regime and level hold throughout; contacts is how often sales spoke with the lead. In order of weeks, and of time
    within the week of a lead.
    """

    lead: Integers
    week: Integers
    state: Integers
    regime: Integers
    level: Integers
    start: Integers
    end: Integers
    exit: Integers
    contacts: Integers


class Machine(IntEnum):
    """Who opened, clicked or unsubscribed."""

    NONE = 0
    SCANNER = 1
    PROXY = 2
    ROBOT = 3


@dataclass(frozen=True, eq=False)
class Events(Table):
    """What is recorded; a marker lies outside the draws of the chain.

    Markers are the events that a change of state brings with it, the sending of mails, and what machines do with them.
    visit_channel is that of a visit; campaign is the number of its campaign within that channel, of a mail its number,
    of a refusal its reason. content says what an event is about, value is the value of a cart in euro, missing
    elsewhere; regime is that of the segment.
    """

    lead: Integers
    state: Integers
    regime: Integers
    type: Integers
    occurred: Integers
    known: Integers
    on_duplicate: Flags
    marker: Flags
    machine: Integers
    visit_channel: Integers
    campaign: Integers
    content: Integers
    value: Floats

    @classmethod
    def plain(cls, *, lead: Integers, type_: Integers, occurred: Integers) -> Self:
        """Make events of open leads that are known as they occur, and say nothing in all other columns."""
        count = len(lead)
        return cls(
            lead=lead,
            state=np.full(count, State.OPEN, dtype=np.int8),
            regime=np.zeros(count, dtype=np.int8),
            type=type_,
            occurred=occurred,
            known=occurred,
            on_duplicate=np.zeros(count, dtype=np.bool_),
            marker=np.zeros(count, dtype=np.bool_),
            machine=np.zeros(count, dtype=np.int8),
            visit_channel=np.zeros(count, dtype=np.int8),
            campaign=np.zeros(count, dtype=np.int8),
            content=np.full(count, NO_CONTENT, dtype=np.int8),
            value=np.full(count, np.nan),
        )


@dataclass(frozen=True, eq=False)
class Block:
    """A block of leads with all that happened to them.

    levels and turns have shape (leads, weeks); mail_until is when mail to a lead ends (its creation where it never
    agreed), objected when it objected to everything; END where that never happens.
    """

    people: People
    levels: Integers
    turns: Integers
    segments: Segments
    events: Events
    mail_until: Integers
    objected: Integers
