"""Who acted, where a column says it, or answers come faster than people read; and what sales say of a lead that is
handed over to them.
"""  # noqa: D205 - one sentence

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from exports import BEGINNING, write_table
from proposals import propose, told

LEADS = 300
READERS, DAYS = 40, 5


def at(number: int, hours: float) -> str:
    return f"{BEGINNING + timedelta(hours=12 * number + hours):%Y-%m-%d %H:%M:%S}"


def proposed(tmp_path: Path, column: str, acts: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Propose settings for leads of which some come as far as the last act; who got no further than the first is won,
    who got no further than the second stays open.
    """  # noqa: D205 - one sentence
    leads = [(f"L{n:05d}", at(n, 0)) for n in range(LEADS)]
    reached = [1 + n % len(acts) for n in range(LEADS)]
    rows = [
        (lead, at(n, 1 + step), kind, by)
        for n, (lead, _) in enumerate(leads)
        for step, (kind, by) in enumerate(acts[: reached[n]])
    ]
    words = {1: "won", 2: None}
    ends = [
        (lead, at(n, 90), word)
        for n, (lead, _) in enumerate(leads)
        if (word := words.get(reached[n], "lost")) is not None
    ]
    write_table(tmp_path / "raw/leads.csv", ("lead_id", "created_at"), leads)
    write_table(tmp_path / "raw/log.csv", ("lead_id", "at", "kind", column), rows)
    write_table(tmp_path / "raw/outcomes.csv", ("lead_id", "closed_at", "outcome"), ends)
    return propose(tmp_path / "raw", tmp_path)


def actor(settings: dict[str, Any]) -> Any:  # noqa: ANN401 - a word or a mapping
    return settings["ingest"]["sources"]["log"]["actor"]


def test_a_column_that_says_who_acted_goes_before_the_words_of_the_types(tmp_path: Path) -> None:
    acts = [("briefing", "Sales"), ("call_back", "Customer"), ("scoring", "Workflow"), ("gift", "Sales")]
    assert actor(proposed(tmp_path, "by", acts)) == {
        "default": "lead",
        "us": ["briefing", "gift"],
        "system": ["scoring"],
    }
    assert "nothing is made of" not in told(tmp_path)


def test_a_user_is_one_of_us_beside_a_contact_and_the_lead_beside_an_agent(tmp_path: Path) -> None:
    beside = {"contact": {"default": "lead", "us": ["first"]}, "agent": {"default": "lead", "us": ["second"]}}
    for other, expected in beside.items():
        assert actor(proposed(tmp_path / other, "actor", [("first", "user"), ("second", other)])) == expected


def test_where_it_differs_within_a_type_its_words_say_it(tmp_path: Path) -> None:
    acts = [("call_made", "us"), ("call_made", "lead"), ("talk", "us"), ("talk", "lead"), ("visit", "lead")]
    assert actor(proposed(tmp_path, "by", acts)) == {"default": "lead", "us": ["call_made"]}


def test_names_of_people_say_nothing_of_who_acted(tmp_path: Path) -> None:
    assert actor(proposed(tmp_path, "by", [("briefing", "Anna"), ("visit", "lead")])) == "lead"


def test_what_sales_accept_is_a_step_and_what_they_refuse_is_no_loss(tmp_path: Path) -> None:
    acts = [("form", "lead"), ("refused", "sales"), ("accepted", "sales"), ("opportunity_opened", "sales")]
    episodes = proposed(tmp_path / "sales", "by", acts)["episodes"]
    assert list(episodes["milestones"].items()) == [
        ("accepted by sales", ["accepted"]),
        ("opportunity", ["opportunity_opened"]),
    ]
    assert episodes["lost"] == ["lost"]
    # Of an offer it is the lead that accepts.
    assert "milestones" not in proposed(tmp_path / "lead", "by", [(kind, "lead") for kind, _ in acts[:3]])["episodes"]


def proposed_mails(root: Path, wait: int, *, seconds: bool = True) -> dict[str, Any]:
    """Write a mail log in which each lead opens so many seconds after the sending, and give the proposed source."""
    folder = root / "raw"
    folder.mkdir()
    lines = ["lead_id,occurred_at,event_type,campaign"]
    people = ["id,created_at,country"]
    for lead in range(READERS):
        people.append(f"L{lead},2026-01-01 09:{lead:02}:11,NL")
        for day in range(1, DAYS + 1):
            at, moment = f"2026-0{1 + lead % 3}-{day + 9:02}", lead % 60
            second = ":07" if seconds else ""
            opened = f"{8 + wait // 3600:02}:{moment:02}{f':{7 + wait % 3600:02}' if seconds else ''}"
            lines.append(f"L{lead},{at} 08:{moment:02}{second},delivered,issue {day}")
            lines.append(f"L{lead},{at} {opened},opened,issue {day}")
        if lead % 4 == 0:
            lines.append(f"L{lead},2026-04-0{1 + lead % 9} 10:00:09,unsubscribed,")
            lines.append(f"L{lead},2026-04-0{1 + lead % 9} 11:00:09,won,")
    (folder / "leads.csv").write_text("\n".join(people) + "\n")
    (folder / "mails.csv").write_text("\n".join(lines) + "\n")
    propose(folder, root)
    content: dict[str, Any] = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    source: dict[str, Any] = content["ingest"]["sources"]["mails"]
    return source


def test_fast_answers_are_proposed_to_be_machines(tmp_path: Path) -> None:
    machines = proposed_mails(tmp_path, wait=4)["machines"]
    assert machines == {"sent": ["delivered"], "opens": ["opened"], "unsubscribes": ["unsubscribed"]}
    told = " ".join((tmp_path / "params.yaml").read_text(encoding="utf-8").replace("#", " ").split())
    assert f"{READERS * DAYS} of {READERS * DAYS} opens and clicks come within 30 seconds of the sending" in told


@pytest.mark.parametrize(("wait", "seconds"), [(3600, True), (0, False)], ids=["an hour later", "whole minutes"])
def test_nothing_is_proposed_of_what_people_do_or_of_times_without_seconds(
    wait: int, seconds: bool, tmp_path: Path
) -> None:
    assert "machines" not in proposed_mails(tmp_path, wait, seconds=seconds)
