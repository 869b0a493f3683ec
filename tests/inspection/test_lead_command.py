"""``leadcast lead``: who a lead is, how it stands, and its time; at a moment, nothing that became known later."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from command_line import call, call_for_its_output
from house import ROOT
from one_lead import keep, lines, shown, write
from raw_logs import LINKS
from small_project import SmallProject
from world import Project

from features.language.catalogue import Catalogue
from features.language.feature import Feature
from features.language.filters import Filter, Vocabulary
from pipeline.core.project import Places, write_json
from pipeline.core.sql import open_reader
from pipeline.inspection.lead import show_lead
from pipeline.inspection.lead_in_words import tell_lead
from pipeline.inspection.lifeline import facts_of, read_events
from pipeline.log.people import read_consents


def test_a_lead_is_shown_with_all_that_happened_the_newest_first(project: SmallProject) -> None:
    content = shown(project, "A")
    assert content["lead"] == {
        "lead_id": "A", "created_at": "2026-01-01T23:30:00.000000Z", "known_at": "2026-01-01T23:30:00.000000Z",
        "account_id": "acme", "attributes": {"country": "nl"}, "alias": None,
    }  # fmt: skip
    assert content["episode"] == {
        "episode": 1, "started_at": "2026-01-01T23:30:00.000000Z",
        "outcome": "converted", "outcome_at": "2026-02-10T13:00:00.000000Z",
    }  # fmt: skip
    assert lines(content, "act", "decision", "outcome") == [
        ("2026-02-10T13:00", "won"),
        ("2026-01-08T12:00", "taken by sales"),
        ("2026-01-07T23:30", "leaving"),
        ("2026-01-06T10:00", "call"),
        ("2026-01-05T09:30", "asked for a quote"),
        ("2026-01-03T11:00", "visit"),
        ("2026-01-02T08:00", "visit"),
    ]
    assert lines(content, "fact") == [
        ("2026-02-10T13:00", "holds no more: in work (won)"),
        ("2026-01-12T09:30", "holds no more: asked (7 days are over)"),
        ("2026-01-08T12:00", "holds from here on: in work"),
        ("2026-01-07T23:30", "holds from here on: no mail"),
        ("2026-01-05T09:30", "holds from here on: asked"),
    ]
    assert lines(content, "score") == [
        ("2026-01-20T00:00", "90.0%, SQL"),
        ("2026-01-09T00:00", "40.0%, SQL"),
        ("2026-01-09T00:00", "30.0%, MQL"),
        ("2026-01-06T00:00", "20.0%, MQL"),
    ]
    assert content["standing"]["row"] is None
    assert content["standing"]["missing"] == "it is not among the leads that were open at 2026-02-10 12:00 UTC"


def test_what_people_said_stands_in_its_time_as_far_as_it_was_known(project: SmallProject) -> None:
    both = [("2026-01-10T09:00", "SQL, by K1"), ("2026-01-09T09:00", "MQL, by K2")]
    assert lines(shown(project, "A"), "word") == both
    assert lines(shown(project, "A", "--at", "2026-01-15T09:00:00.000001"), "word") == both
    assert lines(shown(project, "A", "--at", "2026-01-15T09:00"), "word") == both[1:]


def test_a_tier_that_people_said_stands_beside_ours(project: SmallProject) -> None:
    row = shown(project, "B")["standing"]["row"]
    assert (row["tier"], row["own_tier"], row["word"]) == ("IQL", "MQL", "2026-02-01 IQL, by K2")


def test_at_a_moment_nothing_is_shown_that_became_known_later(project: SmallProject) -> None:
    content = shown(project, "A", "--at", "2026-01-10")
    assert content["episode"]["outcome"] is None
    told = lines(content, "act", "decision", "outcome", "fact")
    assert ("2026-01-08T12:00", "holds from here on: in work") in told
    assert not [what for _, what in told if "leaving" in what or "no mail" in what], "known since 12 January alone"
    assert not [what for _, what in told if what == "won" or "over" in what]
    assert max(one["at"] for one in content["timeline"]) < "2026-01-10"
    assert "leaving" in dict(lines(shown(project, "A", "--at", "2026-01-12T06:15:01"), "act")).values()
    before = shown(project, "A", "--at", "2026-01-12T06:15")
    assert "leaving" not in dict(lines(before, "act")).values(), (
        "what is known at the moment itself is not known before"
    )


def test_at_a_moment_the_newest_decision_that_was_kept_is_told_and_which(project: SmallProject) -> None:
    standing = shown(project, "A", "--at", "2026-01-10")["standing"]
    assert standing["source"] == "data/scores/as_of=2026-01-09T00-00-00.000000/model=again/recommendations.parquet"
    assert (standing["row"]["probability"], standing["row"]["tier"]) == (0.4, "SQL")
    assert shown(project, "A", "--at", "2026-01-09")["standing"]["row"]["model_version"] == "again"
    assert shown(project, "A", "--at", "2026-01-08T23:59:59")["standing"]["row"]["model_version"] == "early"
    nothing = shown(project, "A", "--at", "2026-01-05")["standing"]
    assert nothing["row"] is None
    assert nothing["missing"].startswith("data/scores has kept nothing of 2026-01-05 00:00 UTC or before")
    told = project.run("lead", "A", "--at", "2026-01-09T00:30").text
    assert "since the last list came onto that of sales (capacity): sales has more time on this day, or less" in told
    assert "computed 2026-01-09 03:00, after the moment asked for" in told


def test_an_alias_is_followed_once_it_was_linked(project: SmallProject) -> None:
    outcome = project.run("lead", "c1")
    assert "asked for as c1, which is known as this lead's since 2026-01-04 11:00" in outcome.text
    assert shown(project, "c1")["timeline"] == shown(project, "A")["timeline"]
    before = project.run("lead", "c1", "--at", "2026-01-04T10:00")
    assert before.code == 4
    assert "no lead 'c1' in data/leads.parquet" in before.text
    assert ("2026-01-03T11:00", "visit") not in lines(shown(project, "A", "--at", "2026-01-04T10:00"), "act")


def test_a_value_is_explained_of_an_alias_too(project: SmallProject) -> None:
    vocabulary = Vocabulary(("visit",), ignored_types=("won",), acted_by_us=("call",))
    catalogue = Catalogue(vocabulary, (Feature("count", Filter("visit")),), (("country", "category"),))
    write_json(Places(project.root).catalogue, catalogue.to_json())
    outcome = project.run("explain", "count__visit", "--lead", "c1", "--as-of", "2026-01-05")
    assert outcome.code == 0
    assert "c1 is an alias of A" in outcome.text
    assert "count__visit at 2026-01-05 00:00 UTC is 2 events" in outcome.text


def test_of_an_alias_that_two_leads_claim_it_is_told_since_when(tmp_path: Path) -> None:
    project = SmallProject(tmp_path)
    project.write(links_csv="alias,lead,at\nc1,A,2026-01-04\nc1,B,2026-01-06\n")
    project.set(identities=LINKS)
    assert project.ingest().code == 0
    assert shown(project, "c1")["lead"]["alias"] == {
        "alias_id": "c1", "linked_at": "2026-01-04T00:00:00.000000Z", "contested_at": "2026-01-06T00:00:00.000000Z",
    }  # fmt: skip
    assert shown(project, "c1", "--at", "2026-01-05")["lead"]["alias"]["contested_at"] is None


def test_times_are_those_of_the_company_and_names_those_of_people(project: SmallProject) -> None:
    text = project.run("lead", "A").text
    assert "Lead A (times: Europe/Amsterdam)" in text
    assert "created 2026-01-02 00:30 account acme land nl" in text
    assert "episode 1, since 2026-01-02 00:30; converted on 2026-02-10 14:00" in text
    assert "2026-01-08 00:30 act leaving lead 2026-01-12 07:15" in text
    assert "2026-01-02 09:00 act visit lead SEO home" in text


def test_as_many_lines_are_shown_as_are_asked_for(project: SmallProject) -> None:
    text = project.run("lead", "A", "--events", "2").text
    assert "2026-02-10 14:00" in text
    assert "2026-01-20" not in text
    assert "2 of 18 lines are shown; --events all shows them" in text


def test_how_an_open_lead_stands_is_told(project: SmallProject) -> None:
    text = project.run("lead", "B").text
    assert (
        "As decided for 2026-02-10 13:00 (data/recommendations.parquet) model abcdef012345 tier IQL, as people "
        "said; MQL without their word people's word 2026-02-01 IQL, by K2 list none" in text
    )
    assert (
        "probability 5.0% within 30 days 7.5% within 60 days grade B2 (who it is, A to D; what it did, 1 to 4) "
        "speaks for it 3 visits speaks against it nothing that the figures bear out" in text
    )


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"change_data": 0.0, "change_time": -0.25, "change_behaviour": 1.5, "change_model": 0.125},
            "+1.375: data +0.000, time -0.250, behaviour +1.500, model +0.125",
        ),
        (
            {"change_data": None, "change_time": -0.25, "change_behaviour": 0.5, "change_model": 0.125},
            "+0.375: time -0.250, behaviour +0.500, data and model +0.125",
        ),
    ],
)
def test_what_has_changed_is_told_with_its_parts(
    project: SmallProject, changes: dict[str, object], expected: str
) -> None:
    as_of = datetime(2026, 2, 10, 12)
    changed = "Up since 3 January 2026: visited"
    keep(project, as_of, "m", as_of, trend="improving", what_changed=changed, **changes)
    told = project.run("lead", "A", "--at", "2026-02-10 12:00").text
    assert f" trend improving what changed {changed} in log-odds {expected} " in told


def test_where_nothing_was_compared_no_parts_are_told(project: SmallProject) -> None:
    as_of = datetime(2026, 2, 10, 12)
    keep(project, as_of, "m", as_of, trend="not enough information")
    told = project.run("lead", "A", "--at", "2026-02-10 12:00").text
    assert " trend not enough information " in told
    assert "what changed" not in told
    assert "trend" not in project.run("lead", "B").text


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (("Z",), 4, "no lead 'Z' in data/leads.parquet; write its lead_id letter by letter"),
        (("B", "--at", "2026-01-19"), 4, "nobody knew of lead 'B' before 2026-01-20 00:00:00 UTC; name a later moment"),
        (("A", "--at", "soon"), 4, "--at: 'soon' is no date; write it as '2026-06-29'"),
        (("A", "--events", "few"), 2, "'few' is no number; write one, or all"),
    ],
)
def test_what_is_wrong_is_told(project: SmallProject, arguments: tuple[str, ...], code: int, expected: str) -> None:
    outcome = project.run("lead", *arguments)
    assert outcome.code == code
    assert expected in outcome.text


def test_without_a_log_the_stages_to_run_are_named(tmp_path: Path) -> None:
    outcome = SmallProject(tmp_path).run("lead", "A")
    assert outcome.code == 4
    assert "data/interactions.parquet" in outcome.text
    assert "dvc repro" in outcome.text


def test_the_line_of_time_ends_in_the_facts_and_the_episode_that_the_decision_rests_on(world: Project) -> None:
    table = pq.read_table(world.recommendations).to_pylist()
    as_of = table[0]["as_of"]
    parameters = world.parameters
    seen = 0
    with open_reader() as connection:
        for row in [row for row in table if row["facts"]][:40]:
            events = read_events(connection, world, row["lead_id"], as_of)
            consents = read_consents(connection, world, row["lead_id"], as_of)
            holding: dict[str, bool] = {}
            for entry in sorted(
                facts_of(events, parameters.decision, parameters.words, as_of, consents), key=lambda e: e.at
            ):
                assert entry.at <= as_of
                holding[str(entry.fact)] = entry.what.startswith("holds from here on")
            told = {fact.split(" ", 1)[1] for fact in row["facts"]} & set(parameters.decision.facts)
            assert {name for name, holds in holding.items() if holds} == told
            seen += len(holding) > len(told)
    assert seen > 0, "some facts must have ended"
    open_leads = [row["lead_id"] for row in table if row["probability"] is not None][::40]
    assert len(open_leads) > 5
    for lead in open_leads:
        portrait = show_lead(world, lead, f"{as_of}")
        assert portrait.episode["outcome"] is None
        assert all(entry.at <= as_of for entry in portrait.timeline)
        assert all(entry.known_at < as_of for entry in portrait.timeline if entry.known_at)


def test_of_a_lead_that_has_ended_it_is_told_that_there_is_no_probability(world: Project) -> None:
    table = pq.read_table(world.recommendations, columns=["lead_id", "probability", "tier"]).to_pylist()
    for tier in ("customer", "disqualified", "recycled"):
        lead = next(row["lead_id"] for row in table if row["probability"] is None and row["tier"] == tier)
        told = "\n".join(tell_lead(show_lead(world, lead, None), world.parameters))
        assert re.search(rf"tier +{tier}\n", told)
        assert re.search(r"probability +none, for it has ended\n", told)
        assert "% within" not in told.partition("probability")[2]


def test_any_moment_of_a_lead_shows_what_a_naive_look_at_the_log_shows(world: Project) -> None:
    log = pq.read_table(world.interactions).to_pylist()
    ((lead, _),) = Counter(row["lead_id"] for row in log).most_common(1)
    own = [row for row in log if row["lead_id"] == lead]
    for row in own[:: len(own) // 5]:
        moment = row["known_at"] + timedelta(microseconds=1)
        known = [one for one in own if one["known_at"] < moment and one["occurred_at"] < moment]
        told = [entry for entry in show_lead(world, lead, f"{moment}").timeline if entry.event_type]
        assert [(entry.at, entry.event_type) for entry in told[::-1]] == [
            (one["occurred_at"], one["event_type"]) for one in known
        ]


def test_it_waits_for_nothing_that_it_does_not_need(world: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.root)
    lead = pq.read_table(world.recommendations, columns=["lead_id"])["lead_id"][0].as_py()
    code, text = call("lead", lead)
    assert (code, f"Lead {lead} " in text) == (0, True)
    assert json.loads(call_for_its_output("lead", lead, "--json"))["standing"]["row"]["lead_id"] == lead
    program = "import sys, pipeline.inspection.lead; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"mlflow", "great_expectations", "lightgbm", "sklearn", "matplotlib"} & set(loaded.stdout.split())


def test_why_the_tier_is_another_is_told_beside_how_many_moved(project: SmallProject) -> None:
    as_of = datetime(2026, 1, 25)
    keep(project, as_of, "m", as_of, tier_before="SQL", tier_changed="cut-offs")
    since = {"as_of": "2026-01-24 00:00", "is_kept": True, "came": 0, "went": 1, "causes": {"cut-offs": 1}}
    noted = project.root / f"data/scores/as_of={as_of:%Y-%m-%dT%H-%M-%S.%f}/model=m/decided.json"
    noted.write_text(json.dumps({"since_last": since | {"tiers": {"cut-offs": 3}, "changed": ["cut_offs"]}}))
    out = " ".join(project.run("lead", "A", "--at", "2026-01-25").text.split())
    assert " tier before SQL (cut-offs): the cut-offs of the tiers are others " in out
    # How many others moved is no business of one lead's.
    assert "of all leads" not in out
    assert "open leads" not in out


def test_a_score_of_a_lead_that_had_ended_stands_in_its_time_without_a_probability(project: SmallProject) -> None:
    as_of = datetime(2026, 2, 11)
    keep(project, as_of, "m", as_of, probability=0.5)
    path = project.root / f"data/scores/as_of={as_of:%Y-%m-%dT%H-%M-%S.%f}/model=m/recommendations.parquet"
    (row,) = pq.read_table(path).to_pylist()
    ended = {"probability": None, "probability_60d": None, "score": None, "tier": "customer"}
    write(path, [row | ended])
    assert lines(shown(project, "A", "--at", "2026-02-12"), "score")[0] == ("2026-02-11T00:00", "ended, customer")
