"""What is said of today's list: who has time, what is left, and what changed that leads did not do."""

from __future__ import annotations

import re
from dataclasses import asdict, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from features.core.recommendation import LIST_CHANGES
from features.core.schema import Language
from models.decision.capacity import Amount, Costs
from models.decision.tiers import Stated
from pipeline.core.project import write_json
from pipeline.scoring.basis import DECIDED, LastBasis, basis_of, noted
from pipeline.scoring.today import Owned, Today
from pipeline.settings.decision import DecisionPolicy
from pipeline.wording.list_words import WORDS, ListWords
from pipeline.wording.todays_list import told_of_the_list
from pipeline.wording.unstated import UNSTATED, told_of_the_unstated

AS_OF = datetime(2026, 6, 30, 6)
TIME: dict[str, Any] = {
    "places": 8, "left": 3, "used": 0, "in_work": 0, "untouched": 0, "untouched_called": 0, "away": 0,
    "amounts": {"leads": {"stated": 8.0, "in_work": 0.0}},
}  # fmt: skip
SCORING: dict[str, Any] = {
    "day": "2026-06-30",
    "is_working_day": True,
    "lists": {"sales": 5, "none": 9},
    "list_reasons": {"in work": 4},
    "costs": {"new": 1.0, "in_work": 1.0, "new_leads": 0, "lead_days": 0},
}


def told(time: dict[str, Any] | None = None, language: Language = "en", **changes: object) -> list[str]:
    return told_of_the_list(SCORING | changes | {"time": TIME | (time or {})}, language)


def test_where_places_are_left_the_list_comes_first_and_then_how_many() -> None:
    assert told() == [
        "5 leads are on the list of sales for 30 June 2026; of the others that are worth an hour, 4 are worked on",
        "3 of 8 places are left",
    ]


def test_where_nobody_has_time_that_is_the_first_line_with_its_numbers() -> None:
    waiting: dict[str, Any] = {"list_reasons": {"capacity": 12}}
    assert told({"left": 0}, **waiting)[0] == "No place is left on 30 June 2026: all 8 are given; 12 leads wait"
    assert told({"left": 0, "places": 5, "used": 3}, **waiting)[0] == (
        "No place is left on 30 June 2026: all 8 are given, 3 of them to leads that were dealt with today; 12 leads "
        "wait"
    )
    nobody = {"left": 0, "places": 0, "amounts": {"leads": {"stated": 0.0, "in_work": 0.0}}}
    assert told(nobody)[0] == "There is no time for a new lead on 30 June 2026: nobody is there"
    busy = {"left": 0, "places": 0, "amounts": {"calls": {"stated": 9.0, "in_work": 12.5}}, "in_work": 40}
    assert told(busy)[0] == "There is no time for a new lead on 30 June 2026: leads in work take all the time there is"
    off = told({"left": 0, "places": 0}, is_working_day=False)
    assert off[0] == "Sales does not work on 30 June 2026 (decision.working_days), so nobody is called"


def test_empty_states_are_said() -> None:
    assert told(lists={}, list_reasons={})[0] == "No open lead is worth an hour of sales on 30 June 2026"
    assert "There is no earlier list that it could be compared with" in told(since_last=None)
    assert "2 are of territories that nobody owns today" in told(list_reasons={"no owner": 2})[0]


def test_a_champion_that_nobody_has_approved_is_told_last() -> None:
    assert told(is_approved=False)[-1] == "The model of these chances is the first one, and nobody has approved it"
    assert told(is_approved=False, language="fr")[-1].endswith("n'a pas encore été validé par un relecteur")
    assert told(is_approved=True) == told() == told(is_approved=False)[:-1]


