"""``leadcast explain``: a value of a project, and the events behind it, as the command line tells them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from command_line import call
from raw_logs import LEADS, source_of
from small_project import SmallProject

from features.language.catalogue import Catalogue
from features.language.feature import Feature
from features.language.filters import Filter, Vocabulary
from pipeline.core.project import Places, write_json
from pipeline.inspection.explain import Explanation, explain_value

DAY = timedelta(days=1)
LOG = """lead,at,seen,what,channel,campaign,worth,many
A,2026-01-01 08:00,2026-01-01 08:00,visit,seo,,,1
A,2026-01-05 09:30,2026-01-05 09:30,form,email,may,12.5,1
A,2026-01-06 10:00,2026-01-06 10:00,call,,,,1
A,2026-01-07 11:00,2026-01-07 11:00,visit,[bold]tv,,,3
A,2026-01-08 12:00,2026-01-12 06:15,visit,seo,,,1
A,2026-01-09 13:00,2026-01-09 13:00,won,,,,1
B,2026-01-04 14:00,2026-01-04 14:00,visit,seo,,,1
C,2026-01-06 15:00,2026-01-06 15:00,form,seo,,,1
D,2026-01-06 15:00,2026-01-06 15:00,visit,seo,,,1
"""
PEOPLE = """lead,created,account,country,size
A,2026-01-02,acme,nl,250
B,2026-01-03,acme,,
C,2026-01-11,acme,be,3.5
D,2026-01-02,,nl,
"""
COLUMNS = {"channel": "channel", "campaign": "campaign", "value": "worth", "quantity": "many"}
FEATURES = (
    Feature("count", Filter("visit"), 7 * DAY),
    Feature("days_to_first", Filter("form")),
    Feature("last_touch", of="channel"),
    Feature("max_value", window=DAY),
    Feature("count", scope="account"),
    Feature("share", Filter("form")),
)
VOCABULARY = Vocabulary(("form", "visit"), ("email", "seo"), ignored_types=("won",), acted_by_us=("call",))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    """Ingest a log of four leads, three of whom share an account, and put a catalogue beside it."""
    project = SmallProject(tmp_path_factory.mktemp("explained"))
    project.write(log_csv=LOG, leads_csv=PEOPLE)
    source = source_of(
        columns=COLUMNS, known_at={"column": "seen"}, actor={"default": "lead", "us": ["call"], "system": ["won"]}
    )
    leads = LEADS | {
        "columns": {"lead_id": "lead", "created_at": "created", "account_id": "account"},
        "attributes": {"country": "category", "size": "number"},
    }
    project.set({"log": source}, leads=leads)
    assert project.ingest().code == 0
    catalogue = Catalogue(VOCABULARY, FEATURES, (("country", "category"), ("size", "number")))
    write_json(Places(project.root).catalogue, catalogue.to_json())
    return project


def explained(project: SmallProject, name: str, lead: str = "A", when: str = "2026-01-10") -> Explanation:
    return explain_value(Places(project.root), name, lead, when, everything=False)


def verdicts(explanation: Explanation) -> list[tuple[str, str]]:
    return [(row[0], row[-1]) for row in explanation.rows]


def test_a_value_is_told_as_a_number_and_in_words_with_its_events_the_newest_first(project: SmallProject) -> None:
    explanation = explained(project, "count__visit__7d")
    assert explanation.told == (
        "count__visit__7d at 2026-01-10 00:00 UTC is 3 events",
        "in words: 3 'visit' in the last 7 days",
        "count: how many events (the sum of their quantities)",
        "counted 1 of 6 events",
    )
    headers = "occurred (UTC)", "known since", "type", "actor", "channel", "campaign", "value", "quantity", "verdict"
    assert explanation.headers == headers
    assert explanation.rows == (
        ("2026-01-09 13:00", "", "won", "system", "", "", "", "", "of type 'won', which no feature uses"),
        (
            "2026-01-08 12:00",
            "2026-01-12 06:15",
            "visit",
            "lead",
            "seo",
            "",
            "",
            "",
            "not known until 2026-01-12 06:15",
        ),
        ("2026-01-07 11:00", "", "visit", "lead", "[bold]tv", "", "", "3", "counted"),
        ("2026-01-06 10:00", "", "call", "us", "", "", "", "", "of type 'call'"),
        ("2026-01-05 09:30", "", "form", "lead", "email", "may", "12.5", "", "of type 'form'"),
        ("2026-01-01 08:00", "", "visit", "lead", "seo", "", "", "", "more than 7 days before as_of"),
    )


def test_the_latest_moment_is_just_after_the_end_of_the_log(project: SmallProject) -> None:
    told = explained(project, "count__visit__7d", when="latest").told
    assert told[0] == "count__visit__7d at 2026-01-12 06:15:00.000001 UTC is 4 events"
    assert explained(project, "count__visit__7d", when="2026-01-10T01:00:00+01:00").told[0].endswith("is 3 events")


def test_a_measure_of_each_unit_has_its_value_written(project: SmallProject) -> None:
    first = explained(project, "days_to_first__form").told
    assert first[0].endswith("is 3.3958 days")
    assert first[3] == "the lead was created at 2026-01-02 00:00 UTC"
    assert explained(project, "last_touch__channel__all").told[0].endswith("is other")
    missing = explained(project, "max_value__all__1d")
    assert missing.told[0].endswith("is missing")
    assert missing.told[1] == "in words: no value of events in the last day"
    share = explained(project, "share__form")
    assert share.told[0].endswith("is 0.2 (share)")
    assert ("2026-01-07 11:00", "counted in the whole alone: of type 'visit'") in verdicts(share)


def test_of_the_account_the_other_leads_are_listed_as_far_as_they_were_known(project: SmallProject) -> None:
    explanation = explained(project, "account__count__all")
    assert explanation.told[0].endswith("is 1 event")
    assert explanation.headers[2] == "lead"
    others = [(row[2], row[-1]) for row in explanation.rows if row[2] != "A"]
    assert others == [("C", "the lead was not known until 2026-01-11 00:00"), ("B", "counted")]
    assert {row[-1] for row in explanation.rows if row[2] == "A"} == {"the lead's own"}
    alone = explained(project, "account__count__all", lead="D")
    assert "the lead has no account, so there are no others" in alone.told
    assert alone.told[0].endswith("is 0 events")
    assert verdicts(alone) == [("2026-01-06 15:00", "the lead's own")]


def test_a_lead_that_was_not_known_yet_is_said_to_have_no_snapshot(project: SmallProject) -> None:
    told = explained(project, "count__visit__7d", lead="C").told
    assert "the lead itself was not known until 2026-01-11 00:00: it has no snapshot here" in told


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("lead_age_days", "lead_age_days at 2026-01-10 00:00 UTC is 8 days from the lead's creation to as_of"),
        ("episode_age_days", "days from the start of the lead's episode to as_of"),
        ("earlier_episodes", "how many episodes the lead had before this one"),
        ("lead__country", "lead__country is nl it is the attribute 'country' of the lead"),
        ("lead__size", "lead__size is 250"),
    ],
)
def test_what_no_event_is_counted_for_is_explained_in_a_sentence(
    project: SmallProject, name: str, expected: str
) -> None:
    explanation = explained(project, name)
    assert expected in " ".join(explanation.told)
    assert explanation.rows == ()


def test_an_attribute_that_is_missing_is_told_so(project: SmallProject) -> None:
    assert explained(project, "lead__country", lead="B").told[0] == "lead__country is missing"


@pytest.fixture
def long_log(tmp_path: Path) -> SmallProject:
    """Ingest the log of a lead with sixty visits and thirty forms, and put a catalogue beside it."""
    project = SmallProject(tmp_path)
    rows = [f"A,2026-01-02 {number // 60:02}:{number % 60:02},{'form' if number % 3 == 0 else 'visit'}"
            for number in range(90)]  # fmt: skip
    project.write(log_csv="\n".join(["lead,at,what", *rows, "A,2026-02-01,won", ""]))
    project.set()
    assert project.ingest().code == 0
    write_json(Places(project.root).catalogue, Catalogue(VOCABULARY, FEATURES).to_json())
    return project


def test_of_many_events_the_newest_are_listed_unless_all_are_asked_for(long_log: SmallProject) -> None:
    short = explain_value(Places(long_log.root), "count__visit__7d", "A", "2026-01-03", everything=False)
    assert short.told[-2:] == (
        "counted 60 of 91 events",
        "listed are the newest of those that were counted (50), and of those that were not (20); --all lists every one",
    )
    assert [row[-1] for row in short.rows].count("counted") == 50
    assert len(short.rows) == 70
    assert ("2026-01-02 00:01", "counted") not in verdicts(short)
    assert ("2026-01-02 01:29", "counted") in verdicts(short)
    whole = explain_value(Places(long_log.root), "count__visit__7d", "A", "2026-01-03", everything=True)
    assert len(whole.rows) == 91
    assert whole.told == short.told[:-1]


def test_the_command_line_prints_the_value_and_the_table(project: SmallProject) -> None:
    outcome = project.run("explain", "count__visit__7d", "--lead", "A", "--as-of", "2026-01-10")
    assert outcome.code == 0
    assert "explain count__visit__7d at 2026-01-10 00:00 UTC is 3 events" in outcome.text
    assert "occurred (UTC) known since type actor channel campaign value quantity verdict" in outcome.text
    assert "2026-01-07 11:00 visit lead [bold]tv 3 counted" in outcome.text
    assert not (project.root / "data/features.parquet").exists(), "nothing is computed but the value"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("count__vist__7d", "--lead", "A"), "no feature 'count__vist__7d' in data/catalogue.json; did you mean"),
        (("count__visit__7d", "--lead", "Z"), "no lead 'Z' in data/leads.parquet; write its lead_id letter by letter"),
        (("count__visit__7d", "--lead", "A", "--as-of", "soon"), "'soon' is no date; write it as '2026-06-29'"),
    ],
)
def test_what_is_not_there_is_told_with_what_to_do(
    project: SmallProject, arguments: Sequence[str], expected: str
) -> None:
    outcome = project.run("explain", *arguments)
    assert outcome.code == 4
    assert expected in outcome.text


def test_without_a_catalogue_the_stages_to_run_are_named(tmp_path: Path) -> None:
    outcome = SmallProject(tmp_path).run("explain", "count__all", "--lead", "A")
    assert outcome.code == 4
    assert "data/catalogue.json" in outcome.text
    assert "dvc repro" in outcome.text


@pytest.mark.parametrize(
    "arguments",
    [("count__all",), ("--lead", "A"), ("--all",), ("--as-of", "latest")],
    ids=" ".join,
)
def test_half_a_question_is_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = call("explain", *arguments)
    assert code == 2
    assert "Missing" in text
    assert list(tmp_path.iterdir()) == []


def test_the_former_spelling_answers_with_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, text = call("features", "--explain", "count__all", "--lead", "A")
    assert code == 2
    assert "leadcast explain FEATURE --lead ID" in text
