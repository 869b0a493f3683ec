"""A table of visits whose measures are worked out by hand, and logs as Hypothesis draws them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from declared import TYPES
from engines import moment, parse_log
from hypothesis import strategies as st

from features.core.schema import ACTORS, MACHINE
from features.engines.reference import Interaction
from features.language.feature import Feature
from features.language.filters import Filter, Vocabulary
from features.language.measures import MEASURES

VOCABULARY = Vocabulary(
    event_types=("click", "form"), channels=("email",), campaigns=("may",), contents=("demo",), ignored_types=("won",)
)


VISITS = parse_log(
    """
    eve  2026-02-27 10:00  click  channel=email campaign=may   value=4 content=demo
    eve  2026-03-02 09:00  click  channel=seo   campaign=june  value=8 content=careers
    eve  2026-03-02 09:20  form   channel=email value=1 content=demo
    eve  2026-03-02 09:50  rare   value=nan
    eve  2026-03-07 23:00  click  channel=tv    quantity=2
    eve  2026-03-08 01:00  click
    """
)


DAY = timedelta(days=1)
EVE = ("eve", moment("2026-03-10 12:00"))


def example_of(measure: str) -> Feature:
    """Declare a measure with what it can't do without."""
    needs = MEASURES[measure].needs
    filter_ = Filter("click") if MEASURES[measure].has_whole or "than" in needs else Filter()
    given: dict[str, Any] = {"window": DAY, "half_life": DAY, "baseline": 3 * DAY, "of": "channel", "than": "form"}
    return Feature(measure, filter_, **{name: given[name] for name in needs})


LEADS = ("", "a", "b", "ünï", "z")


texts = st.one_of(st.none(), st.sampled_from(("email", "seo", "may")))


hours = st.integers(-80, 80)


@st.composite
def interactions(draw: st.DrawFn) -> Interaction:
    """Draw an event around time zero: ties, late and early knowledge, missing texts and values, clocks set back."""
    occurred_at = draw(hours) * 3_600_000_000 + draw(st.sampled_from((0, 0, -1, 1, 1_000_000_000, 1_800_000_000)))
    local_hour = occurred_at // 3_600_000_000 + draw(st.sampled_from((0, 0, 0, -1)))
    return Interaction(
        occurred_at,
        occurred_at + draw(st.sampled_from((0, 0, 0, 1, -1, 3_600_000_000, 86_400_000_000))),
        draw(st.sampled_from(TYPES)),
        draw(st.sampled_from((*ACTORS, MACHINE))),
        draw(texts),
        draw(texts),
        draw(texts),
        draw(st.one_of(st.none(), st.floats(-1e6, 1e6))),
        draw(st.integers(1, 3)),
        local_day=local_hour // 24,
        local_hour=local_hour % 24,
    )


logs = st.dictionaries(st.sampled_from(LEADS), st.lists(interactions(), max_size=12)).map(
    lambda log: {lead: sorted(events, key=lambda event: event.occurred_at) for lead, events in log.items()}
)
