"""Numbers as they are written: each sign does what is stated, and nothing is guessed."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.reading.nested import RawColumn
from pipeline.reading.texts import number
from pipeline.settings.table import Table


def read(texts: list[str], currency: str | None = None, **how: str) -> list[float | None]:
    table = Table.model_validate({"path": "x.csv"} | how)
    sql = number("n", "c", {"c": RawColumn("text")}, table, currency)["n"]
    with duckdb.connect() as connection:
        query = f"SELECT {sql} FROM (SELECT unnest(?) AS text, generate_subscripts(?, 1) AS place) ORDER BY place"
        return [value for (value,) in connection.execute(query, [texts, texts]).fetchall()]


EUROPEAN = {"decimal": ",", "thousands": "."}
CASES: tuple[tuple[dict[str, str], str, float | None], ...] = (
    (EUROPEAN, "1.234,56", 1234.56),
    (EUROPEAN, "1.234", 1234.0),
    (EUROPEAN, "1.234.567,8", 1234567.8),
    (EUROPEAN, "1.23", None),
    (EUROPEAN, "1234.567", None),
    (EUROPEAN, "1,234.56", None),
    (EUROPEAN, "-1.234,5", -1234.5),
    ({"decimal": ","}, "1.234", None),
    ({"decimal": ","}, "1,234", 1.234),
    ({"decimal": ","}, "1 234,5", 1234.5),
    ({"decimal": ","}, "1\u00a0234\u202f567,5", 1234567.5),
    ({"decimal": ","}, "1\u202f234\u202f567,5", 1234567.5),
    ({"decimal": ","}, "1,5e3", 1500.0),
    ({}, "1,234", None),
    ({}, "1.234", 1.234),
    ({}, "1 234.5", 1234.5),
    ({}, "12 34", None),
    ({}, "1_000", None),
    ({}, "12 €", None),
    ({"thousands": ","}, "1,234,567.89", 1234567.89),
    ({"thousands": ","}, "1,23", None),
    ({"thousands": "'"}, "1'234.5", 1234.5),
    ({"thousands": "'"}, "1\u2019234.5", 1234.5),
    ({}, "\u00a07\u00a0", 7.0),
    ({}, "", None),
    ({}, "much", None),
)


@pytest.mark.parametrize(("how", "text", "value"), CASES)
def test_a_number_is_read_as_stated_or_not_at_all(how: dict[str, str], text: str, value: float | None) -> None:
    assert read([text], **how) == [value]


@pytest.mark.parametrize(
    ("currency", "text", "value"),
    [
        ("EUR", "€ 1.234,50", 1234.5),
        ("EUR", "1.234,50 €", 1234.5),
        ("EUR", "1.234,50\u00a0EUR", 1234.5),
        ("EUR", "eur12", 12.0),
        ("EUR", "-€5", -5.0),
        ("EUR", "€-5", -5.0),
        ("EUR", "-€-5", None),
        ("EUR", "$5", None),
        ("EUR", "USD 5", None),
        ("CHF", "Fr. 5,05", 5.05),
        ("USD", "US$5", 5.0),
        ("JPY", "¥500", 500.0),
        ("XAF", "500 XAF", 500.0),
        (None, "€5", None),
    ],
)
def test_only_the_sign_of_the_stated_currency_may_stand_beside_a_number(
    currency: str | None, text: str, value: float | None
) -> None:
    assert read([text], currency, **EUROPEAN) == [value]


def written(cents: int, decimal: str, thousands: str) -> str:
    """Write a number as a clerk would."""
    return f"{cents / 100:,.2f}".replace(",", "t").replace(".", decimal).replace("t", thousands)


@given(
    cents=st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=20),
    signs=st.sampled_from([(",", "."), (".", ","), (",", " "), (".", " "), (".", "'"), (",", "\u202f"), (",", "")]),
)
def test_what_a_clerk_writes_is_read_back(cents: list[int], signs: tuple[str, str]) -> None:
    decimal, thousands = signs
    stated = {"decimal": decimal} | ({"thousands": thousands} if thousands in ",.'" else {})
    assert read([written(amount, decimal, thousands) for amount in cents], **stated) == [a / 100 for a in cents]


@given(
    st.text(alphabet="0123456789.,' €$-", max_size=12), st.sampled_from([(".", ""), (",", ""), (",", "."), (".", ",")])
)
def test_a_sign_that_is_not_stated_never_makes_another_number(text: str, signs: tuple[str, str]) -> None:
    decimal, thousands = signs
    (value,) = read([text], decimal=decimal, thousands=thousands)
    if value is not None:
        digits = text.strip().replace(" ", "")
        grouped = digits.replace(thousands, "") if thousands else digits
        assert value == float(grouped.replace(decimal, "."))
