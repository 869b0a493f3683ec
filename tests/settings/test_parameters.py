"""Wrong settings are told all at once, each with its place and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

import pytest
import yaml
from house import ROOT
from pydantic import TypeAdapter, ValidationError

from features.core.errors import SettingsError
from features.timeline.policies import AgePolicy, CalendarPolicy, EventPolicy
from pipeline.settings.file import load_parameters
from pipeline.settings.leads import LeadPages
from pipeline.settings.types import Zone

GOOD = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
Write = Callable[[dict[str, Any] | str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def _write(content: dict[str, Any] | str) -> Path:
        path = tmp_path / "params.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
        return path

    return _write


def changed(place: str, value: object) -> dict[str, Any]:
    """Copy the good settings with one of them changed: ``train.seed``."""
    content: dict[str, Any] = yaml.safe_load(yaml.safe_dump(GOOD))
    *path, last = place.split(".")
    section = content
    for step in path:
        section = section[step]
    section[last] = value
    return content


def complaint(path: Path) -> str:
    with pytest.raises(SettingsError) as error:
        load_parameters(path)
    return str(error.value)


def test_good_settings_are_read_into_the_features_own_terms(write: Write) -> None:
    parameters = load_parameters(write(changed("recommend.as_of", "2026-03-29T02:30:00+02:00")))
    assert parameters.recommend.as_of == datetime(2026, 3, 29, 0, 30)
    day = timedelta(days=1)
    assert list(parameters.snapshots.policies) == [
        CalendarPolicy("monday"),
        AgePolicy((day, 3 * day)),
        EventPolicy("quote_request"),
    ]
    assert parameters.features.windows == (day, 7 * day, 30 * day, 90 * day)


@pytest.mark.parametrize(
    ("place", "value", "expected"),
    [
        ("trian", {}, "trian: unknown key; did you mean 'train'?"),
        ("train.sead", 3, "train.sead: unknown key; did you mean 'seed'?"),
        ("train.seed", "seven", "train.seed: input should be a valid integer"),
        ("ingest.sources.web.known_at", {"colum": "x"}, "known_at.colum: unknown key; did you mean 'column'?"),
        ("ingest.sources.web.known_at", "later", "input should be 'as_it_occurred'"),
        ("ingest.sources.web.actor", {"defualt": "lead"}, "actor.defualt: unknown key; did you mean 'default'?"),
        (
            "ingest.sources.email.machines",
            {"sended": ["x"]},
            "email.machines.sended: unknown key; did you mean 'sent'?",
        ),
        (
            "ingest.sources.email.machines",
            {"opens": ["x"]},
            "email.machines: can tell no machine; name sent and opens,",
        ),
        (
            "ingest.sources.email.machines",
            {"sent": ["x"], "opens": ["y"], "clicks": ["y"]},
            "['y'] is listed twice among sent, opens, clicks and unsubscribes; keep one",
        ),
        (
            "ingest.sources.email.machines.within_seconds",
            0,
            "within_seconds: input should be greater than or equal to 1",
        ),
        (
            "ingest.sources.email.machines.clicks_at_once",
            1,
            "clicks_at_once: input should be greater than or equal to 2",
        ),
        (
            "ingest.sources.email.columns.quantity",
            "n",
            "machines are told by the second of each act, and its rows count several; leave it out",
        ),
        ("ingest.sources.web.columns.lead_id", {"const": "x"}, "lead_id.const: unknown key; did you mean 'constant'?"),
        ("ingest.sources.web.time_zone", "Europe/Amsterdm", "did you mean 'Europe/Amsterdam'?"),
        ("ingest.sources", {}, "ingest.sources: dictionary should have at least 1 item"),
        ("ingest.sources", {"leads": GOOD["ingest"]["sources"]["web"]}, "['leads'] can't name a table"),
        ("ingest.sources", {"../x": GOOD["ingest"]["sources"]["web"]}, "use letters, digits, _ and -"),
        ("ingest.leads.attributes", {"Land": "category", "land": "category"}, "differ only in case; keep one"),
        ("ingest.leads.attributes", {"account_id": "category"}, "can't be attributes; map them under columns"),
        ("ingest.maximum_broken", 1.5, "ingest.maximum_broken: input should be less than or equal to 1"),
        ("episodes.conversion", "won", "episodes.conversion: must be a list, as in [won]"),
        ("episodes.lost", ["won"], "can't be a conversion and a loss at once"),
        ("episodes.after_conversion", {"reopen_after": "90d"}, "episodes.after_conversion.reopen_on: is missing"),
        (
            "episodes.after_conversion",
            {"reopen_on": []},
            "after_conversion.reopen_on: tuple should have at least 1 item",
        ),
        ("episodes.after_conversion", {"reopen_on": "form"}, "reopen_on: must be a list, as in [form]"),
        ("episodes.after_conversion", ["form"], "after_conversion: is ['form'], and no section"),
        ("episodes.after_conversion", {"reopen_on": ["form"], "reopen_after": 90}, "reopen_after: 90 is no length of"),
        ("episodes.after_conversion", {"reopen_on": ["form"], "after": "9d"}, "after_conversion.after: unknown key"),
        ("episodes.after_conversion", {"reopen_on": ["won", "form"]}, "['won'] can't end an episode and open the next"),
        ("episodes.after_conversion", {"reopen_on": ["lost"]}, "['lost'] can't end an episode and open the next"),
        ("episodes.reopen_on_conversion", ["form"], "reopen_on_conversion: unknown key"),
        ("snapshots.horizon", "30", "write a whole number and a unit, as in '6h'"),
        ("snapshots.horizon", "30m", "must be an hour or more"),
        ("snapshots.horizon", "P30D", "'P30D' is no length of time"),
        ("snapshots.policies", [{"ages": ["1d", 30]}], "policies.0.ages.1: 30 is no length of time; write a whole"),
        ("snapshots.policies", [{"ages": ["P30D"]}], "policies.0.ages.0: 'P30D' is no length of time"),
        ("snapshots.policies", [{"ages": "1d"}], "policies.0.ages: must be a list, as in [1d]"),
        ("snapshots.policies", ["1d"], "policies.0: is '1d', and no section; indent its settings below it"),
        ("snapshots.policies", [{"calendar": "mondays"}], "policies.0.calendar: input should be 'daily', 'monday'"),
        ("snapshots.policies", [{"ages": ["1d"], "event": "x"}], "policies.0.event: unknown key; known are: ages"),
        ("snapshots.split", {"test": 0.3}, "snapshots.split: unknown key; known are: horizon, outcome_delay"),
        ("decision.multiples", None, "decision.multiples: is empty; indent its settings below it"),
        ("snapshots.policies", [{"calender": "monday"}], "calender: unknown key; did you mean 'calendar'?"),
        ("snapshots.start", datetime(2026, 1, 1), "must be a quoted date, as in '2026-06-29'"),
        ("words.language", "de", "words.language: input should be 'en' or 'fr'"),
        ("words.de", {}, "words.de: unknown key; known are: en, fr, language"),
        ("words.en.event_type", {}, "words.en.event_type: unknown key; did you mean 'event_types'?"),
        ("words.en.event_types", {"a": "visit"}, "event_types.a: must be a noun and what was done, as in [quote"),
        ("words.en.event_types", {"a": ["opening", "opened the letter", "a mail"]}, "a text that holds a comma stands"),
        ("words.en.event_types", {"a": ["visit", ""]}, "event_types.a.1: string should have at least 1 character"),
        ("words.fr.channels", {"seo": "a\nb"}, "channels.seo: 'a\\nb' can't be shown on a line of a page"),
        ("words.fr.channels", {"seo": {"en": "SEO"}}, "words.fr.channels.seo: input should be a valid string"),
        ("recommend.as_of", "29/06/2026", "is no date; write it as '2026-06-29'"),
        (
            "recommend.reasons_for",
            ["SQL", "VIP"],
            "recommend.reasons_for.1: input should be 'customer', 'disqualified', 'SQL'",
        ),
        ("features.windows", ["90m"], "multiples of an hour"),
        ("features.half_life", "30m", "must be a multiple of an hour"),
        ("features.declared", [{"measure": "cuont"}], "did you mean 'count'?"),
        ("features.declared", [{"measure": "count", "half_life": "3d"}], "count takes no half_life"),
        ("features.declared", [{"measure": "count"}, {"measure": "count"}], "the same feature is declared twice"),
        ("features.actors", ["lead", "lead"], "an actor is named twice"),
        ("ingest.leads.attributes", {"as_of": "number"}, "can't be attributes"),
        ("train.parameters", {"num_leafs": 3}, "did you mean 'num_leaves'?"),
        ("train.parameters", {"is_unbalance": True}, "probabilities no longer mean what they say"),
        ("train.parameters", {"num_iterations": 0}, "num_iterations must be a positive number"),
        ("train.seed", -1, "greater than or equal to 0"),
        ("train.origins", -1, "train.origins: input should be greater than or equal to 0"),
        ("train.origns", 4, "train.origns: unknown key; did you mean 'origins'?"),
        ("train.members", 0, "train.members: input should be greater than 0"),
        ("train.other_horizons", ["60d", "8w", "60d"], "train.other_horizons: a horizon is named twice; keep one"),
        (
            "train.other_horizons",
            ["60"],
            "other_horizons.0: '60' is no length of time; write a whole",
        ),
        ("train.other_horizons", ["5m"], "each horizon must be an hour or more, as in [60d, 90d]"),
        ("train.other_horizons", "60d", "train.other_horizons: must be a list, as in [60d]"),
        ("train.calibration", "sigmoid", "train.calibration: input should be 'auto', 'none', 'platt', 'beta'"),
        ("train.minimum_conversions", 1, "train.minimum_conversions: input should be greater than or equal to 2"),
        ("snapshots.horizon", "999999999d", "longer than a hundred years"),
        ("recommend.compare_to", "0d", "compare_to must be longer than nothing, as in compare_to: 7d, or null"),
        ("evaluate.model_name", "a/b", "should match pattern"),
        (
            "decision.facts",
            {"lost": {"kind": "closes", "events": ["lost"]}},
            "decision: facts: 'lost' is told of leads whose episode has ended; take another name",
        ),
        ("decision.keep", 30, "decision.keep: 30 is no length of time; write a whole number and a unit"),
        (
            "decision.actions",
            [{"action": "wait"}, {"action": "call_back", "fact": ["had a meating"]}],
            "rule 2 (call_back) asks for the fact 'had a meating', which facts lacks; did you mean 'had a meeting'?",
        ),
        ("decision.actions", [{"action": "Call!"}], "'Call!' is no code; write small letters, digits and _"),
        ("decision.actions", [{"action": "wait", "tiers": ["SQL"]}], "unknown key; did you mean 'tier'?"),
        ("decision.actions", [], "decision.actions"),
        ("decision.recontact", {"pause": "0d"}, "pause must be longer than nothing, as in pause: 90d"),
        ("decision.tiers", {"mql": 0.3, "sql": 0.1}, "tiers.mql (0.3) must be below tiers.sql (0.1)"),
    ],
)
def test_a_wrong_setting_says_where_it_stands_and_what_to_write(
    write: Write, place: str, value: object, expected: str
) -> None:
    message = complaint(write(changed(place, value)))
    assert expected in message
    assert "wrong (1)" in message, message


def test_all_mistakes_are_told_at_once(write: Write) -> None:
    content = changed("train.sead", 1)
    content["snapshots"]["horizn"] = "30d"
    del content["episodes"]
    message = complaint(write(content))
    for expected in ("wrong (3)", "train.sead", "did you mean 'horizon'?", "episodes: is missing"):
        assert expected in message


def test_lengths_of_time_are_read_in_a_section_that_is_a_dataclass(write: Write) -> None:
    policies = load_parameters(write(changed("snapshots.policies", [{"ages": ["36h", "2w"]}]))).snapshots.policies
    assert policies == (AgePolicy((timedelta(hours=36), timedelta(days=14))),)


def test_two_mistakes_in_a_section_that_is_a_dataclass_are_told_each_at_its_place(write: Write) -> None:
    message = complaint(write(changed("decision.tiers", {"mql": 0, "sqll": 1.5})))
    for expected in ("wrong (2)", "decision.tiers.mql: input should be greater than 0; got 0", "did you mean 'sql'?"):
        assert expected in message


def test_a_missing_file_says_where_to_begin(tmp_path: Path) -> None:
    assert "run the command in the project's folder" in complaint(tmp_path / "params.yaml")


def test_a_key_given_twice_is_an_error_and_not_silently_the_last(write: Write) -> None:
    assert "line 3: 'seed' is given twice" in complaint(write("train:\n  seed: 1\n  seed: 2\n"))


@pytest.mark.parametrize("text", ["", "- a list", "a: [b", "just text"])
def test_what_is_no_settings_file_is_refused(write: Write, text: str) -> None:
    assert str(write(text)) in complaint(write(text))


def test_a_file_of_an_earlier_version_is_read_and_told_what_moved(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["score"] = content.pop("recommend") | {"maximum_age": "3d"}
    content["ingest"]["memory_limit"] = "3GB"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    parameters = load_parameters(tmp_path / "params.yaml")
    assert (parameters.recommend.maximum_age, parameters.run.memory_limit) == (timedelta(days=3), "3GB")
    told = capsys.readouterr().err
    assert "score is recommend now" in told
    assert "ingest.memory_limit is run.memory_limit now" in told


def test_a_policy_of_an_earlier_version_is_a_decision_and_what_says_nothing_any_more_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    del content["decision"], content["words"], content["ingest"]["owners"]
    content["policy"] = {"tiers": {"mql": 0.05, "sql": 0.2}, "maturity": {"warm": 1.0, "hot": 3.0}}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    decision = load_parameters(tmp_path / "params.yaml").decision
    assert decision.tiers is not None
    assert (decision.tiers.mql, decision.tiers.sql, decision.facts) == (0.05, 0.2, {})
    told = capsys.readouterr().err
    assert "policy is decision now: rename it" in told
    assert "decision.maturity.hot has no effect any more: how far a lead is follows from what it did" in told
    assert "words is not there: add 'words: {}'" in told


def test_a_setting_at_its_old_and_its_new_place_is_refused(tmp_path: Path) -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    content["score"] = {}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(SettingsError, match="score: is recommend now"):
        load_parameters(tmp_path / "params.yaml")


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ("https://crm.example.com/lead", "must hold {lead_id} once"),
        ("https://crm.example.com/{lead_id}/{lead_id}", "must hold {lead_id} once"),
        ("javascript:alert('{lead_id}')", "must begin with https"),
        ("//crm.example.com/{lead_id}", "must begin with https"),
        ("https://{lead_id}.example.com/", "must begin with https"),
        ("https://crm.example.com{lead_id}", "must begin with https"),
        ("https://crm.example.com/a lead/{lead_id}", "holds a space"),
    ],
)
def test_a_link_that_is_none_is_refused(link: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        LeadPages(link=link)


ODD_ZONES = (
    "posix/Europe/Paris",
    "right/UTC",
    "posixrules",
    "Europe",
    "Europe/",
    "../UTC",
    "/etc",
    "zone.tab",
    "",
    "a\0b",
)


def test_a_zone_is_what_the_system_lists_among_its_zones() -> None:
    zones, listed = TypeAdapter(Zone), available_timezones()
    assert len(listed) > 400
    for zone in listed:
        assert zones.validate_python(zone) == zone
    for odd in ODD_ZONES:
        assert odd not in listed
        with pytest.raises(ValidationError, match="is no time zone"):
            zones.validate_python(odd)
