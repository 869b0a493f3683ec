"""The page that people open: what came in, what it cost, what is expected, and how far that can be trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from features.core.schema import OPEN_TIERS
from features.core.time import parse_duration
from models.decision import kpis as sums
from models.evaluation.money import promised_interval
from pipeline.kpi.cohorts import ENTERED_LATE
from pipeline.kpi.compute import Kpis
from pipeline.kpi.tables import shown_months
from pipeline.report.model import data_warnings
from pipeline.report.money import MoneyView
from pipeline.report.months import Month, TwoMonths, errors_apart, is_known
from pipeline.report.rendering import render
from pipeline.report.results import Results, Sections
from pipeline.report.ripening import RipeningView
from pipeline.wording.texts import sentence
from pipeline.wording.todays_list import told_of_the_list
from pipeline.wording.verdict_titles import standing_titles

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Tile:
    """One of the five figures: what it is, the figure, what it is compared with, and the objective."""

    label: str
    figure: str
    before: str
    objective: str


@dataclass(frozen=True)
class InShort:
    """What the first page says, which a mail may say, too: in words of its language, and without any lead."""

    language: str
    model_version: str
    """Of the model that its chances rest on."""
    as_of: str
    """The company's day."""
    standing: list[str]
    """The titles of verdicts that stand."""
    expected: str
    month: str | None
    """Which month the figures are of; without any, there are none."""
    tiles: list[Tile]
    lacking: list[str]
    """Which costs and amounts the figures lack."""
    moved: list[str]
    trust: str
    called: int
    """How many leads are on today's list of sales."""


@dataclass(frozen=True)
class Links:
    """Where the pages about this one are; a page about another model is not linked to."""

    leads: str = "private/leads.html"
    model: str | None = "model.html"
    cut_offs: str | None = "cut-offs.html"


def in_short(parameters: Sections, results: Results, recommendations: pd.DataFrame, told: Kpis) -> InShort:
    """Say what the first page says."""
    view = _view(parameters, told)
    # A month that sales are not known to the end of would look like a bad one.
    months = TwoMonths.of(told, told.today - timedelta(days=told.late))
    horizon = view.write.length(parse_duration(results.snapshots["horizon"]))
    return InShort(
        language=view.language,
        model_version=results.scoring["model_version"],
        as_of=view.write.day(told.today),
        standing=standing_titles(results.verdicts, view.language),
        expected=_expected(view, _opened(recommendations), told.today, horizon),
        month=sentence(_name_of_month(view, months)) if months else None,
        tiles=_tiles(view, months) if months else [],
        lacking=_lacking(view),
        moved=_moved(view, months) if months else [],
        trust=_trust(view, results),
        called=results.scoring["lists"].get("sales", 0),
    )


def index_page(
    parameters: Sections,
    results: Results,
    recommendations: pd.DataFrame,
    told: Kpis,
    links: Links = Links(),
) -> str:
    """Put what marketing opens every morning on one page: no lead, no network, and all words in its language.

    Of the recommendations it takes tier and probability; it shows only their counts and sums.
    """
    view = _view(parameters, told)
    opened = _opened(recommendations)
    return render(
        "index.html.jinja",
        t=view.text,
        links=links,
        short=in_short(parameters, results, recommendations, told),
        warnings=len(data_warnings(parameters, results)),
        today=told_of_the_list(results.scoring, view.language),
        view=view,
        main=view.main(),
        by_month=view.by_month(),
        bars=_bars(view.bars()),
        span=(view.write.month(view.months[0]), view.write.month(view.months[-1])) if view.months else ("", ""),
        tiers=_tiers(view, opened, results.scoring["cut_offs"]),
        funnel=view.funnel(),
        ripening=RipeningView(view),
        spend_zone=_spend_zone(parameters),
    )


def _view(parameters: Sections, told: Kpis) -> MoneyView:
    kpi = parameters.kpi
    return MoneyView(
        told,
        parameters.words.labels,
        parameters.words.language,
        parameters.ingest.currency,
        shown_months(told, kpi.months),
        kpi.attribution,
        kpi.targets,
    )


def _opened(recommendations: pd.DataFrame) -> pd.DataFrame:
    return recommendations[recommendations["probability"].notna()]


def _expected(view: MoneyView, opened: pd.DataFrame, today: date, horizon: str) -> str:
    probabilities = opened["probability"].to_numpy(np.float64)
    expected, variance = float(probabilities.sum()), float((probabilities * (1.0 - probabilities)).sum())
    low, high = promised_interval(np.array([expected]), np.array([variance]), view.told.error_soon or 0.0)
    return view.text(
        "money.expected",
        leads=view.write.whole(len(opened)),
        day=view.write.day(today),
        expected=view.write.tenth(expected),
        horizon=horizon,
        low=view.write.whole(low[0]),
        high=view.write.whole(high[0]),
    )


def _name_of_month(view: MoneyView, months: TwoMonths) -> str:
    return view.text("card.month" if months.is_over else "card.so_far", month=view.write.month(months.newest.month))


