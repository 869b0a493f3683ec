"""What there is in a log is counted by lead, as it was known, however the log is cut."""

from __future__ import annotations

from datetime import datetime, timedelta

import pyarrow as pa
from engines import events_table, moment, parse_log
from hypothesis import given
from hypothesis import strategies as st
from visits import logs

from features.core.schema import ACTORS
from features.engines.census import SEEN_COLUMNS, see
from features.engines.reference import Interaction
from features.language.catalogue import build_catalogue

LOG = parse_log(
    """
    ann  2026-03-01 12:00  click  channel=seo
    ann  2026-03-01 12:00  click  channel=seo campaign=may value=2 content=demo
    ann  2026-03-02 12:00  call   actor=us channel=phone
    bob  2026-03-03 12:00  click  channel=sea
    bob  2026-03-03 12:00  form   channel=seo content=demo
    bob  2026-03-03 12:01  form   channel=seo content=demo
    cyd  2026-03-03 12:00  click  known_at=2026-03-05T00:00 channel=tv value=1
    """
)


def test_leads_are_counted_and_not_events() -> None:
    seen = see([events_table(LOG).select(SEEN_COLUMNS)], datetime(2026, 3, 5), ["lead"])
    assert seen.event_type_table().to_dict("records") == [
        {"event_type": "call", "actor": "us", "leads": 1, "valued": False},
        {"event_type": "click", "actor": "lead", "leads": 2, "valued": True},
        {"event_type": "form", "actor": "lead", "leads": 1, "valued": False},
    ]
    assert seen.table("channel").to_dict("records") == [{"channel": "sea", "leads": 1}, {"channel": "seo", "leads": 2}]
    assert seen.table("campaign").to_dict("records") == [{"campaign": "may", "leads": 1}]
    assert seen.table("content").to_dict("records") == [{"content": "demo", "leads": 2}]
    assert seen.about_table().to_dict("records") == [
        {"event_type": "click", "content": "demo", "leads": 1},
        {"event_type": "form", "content": "demo", "leads": 1},
    ]


def test_what_machines_did_makes_no_channel_and_no_type_of_the_leads() -> None:
    log = parse_log(
        """
        ann  2026-03-01 12:00  open   actor=machine channel=email campaign=may
        ann  2026-03-01 13:00  click  channel=seo
        """
    )
    seen = see([events_table(log).select(SEEN_COLUMNS)], datetime(2026, 3, 5), ACTORS)
    assert seen.event_types == {("open", "machine"): 1, ("click", "lead"): 1}
    assert (seen.channels, seen.campaigns) == ({"seo": 1}, {})
    catalogue = build_catalogue(
        seen.event_type_table(),
        {name: seen.table(name) for name in ("channel", "campaign", "content")},
        seen.about_table(),
        actors=ACTORS,
        windows=[timedelta(days=7)],
        half_life=timedelta(days=14),
        minimum_leads=1,
        maximum_types=20,
        ignored_types=[],
    )
    assert catalogue.vocabulary.event_types == ("click",)


def test_what_is_known_later_is_not_there_yet() -> None:
    later = see([events_table(LOG).select(SEEN_COLUMNS)], datetime(2026, 3, 5) + timedelta(microseconds=1), ["lead"])
    assert later.channels["tv"] == 1
    assert moment("2026-03-05 00:00") == LOG["cyd"][0].known_at


@given(logs, st.integers(-80, 80), st.sets(st.sampled_from(("lead", "us", "system"))))
def test_counts_equal_those_of_sets(log: dict[str, list[Interaction]], hour: int, actors: set[str]) -> None:
    until = hour * 3_600_000_000
    known = [(lead, event) for lead, events in log.items() for event in events if event.known_at < until]
    parts = [events_table({lead: log[lead]}).select(SEEN_COLUMNS) for lead in sorted(log)]
    for cut in (parts, [pa.concat_tables(parts)] if parts else []):
        seen = see(cut, datetime(1970, 1, 1) + timedelta(microseconds=until), sorted(actors))
        pairs = {(event.event_type, event.actor) for _, event in known}
        assert seen.event_types == {
            (kind, actor): len({lead for lead, event in known if (event.event_type, event.actor) == (kind, actor)})
            for kind, actor in pairs
        }
        assert seen.valued == {(event.event_type, event.actor) for _, event in known if event.value is not None}
        about = {(lead, (event.event_type, event.content)) for lead, event in known if event.actor in actors}
        told = {pair for _, pair in about if pair[1] is not None}
        assert seen.about == {pair: sum(one == pair for _, one in about) for pair in told}
        for part, counted in (("channel", seen.channels), ("campaign", seen.campaigns), ("content", seen.contents)):
            texts = {(lead, getattr(event, part)) for lead, event in known if event.actor in actors}
            names = {text for _, text in texts if text is not None}
            assert counted == {name: sum(text == name for _, text in texts) for name in names}
