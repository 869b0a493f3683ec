"""What init proposes of tables in which people say something of leads, and leads of themselves.

What is proposed is ingested as it stands; what lacks something is told, and makes no setting.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from exports import Row, write_table
from proposals import ingest, propose, read, read_back, told
from shop import LEADS, at, day, write_shop

NUMBERS = range(LEADS)


def lead(number: int) -> str:
    return f"L{number:05d}"


def consents(purposes: Sequence[str], statuses: Sequence[str]) -> list[Row]:
    """Let each lead say something of each purpose, in turn, five hours after its creation."""
    return [
        (lead(n), purpose, statuses[n % len(statuses)], at(n, 5 + place))
        for n in NUMBERS
        for place, purpose in enumerate(purposes)
    ]


WORDS: dict[str, tuple[str, Sequence[str], Mapping[str, str], Mapping[str, str]]] = {
    "English": (
        "consents",
        ("contact_id", "purpose", "state", "since"),
        {"Newsletter": "mail", "phone": "telephone", "advertising": ""},
        {"Opted in": "given", "opted out": "withdrawn", "no": "refused"},
    ),
    "French": (
        "registre",
        ("lead_id", "finalité", "statut", "modifié le"),
        {"courriel": "mail", "téléphone": "telephone", "publicité": "advertising"},
        {"donné": "given", "retiré": "withdrawn", "opposé": "objected"},
    ),
    "German": (
        "Einwilligungen",
        ("Lead-Nr", "Zweck", "Status", "geändert am"),
        {"E-Mail": "mail", "Anruf": "telephone", "alles": "everything"},
        {"erteilt": "given", "widerrufen": "withdrawn", "abgelehnt": "refused"},
    ),
}


@pytest.mark.parametrize(("name", "header", "purposes", "statuses"), WORDS.values(), ids=WORDS)
def test_consents_are_proposed_with_their_words(
    tmp_path: Path, name: str, header: Sequence[str], purposes: Mapping[str, str], statuses: Mapping[str, str]
) -> None:
    write_shop(tmp_path / "raw")
    write_table(tmp_path / f"raw/{name}.csv", header, consents(list(purposes), list(statuses)))
    settings = propose(tmp_path / "raw", tmp_path)["ingest"]
    assert set(settings["sources"]) == {"web", "outcomes"}
    proposed = settings["consents"]
    assert proposed["columns"] == dict(zip(("lead_id", "purpose", "status", "changed_at"), header, strict=True))
    assert proposed["purposes"] == {word.lower(): meant for word, meant in purposes.items() if meant}
    assert proposed["statuses"] == {word.lower(): meant for word, meant in statuses.items()}
    assert f"{name.lower()}: 900 rows for ingest.consents" in told(tmp_path)
    first = read_back(tmp_path, "consents", "lead_id, purpose, status, changed_at, known_at")[:3]
    meant = sorted((meaning or word) for word, meaning in purposes.items())
    assert [row[:3] for row in first] == [(lead(0), purpose, "given") for purpose in meant]
    assert {row[3] for row in first} == {datetime(2025, 1, 6, hour) for hour in (13, 14, 15)}
    assert all(row[3] == row[4] for row in first)


def test_the_words_of_yes_and_no_are_quoted_and_counted(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    rows = consents(("mail", "telephone"), ("yes", "no", "yes"))
    write_table(tmp_path / "raw/opt_ins.csv", ("lead_id", "purpose", "status", "at"), rows)
    assert propose(tmp_path / "raw", tmp_path)["ingest"]["consents"]["statuses"] == {"yes": "given", "no": "refused"}
    assert "status: status                     # yes (400), no (200)" in (tmp_path / "params.yaml").read_text()


@pytest.mark.parametrize(("every", "become"), [(10, "are left out by its query"), (60, "are set aside")])
def test_words_that_say_nothing_here_are_told_with_counts(tmp_path: Path, every: int, become: str) -> None:
    write_shop(tmp_path / "raw")
    rows = [
        (lead(n), purpose, "pending" if n % every == 0 else ("given", "withdrawn")[n % 2], at(n, 5))
        for n in NUMBERS
        for purpose in ("mail", *(["sms"] if n % every == 1 else []))
    ]
    write_table(tmp_path / "raw/consents.csv", ("lead_id", "purpose", "status", "changed_at"), rows)
    propose(tmp_path / "raw", tmp_path)
    some, all_of_them = LEADS // every, LEADS + LEADS // every
    assert f"{some} of {all_of_them} rows of consents {become}: their purpose is none" in told(tmp_path)
    assert f"known here: sms ({some})" in told(tmp_path)
    assert f"known here: pending ({some})" in told(tmp_path)
    ingest(tmp_path)
    summary = read(tmp_path, "data/ingest.json")["consents"]
    assert summary["used"] == LEADS - some
    assert sum(summary["set_aside"].values()) == (2 * some if become == "are set aside" else 0)


def test_a_consent_of_a_contact_is_known_once_the_contact_was_a_leads(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    contacts = [(f"C{n:05d}", lead(n), at(n, 30)) for n in NUMBERS]
    write_table(tmp_path / "raw/contacts.csv", ("contact_id", "lead_id", "created_at"), contacts)
    rows = [(f"C{n:05d}", purpose, "given", at(n, 5)) for n in NUMBERS for purpose in ("mail", "telephone")]
    rows.append(("C00000", "mail", "withdrawn", at(0, 50)))
    write_table(tmp_path / "raw/consents.csv", ("contact_id", "purpose", "status", "changed_at"), rows)
    propose(tmp_path / "raw", tmp_path)
    found = read_back(tmp_path, "consents", "lead_id, purpose, status, changed_at, known_at")
    assert len(found) == 2 * LEADS + 1
    assert found[:2] == [
        (lead(0), "mail", "given", datetime(2025, 1, 6, 13), datetime(2025, 1, 7, 14)),
        (lead(0), "mail", "withdrawn", datetime(2025, 1, 8, 10), datetime(2025, 1, 8, 10)),
    ]


def test_without_a_table_of_leads_the_ids_of_the_log_are_known_in_consents_too(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    (tmp_path / "raw/leads.csv").unlink()
    rows = consents(("mail", "telephone"), ("given", "refused"))
    write_table(tmp_path / "raw/consents.csv", ("lead_id", "purpose", "status", "changed_at"), rows)
    propose(tmp_path / "raw", tmp_path)
    assert len(read_back(tmp_path, "consents", "lead_id")) == 2 * LEADS


LACKING: dict[str, tuple[Sequence[str], str]] = {
    "no time": (("lead_id", "purpose", "status"), "no column says when it was said (changed_at)"),
    "no purpose": (("lead_id", "topic", "status", "at"), "no column says what each is about (purpose"),
    "two times": (
        ("lead_id", "purpose", "status", "signed_on", "entry_on"),
        "signed_on and entry_on may both say when",
    ),
}


@pytest.mark.parametrize(("header", "lack"), LACKING.values(), ids=LACKING)
def test_what_consents_lack_is_told(tmp_path: Path, header: Sequence[str], lack: str) -> None:
    write_shop(tmp_path / "raw")
    words = ("jobs", "products") if "topic" in header else ("mail", "telephone")
    rows = [(*row, at(n, 3))[: len(header)] for n, row in enumerate(consents(words, ("given", "withdrawn")))]
    write_table(tmp_path / "raw/consents.csv", header, rows)
    assert "consents" not in propose(tmp_path / "raw", tmp_path)["ingest"]
    assert "consents is not used: it says what leads agreed to" in told(tmp_path)
    assert f"ingest.consents takes it, but {lack}" in told(tmp_path)


DECISIONS: dict[str, tuple[str, Sequence[str], Mapping[str, str]]] = {
    "English": (
        "decisions",
        ("lead", "decided_at", "verdict", "call_again_on", "until", "who", "why"),
        {"hot": "SQL", "keep warm": "MQL", "Never": "disqualified"},
    ),
    "French": (
        "suivi",
        ("lead_id", "décidé le", "avis", "rappeler le", "jusqu'au", "par", "motif"),
        {"Chaud": "SQL", "FROID": "IQL", "hors cible": "disqualified"},
    ),
    "German": (
        "Vertrieb",
        ("Lead-Nr", "am", "Einstufung", "Wiedervorlage", "gültig bis", "Bearbeiter", "Begründung"),
        {"heiß": "SQL", "lauwarm": "MQL", "ungeeignet": "disqualified"},
    ),
}
FIELDS = ("lead_id", "decided_at", "tier", "call_on", "until", "by", "reason")


def decisions(words: Sequence[str], leads: Iterable[int] = NUMBERS) -> list[Row]:
    """Let people say a word of each lead, nine hours after its creation; of every fifth, when to call it."""
    return [
        (
            lead(n),
            at(n, 9),
            words[n % len(words)],
            day(n // 2 + 9) if n % 5 == 0 else "",
            day(n // 2 + 30),
            ("K1", "K2")[n % 2],
            ("no budget", "asked for it")[n % 2],
        )
        for n in leads
    ]


@pytest.mark.parametrize(("name", "header", "words"), DECISIONS.values(), ids=DECISIONS)
def test_what_people_decided_is_proposed_with_their_words_and_is_no_event(
    tmp_path: Path, name: str, header: Sequence[str], words: Mapping[str, str]
) -> None:
    write_shop(tmp_path / "raw")
    write_table(tmp_path / f"raw/{name}.csv", header, decisions(list(words), range(0, LEADS, 2)))
    settings = propose(tmp_path / "raw", tmp_path)
    assert set(settings["ingest"]["sources"]) == {"web", "outcomes"}
    assert settings["episodes"] == {"conversion": ["won"], "lost": ["lost"]}
    proposed = settings["ingest"]["decisions"]
    assert proposed["columns"] == dict(zip(FIELDS, header, strict=True))
    assert proposed["tiers"] == {word.lower(): meant for word, meant in words.items()}
    found = read_back(tmp_path, "decisions", "lead_id, decided_at, known_at, tier, call_on::VARCHAR, until::VARCHAR")
    assert len(found) == LEADS / 2
    moment = datetime(2025, 1, 6, 17)
    assert found[0] == (lead(0), moment, moment, "SQL", "2025-01-15", "2025-02-05")


def test_a_word_of_which_the_day_is_told_is_known_when_the_day_is_over(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    rows: list[Row] = [(lead(n), day(n // 2 + 1), ("SQL", "recycled")[n % 2], "K1", "why") for n in NUMBERS]
    rows.append((lead(0), day(1), "MQL", "K2", "why not"))
    write_table(tmp_path / "raw/word.csv", ("lead_id", "on", "tier", "by", "reason"), rows)
    assert "tiers" not in propose(tmp_path / "raw", tmp_path)["ingest"]["decisions"]
    assert "1 rows of word are of a lead and a day that has another one" in told(tmp_path)
    found = read_back(tmp_path, "decisions", "lead_id, decided_at, known_at")
    assert found[-1] == (lead(299), datetime(2025, 6, 5), datetime(2025, 6, 6))


def test_a_row_that_was_changed_since_is_known_from_its_change_on(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    rows = [(*row, at(n, 200)) for n, row in enumerate(decisions(("SQL", "disqualified")))]
    header = ("lead", "decided_at", "verdict", "call_again_on", "until", "who", "why", "last_modified")
    write_table(tmp_path / "raw/decisions.csv", header, rows)
    propose(tmp_path / "raw", tmp_path)
    (first, *_) = read_back(tmp_path, "decisions", "decided_at, known_at")
    assert first == (datetime(2025, 1, 6, 17), datetime(2025, 1, 14, 16))


def write_lifecycle(folder: Path) -> None:
    rows = [(lead(n), at(n, 5 + step), ("MQL", "SQL")[step], "K1") for n in NUMBERS for step in range(2)]
    write_table(folder / "lifecycle_history.csv", ("lead_id", "changed_at", "stage", "by"), rows)


def write_moves(folder: Path) -> None:
    rows = [(lead(n), at(n, 5), "MQL", ("SQL", "disqualified")[n % 2], "K1", "why") for n in NUMBERS]
    write_table(folder / "moves.csv", ("lead_id", "at", "old_tier", "new_tier", "by", "reason"), rows)


def write_calls(folder: Path) -> None:
    rows = [(lead(n), at(n, 5), ("hot", "cold")[n % 2], ("K1", "K2")[n % 2], "spoke") for n in NUMBERS]
    write_table(folder / "calls.csv", ("lead_id", "called_at", "result", "agent", "notes"), rows)


def write_loans(folder: Path) -> None:
    rows = [(lead(n), at(n, 5), ("approved", "disqualified")[n % 2], "K1", "income") for n in NUMBERS]
    write_table(folder / "decisions.csv", ("lead_id", "decided_at", "decision", "by", "reason"), rows)


@pytest.mark.parametrize("write", [write_lifecycle, write_moves, write_calls, write_loans])
def test_a_log_that_has_words_of_tiers_stays_a_log(write: Any, tmp_path: Path) -> None:  # noqa: ANN401 - a function
    write_shop(tmp_path / "raw")
    write(tmp_path / "raw")
    settings = propose(tmp_path / "raw", tmp_path, conversion=("won",))["ingest"]
    assert "decisions" not in settings
    assert len(settings["sources"]) == 3


def test_leads_that_have_a_lifecycle_are_leads(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    rows = [(lead(n), at(n), ("MQL", "SQL", "disqualified")[n % 3], "K1", "reason") for n in NUMBERS]
    header = ("lead_id", "created_at", "lifecycle_stage", "owner", "reason")
    write_table(tmp_path / "raw/leads.csv", header, rows)
    settings = propose(tmp_path / "raw", tmp_path)["ingest"]
    assert (settings["leads"]["path"], "decisions" in settings) == ("leads.csv", False)


def test_what_the_user_calls_a_conversion_is_no_word(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    write_table(
        tmp_path / "raw/decisions.csv", ("lead_id", *DECISIONS["English"][1][1:]), decisions(("SQL", "disqualified"))
    )
    settings = propose(tmp_path / "raw", tmp_path, conversion=("SQL",))
    assert "decisions" not in settings["ingest"]
    assert settings["episodes"]["conversion"] == ["SQL"]


def test_decisions_in_words_that_nobody_knows_are_told(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    write_table(tmp_path / "raw/decisions.csv", ("lead_id", *DECISIONS["English"][1][1:]), decisions(("A", "B", "C")))
    assert "decisions" not in propose(tmp_path / "raw", tmp_path)["ingest"]
    assert "decisions is read as events; if people say in it what they take leads for" in told(tmp_path)


def test_a_table_of_which_too_many_rows_say_nothing_clear_is_taken_back(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    rows = [
        (*row[:4], day(n // 2 - 5) if n % 10 == 0 else row[4], *row[5:])
        for n, row in enumerate(decisions(("SQL", "never")))
    ]
    write_table(tmp_path / "raw/decisions.csv", DECISIONS["English"][1], rows)
    assert "decisions" not in propose(tmp_path / "raw", tmp_path)["ingest"]
    assert "but 30 of its 300 rows can't be used (30 until lies before decided_at)" in told(tmp_path)
    ingest(tmp_path)


def test_leads_of_whom_nobody_has_said_anything_are_left_out(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    rows = [(*row[:3], "", *row[4:]) for row in decisions(("hot", "cold", ""))]
    write_table(tmp_path / "raw/decisions.csv", DECISIONS["English"][1], rows)
    propose(tmp_path / "raw", tmp_path)
    assert "100 of 300 rows of decisions say nothing under verdict: they are left out by its query" in told(tmp_path)
    assert {tier for (tier,) in read_back(tmp_path, "decisions", "tier")} == {"SQL", "IQL"}
    assert not sum(read(tmp_path, "data/ingest.json")["decisions"]["set_aside"].values())
