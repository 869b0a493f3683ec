"""Uniting ids: chains, merges, and links that contradict each other."""

from __future__ import annotations

from datetime import datetime

import pytest

from pipeline.ingest.identities import Alias, Link, untangle
from pipeline.reading.quarantine import CIRCLE, TWO_LEADS, UNKNOWN_LEAD


def _day(day: int) -> datetime:
    return datetime(2026, 3, day)


KNOWN = {"A": _day(1), "B": _day(1), "C": _day(1)}


def _untangle(text: str) -> tuple[dict[str, tuple[str | int, ...]], dict[int, str]]:
    """Read links written as ``alias > target day``, one a line; lines are numbered from 1."""
    links = []
    for number, line in enumerate(text.strip().splitlines(), start=1):
        alias, _, target, day = line.split()
        links.append(Link(number, alias, target, _day(int(day))))
    owned, set_aside = untangle(links, KNOWN.get)
    aliases: dict[str, tuple[str | int, ...]] = {
        alias: (own.lead_id, own.linked_at.day, *([own.contested_at.day] if own.contested_at else []))
        for alias, own in owned.items()
    }
    return aliases, set_aside


def test_a_chain_counts_from_its_latest_link() -> None:
    assert _untangle("""
        cookie > contact 5
        contact > A 9
        other > contact 12
    """) == ({"cookie": ("A", 9), "contact": ("A", 9), "other": ("A", 12)}, {})


def test_two_ways_to_the_same_lead_are_no_contradiction_and_the_earlier_counts() -> None:
    assert _untangle("""
        cookie > contact 5
        contact > A 9
        cookie > A 7
    """) == ({"cookie": ("A", 7), "contact": ("A", 9)}, {})


def test_an_alias_that_two_leads_claim_at_once_is_neithers_and_so_are_those_that_pass_through_it() -> None:
    assert _untangle("""
        shared > A 2
        shared > B 2
        cookie > shared 3
        sound > B 4
    """) == ({"sound": ("B", 4)}, {1: TWO_LEADS, 2: TWO_LEADS, 3: TWO_LEADS})


def test_a_second_lead_that_claims_an_alias_later_takes_nothing_back() -> None:
    assert _untangle("""
        shared > A 2
        shared > B 5
        early > shared 3
        late > shared 6
    """) == ({"shared": ("A", 2, 5), "early": ("A", 3, 5)}, {2: TWO_LEADS, 4: TWO_LEADS})


def test_that_the_second_lead_turns_out_to_be_another_changes_nothing_of_when_the_fork_was_seen() -> None:
    forks = """
        contact > A 3
        contact > B 4
        cookie > contact 6
    """
    nobodys = {2: TWO_LEADS, 3: TWO_LEADS}
    assert _untangle(forks) == ({"contact": ("A", 3, 4)}, nobodys)
    assert _untangle(forks + "B > C 9") == ({"contact": ("A", 3, 4), "B": ("C", 9)}, nobodys)


def test_a_link_that_would_close_a_circle_is_set_aside_and_takes_nothing_back() -> None:
    assert _untangle("""
        x > y 1
        y > A 2
        into > x 9
        y > x 5
    """) == ({"x": ("A", 2), "y": ("A", 2), "into": ("A", 9)}, {4: CIRCLE})


def test_a_link_to_an_unknown_lead_does_not_contradict_one_to_a_lead() -> None:
    assert _untangle("""
        cookie > nobody 1
        cookie > A 2
    """) == ({"cookie": ("A", 2)}, {1: UNKNOWN_LEAD})


def test_links_in_a_circle_and_into_it_are_set_aside_but_not_those_out_of_it() -> None:
    assert _untangle("""
        x > y 1
        y > z 1
        z > x 1
        into > x 2
        z > A 3
    """) == ({"z": ("A", 3)}, {1: CIRCLE, 2: CIRCLE, 3: CIRCLE, 4: CIRCLE})


@pytest.mark.parametrize("length", [1, 5_000])
def test_a_chain_may_be_long(length: int) -> None:
    names = [*(f"c{number}" for number in range(length)), "A"]
    links = [Link(n, alias, names[n + 1], _day(1)) for n, alias in enumerate(names[:-1])]
    aliases, set_aside = untangle(reversed(links), KNOWN.get)
    assert set(aliases.values()) == {Alias("A", _day(1), None)}
    assert len(aliases) == length
    assert not set_aside
