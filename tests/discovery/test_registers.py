"""Tables of which no row is an act of a lead: consents, exchange rates, owners; and what becomes of amounts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from exports import Row, write_table
from proposals import count, ingest, propose, read, read_back, told
from shop import LEADS, at, day, write_shop

RATES = [("GBP", 1.2), ("USD", 0.9)]


def write_rates(folder: Path, rates: Sequence[tuple[str, float]] = RATES, first: int = -7, name: str = "fx") -> None:
    """Write a rate a week and currency, which moves a little."""
    rows = [
        (day(week), code, f"{rate * (1 + 0.01 * (week % 3)):.4f}")
        for week in range(first, 160, 7)
        for code, rate in rates
    ]
    write_table(folder / f"{name}.csv", ("valid_on", "code", "eur"), rows)


CONSENTS: dict[str, tuple[str, Sequence[str], Sequence[str], Sequence[str]]] = {
    "by its words": ("register", ("purpose", "status"), ("mail", "telephone"), ("given", "refused", "withdrawn")),
    "by its name": ("consents", ("topic", "state"), ("products", "jobs"), ("yes", "no", "withdrawn")),
    "by its columns": ("history", ("channel", "opt_in_status"), ("email", "sms"), ("opted in", "opted out", "pending")),
    "French": ("registre", ("finalité", "statut"), ("prospection", "profilage"), ("donné", "refusé", "retiré")),
    "German": ("Einwilligungen", ("Zweck", "Status"), ("Werbung", "Telefon"), ("erteilt", "abgelehnt", "widerrufen")),
}


@pytest.mark.parametrize(("name", "columns", "purposes", "statuses"), CONSENTS.values(), ids=CONSENTS)
def test_what_leads_agreed_to_is_no_act_and_no_loss(
    tmp_path: Path, name: str, columns: Sequence[str], purposes: Sequence[str], statuses: Sequence[str]
) -> None:
    write_shop(tmp_path / "raw")
    rows = [
        (f"L{n:05d}", purpose, statuses[(n + place) % len(statuses)], at(n, 5 + place))
        for n in range(LEADS)
        for place, purpose in enumerate(purposes)
    ]
    write_table(tmp_path / f"raw/{name}.csv", ("lead_id", *columns, "changed_at"), rows)
    settings = propose(tmp_path / "raw", tmp_path)
    assert set(settings["ingest"]["sources"]) == {"web", "outcomes"}
    assert settings["episodes"] == {"conversion": ["won"], "lost": ["lost"]}
    if name in {"consents", "registre"}:  # of which nobody here knows what they are about
        assert f"{name} is not used: it says what leads agreed to" in told(tmp_path)
    else:
        assert "consents" in settings["ingest"]
        assert "rows for ingest.consents" in told(tmp_path)


def test_what_a_loan_is_for_is_no_purpose_of_a_consent(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    rows = [
        (f"L{n:05d}", ("car", "house")[n % 2], ("granted", "refused", "withdrawn")[n % 3], at(n, 9))
        for n in range(LEADS)
    ]
    write_table(tmp_path / "raw/decisions.csv", ("lead_id", "purpose", "status", "at"), rows)
    propose(tmp_path / "raw", tmp_path)
    ingest(tmp_path)
    assert count(tmp_path)["granted", "lead"] == LEADS / 3


@pytest.mark.parametrize("also", [("employees",), ()], ids=["and more", "and no more"])
def test_leads_that_say_whether_they_opted_in_are_leads(tmp_path: Path, also: Sequence[str]) -> None:
    write_shop(tmp_path / "raw")
    rows = [
        (f"L{n:05d}", at(n), ("email", "phone", "ads")[n % 3], ("yes", "no")[n % 7 == 0], *(n % 50 for _ in also))
        for n in range(LEADS)
    ]
    write_table(tmp_path / "raw/leads.csv", ("lead_id", "created_at", "source", "opt_in", *also), rows)
    leads = propose(tmp_path / "raw", tmp_path)["ingest"]["leads"]
    assert leads["path"] == "leads.csv"
    assert leads["attributes"].keys() == {"opt_in", *also}


def test_forms_with_a_box_to_tick_are_acts(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    rows = [
        (f"L{n:05d}", at(n, 5 + again), ("email", "ads")[n % 2], ("demo", "contact")[again], ("yes", "no")[n % 5 == 0])
        for n in range(LEADS)
        for again in range(2)
    ]
    write_table(tmp_path / "raw/forms.csv", ("lead_id", "submitted_at", "channel", "form", "optin"), rows)
    assert "forms" in propose(tmp_path / "raw", tmp_path)["ingest"]["sources"]


def test_a_withdrawn_consent_among_other_events_is_no_loss(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    rows = [
        (f"L{n:05d}", at(n, 9), ("meeting", "consent_withdrawn", "application_withdrawn")[n % 3]) for n in range(LEADS)
    ]
    write_table(tmp_path / "raw/crm.csv", ("lead_id", "at", "kind"), rows)
    settings = propose(tmp_path / "raw", tmp_path, conversion=("won",))
    assert "consent_withdrawn" not in settings["episodes"]["lost"]


def test_a_table_of_ends_is_a_source_as_it_is(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    source = propose(tmp_path / "raw", tmp_path)["ingest"]["sources"]["outcomes"]
    columns = {"lead_id": "lead_id", "occurred_at": "closed_at", "event_type": "outcome"}
    columns |= {"value": "value", "currency": "currency"}
    expected = {"path": "outcomes.csv", "delimiter": ",", "known_at": "as_it_occurred", "actor": "system"}
    assert source == {**expected, "columns": columns}
    ingest(tmp_path)
    found = count(tmp_path)
    assert [found[kind, "system"] for kind in ("won", "lost", "refund")] == [LEADS / 3, LEADS * 2 / 3, 1]


def test_amounts_in_several_currencies_are_converted_by_the_rates(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw", ("EUR", "GBP", "USD"))
    write_rates(tmp_path / "raw")
    costs = [(day(number), "sea", 10 + number) for number in range(100)]
    write_table(tmp_path / "raw/ads.csv", ("day", "channel", "cost"), costs)
    settings = propose(tmp_path / "raw", tmp_path)["ingest"]
    assert settings["currency"] == "EUR"
    assert settings["rates"]["columns"] == {"day": "valid_on", "currency": "code", "rate": "eur"}
    assert settings["sources"]["outcomes"]["columns"]["currency"] == "currency"
    assert settings["spend"]["columns"]["currency"] == {"constant": "EUR"}
    assert "fx holds exchange rates: one GBP is taken to be worth 1.2 to 1.224 EUR" in told(tmp_path)
    ingest(tmp_path)
    assert read(tmp_path, "data/ingest.json")["sources"]["outcomes"]["used"] == LEADS + 1


REFUSED: dict[str, tuple[Sequence[str], Sequence[tuple[str, float]], int, str]] = {
    "a currency lacks": (("EUR", "GBP", "JPY"), RATES, -7, "the rates of fx lack JPY"),
    "too late": (("EUR", "GBP"), RATES, 30, "the rates of fx begin too late (those of GBP begin"),
    "no base": (("GBP", "USD"), RATES, -7, "don't say which currency they turn amounts into"),
}


@pytest.mark.parametrize(("currencies", "rates", "first", "said"), REFUSED.values(), ids=REFUSED)
def test_where_the_rates_are_no_help_it_is_said_and_no_amount_is_used(
    tmp_path: Path, currencies: Sequence[str], rates: Sequence[tuple[str, float]], first: int, said: str
) -> None:
    write_shop(tmp_path / "raw", currencies)
    write_rates(tmp_path / "raw", rates, first)
    settings = propose(tmp_path / "raw", tmp_path)["ingest"]
    assert not {"currency", "rates"} & settings.keys()
    assert "value" not in settings["sources"]["outcomes"]["columns"]
    assert said in told(tmp_path)


def test_the_currency_of_which_one_is_always_one_is_ours(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw", ("USD", "EUR", "USD"))
    rows = [(day(week), code, rate) for week in range(-7, 160, 7) for code, rate in (("EUR", 1), ("USD", 1.1))]
    write_table(tmp_path / "raw/fx.csv", ("StartDate", "IsoCode", "rate"), rows)
    settings = propose(tmp_path / "raw", tmp_path)["ingest"]
    assert (settings["currency"], settings["rates"]["path"]) == ("EUR", "fx.csv")


def test_what_salesforce_calls_a_conversion_rate_is_turned_over(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw", ("EUR", "USD"))
    rows = [(day(week), code, rate) for week in range(-7, 160, 7) for code, rate in (("EUR", 1), ("USD", 1.25))]
    write_table(tmp_path / "raw/DatedConversionRate.csv", ("StartDate", "IsoCode", "ConversionRate"), rows)
    rates: dict[str, Any] = propose(tmp_path / "raw", tmp_path)["ingest"]["rates"]
    assert "1 / TRY_CAST" in rates["query"]
    assert "one EUR is taken to be worth 1.25 to 1.25 USD" in told(tmp_path)
    ingest(tmp_path)


def test_the_takings_of_a_day_are_no_rates(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw", ("EUR", "GBP"))
    for name, column in (("takings", "revenue"), ("stock", "items")):
        rows = [
            (day(number), code, (number * 37 % 101 + 1) * 10 + place)
            for number in range(100)
            for place, code in enumerate(("EUR", "GBP"))
        ]
        write_table(tmp_path / f"raw/{name}.csv", ("day", "currency", column), rows)
    assert "rates" not in propose(tmp_path / "raw", tmp_path)["ingest"]
    assert "so none is used; name a table of exchange rates" in told(tmp_path)


def test_owners_own_no_number(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    rows = [((0, 2)[n % 3 > 0], f"S{n % 5:02d}", day(3 * n), ("north", "south")[n % 2]) for n in range(40)]
    write_table(tmp_path / "raw/owners.csv", ("leads_per_day", "owner", "from", "territory"), rows)
    propose(tmp_path / "raw", tmp_path)
    assert "owners is not used: it says who owns a territory, and from when" in told(tmp_path)


def write_leads(folder: Path, column: str, values: Sequence[str]) -> None:
    rows = [(f"L{n:05d}", at(n), values[n % len(values)]) for n in range(LEADS)]
    write_table(folder / "leads.csv", ("lead_id", "created_at", column), rows)


TURNS = [(territory, f"S{turn % 3}", turn * 20) for turn in range(6) for territory in ("north", "south")]
OWNERS: dict[str, tuple[Sequence[str], list[Row], dict[str, str], str]] = {
    "the next row ends one": (
        ("region", "owner", "from", "leads per day"),
        [(territory, owner, day(first), 2) for territory, owner, first in TURNS],
        {"until": "next_begins", "per_day": "leads per day"},
        "2025-01-26",
    ),
    "the last day": (
        ("region", "owner", "from", "until"),
        [(territory, owner, day(first), day(first + 19)) for territory, owner, first in TURNS],
        {"until": "until"},
        "2025-01-26",
    ),
    "the first day of the next": (
        ("secteur", "commercial", "du", "au"),
        [(territory, owner, day(first), day(first + 20)) for territory, owner, first in TURNS],
        {"until": "au"},
        "2025-01-26",
    ),
}


@pytest.mark.parametrize(("header", "rows", "more", "ends"), OWNERS.values(), ids=OWNERS)
def test_who_owns_a_territory_is_proposed_with_the_attribute_that_it_goes_by(
    tmp_path: Path, header: Sequence[str], rows: list[Row], more: dict[str, str], ends: str
) -> None:
    write_shop(tmp_path / "raw")
    write_leads(tmp_path / "raw", header[0], ["north", "south"] * 20 + ["east"])
    write_table(tmp_path / "raw/territories.csv", header, rows)
    settings = propose(tmp_path / "raw", tmp_path)
    columns = dict(zip(("territory", "owner", "from"), header, strict=False)) | more
    assert settings["ingest"]["owners"]["columns"] == columns
    assert settings["ingest"]["owners"].get("until_is_last", False) == (header[-1] == "until")
    assert settings["decision"]["territory"] == header[0]
    assert "293 of 300 leads are in a territory that territories names" in (tmp_path / "params.yaml").read_text()
    (first, *_) = read_back(tmp_path, "owners", "territory, owner, begins::VARCHAR, ends::VARCHAR")
    assert first == ("north", "S0", "2025-01-06", ends)


LACKING: dict[str, tuple[str, Sequence[str], list[Row], str]] = {
    "no attribute holds it": ("country", ("region", "owner", "from"), [], "no attribute of the leads holds a region"),
    "too few leads": (
        "region",
        ("region", "owner", "from"),
        [("north", "S1", day(0)), ("west", "S2", day(1))],
        "by region only 150 of 300 leads are in a region that it names",
    ),
    "rows overlap": (
        "region",
        ("region", "owner", "from", "until"),
        [("north", "S1", day(0), day(30)), ("north", "S2", day(20), day(40)), ("south", "S3", day(0), day(9))],
        "a region has rows that hold on the same day",
    ),
    "which day is the last": (
        "region",
        ("region", "owner", "from", "until"),
        [("north", "S1", day(0), day(30)), ("south", "S2", day(1), day(31))],
        "its rows do not tell whether until is the last day",
    ),
}


@pytest.mark.parametrize(("attribute", "header", "rows", "lack"), LACKING.values(), ids=LACKING)
def test_what_owners_lack_is_told(
    tmp_path: Path, attribute: str, header: Sequence[str], rows: list[Row], lack: str
) -> None:
    write_shop(tmp_path / "raw")
    write_leads(tmp_path / "raw", attribute, ["north", "south"] if attribute == "region" else ["NL", "DE"])
    write_table(tmp_path / "raw/owners.csv", header, rows or [(name, who, day(n)) for name, who, n in TURNS])
    settings = propose(tmp_path / "raw", tmp_path)
    assert "owners" not in settings["ingest"]
    assert "territory" not in settings["decision"]
    assert f"ingest.owners takes it, but {lack}" in told(tmp_path)
    ingest(tmp_path)


def test_hours_of_owners_need_the_length_of_a_call(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    write_leads(tmp_path / "raw", "region", ["north", "south"])
    rows = [(territory, owner, day(first), 6) for territory, owner, first in TURNS]
    write_table(tmp_path / "raw/owners.csv", ("region", "owner", "from", "hours a day"), rows)
    assert "per_day" not in propose(tmp_path / "raw", tmp_path)["ingest"]["owners"]["columns"]
    assert "nobody says how long a call takes (decision.work.call_hours)" in told(tmp_path)
    ingest(tmp_path)