def _tiles(view: MoneyView, months: TwoMonths) -> list[Tile]:
    whole, money = view.write.whole, view.money
    figures: tuple[tuple[str, Callable[[Month], float], Callable[[float], str], str], ...] = (
        ("leads", lambda month: month.leads, whole, "no_cost"),
        ("won", lambda month: month.won, whole, "no_cost"),
        ("cpl", lambda month: month.cpl, money, "no_cost"),
        ("cac", lambda month: month.cac, money, "no_cost"),
        ("revenue", lambda month: month.revenue, money, "no_revenue"),
    )
    tiles = []
    for name, of, write, lacking in figures:
        now, before = of(months.newest), of(months.before) if months.before else np.nan
        former = view.text("card.first_month")
        if months.before:
            value = write(before) if is_known(before) else view.text(f"card.{lacking}")
            former = view.text("card.before", month=view.write.month(months.before.month), value=value)
        objective = view.text("card.no_objective")
        if name in view.targets:
            objective = view.text("card.objective", value=view.aim(name))
        tiles.append(
            Tile(
                view.text(f"card.{name}"),
                write(now) if is_known(now) else view.text(f"card.{lacking}"),
                former,
                objective,
            )
        )
    return tiles


def _moved(view: MoneyView, months: TwoMonths) -> list[str]:
    """Three sentences: all new leads, the channel that moved most, and what was spent."""
    newest, before = months.newest, months.before
    if before is None:
        return [view.text("moved.first")]
    whole = view.write.whole
    names = {"month": view.write.month(newest.month), "month_before": view.write.month(before.month)}
    errors = errors_apart(newest.leads, before.leads, newest.month)
    verdict = "chance" if abs(errors) <= _BEYOND_CHANCE else "more" if errors > 0 else "less"
    told = [
        view.text(
            "moved.leads",
            leads=whole(newest.leads),
            before=whole(before.leads),
            verdict=view.text(f"moved.{verdict}"),
            **names,
        )
    ]
    move = months.strongest
    told.append(
        view.text("moved.channel.none")
        if move is None
        else view.text(
            f"moved.channel.{move.what}",
            channel=view.name(move.channel),
            now=whole(move.now),
            before=whole(move.before),
        )
    )
    if is_known(newest.cost) and is_known(before.cost):
        told.append(view.text("moved.money", spent=view.money(newest.cost), before=view.money(before.cost), **names))
    else:
        told.append(view.text("moved.no_money"))
    return told


_BEYOND_CHANCE = 2.0
"""Standard errors beyond which chance does not explain how many more leads there are."""


def _trust(view: MoneyView, results: Results) -> str:
    """Say in one sentence how far the chances were kept of leads that came after the learning."""
    if results.is_of_another_model:
        return view.text("trust.other")
    origins = results.origins()
    if not results.is_judged or not origins:
        return view.text("trust.unknown")
    error = results.metrics["calibration_error"]["value"]
    chance = results.metrics["calibration_error_by_chance"]["quantile_95"]
    name = "kept"
    if chance is not None and error > chance:
        name = "broken"
    elif results.worst():
        name = "parts"
    return view.text(
        f"trust.{name}",
        rows=view.write.whole(results.metrics["foretold"]["rows"]),
        leads=view.write.whole(results.metrics["foretold"]["leads"]),
        promised=view.write.whole(sum(one.expected for one in origins)),
        happened=view.write.whole(sum(one.conversions for one in origins)),
    )


def _tiers(view: MoneyView, opened: pd.DataFrame, cuts: dict[str, float]) -> list[dict[str, Any]]:
    rows = {row.tier: row for row in sums.by_tier(opened)} if len(opened) else {}
    return [
        {
            "tier": tier,
            "name": view.text(f"tier.{tier}"),
            "leads": view.write.whole(rows[tier].leads),
            "expected": view.write.tenth(rows[tier].expected),
            "meaning": view.text(f"tiers.{tier}"),
            "from": view.text("tiers.from", share=view.write.share(cuts[tier])) if tier in cuts else "",
        }
        for tier in OPEN_TIERS
        if tier in rows
    ]


def _bars(months: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the months of the picture with the heights of their two parts, as shares of the highest."""
    highest = max((month["won"] + month["expected"] for month in months), default=0.0)
    return [
        month | {"won_height": month["won"] / highest, "expected_height": month["expected"] / highest}
        for month in months
        if highest
    ]


def _lacking(view: MoneyView) -> list[str]:
    """Say which costs and amounts the figures lack: days since which none were entered, and sales without a value."""
    told = [
        view.text(name, day=view.write.day(until))
        for name, until in (("spend.until", view.told.spent_until), ("spend.visited", view.told.visited_until))
        if until is not None and view.told.today - until > ENTERED_LATE
    ]
    for channel, day in view.told.behind.items():
        told.append(view.text("spend.behind", channel=view.name(channel), day=view.write.day(day)))
    for kind, (missing, events) in view.told.unvalued.items():
        noun, counts = view.labels.noun("event_types", kind), {"missing": missing, "events": events}
        told.append(view.text("spend.unvalued", kind=noun, **{name: view.write.whole(n) for name, n in counts.items()}))
    return told


def _spend_zone(parameters: Sections) -> str | None:
    """Name the time zone of the spending where it is stated, and is not the company's."""
    spend = parameters.ingest.spend
    zone = spend.time_zone if spend else None
    return zone if zone not in (None, "UTC", parameters.decision.time_zone) else None


def sales_until(results: Results) -> datetime:
    """Give the moment (UTC) up to which sales are known: outcomes may be read later than the log, and told late."""
    delay = timedelta(hours=results.snapshots["outcome_delay_hours"])
    return datetime.fromisoformat(results.snapshots["observed_until"]) - delay


def moment_of(results: Results) -> datetime:
    """Give the moment (UTC) that the leads were scored for."""
    return datetime.fromisoformat(results.scoring["as_of"])
