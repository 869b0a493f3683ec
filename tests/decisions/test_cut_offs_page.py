"""The page of cut-offs: in a real browser, what it says as they move is what deciding anew would give."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from browser import Browser, running_browser
from hypothesis import given
from hypothesis import strategies as st
from world import Project

from features.core.recommendation import RECOMMENDATION
from models.decision.facts import Fact
from models.decision.tiers import CutOffs, Money, Multiples, Stated
from models.decision.what_if import OpenLeads
from pipeline.report.cut_offs import cut_offs_page
from pipeline.report.results import Results
from pipeline.settings.file import load_parameters

FACTS = {"asked": Fact("raises", ("quote",)), "refused": Fact("refuses", ("refusal",))}
LEADS: tuple[tuple[str, float, float, list[str]], ...] = (
    ("SQL", 0.4, 500, []),
    ("SQL", 0.3, 1000, []),
    ("MQL", 0.25, 400, []),
    ("recycled", 0.15, 1000, []),
    ("MQL", 0.12, 1000, ["2026-01-04 refused"]),
    ("recycled", 0.5, 1000, ["2026-01-04 refused"]),
    ("SQL", 0.001, 1000, ["2026-01-05 asked"]),
    ("IQL", 0.01, 1000, []),
    ("disqualified", 0.6, 1000, []),
)
"""Tier, probability, value and facts, where sales begins at 0.2 of a conversion of 1,000, and marketing at 0.02."""
MONEY = Money(value=1000, sales_contact=100, nurturing=10, effect=0.5, attribute="plan")
BASE_RATE = 0.1
TIERS = ("disqualified", "SQL", "recycled", "MQL", "IQL")


def recommended(settled: Money | Multiples | Stated) -> pa.Table:
    rows = [
        {
            "lead_id": f"<b>{place}", "as_of": datetime(2026, 1, 8), "probability": probability, "tier": tier,
            "facts": facts, "expected_value": probability * value if isinstance(settled, Money) else None,
        }
        for place, (tier, probability, value, facts) in enumerate(LEADS)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, pa.schema([(field.name, field.arrow) for field in RECOMMENDATION]))


@pytest.fixture(scope="module")
def results(world: Project) -> tuple[Any, Results]:
    parameters = load_parameters(world.root / "params.yaml")
    return parameters, Results.read(world)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


def opened(
    browser: Browser,
    folder: Path,
    results: tuple[Any, Results],
    settled: Money | Multiples | Stated,
    *,
    width: int = 1280,
) -> Browser:
    """Open the page of LEADS as they are decided by these settings."""
    parameters, found = results
    name = {Money: "money", Multiples: "multiples", Stated: "tiers"}[type(settled)]
    decision = parameters.decision.model_copy(
        update={"facts": FACTS, "money": None, "tiers": None, "multiples": Multiples(), name: settled}
    )
    cuts = CutOffs.of(settled, BASE_RATE)
    scoring = found.scoring | {
        "cut_offs": {"MQL": cuts.mql, "SQL": cuts.sql}, "cut_offs_from": name, "base_rate": BASE_RATE,
        "time": found.scoring["time"] | {"places": 2},
    }  # fmt: skip
    page = cut_offs_page(
        parameters.model_copy(update={"decision": decision}), replace(found, scoring=scoring), recommended(settled)
    )
    assert "&lt;b" not in page
    assert "<b>" not in page, "no lead is named"
    path = folder / "cut-offs.html"
    path.write_text(page, encoding="utf-8")
    browser.open(path, width=width)
    return browser


def leads_of(settled: Money | Multiples | Stated) -> OpenLeads:
    value = settled.value if isinstance(settled, Money) else None
    return OpenLeads.of(recommended(settled).to_pandas(), FACTS, value)


def shown(browser: Browser) -> Mapping[str, tuple[int, float]]:
    """Read the table: leads, and how many are expected to convert, by tier."""
    rows: list[list[str]] = browser.evaluate(
        "[...document.querySelectorAll('tr[data-tier]')].map(row => [...row.cells].map(cell => cell.textContent))"
    )
    return {tier: (int(leads), float(convert)) for tier, leads, _, convert, _, _ in rows}


def decided(leads: OpenLeads, cuts: CutOffs) -> Mapping[str, tuple[int, float]]:
    tiers = leads.tiers(cuts)
    return {
        tier: (int((tiers == tier).sum()), round(float(leads.probability[tiers == tier].sum()), 1)) for tier in TIERS
    }


def put(browser: Browser, **values: float | str) -> None:
    for name, value in values.items():
        browser.page.fill(f"input[name='{name.replace('__', '.')}']", str(value))


def cuts_by_value(leads: OpenLeads, money: Money) -> CutOffs:
    """Give each lead's cut-offs where all values move with the usual one."""
    assert leads.value is not None
    return CutOffs.of(money, BASE_RATE, leads.value * money.value / MONEY.value)