def test_what_leads_in_work_take_is_told_with_what_it_rests_on() -> None:
    calls = {"amounts": {"calls": {"stated": 40.0, "in_work": 12.5}}, "in_work": 50, "away": 2}
    measured = {"new": 1.5, "in_work": 0.25, "new_leads": 120, "lead_days": 3400}
    *_, away, taken = told(calls, costs=measured)
    assert away == "2 of those who have leads, or a number of their own, have no time that day"
    assert taken == (
        "Of 40 calls, 50 leads in work take 12.5; a new lead takes 1.50 calls on its first day (measured on 120 leads "
        "of the last 90 days), one in work 0.25 a working day (measured on 3,400 days of leads of the last 90 days)"
    )
    assert (
        "(not measured, and taken to be 1: decision.work.contacts and the last 90 days give 0 leads)" in told(calls)[-1]
    )


def test_the_same_is_told_in_french_with_its_numbers_and_plurals() -> None:
    first, left = told(language="fr")
    assert left == "3 places sur 8 sont libres"
    assert first == (
        "5 leads sont sur la liste des commerciaux du 30 juin 2026 ; parmi les autres qui méritent l'heure d'un "
        "commercial, 4 en cours de traitement"
    )
    one = told({"left": 1, "used": 1}, "fr", lists={"sales": 1}, list_reasons={})
    assert one == [
        "1 lead est sur la liste des commerciaux du 30 juin 2026",
        "1 place sur 8 est libre ; 1 de plus est prise par un lead traité aujourd'hui",
    ]
    waiting = {"list_reasons": {"capacity": 1204}}
    assert told({"left": 0, "used": 2}, "fr", **waiting)[0] == (
        "Plus aucune place le 30 juin 2026 : les 10 sont prises, dont 2 par des leads traités aujourd'hui ; "
        "1\N{NARROW NO-BREAK SPACE}204 leads attendent"
    )
    off = told({"left": 0, "places": 0}, "fr", is_working_day=False)
    assert (
        off[0] == "Les commerciaux ne travaillent pas le 30 juin 2026 (decision.working_days) : personne n'est appelé"
    )
    late = told({"untouched": 2, "untouched_called": 1}, "fr")[1]
    assert late == (
        "2 ont été transmis, et ne sont pas encore traités dans les délais convenus (decision.work) : "
        "1 en tête de liste"
    )
    hours = {"amounts": {"hours": {"stated": 4.5, "in_work": 1.25}}, "in_work": 50}
    assert told(hours, "fr", costs={"new": 1.5, "in_work": 0.25, "new_leads": 120, "lead_days": 3})[-1] == (
        "Sur 4,5 heures, les leads en cours de traitement (50) en prennent 1,25 ; un nouveau lead demande 1,50 appels "
        "le premier jour (mesuré sur 120 leads des 90 derniers jours), un lead en cours 0,25 par jour ouvré (non "
        "mesuré, supposé égal à 1 : decision.work.contacts et les 90 derniers jours donnent 3 jours de leads)"
    )


def test_both_languages_say_the_same_things() -> None:
    places = re.compile(r"{(\w+)}")
    english, french = WORDS["en"], WORDS["fr"]
    for part in fields(ListWords):
        pair = [getattr(words, part.name) for words in (english, french)]
        if isinstance(pair[0], str):
            pair = [(words,) for words in pair]
        if isinstance(pair[0], tuple):
            assert [sorted(places.findall(text)) for text in pair[0]] == [
                sorted(places.findall(text)) for text in pair[1]
            ]
        else:
            assert pair[0].keys() == pair[1].keys()
    assert english.causes.keys() == {*LIST_CHANGES, "gone"} - {"unknown"}
    assert english.changed.keys() == {*basis_of(TODAY), "model"}


NOTHING = {"cut_offs_from": "multiples", "unstated": list(UNSTATED)}


