"""Reasons as people read them, in English and French, by the company's calendar."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from features.language.feature import Feature, derive_names
from features.language.filters import OTHER, Filter
from features.language.labels import Labels
from features.language.stories import Story
from models.decision.claims import Claim, Claims
from models.decision.reasons import Reasons
from pipeline.wording.page_texts import PAGE_TEXTS, Said
from pipeline.wording.reasons import ReasonWords
from pipeline.wording.texts import TEXTS, page_text

ENGLISH = Labels(
    {
        "event_types": {
            "quote": ("quote request(s)", "asked for a quote"),
            "visit": ("site visit(s)", "visited the site"),
        },
        "channels": {"social": ("social media",)},
        "attributes": {"employees": ("employees",), "channel": ("channel",)},
    },
    {},
)
FRENCH = Labels(
    {
        "event_types": {
            "quote": ("demande(s) de devis", "a demandé un devis"),
            "open": ("ouverture(s)", "a ouvert un e-mail"),
        },
        "channels": {"social": ("réseaux sociaux",)},
        "attributes": {"employees": ("salariés",), "channel": ("canal",)},
    },
    {},
)
AS_OF = datetime(2026, 6, 30, 22, 30)
"""It is the first of July in Paris."""


def act(event_type: str | None, **more: object) -> Story:
    feature = Feature("days_since_last", Filter(event_type=event_type, **more))  # type: ignore[arg-type]
    return Story("act", "since", ("since",), feature)


def say(story: Story, claim: Claim, value: object, language: str = "en") -> str:
    labels = ENGLISH if language == "en" else FRENCH
    words = ReasonWords(language, labels, timedelta(days=30), ZoneInfo("Europe/Paris"))
    reasons = Reasons(*(np.array([[0, -1]]) for _ in range(2)), *(np.array([[1.0, 0.0]]) for _ in range(2)))
    kind = object if isinstance(value, str) else float
    told = words.say(reasons, [story], [Claims([claim], 0.06)], [np.array([value], dtype=kind)], AS_OF)
    assert told[0, 1] is None
    return str(told[0, 0])


def test_an_act_is_told_by_its_day_and_not_by_its_age() -> None:
    claim = Claim("within", 1_204, 0.31, days=7)
    assert say(act("quote"), claim, 2.0) == (
        "Asked for a quote on 29 June 2026. Of the looks at 1,204 leads that had within 7 days, 31% (mean by lead) "
        "were followed by a conversion within 30 days, against 6.0% of all"
    )
    assert say(act("quote"), claim, 30.0, "fr").replace("\u202f", "_").replace("\xa0", "_") == (
        "A demandé un devis le 1er juin 2026. Sur les observations de 1_204 leads qui l'avaient fait depuis moins de "
        "7_jours, 31_% (moyenne par lead) ont été suivies d'une vente sous 30_jours, contre 6,0_% de l'ensemble"
    )


def test_the_day_is_the_companys_and_a_day_is_24_hours() -> None:
    claim = Claim("within", 100, 0.2, days=1)
    for hours, day in ((0.4, "1 July"), (0.6, "30 June"), (24.4, "30 June"), (24.6, "29 June")):
        told = say(act("visit"), claim, float(np.float32(hours / 24)))
        assert f"on {day} 2026. Of the looks at 100 leads that had within 24 hours" in told


@pytest.mark.parametrize("days", [1, 30, 90, 400])
def test_an_act_at_midnight_keeps_its_day_though_the_matrix_holds_32_bits(days: int) -> None:
    # Sources that know days alone say midnight: here that of Paris, half an hour before as_of.
    value = float(np.float32(days + 0.5 / 24))
    day = datetime(2026, 7, 1) - timedelta(days=days)
    told = say(act("visit"), Claim("silent", 50, 0.01, days=1), value)
    assert f"since {day.day} {day:%B %Y}." in told


def test_silence_and_what_never_was_are_told_by_the_noun() -> None:
    assert say(act("visit"), Claim("silent", 3_410, 0.012, days=30), 50.0).startswith(
        "No site visit since 12 May 2026. Of the looks at 3,410 leads without one for 30 days or more, 1.2% (mean"
    )
    assert say(act("open"), Claim("silent", 3_410, 0.012, days=30), 50.0, "fr").startswith(
        "Pas d'ouverture depuis le 12 mai 2026. Sur les observations de 3"
    )
    assert say(act("quote"), Claim("missing", 900, 0.0), np.nan).startswith(
        "No quote request yet. Of the looks at 900 leads without one till then, 0% (mean by lead)"
    )
    assert say(act("quote"), Claim("missing", 900, 0.0002), np.nan, "fr").startswith(
        "Pas de demande de devis jusqu'ici"
    )


def test_content_channel_and_what_has_no_name_are_told() -> None:
    claim = Claim("within", 100, 0.2, days=7)
    assert say(act("visit", content="pricing"), claim, 2.0).startswith("Visited the site (pricing) on 29 June")
    assert say(act(None, channel="social"), claim, 2.0).startswith("Was active via social media on 29 June")
    assert say(act(None, channel="social"), claim, 2.0, "fr").startswith(
        "S'est manifesté via réseaux sociaux le 29 juin"
    )
    assert say(act("unheard_of"), claim, 2.0).startswith("Unheard of on 29 June")
    other = Story("act", "since", ("since",), Feature("days_since_last", Filter(event_type=OTHER)))
    assert say(other, claim, 2.0).startswith("Did something else on 29 June")


def test_attributes_and_ages_are_told_by_their_values() -> None:
    channel = Story("value", "lead__channel", ("lead__channel",), attribute="channel", is_channel=True)
    assert say(channel, Claim("level", 960, 0.063, level="social"), "social").startswith(
        "Channel: social media. Of the looks at 960 such leads, 6.3% (mean by lead)"
    )
    assert say(channel, Claim("level", 960, 0.063, level="social"), "social", "fr").startswith(
        "Canal\xa0: réseaux sociaux. Sur les observations de 960"
    )
    size = Story("value", "lead__employees", ("lead__employees",), attribute="employees")
    assert say(size, Claim("part", 300, 0.2, low=26.0, below=61.0), 30.0).startswith(
        "Employees: 30. Of the looks at 300 leads with 26 to less than 61, 20% (mean by lead)"
    )
    assert say(size, Claim("part", 300, 0.2, low=61.5), 1234.5, "fr").startswith(
        "Salariés\xa0: 1\u202f234,5. Sur les observations de 300"
    )
    assert say(size, Claim("missing", 300, 0.2), np.nan).startswith(
        "Employees: unknown. Of the looks at 300 such leads"
    )
    age = Story("age", "episode_age_days", ("lead_age_days", "episode_age_days"))
    assert say(age, Claim("within", 300, 0.01, days=7), 3.0).startswith(
        "Here since 28 June 2026. Of the looks at 300 leads as new"
    )
    episodes = Story("value", "earlier_episodes", ("earlier_episodes",))
    assert say(episodes, Claim("part", 90, 0.2, low=1.0), 1.0).startswith(
        "Earlier episodes: 1. Of the looks at 90 leads with 1 or"
    )


def test_a_declared_measure_is_told_in_its_own_words() -> None:
    story = Story("value", "mean_gap__all__30d", ("x",), Feature("mean_gap", window=timedelta(days=30)))
    told = say(story, Claim("part", 90, 0.2, low=1.0, below=3.0), 2.2)
    assert told.startswith(
        "Mean_gap__all__30d: 2.2 days between events on average in the last 30 days. Of the looks at 90 leads"
    )


def test_both_languages_fill_in_the_same() -> None:
    for name, texts in TEXTS.items():
        english, french = (set(re.findall(r"\{(\w+)\}", text)) for text in texts)
        assert english - {"noun"} == french - {"of_noun"}, name


def test_the_page_fills_in_the_same_in_both_languages() -> None:
    def gaps(said: Said) -> set[str]:
        return set(re.findall(r"\{(\w+)\}", said if isinstance(said, str) else " ".join(said)))

    for name, (english, french) in PAGE_TEXTS.items():
        assert gaps(english) - {"grade"} == gaps(french) - {"letter", "figure"}, name
        assert isinstance(english, tuple) == isinstance(french, tuple), name


@pytest.mark.parametrize(
    ("number", "english", "french"), [(0, "leads", "lead"), (1, "lead", "lead"), (2, "leads", "leads")]
)
def test_a_plural_begins_where_the_language_has_it(number: int, english: str, french: str) -> None:
    assert page_text("leads", "en", number) == f"{number} {english}"
    assert page_text("leads", "fr", number) == f"{number} {french}"


def test_a_declared_feature_is_told_by_its_noun_in_the_language_or_by_its_name_and_never_in_english() -> None:
    feature = Feature("momentum", Filter("visit"), window=timedelta(days=7), baseline=timedelta(days=28))
    (name,) = derive_names([feature])
    story, claim = Story("value", name, (name,), feature), Claim("part", 100, 0.2, low=1.0)
    zone = ZoneInfo("Europe/Paris")

    def told(language: str, nouns: dict[str, tuple[str, ...]]) -> tuple[str, str]:
        words = ReasonWords(language, Labels({"features": nouns}, {}), timedelta(days=30), zone)
        one = words.one(story, claim, 1.5, 0.06).replace("\xa0", " ").partition(". ")[0]
        return one, words.named(story, 1.5).replace("\xa0", " ")

    noun: dict[str, tuple[str, ...]] = {name: ("rythme des visites",)}
    assert told("fr", noun) == ("Rythme des visites : 1,5", "rythme des visites : 1,5")
    assert told("fr", {}) == (f"{name[:1].upper()}{name[1:]} : 1,5", f"{name} : 1,5")
    assert told("en", {name: ("pace of visits",)}) == ("Pace of visits: 1.5", "pace of visits: 1.5")
    described = told("en", {})[1]
    assert "visit" in described
    assert not described.startswith(name)
