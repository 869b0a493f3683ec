"""What leads agree to: by purpose, at a moment, across ids that became one, and beside facts that close a channel."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import duckdb
import pandas as pd
import pytest
from hand_made import EPISODES, write_consents, written

from models.decision.facts import Held
from pipeline.core.project import Places
from pipeline.scoring.standing import Standing, look
from pipeline.settings.decision import DecisionPolicy

LOG = "A | 2026-03-01 | demo\nB | 2026-03-05 | stop"
POLICY = DecisionPolicy.model_validate({
    "time_zone": "Europe/Paris",
    "facts": {"unsubscribed": {"kind": "closes_channel", "channel": "mail", "events": ["stop"]}},
})  # fmt: skip
NOON = datetime(2026, 3, 10, 12)


def stand(root: Path, consents: str, as_of: datetime = NOON) -> Standing:
    places = Places(root)
    if not places.leads.exists():
        written(root, LOG)
    write_consents(places, consents)
    asked = pd.DataFrame({
        "lead_id": ["A", "B"], "started_at": pd.to_datetime(["2026-01-01"] * 2).astype("datetime64[us]"),
        "episode": [1, 1],
    })  # fmt: skip
    with duckdb.connect() as connection:
        return look(places, SimpleNamespace(decision=POLICY, episodes=EPISODES), connection, asked, as_of)


def shut(held: Held, row: int = 0) -> str:
    """Name the ways to a lead that are closed by their first letters."""
    return "".join(name[0] for name in ("mail", "telephone", "advertising") if held.shut(name)[row])


@pytest.mark.parametrize(
    ("consents", "closed", "told"),
    [
        ("", "a", []),
        ("A | 2026-03-01 | advertising | given", "", []),
        ("A | 2026-03-04 23:30 | telephone | refused", "ta", ["2026-03-05 telephone refused"]),
        ("A | 2026-03-01 | mail | given\nA | 2026-03-02 | mail | withdrawn", "ma", ["2026-03-02 mail withdrawn"]),
        ("A | 2026-03-02 | mail | given\nA | 2026-03-01 | mail | withdrawn", "a", []),
        ("A | 2026-03-02 | mail | given\nA | 2026-03-02 | mail | refused", "ma", ["2026-03-02 mail refused"]),
        ("A | 2026-03-02 | advertising | given\nA | 2026-03-03 | advertising | withdrawn", "a",
         ["2026-03-03 advertising withdrawn"]),
        ("A | 2026-03-02 | everything | given", "", []),
        ("A | 2026-03-02 | everything | withdrawn\nA | 2026-03-03 | mail | given", "ta",
         ["2026-03-02 telephone withdrawn", "2026-03-02 advertising withdrawn"]),
        ("A | 2026-03-02 | mail | objected\nA | 2026-03-03 | mail | given", "a", []),
    ],
)  # fmt: skip
def test_of_each_purpose_the_later_counts_and_where_nothing_is_known_advertising_alone_is_closed(
    tmp_path: Path, consents: str, closed: str, told: list[str]
) -> None:
    found = stand(tmp_path, consents)
    assert (shut(found.held), found.facts[0]) == (closed, told)
    assert not found.closed[0]


def test_who_objects_to_everything_is_closed_and_nothing_outdoes_it(tmp_path: Path) -> None:
    found = stand(tmp_path, "A | 2026-03-02 | everything | objected\nA | 2026-03-03 | everything | given")
    assert (shut(found.held), found.closed.tolist()) == ("mta", [True, False])
    assert "2026-03-02 objected to everything" in found.facts[0]


@pytest.mark.parametrize(
    ("future", "why"),
    [
        ("A | 2026-03-10 12:00 | mail | withdrawn", "said at the moment"),
        ("A | 2026-03-01 | mail | withdrawn | | | 2026-03-10 12:00", "known at the moment"),
        ("A | 2026-03-20 | mail | withdrawn | | | 2026-03-01", "dated ahead"),
        ("A | 2026-03-01 | mail | withdrawn | cookie | 2026-03-10 12:00", "whose alias is linked at the moment"),
        ("A | 2026-03-10 12:00 | everything | objected", "objected at the moment"),
    ],
)
def test_what_was_not_known_before_the_moment_closes_nothing(tmp_path: Path, future: str, why: str) -> None:
    given = "A | 2026-02-01 | advertising | given"
    assert shut(stand(tmp_path, f"{given}\n{future}").held) == "", why
    later = stand(tmp_path, f"{given}\n{future}", datetime(2026, 3, 21))
    assert "m" in shut(later.held)


def test_what_is_given_in_the_future_opens_nothing_yet(tmp_path: Path) -> None:
    words = "A | 2026-03-01 | mail | withdrawn\nA | 2026-03-10 12:00 | mail | given"
    assert "m" in shut(stand(tmp_path, words).held)
    assert "m" not in shut(stand(tmp_path, words, datetime(2026, 3, 10, 12, 1)).held)


@pytest.mark.parametrize(
    ("consents", "is_shut"),
    [
        # Given later, by an id that nobody knew to be the same: the withdrawal wins.
        ("A | 2026-03-05 | mail | given\nA | 2026-03-02 | mail | withdrawn | cookie | 2026-03-09", True),
        ("A | 2026-03-05 | mail | given | cookie | 2026-03-09\nA | 2026-03-02 | mail | withdrawn", True),
        # Given by either when both were known to be one.
        ("A | 2026-03-09 | mail | given\nA | 2026-03-02 | mail | withdrawn | cookie | 2026-03-09", False),
        ("A | 2026-03-09 12:00 | mail | given | cookie | 2026-03-09\nA | 2026-03-02 | mail | withdrawn", False),
        # Taken back by the id that had withdrawn, before anyone knew.
        ("A | 2026-03-05 | mail | given | cookie | 2026-03-09\nA | 2026-03-02 | mail | withdrawn | cookie | 2026-03-09",
         False),
        # Two aliases: both links count.
        ("A | 2026-03-08 | mail | given | one | 2026-03-07\nA | 2026-03-02 | mail | withdrawn | two | 2026-03-09",
         True),
        ("A | 2026-03-08 | mail | given | one | 2026-03-07\nA | 2026-03-02 | mail | withdrawn | two | 2026-03-06",
         False),
    ],
)  # fmt: skip
def test_on_a_merge_a_withdrawal_wins_until_consent_is_given_to_what_is_known_as_one(
    tmp_path: Path, consents: str, is_shut: bool
) -> None:
    assert ("m" in shut(stand(tmp_path, consents).held)) == is_shut


def test_a_fact_and_a_consent_on_the_same_channel_outdo_each_other_by_their_time(tmp_path: Path) -> None:
    # B unsubscribed on the fifth.
    given_later = stand(tmp_path, "B | 2026-03-06 | mail | given")
    assert ("m" in shut(given_later.held, 1), given_later.facts[1]) == (False, [])
    given_before = stand(tmp_path, "B | 2026-03-04 | mail | given")
    assert ("m" in shut(given_before.held, 1), given_before.facts[1]) == (True, ["2026-03-05 unsubscribed"])
    of_another = stand(tmp_path, "B | 2026-03-06 | telephone | given")
    assert "m" in shut(of_another.held, 1)
    both = stand(tmp_path, "B | 2026-03-06 | mail | refused")
    assert both.facts[1] == ["2026-03-06 mail refused", "2026-03-05 unsubscribed"]
