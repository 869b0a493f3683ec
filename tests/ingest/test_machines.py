"""What machines did with mails is marked by rules worked out by hand, and is from then on nobody's act."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pages import words
from raw_logs import LEADS, LINKS, parameters_of, read_leads, read_log, run_ingest, source_of, write_raw
from world import Project as World

from features.core.errors import InputError
from features.timeline.policies import EventPolicy
from features.timeline.snapshots import find_episodes, take_snapshots
from pipeline.core.project import Project
from pipeline.ingest import stage as ingest
from pipeline.log.ends import read_events
from pipeline.log.history import read_event_types, read_history
from pipeline.log.outcomes import conversions_by_source
from pipeline.log.reach import Reach
from pipeline.settings.run import Run
from pipeline.settings.timeline import Episodes
from pipeline.snapshots.counts import read_funnel, stages_of

HEAD = "lead,at,what,mail,id\n"
RULES: dict[str, Any] = {
    "sent": ["sent"],
    "opens": ["open"],
    "clicks": ["click"],
    "unsubscribes": ["unsubscribe"],
    "within_seconds": 30,
    "clicks_at_once": 3,
}
SOON, AT_ONCE, FOLLOWED = "soon after the sending", "clicks at once", "followed a machine"


def mails(rules: dict[str, Any] | None = None, *, campaigns: bool = True, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - settings
    columns = {"event_id": "id"} | ({"campaign": "mail"} if campaigns else {})
    actor = {"default": "lead", "us": ["sent"], "system": ["won"]}
    return source_of(columns=columns, actor=actor, machines=RULES | (rules or {})) | changes


def lines(text: str) -> str:
    """Write a log from a table: lead, time of the first of March, event type, mail; ids are those of the lines."""
    rows = [line.split() for line in text.strip().splitlines()]
    return HEAD + "".join(
        f"{lead},2026-03-01 {at},{what},{mail[0] if mail else ''},{number}\n"
        for number, (lead, at, what, *mail) in enumerate(rows)
    )


def by_machines(root: Path, text: str, source: dict[str, Any] | None = None, **ingest_settings: Any) -> list[str]:  # noqa: ANN401 - settings
    """List lead, time and type of what is marked."""
    write_raw(root, log_csv=lines(text))
    run_ingest(root, {"log": source or mails()}, **ingest_settings)
    rows = read_log(root, "lead_id, occurred_at, event_type, actor")
    return [f"{lead} {at:%H:%M:%S} {what}" for lead, at, what, actor in rows if actor == "machine"]


def test_each_rule_marks_what_it_says_and_nothing_beyond_its_bounds(tmp_path: Path, executor: Run) -> None:
    assert by_machines(
        tmp_path,
        """
        A 08:00:00 sent     may
        A 08:00:00 open     may
        A 08:00:30 open     may
        A 08:00:31 open     may
        A 07:59:59 open     may
        B 08:00:10 open     may
        B 09:10:03 click    may
        B 09:10:03 click    may
        B 09:10:04 click    may
        C 09:10:03 click    may
        C 09:10:04 click    may
        C 09:10:06 click    may
        A 08:01:00 unsubscribe
        A 08:01:01 unsubscribe
        B 09:10:02 unsubscribe
        C 09:10:05 unsubscribe
        B 09:10:01 form
        """,
        run=executor,
    ) == [
        "A 08:00:00 open",
        "A 08:00:30 open",
        "A 08:01:00 unsubscribe",  # 30 seconds after a machine's open; the next one, a second later, is a person's
        "B 09:10:02 unsubscribe",  # a second before the robot follows the other links
        "B 09:10:03 click",
        "B 09:10:03 click",
        "B 09:10:04 click",
    ]  # fmt: skip


def test_what_was_marked_is_counted_by_rule_and_type_and_told_and_nothing_is_dropped(tmp_path: Path) -> None:
    text = (
        "A 08:00:00 sent\nA 08:00:10 open\nA 08:00:20 unsubscribe\nA 08:00:12 click\nA 19:00:01 open\nA 12:00:00 call"
    )
    text += "\nA 13:00:00 click" * 3 + "\nA 20:00:00 open" * 3
    write_raw(tmp_path, log_csv=lines(text))
    told: list[str] = []
    summary = ingest.run(Project(tmp_path, parameters_of({"log": mails()})), told.append)
    counts = {SOON: {"click": 1, "open": 1}, AT_ONCE: {"click": 3}, FOLLOWED: {"unsubscribe": 1}}
    assert summary.as_json()["sources"]["log"]["machines"] == counts
    assert (summary.sources["log"].rows, summary.sources["log"].used) == (12, 12)
    expected = (
        "log: 6 of 12 events were done by machines (3 clicks at once, 1 followed a machine, 2 soon after the sending)"
    )
    assert expected in told
    assert read_log(tmp_path, "event_type") != []
    unmarked = run_ingest(tmp_path, {"log": mails() | {"machines": None}})
    assert unmarked.sources["log"].machines == {}
    assert unmarked.interactions == summary.interactions
    assert {actor for (actor,) in read_log(tmp_path, "actor")} == {"lead", "us"}


NEWSLETTER_AND_REMINDER = """
A 08:00:00 sent       newsletter
A 08:04:40 sent       reminder
A 08:04:50 open       newsletter
A 08:04:55 open       reminder
"""


def test_an_answer_belongs_to_the_mail_of_its_campaign(tmp_path: Path, executor: Run) -> None:
    assert by_machines(tmp_path, NEWSLETTER_AND_REMINDER, run=executor) == ["A 08:04:55 open"]


def test_without_a_campaign_any_sending_to_the_lead_counts(tmp_path: Path, executor: Run) -> None:
    marked = by_machines(tmp_path, NEWSLETTER_AND_REMINDER, mails(campaigns=False), run=executor)
    assert marked == ["A 08:04:50 open", "A 08:04:55 open"]


def test_globs_name_types_and_a_rule_that_names_none_marks_nothing(tmp_path: Path, executor: Run) -> None:
    text = "A 08:00:00 mail_sent\nA 08:00:05 mail_open\nA 08:00:06 mail_click\nA 08:00:07 unsubscribe"
    only_opens = {"sent": ["*_sent"], "opens": ["*_open"], "clicks": [], "unsubscribes": []}
    assert by_machines(tmp_path, text, mails(only_opens), run=executor) == ["A 08:00:05 mail_open"]


def test_a_duplicate_is_no_second_click(tmp_path: Path, executor: Run) -> None:
    text = lines("A 08:00:01 click may\nA 08:00:01 click may")
    write_raw(tmp_path, log_csv=text + text.splitlines()[1] + "\n")
    summary = run_ingest(tmp_path, {"log": mails()}, run=executor)
    assert summary.sources["log"].machines == {}
    assert summary.sources["log"].set_aside == {"duplicate": 1}


OPENED = ["A 08:00:10 open"]


@pytest.mark.parametrize(("linked", "expected"), [("02-01", OPENED), ("03-01 08:00:20", OPENED), ("04-01", [])])
def test_a_mail_to_another_id_of_the_lead_counts_once_both_were_known_to_be_one(
    linked: str, expected: list[str], tmp_path: Path, executor: Run
) -> None:
    write_raw(
        tmp_path,
        leads_csv="lead,created\nA,2026-01-01\n",
        links_csv=f"alias,lead,at\nold,A,2026-{linked}\n",
    )
    text = "old 08:00:00 sent may\nA 08:00:10 open may"
    assert by_machines(tmp_path, text, leads=LEADS, identities=LINKS, run=executor) == expected


@pytest.mark.parametrize(("known", "marked"), [("08:00:40.1", 3), ("08:00:41", 1)])
def test_a_click_that_became_known_later_makes_no_machines_of_those_before_it(
    known: str, marked: int, tmp_path: Path
) -> None:
    write_raw(
        tmp_path,
        log_csv="lead,at,what,seen\n"
        "A,2026-03-01 08:00:10.1,click,2026-03-01 08:00:10.1\n"
        "A,2026-03-01 08:00:10.2,click,2026-03-01 08:00:10.2\n"
        f"A,2026-03-01 08:00:10.3,click,2026-03-01 {known}\n",
    )
    summary = run_ingest(tmp_path, {"log": source_of(known_at={"column": "seen"}, machines=RULES)})
    assert summary.sources["log"].machines == {AT_ONCE: {"click": marked}}


@pytest.mark.parametrize(("known", "expected"), [("08:00:40", 1), ("08:00:41", 0)])
def test_a_sending_that_became_known_later_marks_nothing(known: str, expected: int, tmp_path: Path) -> None:
    write_raw(
        tmp_path,
        log_csv="lead,at,what,seen\n"
        f"A,2026-03-01 08:00:00,sent,2026-03-01 {known}\n"
        "A,2026-03-01 08:00:10,open,2026-03-01 08:00:10\n",
    )
    source = source_of(known_at={"column": "seen"}, machines=RULES)
    assert len(run_ingest(tmp_path, {"log": source}).sources["log"].machines) == expected


@pytest.mark.parametrize(("known", "expected"), [("08:00:40", 1), ("08:00:41", 0)])
def test_a_robot_is_not_told_by_what_became_known_later(known: str, expected: int, tmp_path: Path) -> None:
    write_raw(
        tmp_path,
        log_csv="lead,at,what,seen\n"
        "A,2026-03-01 08:00:00,sent,2026-03-01 08:00:00\n"
        f"A,2026-03-01 08:00:05,open,2026-03-01 {known}\n"
        "A,2026-03-01 08:00:10,unsubscribe,2026-03-01 08:00:10\n",
    )
    summary = run_ingest(tmp_path, {"log": source_of(known_at={"column": "seen"}, machines=RULES)})
    assert summary.sources["log"].machines.get(FOLLOWED, {}).get("unsubscribe", 0) == expected


START = datetime(2026, 3, 1, 8)
events = st.tuples(
    st.sampled_from("AAAB"),
    st.integers(0, 40),
    st.sampled_from(("sent", "open", "click", "click", "click", "unsubscribe")),
    st.sampled_from(("may", "may", "")),
    st.sampled_from((0, 0, 1, 30, 61, 200)),
)
"""Lead, second, type, mail, and how many seconds later it became known."""


@given(st.lists(events, min_size=3, max_size=14), st.integers(60, 130))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_becomes_known_more_than_a_minute_later_changes_no_mark(
    tmp_path: Path, drawn: list[tuple[str, int, str, str, int]], cut: int
) -> None:
    source = source_of(columns={"campaign": "mail", "event_id": "id"}, known_at={"column": "seen"}, machines=RULES)
    stranger = f"Z,{START + timedelta(milliseconds=1)},open,,{START},z\n"  # no whole minute, and nobody else's

    def marks(until: int) -> set[str]:
        """Read what is known up to a second, and list what is marked of that which was known a minute before."""
        text = "".join(
            f"{lead},{START + timedelta(seconds=at)},{what},{mail},{START + timedelta(seconds=at + late)},{number}\n"
            for number, (lead, at, what, mail, late) in enumerate(drawn)
            if at + late <= until
        )
        write_raw(tmp_path, log_csv=f"lead,at,what,mail,seen,id\n{stranger}{text}")
        run_ingest(tmp_path, {"log": source})
        early = START + timedelta(seconds=cut - 60)
        marked = read_log(tmp_path, "event_id, actor, known_at")
        return {number for number, actor, known in marked if actor == "machine" and known <= early}

    assert marks(until=1_000) == marks(until=cut)


def test_times_of_whole_minutes_tell_no_machine(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=lines("A 08:00:00 sent\nA 08:00:00 open"))
    with pytest.raises(InputError, match=r"ingest\.sources\.log\.machines: all times are whole minutes"):
        run_ingest(tmp_path, {"log": mails()})


def test_types_that_never_occur_and_too_many_machines_are_told(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=lines("A 08:00:00 sent\nA 08:00:01 open\nB 08:00:01 open\nA 08:00:01 click"))
    warnings = run_ingest(tmp_path, {"log": mails({"unsubscribes": ["unsubscribed"]})}).warnings
    assert any("machines.unsubscribes lists 'unsubscribed', which never occurs" in one for one in warnings)
    assert any("2 of 3 opens and clicks (67%) are taken for machines'" in one for one in warnings)


LIVES = """
A 08:00:00 sent         may
A 08:00:10 click        may
A 08:00:12 unsubscribe
A 09:00:00 form
B 08:00:00 sent         may
B 08:30:00 click        may
B 09:00:00 unsubscribe
C 07:59:59 click        june
C 07:59:59 click        june
C 07:59:59 click        june
C 12:00:00 won
"""


@pytest.fixture
def lives(tmp_path: Path) -> Project[Any]:
    """Ingest a log in which a machine clicks and unsubscribes for A, and clicks for C; B does it itself."""
    write_raw(tmp_path, log_csv=lines(LIVES))
    run_ingest(tmp_path, {"log": mails()})
    return Project(tmp_path, parameters_of({"log": mails()}))


def test_a_machine_ends_and_opens_no_episode(lives: Project[Any]) -> None:
    ends = Episodes(conversion=("won",), lost=("unsubscribe",))
    episodes = find_episodes(read_history(lives, ends)).set_index("lead_id")["outcome"]
    assert episodes.fillna("open").to_dict() == {"A": "open", "B": "lost", "C": "converted"}
    by_click = Episodes(conversion=("click",), lost=("unsubscribe",), reopen_on=("form",))
    episodes = find_episodes(read_history(lives, by_click)).set_index("lead_id")["outcome"]
    assert episodes.fillna("open").to_dict() == {"A": "open", "B": "converted", "C": "open"}
    assert {
        name: list(own["lead_id"]) for name, own in conversions_by_source(lives.interactions, ["click"]).items()
    } == {"log": ["B"]}


def test_a_machines_act_is_no_occasion_to_look_at_a_lead(lives: Project[Any]) -> None:
    history = read_history(lives, Episodes(conversion=("won",)))
    triggers = read_events(lives.interactions, "lead_id, known_at, event_type", ["click"])
    taken = take_snapshots(history, triggers, [EventPolicy("click")], datetime(2026, 3, 2), None)
    assert [(row.lead_id, f"{row.as_of:%H:%M:%S.%f}") for row in taken.itertuples()] == [("B", "08:30:00.000001")]


def test_who_reached_a_milestone_or_acted_did_it_itself(lives: Project[Any]) -> None:
    ends = Episodes(conversion=("won",), milestones={"clicked": ("click",)})
    funnel = read_funnel(lives.interactions, find_episodes(read_history(lives, ends)), ends)
    assert dict(zip(stages_of(ends), funnel, strict=True)) == {
        "created": 3, "with an act of their own": 2, "clicked": 1, "converted": 1,
    }  # fmt: skip


def test_types_that_only_machines_bring_never_occur_and_their_sources_end_nothing(tmp_path: Path) -> None:
    write_raw(
        tmp_path,
        log_csv=lines("A 08:00:00 sent may\nA 08:00:10 click may\nA 08:00:12 unsubscribe"),
        web_csv="lead,at,what\nA,2026-03-01 09:00:10,won\n",
    )
    run_ingest(tmp_path, {"log": mails(), "web": source_of("web.csv")})
    project = Project(tmp_path, parameters_of({"log": mails()}))
    assert list(read_event_types(project.interactions)["event_type"]) == ["sent", "won"]
    ends = project.parameters.model_copy(update={"episodes": Episodes(conversion=("won",), lost=("unsubscribe",))})
    assert Reach(Project(tmp_path, ends)).feeding | Reach(Project(tmp_path, ends)).needed == {"web"}


def test_a_lead_without_a_table_is_known_of_from_the_first_row_that_names_it_whoever_acted(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=lines("A 08:00:01 click may\n" * 3 + "A 12:00:00 form"))
    run_ingest(tmp_path, {"log": mails()})
    assert read_leads(tmp_path, "lead_id, created_at") == [("A", datetime(2026, 3, 1, 8, 0, 1))]


def test_what_machines_did_is_told_beside_the_table_of_sources(world: World) -> None:
    log = pq.read_table(world.interactions, columns=["source", "actor"]).to_pandas()
    mails = log.loc[log["source"] == "email", "actor"]
    marked = int((mails == "machine").sum())
    assert 0.05 < marked / len(mails) < 0.2
    told = f"{marked:,} of the {len(mails):,} events of email (14 %) were done by machines"
    for text in (words(world.model_page.read_text(encoding="utf-8")), world.summary.read_text(encoding="utf-8")):
        assert told in " ".join(text.split())