def test_what_is_now_stands_first(browser: Browser, tmp_path: Path, results: tuple[Any, Results]) -> None:
    opened(browser, tmp_path, results, MONEY)
    assert shown(browser) == decided(leads_of(MONEY), cuts_by_value(leads_of(MONEY), MONEY))
    assert shown(browser)["SQL"] == (3, 0.7)
    said = browser.page.inner_text("main")
    assert "Sales from 20% on: 3 leads, of whom 1 are expected to convert" in said
    assert "At today's 2 places they fill 1.5 working days." in said
    # Half of what 0.4 at 500, 0.3 and 0.001 at 1,000 bring; a hundred each.
    assert "The calls cost 300 and bring 251." in said
    assert browser.complaints == []


def test_the_french_page_says_it_in_french(browser: Browser, tmp_path: Path, results: tuple[Any, Results]) -> None:
    parameters, found = results
    french = parameters.model_copy(update={"words": parameters.words.model_copy(update={"language": "fr"})})
    opened(browser, tmp_path, (french, found), MONEY)
    said = re.sub(r"[\u00a0\u202f]", " ", browser.page.inner_text("main"))
    assert "Commerciaux à partir de 20 % : 3 leads, dont 1 devraient devenir clients" in said
    assert "Avec les 2 plages d'appel du jour, ils remplissent 1,5 jours ouvrés." in said
    assert "Les appels coûtent 300 et rapportent 251." in said
    put(browser, money__value=50)
    assert "Aucun lead ne le vaudrait : un commercial coûte 100" in browser.page.inner_text("#wrong").replace(
        "\u00a0", " "
    )
    assert browser.complaints == []


def test_each_assumption_of_money_decides_anew(browser: Browser, tmp_path: Path, results: tuple[Any, Results]) -> None:
    opened(browser, tmp_path, results, MONEY)
    for changed in ({"value": 2500.0}, {"sales_contact": 40.0}, {"nurturing": 99.0}, {"effect": 0.9}):
        opened(browser, tmp_path, results, MONEY)
        put(browser, **{f"money__{name}": value for name, value in changed.items()})
        other = replace(MONEY, **changed)  # type: ignore[arg-type]
        assert shown(browser) == decided(leads_of(MONEY), cuts_by_value(leads_of(MONEY), other)), changed
    assert browser.page.is_visible("input[name='money.value']")
    assert not browser.page.is_visible("input[name='tiers.sql']"), "of the other ways nothing is asked"
    assert "100%" in str(browser.page.text_content("#picture"))
    put(browser, money__effect="")
    assert "no profit is told" in browser.page.inner_text("main")


