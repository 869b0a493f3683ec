"""What init proposes under ``decision`` by the names of event types: what they say for sure, of what is there."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from exports import BEGINNING, write_table
from proposals import propose

from pipeline.profiling.known_words import ACTS
from pipeline.profiling.outcomes import FACTS, MEDIUM, STRONG, EventType, Outcomes, decision_for
from pipeline.settings.decision import DecisionPolicy

VOCABULARY = {
    "Demande de devis": "lead",
    "PageView": "lead",
    "SpamComplaint": "lead",
    "Trial login": "lead",
    "brochure download": "lead",
    "checkout started": "lead",
    "do_not_call": "us",
    "email_hard_bounced": "system",
    "erasure_request": "lead",
    "form_submit": "lead",
    "lead_assigned": "us",
    "meeting_booked": "lead",
    "newsletter_subscribed": "lead",
    "rejected": "us",  # nobody but sales gives a lead back
    "sales_accepted": "lead",  # whoever is said to have acted, it was sales
    "unsubscribed": "lead",
}
"""Event types as CRMs, shops and senders of mail call them, and who acted."""


def types_of(actors: dict[str, str]) -> list[EventType]:
    return [EventType(name, "log", actor, 10, 5, 0.1, 0.5) for name, actor in sorted(actors.items())]


def outcomes(conversion: str = "won", *lost: str) -> Outcomes:
    return Outcomes((conversion,), lost, {}, (), ())


def test_facts_and_strengths_are_what_the_names_say() -> None:
    proposed = decision_for(types_of(VOCABULARY | {"won": "system", "lost": "us"}), outcomes("won", "lost"))
    requests = ["Demande de devis", "checkout started", "meeting_booked"]
    assert proposed == {
        "facts": {
            "asked to be forgotten": {"kind": "closes", "events": ["erasure_request"]},
            "unsubscribed": {
                "kind": "closes_channel",
                "channel": "mail",
                "events": ["unsubscribed"],
                "ended_by": ["newsletter_subscribed"],
            },
            "complained of spam": {"kind": "closes_channel", "channel": "mail", "events": ["SpamComplaint"]},
            "unreachable by mail": {"kind": "closes_channel", "channel": "mail", "events": ["email_hard_bounced"]},
            "asked for no calls": {"kind": "closes_channel", "channel": "telephone", "events": ["do_not_call"]},
            "refused by sales": {
                "kind": "refuses",
                "events": ["rejected"],
                "ended_by": ["Demande de devis", "checkout started", "form_submit", "meeting_booked"],
            },
            "asked for a quote": {"kind": "raises", "events": ["Demande de devis"], "lasts": "14d"},
            "asked for a meeting": {"kind": "raises", "events": ["meeting_booked"], "lasts": "14d"},
            "in work by sales": {
                "kind": "taken",
                "events": ["lead_assigned", "sales_accepted"],
                "ended_by": ["rejected", "lost"],
                "lasts": "30d",
            },
        },
        "maturity": {
            "strong": requests,
            "medium": ["Trial login", "brochure download", "form_submit", "newsletter_subscribed"],
        },
    }
    DecisionPolicy.model_validate(proposed)


def test_what_ends_an_episode_is_no_strength_and_raises_nothing() -> None:
    acts = {"demo_request": "lead", "quote_request": "lead", "refused": "us", "unsubscribe": "lead"}
    proposed = decision_for(types_of(acts), outcomes("quote_request", "refused", "unsubscribe"))
    assert proposed == {
        "facts": {
            "unsubscribed": {"kind": "closes_channel", "channel": "mail", "events": ["unsubscribe"]},
            "asked for a demo": {"kind": "raises", "events": ["demo_request"], "lasts": "14d"},
        },
        "maturity": {"strong": ["demo_request"]},
    }


def test_what_we_did_is_no_request_and_what_a_lead_did_is_no_work_of_sales() -> None:
    acts = {"meeting": "us", "download": "us", "accepted": "lead", "refused": "lead", "case_opened": "lead"}
    assert decision_for(types_of(acts), outcomes()) == {}


def test_contacts_are_our_calls_and_beside_them_meetings() -> None:
    acts = {"call_made": "us", "call_answered": "lead", "meeting": "lead", "email_sent": "us"}
    assert decision_for(types_of(acts), outcomes())["work"] == {"contacts": ["call_made", "meeting"]}
    assert "work" not in decision_for(types_of(acts | {"call_made": "lead"}), outcomes()), (
        "a lead that calls is no work"
    )
    assert "work" not in decision_for(types_of(acts), outcomes("call_made"))


@pytest.mark.parametrize(
    "name", ["email_bounced", "complaint", "gdpr_consent", "trial_balance", "quote_viewed", "A_ACCEPTED complete"]
)
def test_what_a_name_does_not_say_for_sure_is_no_fact(name: str) -> None:
    assert decision_for(types_of({name: "lead"}), outcomes()) == {}


def test_every_noun_that_a_fact_or_a_strength_goes_by_is_of_some_name() -> None:
    nouns = {english for (english, _), _ in ACTS.values()}
    told = {noun for fact in FACTS.values() for noun in (*fact.said_by, *fact.ended_by)}
    assert told | {*STRONG, *MEDIUM} <= nouns
    assert not {*STRONG} & {*MEDIUM}


def test_the_file_has_a_fact_a_line_with_the_leads_that_it_is_about(tmp_path: Path) -> None:
    """Of 300 leads each third asks for a quote, each sixth of these and no other wins, and each fifth wants no mail."""
    rows = []
    for number in range(300):
        came = BEGINNING + timedelta(hours=number)
        acts = ["page_view", *(["quote_request"] if number % 3 == 0 else []), *(["won"] if number % 18 == 0 else [])]
        acts += ["unsubscribe"] if number % 5 == 0 else []
        rows += [
            (f"L{number:04d}", f"{came + timedelta(days=day):%Y-%m-%d %H:%M}", act) for day, act in enumerate(acts)
        ]
    write_table(tmp_path / "raw/log.csv", ("lead_id", "at", "event"), rows)
    decision = propose(tmp_path / "raw", tmp_path)["decision"]
    assert list(decision) == ["facts", "maturity", "multiples"]
    lines = [line.strip() for line in (tmp_path / "params.yaml").read_text(encoding="utf-8").splitlines()]
    for expected in (
        "unsubscribed: {kind: closes_channel, channel: mail, events: [unsubscribe]} # 60 leads (20.0%)",
        "asked for a quote: {kind: raises, events: [quote_request], lasts: 14d} # 100 leads (33.3%)",
    ):
        assert expected in lines
    strong = next(line for line in lines if line.startswith("strong: "))
    assert " ".join(strong.split()) == "strong: [quote_request] # 100 leads (33.3%)"
