"""What has changed, as people read it in English and French, by the company's calendar."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from features.language.feature import Feature
from features.language.filters import Filter
from features.language.labels import Labels
from features.language.stories import AGE, Story
from models.decision.changes import Change
from pipeline.wording.changes import ChangeWords, Moves
from pipeline.wording.reasons import ReasonWords

LABELS = {
    "en": Labels({"event_types": {"quote": ("quote request(s)", "asked for a quote")}}, {}),
    "fr": Labels({"event_types": {"quote": ("demande(s) de devis", "a demandé un devis")}}, {}),
}
SINCE, AS_OF = datetime(2026, 6, 21, 22, 30), datetime(2026, 6, 30, 22, 30)
"""In Paris it is the 22nd of June, and the first of July."""
QUOTE = Story("act", "since", ("since",), Feature("days_since_last", Filter("quote")))
TOTAL = Story("value", "sum__all", ("sum__all",), Feature("sum"))
BACK = Story("age", AGE, ("lead_age_days", AGE))
STORIES = (QUOTE, TOTAL, BACK)


def say(
    language: str,
    data: float,
    time: float,
    behaviour: float,
    model: float = 0.0,
    story: Story | None = None,
    value: float = 2.0,
) -> str:
    change = Change(*(np.array([part]) for part in (data, time, behaviour, model, 0.0)))
    words = ReasonWords(language, LABELS[language], timedelta(days=30), ZoneInfo("Europe/Paris"))
    told = ChangeWords(words, STORIES, SINCE, AS_OF)
    moving = np.array([-1 if story is None else STORIES.index(story)])
    shown = told.shown_of(moving, [np.array([value])] * 3, AS_OF)
    (text,) = told.say(change, moving, shown)
    return str(text)


@pytest.mark.parametrize(
    ("said", "english", "french"),
    [
        (
            (0.0, -0.1, 1.0, 0.0, QUOTE),
            "up|: asked for a quote on 29 June 2026",
            "en hausse|: a demandé un devis le 29 juin 2026",
        ),
        ((0.0, -0.5, 0.0), "down|: time passed", "en baisse|: le temps a passé"),
        ((0.0, -0.1, 0.0), "hardly changed|: time passed", "presque inchangé|: le temps a passé"),
        ((0.0, 0.0, 0.0), "unchanged|", "inchangé|"),
        (
            (0.7, 0.0, 0.0),
            "up|: data corrected or learned of since",
            "en hausse|: données corrigées ou apprises depuis",
        ),
        (
            (0.7, 0.0, 0.0, 0.0, QUOTE, 11.0),
            "up|: asked for a quote on 20 June 2026, learned of since",
            "en hausse|: a demandé un devis le 20 juin 2026, appris depuis",
        ),
        ((0.0, 0.0, -0.3, -0.9), "down|: a new model", "en baisse|: nouveau modèle"),
        (
            (0.2, 0.0, 0.9, 0.0),
            "up|: new activity; data corrected or learned of since had a part",
            "en hausse|: nouvelle activité ; des données corrigées ou apprises depuis y ont contribué",
        ),
        (
            (0.0, 0.0, 0.9, -0.2),
            "up|: new activity; a new model had a part",
            "en hausse|: nouvelle activité ; un nouveau modèle y a contribué",
        ),
        (
            (np.nan, 0.0, 0.1, 0.5),
            "up|: a new model or corrected data",
            "en hausse|: nouveau modèle ou données corrigées",
        ),
        (
            (np.nan, -0.5, 0.0, -0.2),
            "down|: time passed; a new model or corrected data had a part",
            "en baisse|: le temps a passé ; un nouveau modèle ou des données corrigées y ont contribué",
        ),
        ((0.0, 0.0, 0.4, 0.0, BACK, 3.0), "up|: came back on 28 June 2026", "en hausse|: revenu le 28 juin 2026"),
    ],
)
def test_a_change_is_said_with_its_strongest_cause(said: tuple[Any, ...], english: str, french: str) -> None:
    way, _, cause = english.partition("|")
    assert say("en", *said) == f"{way.capitalize()} since 22 June 2026{cause}"
    way, _, cause = french.partition("|")
    told = say("fr", *said).replace("\N{NO-BREAK SPACE}", " ")
    assert told == f"{way.capitalize()} depuis le 22 juin 2026{' ' if cause else ''}{cause}"


def test_what_has_no_day_is_said_by_its_value() -> None:
    assert say("en", 0.0, 0.0, 1.0, 0.0, TOTAL, 120.0) == "Up since 22 June 2026: events worth 120.00 so far"


def test_many_leads_are_said_each_by_its_own() -> None:
    words = ReasonWords("en", LABELS["en"], timedelta(days=30), ZoneInfo("Europe/Paris"))
    told = ChangeWords(words, STORIES, SINCE, AS_OF)
    behaviour = np.array([1.0, 1.0, -1.0, 0.0])
    nothing = np.zeros(4)
    change = Change(nothing, nothing, behaviour, nothing, nothing)
    moving = np.array([0, 0, -1, -1])
    shown = told.shown_of(moving, [np.array([2.0, 3.0, 2.0, 2.0])] * 3, AS_OF)
    assert [one.partition(" since 22 June 2026")[::2] for one in told.say(change, moving, shown)] == [
        ("Up", ": asked for a quote on 29 June 2026"),
        ("Up", ": asked for a quote on 28 June 2026"),
        ("Down", ": new activity"),
        ("Unchanged", ""),
    ]
    nobody = np.array([], dtype=np.int64)
    assert len(told.say(Change(*[np.array([])] * 5), nobody, np.array([], dtype=object))) == 0


def moved(language: str, told: str | None, behaviour: float, since: datetime = SINCE, data: float = 0.0) -> str:
    """Say of a lead that moved from MQL to SQL why, by a quote request of the 29th of June where something occurred."""
    part = np.array([0.0])
    change = Change(np.array([data]), part, np.array([behaviour]), part, part, is_moved=np.array([told is None]))
    words = ReasonWords(language, LABELS[language], timedelta(days=30), ZoneInfo("Europe/Paris"))
    in_words = ChangeWords(words, STORIES, since, AS_OF)
    moving = np.array([0 if behaviour > 0.0 else -1])
    shown = in_words.shown_of(moving, [np.array([2.0])] * 3, AS_OF)
    names = (np.array([name], dtype=object) for name in ("MQL", "SQL", told))
    (text,) = in_words.say(change, moving, shown, Moves(*names))
    return str(text).replace("\N{NO-BREAK SPACE}", " ")


YESTERDAY = datetime(2026, 6, 29, 22, 30)
"""In Paris it is the 30th of June, the day before the first of July."""


def test_a_move_to_another_tier_is_told_with_its_strongest_cause() -> None:
    # The odds moved by less than a quarter, and over the cut-off nevertheless.
    assert moved("en", None, 0.1, YESTERDAY) == (
        "Moved from MQL to SQL since yesterday (30 June 2026): asked for a quote on 29 June 2026. "
        "(Neither data nor model have changed.)"
    )
    assert moved("fr", None, 0.1, YESTERDAY) == (
        "Passé de MQL à SQL depuis hier (30 juin 2026) : a demandé un devis le 29 juin 2026. "
        "(Ni les données ni le modèle n'ont changé.)"
    )
    assert moved("fr", None, 0.1) == (
        "Passé de MQL à SQL depuis le 22 juin 2026 : a demandé un devis le 29 juin 2026. "
        "(Ni les données ni le modèle n'ont changé.)"
    )
    assert moved("en", None, 0.5, data=0.2) == (
        "Moved from MQL to SQL since 22 June 2026: asked for a quote on 29 June 2026; data corrected or learned of "
        "since had a part"
    )


def test_a_move_by_a_fact_names_it_whatever_moved_the_probability() -> None:
    assert moved("en", "“asked for a quote” since 29 June 2026", 0.1) == (
        "Moved from MQL to SQL since 22 June 2026: “asked for a quote” since 29 June 2026. "
        "(Neither data nor model have changed.)"
    )
    assert moved("fr", "les seuils ont changé", 0.0, data=-0.4) == (
        "Passé de MQL à SQL depuis le 22 juin 2026 : les seuils ont changé"
    )
