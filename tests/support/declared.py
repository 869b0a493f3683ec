"""Declarations as Hypothesis draws them: every measure, with whatever settings it takes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from hypothesis import strategies as st

from features.core.schema import ACTORS
from features.language.feature import SCOPES, Feature
from features.language.filters import HOURS_A_DAY, OTHER, WEEKDAYS, Filter
from features.language.measures import MEASURES

TYPES = ("click", "form", "won", "rare", "odd")
HOUR = timedelta(hours=1)

lengths = st.integers(1, 100).map(lambda number: number * HOUR)
types = st.one_of(st.just(OTHER), st.sampled_from(TYPES))
channels = st.one_of(st.none(), st.just(OTHER), st.sampled_from(("email", "seo")))


@st.composite
def filters(draw: st.DrawFn) -> Filter:
    """Draw any filter that makes sense."""
    day = draw(st.one_of(st.none(), st.lists(st.integers(0, HOURS_A_DAY), min_size=2, max_size=2, unique=True)))
    weekdays = draw(st.sets(st.sampled_from(WEEKDAYS)))
    return Filter(
        draw(st.one_of(st.none(), types)),
        draw(channels),
        draw(st.one_of(st.none(), st.just(OTHER), st.sampled_from(("may", "seo")))),
        draw(st.one_of(st.none(), st.none(), st.just(OTHER), st.sampled_from(("may", "seo")))),
        tuple(sorted(draw(st.sets(st.sampled_from(ACTORS), min_size=1)))),
        None if day is None or day[0] == HOURS_A_DAY or day[1] == 0 or day == [0, HOURS_A_DAY] else (day[0], day[1]),
        tuple(name for name in WEEKDAYS if name in weekdays and len(weekdays) < len(WEEKDAYS)) or None,
    )


@st.composite
def declarations(draw: st.DrawFn, of: Sequence[str] | None = None) -> Feature:
    """Draw any declaration that makes sense, of some measures or of all."""
    measure = MEASURES[draw(st.sampled_from(of or sorted(MEASURES)))]
    filter_ = draw(filters())
    if "than" in measure.needs and filter_.event_type is None:
        filter_ = Filter(draw(types), filter_.channel, filter_.campaign, filter_.content, filter_.actors)
    if measure.has_whole and all(getattr(filter_, part) is None for part in measure.parts):
        filter_ = Filter(draw(types), actors=filter_.actors)
    given = {name for name in measure.takes if name in measure.needs or draw(st.booleans())}
    window = draw(lengths) if "window" in given else None
    parts = [part for part in measure.parts if not measure.has_whole or getattr(filter_, part) is not None]
    return Feature(
        measure.name,
        filter_,
        window,
        draw(lengths) if "half_life" in given else None,
        baseline=window + draw(lengths) if "baseline" in given and window is not None else None,
        of=draw(st.sampled_from(parts)) if "of" in given else None,
        position=draw(st.integers(1, 3)) if "position" in given else None,
        than=draw(types.filter(lambda kind: kind != filter_.event_type)) if "than" in given else None,
        scope=draw(st.sampled_from(SCOPES)) if "created_at" not in measure.reads else "lead",
    )
