"""Stories: which columns of the matrix say one thing of a lead, and by which of them it is told.

The same act in twelve windows is one story. It is told by when it last was, for a date stays true; an attribute is told
by its value. What our own effort may be in is no story: we did it because we believed in the lead.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from features.language.filters import OTHER
from features.language.measures import MEASURES
from features.language.words import quotes_us

if TYPE_CHECKING:
    from features.language.catalogue import Catalogue
    from features.language.feature import Feature

Kind = Literal["act", "age", "value"]
"""Told by a date: when an act last was, or since when the lead is here. Or by the value of the column itself."""
AGE = "episode_age_days"


@dataclass(frozen=True)
class Story:
    """What columns say together: told by one of them."""

    kind: Kind
    teller: str
    columns: tuple[str, ...]
    feature: Feature | None = None
    """What the teller measures; None where it is of the lead itself."""
    attribute: str | None = None
    """Which attribute of the lead it is."""
    is_channel: bool = False
    """Whether the attribute says by which channel it came."""

    @property
    def is_amount(self) -> bool:
        """Whether it says that there was something, and not what: it is told last."""
        return self.feature is not None and self.feature.filter.event_type in (None, OTHER)

    @property
    def is_fit(self) -> bool:
        """Whether it is who the lead is, and not what it did."""
        return self.attribute is not None


def stories_of(catalogue: Catalogue) -> tuple[Story, ...]:
    """Tell what the columns of a catalogue say; none is in two stories."""
    channels = catalogue.roles["channels"]
    return (
        Story("age", AGE, ("lead_age_days", AGE)),
        Story("value", "earlier_episodes", ("earlier_episodes",)),
        *(
            Story("value", column, (column,), attribute=name, is_channel=column in channels)
            for name, column in catalogue.attribute_columns.items()
        ),
        *_of_events(catalogue),
    )


def _of_events(catalogue: Catalogue) -> Iterator[Story]:
    together: dict[str, list[tuple[str, Feature]]] = {}
    for column, feature in zip(catalogue.names, catalogue.features, strict=True):
        if not quotes_us(feature, catalogue.vocabulary):
            what = (feature.scope, replace(feature.filter, actors=("lead",)))
            together.setdefault(repr(what), []).append((column, feature))
    for members in together.values():
        columns = tuple(column for column, _ in members)
        teller = _last_of(members)
        if teller is None:
            yield from (Story("value", column, (column,), feature) for column, feature in members)
        else:
            yield Story("act", teller[0], columns, teller[1])


def _last_of(members: Sequence[tuple[str, Feature]]) -> tuple[str, Feature] | None:
    found = (one for one in members if MEASURES[one[1].measure].tells_when and one[1].scope == "lead")
    return next(found, None)
