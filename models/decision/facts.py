"""What is known of a lead whatever its probability: what closes it, what raises it, and who has taken it.

A fact has a kind, a date, and what ends it. Of several the later wins, within what they are about:

    refused by sales  3 June    no SQL before the lead does something that ends the refusal
    quote requested  12 June    SQL, for it came later; and hot
    unsubscribed     14 June    no more mail; nothing else changes

Consent that is given later ends what closed its channel, and one that is refused closes it as a fact does.
What closes a lead altogether, as an objection does, is never outdone by what came later; only what ends it ends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from annotated_types import MinLen

from features.core.schema import Channel
from features.core.section import SettingsSection
from features.core.time import Duration

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.decision.consent import Consent

Kind = Literal["closes", "refuses", "closes_channel", "raises", "taken"]


@dataclass(frozen=True)
class Fact(SettingsSection):
    """What some events say of a lead, until something ends it."""

    kind: Kind
    """closes: the lead is disqualified. refuses: it is no SQL. closes_channel: one way to it is closed. raises: it is
    SQL at once, and hot. taken: somebody works on it already."""
    events: Annotated[tuple[Annotated[str, MinLen(1)], ...], MinLen(1)]
    """The event types that say so; whoever acted, but for machines."""
    ended_by: tuple[Annotated[str, MinLen(1)], ...] = ()
    """The event types that end it, where they come later."""
    lasts: Duration | None = None
    """How long it holds; for good where it is not given."""
    channel: Channel | None = None
    """Of closes_channel, and of it alone: mail, telephone or advertising."""

    def __post_init__(self) -> None:
        if (self.channel is None) == (self.kind == "closes_channel"):
            raise ValueError(
                "closes_channel needs a channel, as in channel: mail"
                if self.channel is None
                else f"a fact that {self.kind} has no channel; leave it out, or write kind: closes_channel"
            )
        both = sorted(set(self.events) & set(self.ended_by))
        if both:
            raise ValueError(f"{both[0]!r} can't make and end the same fact; keep it in one of events, ended_by")
        if self.lasts is not None and self.lasts <= timedelta(0):
            raise ValueError("lasts must be longer than nothing, as in lasts: 30d")


@dataclass(frozen=True)
class Held:
    """Which facts hold of leads at a moment."""

    facts: Mapping[str, Fact]
    since: NDArray[np.datetime64]
    """Since when each holds (UTC), missing where it does not, shape (leads, facts)."""
    consent: Consent | None = None
    """What leads agree to, where anything is known of it."""

    @classmethod
    def of(
        cls,
        facts: Mapping[str, Fact],
        said: NDArray[np.datetime64],
        ended: NDArray[np.datetime64],
        as_of: NDArray[np.datetime64],
        consent: Consent | None = None,
    ) -> Held:
        """Judge what was last said of each fact, and what last ended it, shape (leads, facts), at ``as_of`` (leads,).

        All in UTC, missing where there is nothing. Of the same moment nothing ends what is said. ``consent`` that was
        given later ends what closed its channel.
        """
        import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

        holds = ~np.isnat(said) & ~(ended > said)
        for place, fact in enumerate(facts.values()):
            if fact.lasts is not None:
                holds[:, place] &= said[:, place] > as_of - np.timedelta64(fact.lasts)
            if fact.channel is not None and consent is not None:
                holds[:, place] &= ~(consent.given[fact.channel] > said[:, place])
        return cls(facts, np.where(holds, said, np.datetime64("NaT")), consent)

    def last(self, *kinds: Kind, channel: Channel | None = None) -> NDArray[np.datetime64]:
        """Give since when the latest fact of some kinds holds, missing where none does, shape (leads,)."""
        import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

        chosen = [
            place for place, fact in enumerate(self.facts.values()) if fact.kind in kinds and fact.channel == channel
        ]
        latest = np.full(len(self.since), np.datetime64("NaT"), self.since.dtype)
        for place in chosen:
            latest = np.fmax(latest, self.since[:, place])
        return latest

    @property
    def closed(self) -> NDArray[np.bool_]:
        """Whether a lead is closed altogether, shape (leads,)."""
        closed = _is(self.last("closes"))
        return closed if self.consent is None else closed | _is(self.consent.objected)

    @property
    def refused(self) -> NDArray[np.bool_]:
        """Whether sales will not have it: it was refused, and nothing has raised it since."""
        refused, raised = self.last("refuses"), self.last("raises")
        return _is(refused) & ~(raised > refused)

    @property
    def raised(self) -> NDArray[np.bool_]:
        """Whether it is SQL at once: something raised it, no refusal came later, and it is not closed."""
        return _is(self.last("raises")) & ~self.refused & ~self.closed

    @property
    def taken(self) -> NDArray[np.bool_]:
        """Whether somebody works on it."""
        return _is(self.last("taken"))

    def shut(self, channel: Channel) -> NDArray[np.bool_]:
        """Whether a way to the lead is closed. Advertising is unless the lead is known to have agreed to it."""
        shut = _is(self.last("closes_channel", channel=channel)) | self.closed
        if self.consent is None:
            return shut | (channel == "advertising")
        agreed = self.consent.is_given(channel)
        return shut | (~agreed if channel == "advertising" else _is(self.consent.closed[channel]))

    def told(self) -> tuple[NDArray[np.int64], NDArray[np.datetime64], NDArray[np.object_]]:
        """Give row, since when (UTC) and name of all that holds, those of a row together and the latest first."""
        import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

        held = [(self.since[:, place], np.full(len(self.since), name, object)) for place, name in enumerate(self.facts)]
        columns = [*held, *(self.consent.told() if self.consent else ())]
        if not columns:
            return np.zeros(0, np.int64), np.zeros(0, "datetime64[us]"), np.zeros(0, object)
        since, names = (np.stack(column, axis=1) for column in zip(*columns, strict=True))
        rows, places = np.nonzero(_is(since))
        order = np.lexsort((places, -since[rows, places].astype(np.int64), rows))
        rows, places = rows[order], places[order]
        return rows, since[rows, places], names[rows, places]


def types_of(facts: Mapping[str, Fact]) -> list[str]:
    """List the event types that some fact is about."""
    return list(dict.fromkeys(name for fact in facts.values() for name in (*fact.events, *fact.ended_by)))


def _is(times: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    import numpy as np  # noqa: PLC0415 - whoever reads the settings does without

    return ~np.isnat(times)
