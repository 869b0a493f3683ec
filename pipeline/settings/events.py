"""The settings of an event: when it became known to us, who acted, and whether it was we ourselves."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

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


class Machines(Strict):
    """What scanners of mails and proxies of images do: marked as done by a machine, and never the lead's act.

    An act belongs to a sending to the same lead and, where a campaign is mapped, of the same campaign. All types are
    of this source; types may be globs, as in ``*_open``.
    """

    sent: tuple[Name, ...] = ()
    """Event types that are the sending of a mail, as in email_sent."""
    opens: tuple[Name, ...] = ()
    """Event types that are the opening of a mail."""
    clicks: tuple[Name, ...] = ()
    """Event types that are a click on a link of a mail."""
    unsubscribes: tuple[Name, ...] = ()
    """Event types by which mail is declined: a machine's where one of its opens or clicks came within within_seconds
    before."""
    within_seconds: Annotated[int, Field(ge=1, le=600)] = 30
    """An open or a click that comes so soon after the sending is a machine's: nobody reads so fast."""
    clicks_at_once: Annotated[int, Field(ge=2)] = 3
    """So many clicks within a second of each other are a machine's, which follows all links of a mail at once."""

    def types(self) -> dict[str, tuple[Name, ...]]:
        """Give the event types that are listed, by the setting that lists them."""
        return {"sent": self.sent, "opens": self.opens, "clicks": self.clicks, "unsubscribes": self.unsubscribes}

    @model_validator(mode="after")
    def _tells_something(self) -> Self:
        listed = [kind for kinds in self.types().values() for kind in kinds]
        twice = sorted({kind for kind in listed if listed.count(kind) > 1})
        if twice:
            raise ValueError(f"{twice} is listed twice among sent, opens, clicks and unsubscribes; keep one")
        if not self.clicks and not (self.sent and self.opens):
            raise ValueError("can tell no machine; name sent and opens, or clicks (or all), by their event types")
        return self


class OwnWrites(Strict):
    """What leadcast push itself has changed in the CRM, which no lead did."""

    column: Name
    """The column that says who acted, as in user_id."""
    users: Annotated[tuple[Name, ...], Field(min_length=1)]
    """The user, or users, that leadcast push logs in as."""
