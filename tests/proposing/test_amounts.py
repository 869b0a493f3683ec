"""How amounts are written is told by all of them: 4,968 may be nearly five thousand, or nearly five."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from exports import BEGINNING, write_table
from proposals import propose, read_back, told

AMOUNTS = [569, *(1000 + 37 * number for number in range(29))]
TOTAL = float(sum(AMOUNTS))


def write_log(folder: Path, texts: Sequence[str]) -> None:
    """Write a log in which each of thirty leads out of a hundred buys for one of the amounts."""
    rows: list[tuple[object, ...]] = []
    for lead in range(100):
        begun = BEGINNING + timedelta(days=lead)
        rows += [(f"L{lead}", "page_view", begun + timedelta(hours=hour), "") for hour in range(3)]
        if lead < len(texts):
            rows.append((f"L{lead}", "purchase", begun + timedelta(hours=5), texts[lead]))
    write_table(folder / "log.csv", ["lead_id", "event", "occurred_at", "amount"], rows, delimiter=";")


def grouped(sign: str) -> Callable[[int], str]:
    return lambda amount: f"{amount:,}".replace(",", sign)


WAYS = {
    "commas": (grouped(","), TOTAL, "1,000 is taken for 1000"),
    "points": (grouped("."), TOTAL, "1.000 is taken for 1000"),
    "apostrophes": (grouped("'"), TOTAL, ""),
    "dollars": (lambda amount: f"${amount:,}", TOTAL, "is taken for USD"),
    "euros": (lambda amount: f"{amount:,}".replace(",", ".") + " €", TOTAL, "1.000 € is taken for 1000 €"),
    "narrow spaces": (lambda amount: f"{amount:,}".replace(",", "\u202f") + ",00 €", TOTAL, ""),
    "decimals, always three": (lambda amount: f"{amount * 8.125:.3f}", TOTAL * 8.125, ""),
    "decimals after a comma": (lambda amount: f"{amount * 8.125:.3f}".replace(".", ","), TOTAL * 8.125, ""),
    "decimals below one": (lambda amount: f"{amount / 4000:.3f}", sum(round(one / 4000, 3) for one in AMOUNTS), ""),
}


@pytest.mark.parametrize(("written", "total", "said"), WAYS.values(), ids=WAYS)
def test_amounts_are_what_was_written(written: Callable[[int], str], total: float, said: str, tmp_path: Path) -> None:
    write_log(tmp_path / "raw", [written(amount) for amount in AMOUNTS])
    propose(tmp_path / "raw", tmp_path)
    assert read_back(tmp_path, "interactions", "round(sum(value), 6), count(value)") == [(round(total, 6), 30)]
    assert said in told(tmp_path)
    assert bool(said) == ("is taken for" in told(tmp_path))


def test_amounts_of_several_currencies_or_ways_are_told_and_not_added_up(tmp_path: Path) -> None:
    for name, other, said in (
        ("currencies", "${}.50", "amount holds amounts in several currencies (EUR (15), USD (15)), so none is used"),
        ("ways", "1.{},50 €", "log.amount holds amounts written in several ways, as in"),
    ):
        texts = [
            f"€{amount}.50" if number % 2 else other.format(amount % 1000) for number, amount in enumerate(AMOUNTS)
        ]
        write_log(tmp_path / name / "raw", texts)
        settings = propose(tmp_path / name / "raw", tmp_path / name)
        assert "value" not in settings["ingest"]["sources"]["log"]["columns"]
        assert said in told(tmp_path / name)


def test_how_amounts_of_conversions_are_written_says_nothing_of_attributes(tmp_path: Path) -> None:
    """Of a table whose amounts know the outcome nothing else is a number: no setting says how numbers are written."""
    rows = []
    for lead in range(120):
        begun = BEGINNING + timedelta(days=lead)
        ended = (begun + timedelta(days=5)).strftime("%d/%m/%Y %H:%M")
        won = lead % 4 == 0
        rows.append(
            (
                1000 + lead,
                begun.strftime("%d/%m/%Y %H:%M"),
                ("web", "fair")[lead % 2],
                "Gagné" if won else "Perdu",
                ended,
                f"{1000 + lead},50 €" if won else "",
            )
        )
    header = ["ID contact", "Date de création", "Origine", "Statut", "Date de clôture", "Montant"]
    write_table(tmp_path / "raw" / "contacts.csv", header, rows, delimiter=";")
    settings = propose(tmp_path / "raw", tmp_path)
    assert "decimal" not in settings["ingest"]["leads"]
    assert read_back(tmp_path, "interactions", "round(sum(value), 2), count(value)") == [(31755.0, 30)]
