"""Amounts in several currencies, exchange rates with a date, and what was spent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from raw_logs import moment_of, query_of, read_log, read_quarantine, run_ingest, source_of, write_raw

from features.core.errors import InputError
from features.core.schema import SPENDING
from pipeline.ingest.summary import IngestSummary

LOG = (
    "lead,at,what,v,cur\n"
    "A,2026-01-01T12:00:00Z,won,100,EUR\n"
    "A,2026-01-02T12:00:00Z,won,100,usd\n"
    "A,2026-01-05T12:00:00Z,won,100,USD\n"  # the last rate is of the third
    "A,2026-01-03T00:30:00+02:00,won,100,USD\n"  # the second in UTC
    "A,2026-01-06T12:00:00Z,visit,,\n"
    "A,2026-01-07T12:00:00Z,won,10,\n"
    "A,2026-01-08T12:00:00Z,won,10,dollars\n"
    "A,2026-01-09T12:00:00Z,won,10, gbp \n"
)
RATES = (
    "day,code,rate\n2026-01-01,USD,0.5\n2026-01-03,USD,0.75\n2026-01-01,GBP,2\n2026-01-03,USD,0.75\n2026-01-04,USD,0\n"
)
RATE_TABLE: dict[str, Any] = {"path": "rates.csv", "columns": {"day": "day", "currency": "code", "rate": "rate"}}
MONEY: dict[str, Any] = {"value": "v", "currency": "cur"}
SPEND: dict[str, Any] = {
    "path": "spend.csv",
    "columns": {"day": "day", "channel": "ch", "campaign": "camp", "cost": "cost", "currency": "cur", "clicks": "n"},
}


def run_money(root: Path, **changes: Any) -> IngestSummary:  # noqa: ANN401 - settings of any kind
    return run_ingest(root, {"log": source_of(columns=MONEY)}, **{"currency": "EUR", "rates": RATE_TABLE} | changes)


def test_values_are_converted_with_the_last_rate_on_or_before_their_day(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=LOG, rates_csv=RATES)
    summary = run_money(tmp_path)
    assert read_log(tmp_path, "occurred_at::DATE::VARCHAR, value") == [
        ("2026-01-01", 100.0), ("2026-01-02", 50.0), ("2026-01-02", 50.0), ("2026-01-05", 75.0), ("2026-01-06", None),
        ("2026-01-09", 20.0),
    ]  # fmt: skip
    assert read_quarantine(tmp_path) == [("log.csv", 7, "missing currency"), ("log.csv", 8, "unreadable currency")]
    assert read_quarantine(tmp_path, "rates") == [
        ("rates.csv", 5, "duplicate"),
        ("rates.csv", 6, "rate is not above 0"),
    ]
    assert summary.rates is not None
    assert (summary.rates.rows, summary.rates.used) == (5, 3)


def test_a_currency_without_rates_stops_the_run(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=LOG)
    with pytest.raises(
        InputError,
        match=r"(?s)1 rows in GBP, the first on 2026-01-09.*3 rows in USD, the first on 2026-01-02.*ingest\.rates",
    ):
        run_money(tmp_path, rates=None)
    assert not (tmp_path / "data/interactions.parquet").exists()


def test_a_day_before_the_first_rate_stops_the_run(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=LOG, rates_csv=RATES.replace("2026-01-01,USD,0.5\n", ""))
    with pytest.raises(InputError, match=r"log: 2 rows in USD, the first on 2026-01-02\n(?!.*GBP)"):
        run_money(tmp_path)


def test_two_rates_of_one_day_that_differ_stop_the_run(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv=LOG, rates_csv=RATES + "2026-01-03,USD,0.8\n")
    with pytest.raises(InputError, match="the first of them 2026-01-03 for USD; keep one rate"):
        run_money(tmp_path)


def test_a_constant_currency_is_converted_and_its_sign_dropped(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv="lead,at,what,v\nA,2026-01-02,won,$4.50\nA,2026-01-03,won,€4\n", rates_csv=RATES)
    columns = {"value": "v", "currency": {"constant": "USD"}}
    run_ingest(tmp_path, {"log": source_of(columns=columns)}, currency="EUR", rates=RATE_TABLE)
    assert read_log(tmp_path, "value") == [(2.25,)]
    assert read_quarantine(tmp_path) == [("log.csv", 3, "unreadable value")]


def test_values_in_our_own_currency_need_no_rates(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv="lead,at,what,v\nA,2026-01-02,won,0.1\n")
    run_ingest(tmp_path, {"log": source_of(columns={"value": "v", "currency": {"constant": "EUR"}})}, currency="EUR")
    assert read_log(tmp_path, "value") == [(0.1,)]


def test_amounts_that_differ_in_their_currency_only_are_no_duplicates(tmp_path: Path) -> None:
    write_raw(
        tmp_path,
        log_csv="lead,at,what,v,cur\n" + "".join(f"A,2026-01-02,won,5,{c}\n" for c in ("EUR", "USD", "EUR")),
        rates_csv=RATES,
    )
    run_money(tmp_path)
    assert sorted(read_log(tmp_path, "value")) == [(2.5,), (5.0,)]
    assert read_quarantine(tmp_path) == [("log.csv", 4, "duplicate")]


@pytest.mark.parametrize(
    ("sources", "settings", "message"),
    [
        ({"a": source_of(columns=MONEY)}, {}, "sources.a: amounts name a currency; say which one"),
        (
            {"a": source_of(columns=MONEY), "b": source_of(columns={"value": "v"})},
            {"currency": "EUR"},
            "sources.b: the currency of the amounts is missing, and sources.a names one",
        ),
        (
            {"a": source_of(columns={"value": "v"})},
            {"currency": "EUR", "spend": SPEND},
            "sources.a: the currency of the amounts is missing, and spend names one",
        ),
        ({"a": source_of(columns=MONEY | {"currency": {"constant": "Euro"}})}, {"currency": "EUR"}, "is no code"),
        ({"a": source_of()}, {"rates": RATE_TABLE}, "rates without currency"),
    ],
)
def test_settings_that_would_mix_currencies_are_refused(
    sources: dict[str, Any], settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValidationError, match=message):
        run_ingest(tmp_path, sources, **settings)


def test_what_was_spent_is_a_table_beside_the_log(tmp_path: Path) -> None:
    write_raw(
        tmp_path,
        log_csv="lead,at,what\nA,2026-01-02,won\n",
        rates_csv=RATES,
        spend_csv="day,ch,camp,cost,cur,n\n"
        "2026-01-02,SEA,brand,10.10,EUR,5\n"
        "2026-01-02,SEA,brand,10.10,EUR,5\n"  # money spent twice is spent twice
        "2026-01-03,social,,20,USD,\n"
        "2026-01-01,SEA,brand,-1.5,EUR,0\n"
        "soon,SEA,brand,1,EUR,1\n"
        "2026-01-02,SEA,brand,,EUR,1\n"
        "2026-01-02,SEA,brand,inf,EUR,1\n"
        "2026-01-02,SEA,brand,1,,1\n"
        "2026-01-02,SEA,brand,1,EUR,-1\n"
        "2026-01-02,SEA,brand,1,EUR,0.5\n"
        "2099-01-02,SEA,brand,1,EUR,1\n",
    )
    summary = run_ingest(tmp_path, spend=SPEND, currency="EUR", rates=RATE_TABLE)
    path = tmp_path / "data/spend.parquet"
    assert [(field.name, field.type) for field in pq.read_schema(path)] == [(f.name, f.arrow) for f in SPENDING]
    assert query_of(tmp_path, f"SELECT day::VARCHAR, channel, campaign, cost, clicks FROM '{path}'") == [
        ("2026-01-01", "SEA", "brand", -1.5, 0),
        ("2026-01-02", "SEA", "brand", 10.1, 5),
        ("2026-01-02", "SEA", "brand", 10.1, 5),
        ("2026-01-03", "social", None, 15.0, None),
    ]
    assert [reason for _, _, reason in read_quarantine(tmp_path, "spend")] == [
        "unreadable day", "missing cost", "cost is not finite", "missing currency", "clicks below 0",
        "clicks is not a whole number", "day in the future",
    ]  # fmt: skip
    assert summary.spend is not None
    assert (summary.spend.rows, summary.spend.used, summary.spend.total_cost, summary.spend.days) == (11, 4, 33.7, 3)
    written = json.loads((tmp_path / "data/ingest.json").read_text())["spend"]
    assert (written["first_day"], written["last_day"]) == ("2026-01-01", "2026-01-03")


def test_who_counts_visitors_need_not_know_a_cost(tmp_path: Path) -> None:
    write_raw(
        tmp_path,
        log_csv="lead,at,what\nA,2026-01-02,won\n",
        spend_csv="day,ch,cost,v\n2026-01-02,SEO,,120\n2026-01-02,SEA,3,40\n2026-01-02,SEO,,\n2026-01-02,SEO,x,1\n"
        "2026-01-02,SEO,,1.5\n2026-01-02,SEO,,-1\n",
    )
    spend = {"path": "spend.csv", "columns": {"day": "day", "channel": "ch", "cost": "cost", "visits": "v"}}
    summary = run_ingest(tmp_path, spend=spend)
    assert query_of(tmp_path, f"SELECT channel, cost, visits FROM '{tmp_path}/data/spend.parquet'") == [
        ("SEA", 3.0, 40), ("SEO", None, 120),
    ]  # fmt: skip
    assert [reason for _, _, reason in read_quarantine(tmp_path, "spend")] == [
        "missing cost", "unreadable cost", "visits is not a whole number", "visits below 0",
    ]  # fmt: skip
    assert summary.spend is not None
    assert summary.spend.total_cost == 3.0


def test_spending_gets_its_channel_by_the_rules_and_its_day_as_written(tmp_path: Path) -> None:
    write_raw(
        tmp_path,
        log_csv="lead,at,what\nA,2026-01-02,won\n",
        spend_csv="day,src,med,cost\n02/01/2026,google,cpc,1\n03/01/2026,zeitung,anzeige,2\n",
    )
    columns = {"day": "day", "traffic_source": "src", "traffic_medium": "med", "cost": "cost"}
    spend = {"path": "spend.csv", "columns": columns, "time_format": "%d/%m/%Y", "time_zone": "Asia/Tokyo"}
    summary = run_ingest(tmp_path, spend=spend)
    assert query_of(tmp_path, f"SELECT day::VARCHAR, channel, cost FROM '{tmp_path}/data/spend.parquet'") == [
        ("2026-01-02", "SEA", 1.0), ("2026-01-03", "unmapped", 2.0),
    ]  # fmt: skip
    assert summary.spend is not None
    assert summary.spend.unmapped_channels is not None
    assert summary.spend.unmapped_channels.frequent == [["zeitung", "anzeige", 1]]
    assert any(warning.startswith("spend: no rule gives 1 rows (50%) a channel") for warning in summary.warnings)


def test_without_spending_there_is_an_empty_table(tmp_path: Path) -> None:
    write_raw(tmp_path, log_csv="lead,at,what\nA,2026-01-02,won\n")
    assert run_ingest(tmp_path).spend is None
    table = pq.read_table(tmp_path / "data/spend.parquet")
    assert (table.num_rows, table.schema.names) == (0, [field.name for field in SPENDING])
    assert read_log(tmp_path, "occurred_at") == [(moment_of("2026-01-02"),)]
