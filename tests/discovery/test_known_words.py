"""Words that init proposes for names that many logs have; of any other name it says nothing."""

from __future__ import annotations

import pytest

from pipeline.profiling.known_words import ACTS, NOUNS, words_for
from pipeline.settings.words import Words


@pytest.mark.parametrize(
    ("name", "noun", "french"),
    [
        ("page_view", "site visit(s)", "a visité le site"),
        ("PageView", "site visit(s)", "a visité le site"),
        ("Email Opened", "mail opening(s)", "a ouvert un e-mail"),
        ("EMAIL_CLICK", "mail click(s)", "a cliqué dans un e-mail"),
        ("form_submit", "form(s)", "a rempli un formulaire"),
        ("add_to_cart", "cart(s)", "a mis un article au panier"),
        ("purchase", "order(s)", "a passé commande"),
        ("Closed Won", "sale(s)", "est devenu client"),
        ("closedlost", "loss(es)", "a été perdu"),
        ("Meeting booked", "meeting(s) booked", "a pris rendez-vous"),
        ("generate_lead", "contact request(s)", "a demandé à être contacté"),
        ("Demande de devis", "quote request(s)", "a demandé un devis"),
        ("unsubscribed", "unsubscription(s)", "a demandé à ne plus recevoir d'e-mails"),
        ("call_made", "call(s) of ours", "nous avons appelé"),
        ("call_answered", "call(s) answered", "a répondu à un appel"),
        ("webinar_registered", "webinar registration(s)", "a réservé sa place au webinaire"),
    ],
)
def test_a_usual_event_type_has_its_words(name: str, noun: str, french: str) -> None:
    found = words_for({"event_types": [name]})
    assert found["en"]["event_types"][name][0] == noun  # type: ignore[index] # a pair of texts
    assert found["fr"]["event_types"][name][1] == french  # type: ignore[index] # a pair of texts


@pytest.mark.parametrize(
    "name", ["A_ACTIVATED complete", "click", "open", "event", "x", "notopened", "won back", "W_*"]
)
def test_what_a_name_does_not_say_for_sure_is_left_to_people(name: str) -> None:
    assert words_for({"event_types": [name]}) == {}


def test_channels_attributes_and_milestones_have_a_noun_each() -> None:
    found = words_for(
        {
            "channels": ["SEO", "paid_social", "our fair"],
            "attributes": ["Country", "numberofemployees", "number_of_employees"],
            "milestones": {"accepted by sales": ("accepted",)},
        }
    )
    assert found == {
        "en": {
            "channels": {"SEO": "SEO", "paid_social": "paid social media"},
            "attributes": {"Country": "country", "number_of_employees": "number of employees"},
            "milestones": {"accepted by sales": "accepted by sales"},
        },
        "fr": {
            "channels": {"SEO": "SEO (référencement naturel)", "paid_social": "publicité sur les réseaux sociaux"},
            "attributes": {"Country": "pays", "number_of_employees": "nombre de salariés"},
            "milestones": {"accepted by sales": "accepté par les commerciaux"},
        },
    }


def test_all_of_them_are_settings_whose_brackets_are_a_plural() -> None:
    for position, language in enumerate(("en", "fr")):
        acts = {pattern: words[position] for pattern, words in ACTS.items()}
        nouns = {part: {pattern: both[position] for pattern, both in table.items()} for part, table in NOUNS.items()}
        words = Words.model_validate({"language": language, language: {"event_types": acts, **nouns}})
        for pattern in acts:
            told = [words.labels.noun("event_types", pattern, plural=plural) for plural in (False, True)]
            assert not set("".join(told)) & set("()|"), told
            assert (told[0] != told[1]) == ("(" in acts[pattern][0]), told