def test_what_nobody_stated_is_gathered_in_a_line_with_what_follows() -> None:
    (line,) = told_of_the_unstated(NOTHING, "en")
    assert line == (
        "Not stated: what a conversion is worth (decision.money: cut-offs are multiples of the odds); how much time "
        "sales has (decision.capacity, ingest.owners: the list is all that are worth an hour); who owns which leads "
        "(ingest.owners); facts (decision.facts: no act of a lead closes, raises or takes it); what people decide "
        "(ingest.decisions); what leads agree to (ingest.consents: mail and telephone count as open, advertising does "
        "not); more than one channel (the model tells none from another)"
    )
    (french,) = told_of_the_unstated(NOTHING | {"unstated": ["consents", "owners"]}, "fr")
    assert french == (
        "Non précisé : les commerciaux en charge (ingest.owners) ; les consentements (ingest.consents : e-mail et "
        "téléphone passent pour ouverts, la publicité non)"
    )
    assert told_of_the_unstated(NOTHING | {"unstated": []}, "fr") == []


def test_a_value_is_not_missed_twice_where_the_cut_offs_say_so() -> None:
    value = NOTHING | {"unstated": ["value"]}
    assert told_of_the_unstated(value, "en", beside_cut_offs=True) == []
    settled = value | {"cut_offs_from": "tiers"}
    assert "the list goes by probability alone" in told_of_the_unstated(settled, "en", beside_cut_offs=True)[0]
    assert "la liste suit les seules chances" in told_of_the_unstated(settled, "fr", beside_cut_offs=True)[0]


TODAY = Today(DecisionPolicy(), AS_OF, Owned({"north": "Ann"}, {"north": Amount(3)}), Costs(1.5, 0.25, 90, 900))
MONEY = {"value": 900.0, "sales_contact": 40.0, "nurturing": 2.0}
CAPACITY = DecisionPolicy.model_validate(
    {"territory": "region", "capacity": [{"calls": 3}, {"leads": 1, "of": ["north"], "until": "2026-07-31"}]}
)


def noted_as(folder: Path, today: Today) -> None:
    """Note what a list rests on as ``leadcast score`` does beside its scores."""
    told_of = {"basis": basis_of(today), "model_version": "m", "base_rate": 0.02, "costs": asdict(today.costs)}
    write_json(folder / DECIDED, told_of | {"rests_on": noted(today)})


@pytest.mark.parametrize(
    ("today", "model", "changed"),
    [
        (replace(TODAY, as_of=datetime(2026, 6, 30, 9)), "m", []),
        (TODAY, "other", ["model"]),
        (replace(TODAY, costs=Costs(1.504, 0.25, 91, 950)), "m", []),  # the same to two decimals
        (replace(TODAY, costs=Costs(1.6, 0.25, 91, 950)), "m", ["costs"]),
        (replace(TODAY, owned=Owned({"north": "Ben"}, {"north": Amount(3)})), "m", ["owners"]),
        (replace(TODAY, owned=Owned({"north": "Ann"}, {"north": Amount(0)})), "m", ["owners"]),
        (replace(TODAY, owned=None), "m", ["owners"]),
        (replace(TODAY, policy=DecisionPolicy.model_validate({"capacity": [{"leads": 3}]})), "m", ["time"]),
        (replace(TODAY, policy=DecisionPolicy.model_validate({"multiples": {"sql": 3.0}})), "m", ["cut_offs"]),
        (replace(TODAY, policy=DecisionPolicy(stay=0.1)), "m", ["rules"]),
        (replace(TODAY, policy=DecisionPolicy(working_days=("mon",))), "m", ["rules", "time"]),
        (replace(TODAY, policy=DecisionPolicy.model_validate({"money": MONEY})), "m", ["cut_offs", "value"]),
    ],
)
def test_what_has_changed_but_leads_is_told_apart(tmp_path: Path, today: Today, model: str, changed: list[str]) -> None:
    noted_as(tmp_path, TODAY)
    last = LastBasis.read(tmp_path / "recommendations.parquet")
    assert last
    assert last.changed(basis_of(today), model) == changed