def test_the_lines_to_keep_are_settings(browser: Browser, tmp_path: Path, results: tuple[Any, Results]) -> None:
    opened(browser, tmp_path, results, Stated(mql=0.02, sql=0.2))
    browser.page.check("input[value='multiples']")
    put(browser, multiples__mql=1.5, multiples__sql=2.9)
    kept = yaml.safe_load(browser.page.inner_text("#lines"))["decision"]
    chosen = Multiples(**kept["multiples"])
    assert chosen == Multiples(mql=1.5, sql=2.9)
    assert shown(browser) == decided(leads_of(Stated(mql=0.02, sql=0.2)), CutOffs.of(chosen, BASE_RATE))
    assert "Take tiers and money out there" in browser.page.inner_text("main")
    browser.page.check("input[value='tiers']")
    put(browser, tiers__mql=13, tiers__sql=14)
    assert yaml.safe_load(browser.page.inner_text("#lines"))["decision"] == {"tiers": {"mql": 0.13, "sql": 0.14}}
    assert shown(browser) == decided(leads_of(Stated(mql=0.02, sql=0.2)), CutOffs(0.13, 0.14))
    assert browser.complaints == []


@pytest.mark.parametrize(
    ("way", "values", "told"),
    [
        ("money", {"money__sales_contact": 5000}, "No lead could be worth it"),
        ("money", {"money__nurturing": 200}, "Marketing must cost less than sales"),
        ("money", {"money__effect": 1.5}, "between 0 and 1"),
        ("tiers", {"tiers__mql": 30}, "Sales must begin above marketing"),
        ("tiers", {"tiers__sql": 100}, "below 100%"),
        ("multiples", {"multiples__sql": ""}, "Sales must begin above marketing"),
    ],
)
def test_what_can_not_be_is_told_and_nothing_else_is_shown(
    browser: Browser, tmp_path: Path, results: tuple[Any, Results], way: str, values: dict[str, float], told: str
) -> None:
    opened(browser, tmp_path, results, MONEY)
    browser.page.check(f"input[value='{way}']")
    put(browser, **values)
    assert told in browser.page.inner_text("#wrong")
    assert not browser.page.is_visible("#outcome")
    assert not browser.page.is_visible("#keep")


def test_it_fits_a_phone(browser: Browser, tmp_path: Path, results: tuple[Any, Results]) -> None:
    opened(browser, tmp_path, results, MONEY, width=390)
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 1.0),
            st.sampled_from(TIERS),
            st.sampled_from([[], ["2026-01-04 refused"], ["2026-01-04 asked"]]),
        ),
        min_size=1,
        max_size=30,
    ),
    st.tuples(st.floats(1e-4, 0.9), st.floats(1e-4, 0.9)).filter(lambda both: both[0] < both[1]),
)
def test_the_sums_are_those_of_the_tiers_at_what_is_now(
    drawn: list[tuple[float, str, list[str]]], both: tuple[float, float]
) -> None:
    table = pd.DataFrame(drawn, columns=["probability", "tier", "facts"]).assign(expected_value=np.nan)
    leads, cuts = OpenLeads.of(table, FACTS, None), CutOffs(*both)
    spread = leads.spread(None, cuts)
    groups = spread["by"]["probability"]
    rows = [(name, *row) for name, group in groups.items() for row in group]
    sql = spread["fixed"].get("SQL", [0])[0] + sum(row[2] for row in rows if row[0] != "refused" and row[1] >= cuts.sql)
    tiers = leads.tiers(cuts)
    assert sql == (tiers == "SQL").sum()
    mql = sum(
        row[2]
        for row in rows
        if row[1] >= cuts.mql and (row[0] == "refused" or (row[0] == "free" and row[1] < cuts.sql))
    )
    assert mql == (tiers == "MQL").sum()
    every = [*rows, *((tier, 0.0, *sums) for tier, sums in spread["fixed"].items())]
    assert sum(row[2] for row in every) == len(drawn)
    assert sum(row[3] for row in every) == pytest.approx(table["probability"].sum(), abs=1e-4)


def test_the_page_of_a_whole_run_shows_its_cut_offs(browser: Browser, world: Project) -> None:
    path = world.root / "reports/cut-offs.html"
    browser.open(path, width=1280)
    told = world.scoring
    counts = shown(browser)
    assert {tier: leads for tier, (leads, _) in counts.items() if leads} == yaml.safe_load(told.read_text())["tiers"]
    assert not re.findall(r"L\d{6}", path.read_text(encoding="utf-8"))
    assert browser.complaints == []
