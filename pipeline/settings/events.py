"""The settings of an event: when it became known to us, who acted, and whether it was we ourselves."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from features.core.time import Duration
from pipeline.settings.types import Name, Strict, by_key


class KnownColumn(Strict):
    """The source says in a column when each event became known to us."""

    column: Name
    """The column that holds the time."""


class KnownDelay(Strict):
    """Every event becomes known a fixed time after it occurred."""

    delay: Duration
    """How long after it occurred an event is known, as in 6h or 1d."""


Known = Annotated[
    Annotated[Literal["as_it_occurred"], Tag("Literal")]
    | Annotated[KnownColumn, Tag("KnownColumn")]
    | Annotated[KnownDelay, Tag("KnownDelay")],
    Discriminator(by_key(KnownColumn, KnownDelay, otherwise="Literal")),
]


class ActorByType(Strict):
    """Who acted, by event type; every type that is not listed is the default's."""

    default: Literal["lead", "us", "system"]
    """Who acted in all event types that are not listed."""
    lead: tuple[Name, ...] = ()
    """Event types that are acts of the lead itself."""
    us: tuple[Name, ...] = ()
    """Event types that are our own work, as in call_made."""
    system: tuple[Name, ...] = ()
    """Event types that nobody did, as in an automatic change of state."""


Actor = Annotated[
    Annotated[Literal["lead", "us", "system"], Tag("Literal")] | Annotated[ActorByType, Tag("ActorByType")],
    Discriminator(by_key(ActorByType, otherwise="Literal")),
]


class OwnWrites(Strict):
    """What leadcast push itself has changed in the CRM, which no lead did."""

    column: Name
    """The column that says who acted, as in user_id."""
    users: Annotated[tuple[Name, ...], Field(min_length=1)]
    """The user, or users, that leadcast push logs in as."""