@pytest.mark.parametrize(
    "today",
    [
        TODAY,
        replace(TODAY, owned=Owned({"north": "Ann"}, None), policy=DecisionPolicy(tiers=Stated(0.1, 0.2))),
        Today(DecisionPolicy.model_validate({"money": MONEY, "multiples": {"sql": 3.0}}), AS_OF),
        Today(CAPACITY, datetime(2026, 7, 4, 6)),
    ],
)
def test_what_a_list_rests_on_is_read_as_it_was(tmp_path: Path, today: Today) -> None:
    noted_as(tmp_path, today)
    last, policy = LastBasis.read(tmp_path / "recommendations.parquet"), today.policy
    assert last
    assert last.settled == {"money": policy.money, "multiples": policy.multiples, "tiers": policy.tiers}
    assert (last.time, last.owned, last.costs, last.base_rate) == (today.time, today.owned, today.costs, 0.02)
    assert replace(today, policy=DecisionPolicy(), owned=last.owned, other_time=last.time).room == today.room


def test_what_an_earlier_version_noted_is_not_taken_for_more(tmp_path: Path) -> None:
    last = tmp_path / "recommendations.parquet"
    assert LastBasis.read(last) is None
    write_json(tmp_path / DECIDED, {"basis": basis_of(TODAY), "model_version": "m"})
    assert LastBasis.read(last) is None


def test_how_many_moved_is_told_with_their_causes_in_both_languages() -> None:
    since: dict[str, Any] = {"as_of": "2026-06-29 06:00", "came": 3, "went": 1, "changed": []}
    since["causes"] = {"capacity": 1, "fact": 2, "gone": 1}
    names = "Since the list of 2026-06-29 06:00 UTC 3 came onto it, and 1 left it"
    causes = "2 by facts and time, 1 by the time that sales has, 1 without a row any more"
    assert f"{names}: {causes}; nothing else has changed but the date" in told(since_last=since)
    assert (
        f"{names}: {causes}. Not leads alone have changed, but also the model, "
        "who owns which territory, or the time there (ingest.owners)"
    ) in told(since_last=since | {"changed": ["model", "owners"]})
    nothing = {"causes": {"unknown": 4}, "changed": None}
    assert f"{names}; what that one rests on was not noted" in told(since_last=since | nothing)
    assert (
        "Depuis la liste du 2026-06-29 06:00 UTC, entrés : 3, sortis : 1 ; 2 par les faits et le temps, 1 par le "
        "nombre d'appels possibles, 1 sans ligne désormais. Outre les leads, ont changé : le modèle"
    ) in told(language="fr", since_last=since | {"changed": ["model"]})


def test_how_many_have_another_tier_is_told_with_the_strongest_causes_in_both_languages() -> None:
    since: dict[str, Any] = {"as_of": "2026-06-29 06:00", "came": 0, "went": 0, "causes": {}, "changed": []}
    since["tiers"] = {"fact": 1, "behaviour": 12, "time": 1_200}
    assert told(since_last=since)[2] == (
        "1,213 open leads have another tier: 12 by what they did, 1,200 by time alone, 1 by facts, or people's word"
    )
    since["tiers"] = {"fact": 1}
    assert told(language="fr", since_last=since)[2] == (
        "1 lead ouvert a changé de qualification ; 1 par les faits, ou la décision de quelqu'un"
    )


def test_a_list_that_was_not_made_then_is_said_to_be_none_of_then() -> None:
    since: dict[str, Any] = {"as_of": "2026-06-23 06:00", "is_kept": False, "came": 3, "went": 1, "changed": []}
    since["causes"] = {"score": 4}
    assert (
        "Against the list that this model would have made on 2026-06-23 06:00 UTC, 3 came onto it, and 1 left it: "
        "4 by probability; nothing else has changed but the date"
    ) in told(since_last=since)
    assert (
        "Par rapport à la liste que ce modèle aurait faite le 2026-06-23 06:00 UTC, entrés : 3, sortis : 1 ; 4 par les "
        "chances de devenir client ; rien d'autre n'a changé que la date"
    ) in told(language="fr", since_last=since)
