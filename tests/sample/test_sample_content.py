"""What events of the sample are about: which of it tells of a lead's intent, and where it stands in the files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import pyarrow.parquet as pq
import pytest
from sample_files import LOGS, block_behind, by_chance
from sample_reading import World, small_world

from pipeline.sample.company import LEVELS
from pipeline.sample.contents import CONTENTS
from pipeline.sample.simulate import EVENT_NAMES
from pipeline.sample.tables import Events
from pipeline.sample.timeline import week_of

Shares = dict[str, tuple[float, ...]]
# Of each kind, by level: unaware, curious, interested, ready, bot.
PAGES: Shares = {
    "home": (34, 30, 24, 20, 12.5),
    "blog": (28, 26, 16, 8, 12.5),
    "product": (12, 18, 26, 28, 12.5),
    "case-study": (3, 6, 12, 12, 12.5),
    "integrations": (1, 3, 9, 18, 12.5),
    "about": (8, 8, 8, 8, 12.5),
    "support": (4, 5, 4, 5, 12.5),
    "careers": (10, 4, 1, 1, 12.5),
}
KEYWORDS: Shares = {
    "lead scoring": (35, 35, 32, 25, 25),
    "lead scoring template": (45, 33, 16, 5, 25),
    "lead scoring price": (5, 12, 27, 40, 25),
    "lead scoring comparison": (15, 20, 25, 30, 25),
}
PAPERS: Shares = {
    "glossary": (30, 24, 15, 10, 17),
    "trends-2025": (25, 21, 15, 10, 17),
    "checklist": (20, 20, 20, 20, 17),
    "data-sheet": (15, 15, 15, 15, 17),
    "buying-guide": (5, 12, 22, 25, 16),
    "return-on-investment": (5, 8, 13, 20, 16),
}
BUTTONS: Shares = {"newsletter": (70, 50, 25, 10, 34), "contact": (25, 35, 40, 40, 33), "demo": (5, 15, 35, 50, 33)}
WEBINARS: Shares = {
    "introduction": (50, 45, 30, 20, 25),
    "best-practices": (25, 25, 25, 25, 25),
    "customer-stories": (20, 20, 20, 20, 25),
    "live-demo": (5, 10, 25, 35, 25),
}
KINDS: dict[str, Shares] = {
    "page_view": PAGES,
    "keyword": KEYWORDS,
    "download": PAPERS,
    "form": BUTTONS,
    "webinar_attended": WEBINARS,
}
INDIFFERENT = {"about", "checklist", "data-sheet", "best-practices", "customer-stories"}
"""What people of all levels look at alike."""

Counts = dict[str, dict[tuple[str, int], int]]


@pytest.fixture(scope="module")
def counts() -> Counts:
    """Count, of each kind, how often a level looked at a content."""
    found: Counts = {kind: defaultdict(int) for kind in KINDS}
    for seed in range(3):
        block = block_behind(5_000, seed=seed)
        events = block.events.take(~block.events.marker & (block.events.content >= 0))
        levels = block.levels[events.lead, week_of(events.occurred)].tolist()
        for (kind, content), level in zip(_contents(events), levels, strict=True):
            found["keyword" if content in KEYWORDS else kind][content, level] += 1
    return found


def _contents(events: Events) -> Iterator[tuple[str, str]]:
    for type_, content in zip(events.type.tolist(), events.content.tolist(), strict=True):
        yield EVENT_NAMES[type_], CONTENTS[content]


@pytest.mark.parametrize("kind", KINDS)
def test_each_level_looks_at_contents_in_its_own_shares(counts: Counts, kind: str) -> None:
    assert {content for content, _ in counts[kind]} == set(KINDS[kind])
    for level, name in enumerate(LEVELS):
        total = sum(counts[kind][content, level] for content in KINDS[kind])
        if name == "bot" and total < 50:
            assert kind == "webinar_attended"  # hardly any bot attends one
            continue
        assert total > 100
        for content, by_level in KINDS[kind].items():
            share = by_level[level] / 100
            assert counts[kind][content, level] / total == pytest.approx(share, abs=by_chance(share, total))


def test_some_contents_matter_and_some_do_not(counts: Counts) -> None:
    ratios: dict[str, float] = {}
    for kind, contents in KINDS.items():
        unaware, ready = (sum(counts[kind][content, level] for content in contents) for level in (0, 3))
        for content in contents:
            ratios[content] = (counts[kind][content, 3] / ready) / (counts[kind][content, 0] / unaware)
    assert {content for content, ratio in ratios.items() if 0.85 < ratio < 1.18} == INDIFFERENT
    telling = {content for content, ratio in ratios.items() if ratio > 3}
    assert telling == {
        "case-study", "integrations", "lead scoring price", "buying-guide", "return-on-investment", "demo", "live-demo",
    }  # fmt: skip
    assert ratios["careers"] < 0.2


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return small_world(tmp_path_factory.mktemp("world") / "raw", leads=800, truth=False)


def test_a_hit_tells_what_it_was_about(world: World) -> None:
    contents = defaultdict(set)
    for hit in pq.read_table(world.directory / LOGS["web"]).to_pylist():
        advertised = hit["event"] == "page_view" and hit["channel"] == "sea"
        contents["keyword" if advertised else hit["event"]].add(hit["content"])
    # The form by which a lead comes back says nothing; a first hit is always one of the start page.
    assert contents == {
        "page_view": set(PAGES),
        "keyword": {*KEYWORDS, "home"},
        "download": set(PAPERS),
        "form": {*BUTTONS, None},
        "pricing_view": {None},
        "cart": {None},
    }


def test_a_record_tells_which_webinar_was_attended(world: World) -> None:
    topics = {record["topic"] for record in world.records() if record["kind"] == "webinar_attended"}
    assert topics == set(WEBINARS)
