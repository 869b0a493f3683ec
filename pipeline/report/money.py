"""The money view as rows to be shown: each KPI written out in a language, with its interval in small print."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from math import isfinite
from typing import TYPE_CHECKING, Any

from features.core.schema import LOST, Language
from features.core.time import DAY, parse_duration
from features.language.labels import Labels
from models.evaluation.attribution import RULES, disagreement
from pipeline.kpi.cohorts import UNKNOWN, UNMATCHED
from pipeline.kpi.compute import Kpis
from pipeline.kpi.funnel import NO_REASON, add_up_answers
from pipeline.kpi.tables import not_recorded, table_by, total_of
from pipeline.report.shown import Cell, Shown
from pipeline.wording.locales import Writing
from pipeline.wording.texts import page_text, sentence

if TYPE_CHECKING:
    import pandas as pd

_PARTED_BY = ("group", "campaign", "content", "first_touch", "last_touch")
_MAIN = ("", "leads", "cpl", "won", "", "cost_per_expected", "roi")
"""Which objective stands under which of the columns that everybody reads."""
_MOST_ROWS = 15
"""Rows of a table that stands behind "more"; files hold all."""


@dataclass(frozen=True)
class MoneyView:
    """What leads cost and bring, in the words and numbers of a language."""

    told: Kpis
    labels: Labels
    language: Language
    currency: str | None
    months: Sequence[date]
    """The months that are shown, the oldest first."""
    rule: str
    targets: Mapping[str, float]
    """Objectives of a month (``kpi.targets``)."""
    write: Writing = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "write", Writing(self.language))

    def text(self, name: str, number: int | None = None, /, **filled: object) -> str:
        """Fill in a text of the page."""
        return page_text(name, self.language, number, **filled)

    def name(self, value: object, dimension: str = "channel") -> str:
        """Say what a part of the leads is called."""
        if value == UNKNOWN:
            return self.text("row.unknown")
        if value == UNMATCHED:
            return self.text("row.unmatched_campaign" if dimension == "campaign" else "row.unmatched")
        if dimension == "month":
            return self.write.month(value.date() if hasattr(value, "date") else value)  # type: ignore[arg-type]
        if dimension == "group" and value in ("paid", "organic", "inbound", "outbound"):
            return self.text(f"row.{value}")
        return self.labels.noun("channels", str(value)) if dimension not in ("campaign", "content") else str(value)

    def money(self, amount: float) -> str:
        """Write an amount in the company's currency."""
        return self.write.money(amount, self.currency)

    def main(self) -> Shown:
        """Give the eight columns that everybody reads: what each channel costs and brings."""
        columns = ["spent", "leads", "cpl", "won", "still", "cost_per_expected", "roi"]
        return self._shown("channel", "view.heading", self._main_cells, columns, with_total=True)

    def more(self) -> list[Shown]:
        """Give the other columns by channel, and the main ones by whatever else parts the leads."""
        named = [self.labels.noun("milestones", step.removeprefix("reached ")) for step in self.told.steps]
        visits = ("visits", "visit_rate") if self.told.has_visits else ()
        cost_of = [self.text("column.cost_of", step=name) for name in named]
        steps = self._detail("steps", visits, named, ("rate", "again", "worked", "sql_now"), self._step_cells)
        costs = self._detail("costs", ("cpc",), cost_of, ("cac", "roas", "revenue"), self._cost_cells)
        columns = ["spent", "leads", "cpl", "won", "still", "cost_per_expected", "roi"]
        parted = [
            self._shown(by, "", self._main_cells, columns)
            for by in _PARTED_BY
            if (self.told.cohorts["dimension"] == by).any()
        ]
        return [steps, costs, *(one for one in parted if len(one.rows) > 1)]

    def _detail(
        self,
        name: str,
        before: Sequence[str],
        named: Sequence[str],
        after: Sequence[str],
        cells: Callable[[Mapping[str, Any]], list[Cell]],
    ) -> Shown:
        """Give a table by channel of columns that the main one has no room for; ``named`` are those of the log."""
        aims = [*before, *[""] * len(named), *("conversion_rate" if one == "rate" else one for one in after)]
        left, right = ([self.text(f"column.{one}") for one in some] for some in (("channel", *before), after))
        return Shown(
            name,
            self.text(f"view.more_{name}"),
            [*left, *named, *right],
            [(self.name(row["value"]), cells(row)) for row in self._rows("channel")],
            (self.text("row.all"), cells(total_of(self.told, self.months))),
            self._objective(aims, each_month=True),
        )

    def by_month(self) -> Shown:
        """By month of creation: so far, still expected, and in the end, which stay apart and add up."""
        columns = ["spent", "leads", "won", "still", "projected", "final_on", "last_year"]
        return self._shown("month", "months.heading", self._month_cells, columns, with_total=False)

    def bars(self) -> list[dict[str, Any]]:
        """Give the months of the picture: name, sales so far, and still expected."""
        return [
            {
                "name": self.name(row["month"], "month"),
                "short": self.write.short_month(row["month"]),
                "year": str(row["month"].year) if row["month"].month == 1 or not place else "",
                "won": float(row["won"]),
                "expected": float(row["expected"]),
            }
            for place, row in enumerate(self._rows("month"))
        ]

    def without_cost(self) -> str | None:
        """Say of which channels nobody has entered a cost."""
        rows = self._rows("channel")
        names = [self.name(row["value"]) for row in rows if not _known(row["cost"]) and row["value"] != UNKNOWN]
        return self.text("view.no_cost_for", channels=", ".join(names)) if names and len(names) < len(rows) else None

    def sentence(self) -> str | None:
        """Say it whole of the dearest channel and its newest month that is not final."""
        rows = [
            row for row in self._rows("channel") if _known(row["cost"]) and row["value"] not in (UNKNOWN, UNMATCHED)
        ]
        for month in reversed(self.months[:-1]):
            day = self.told.final_on(month)
            if not rows or day is None or day <= self.told.today:
                return None
            of_month = [row for row in self._rows("channel", [month]) if row["value"] == rows[0]["value"]]
            if of_month and of_month[0]["leads"] and _known(of_month[0]["cost"]):
                row = of_month[0]
                return self.text(
                    "view.sea",
                    channel=self.name(row["value"]),
                    month=self.write.month(month),
                    spent=self.money(row["cost"]),
                    leads=self.write.whole(row["leads"]),
                    cpl=self.money(row["cpl"]),
                    won=self.write.whole(row["won"]),
                    expected=self.write.tenth(row["expected"]),
                    day=self.write.day(day),
                )
        return None

    def funnel(self) -> list[dict[str, Any]]:
        """Give the steps of all channels: who had the time to take each, who of them did, and within which time."""
        summed = self.told.funnel.groupby("step", sort=False)[["leads", "had_time", "took_it"]].sum()
        days = self.told.funnel.groupby("step", sort=False)["days"].first()
        return [
            {
                "name": self.text("funnel.customer")
                if place == len(summed) - 1
                else self.labels.noun("milestones", step),
                "leads": self.write.whole(row["leads"]),
                "had_time": self.write.whole(row["had_time"]),
                "took_it": self.write.whole(row["took_it"]),
                "share": row["took_it"] / row["had_time"] if row["had_time"] else 0.0,
                "written": self.write.share(row["took_it"] / row["had_time"]) if row["had_time"] else "",
                "days": self.write.length(int(days[step]) * DAY) if isfinite(days[step]) else self.text("cell.unknown"),
            }
            for place, (step, row) in enumerate(summed.iterrows())
        ]

    def touches(self) -> Shown:
        """Sales by channel under each rule of attribution, that of the page first."""
        rules = [self.rule, *(rule for rule in RULES if rule != self.rule)]
        table = self.told.attribution.pivot_table(
            index="channel", columns="rule", values="conversions", aggfunc="sum", fill_value=0.0
        )
        rows = [
            (self.name(channel), [Cell(self.write.tenth(row[rule])) for rule in rules])
            for channel, row in table.sort_values(self.rule, ascending=False).iterrows()
        ] if len(table) else []  # fmt: skip
        headings = [self.text("column.channel"), *(self.text(f"rule.{rule}") for rule in rules)]
        return Shown("touches", self.text("touch.heading"), headings, rows)

    def disagreement(self) -> str:
        """Say how far the rules of attribution disagree, or that there is no sale yet."""
        if self.told.attribution.empty:
            return sentence(self.text("cell.none_yet")) + "."
        one, other, share = disagreement(self.told.attribution)
        return self.text(
            "touch.disagree",
            one=self.text(f"rule.{one}"),
            other=self.text(f"rule.{other}"),
            share=self.write.share(share),
        )

    def reasons(self) -> list[Shown]:
        """Why leads were lost, and why refused: the most frequent first."""
        shown = []
        for kind, name in ((LOST, "lost"), ("refused", "refused")):
            rows = self.told.reasons[self.told.reasons["kind"] == kind]
            counts = rows.groupby("reason")["leads"].sum().sort_values(ascending=False, kind="stable")
            if counts.empty:
                continue
            cells = [
                (
                    self.text("why.no_reason") if reason == NO_REASON else str(reason),
                    [Cell(self.write.whole(count)), Cell(self.write.share(count / counts.sum()))],
                )
                for reason, count in counts.head(_MOST_ROWS).items()
            ]
            headings = [self.text("column.reason"), self.text(f"why.{name}"), self.text("column.of_all")]
            left_out = max(len(counts) - _MOST_ROWS, 0)
            heading = self.text(f"why.{name}")
            shown.append(Shown(name, heading, headings, cells, left_out=left_out, is_named_by_log=True))
        return shown

    def answers(self) -> Shown | None:
        """How soon sales answered, by channel, of the hand-overs of the months shown; None where nothing says so."""
        handed = self.told.hand_overs
        rows = add_up_answers(handed[handed["month"].isin([_timestamp(one) for one in self.months])], ["channel"])
        if rows.empty:
            return None
        told = [
            (
                self.name(row["channel"]),
                [
                    Cell(self.write.whole(row["handed_over"])),
                    Cell(self.write.hours(round(row["median_hours"])) if isfinite(row["median_hours"]) else ""),
                    Cell(self.write.share(row["in_time"] / row["due"]) if row["due"] else ""),
                ],
            )
            for _, row in rows.iterrows()
        ]
        headings = [self.text(f"column.{name}") for name in ("channel", "handed", "median", "in_time")]
        return Shown("answers", self.text("answers.heading"), headings, told)

    def lacking(self) -> list[str]:
        """Name what nothing records."""
        return [self.text(f"lacking.{name}") for name in not_recorded(self.told)]

    def too_recent(self) -> str | None:
        """Say within which time sales come, so that the newest months are not taken for bad ones."""
        if self.told.days_until_final is None:
            return None
        return self.text(
            "view.too_recent",
            days=self.write.length(self.told.days_until_final * DAY),
            horizon=self.write.length(parse_duration(self.told.horizon)),
        )

    def about_expected(self) -> str:
        """Say what the bounds of what is expected allow for."""
        error = self.told.error
        if error is None:
            return self.text("view.expected_by_chance")
        return self.text("view.expected", share=self.write.share(error))

    def _rows(self, by: str, months: Sequence[date] | None = None) -> list[Mapping[str, Any]]:
        table = table_by(self.told, by, months or self.months)
        return [row for _, row in table.iterrows()]

    def _shown(
        self,
        by: str,
        heading: str,
        cells: Callable[[Mapping[str, Any]], list[Cell]],
        columns: Sequence[str],
        *,
        with_total: bool = False,
    ) -> Shown:
        rows = self._rows(by)
        shown = rows if by in ("channel", "month") else rows[:_MOST_ROWS]
        horizon = self.write.length(parse_duration(self.told.horizon))
        headings = [self.text(f"column.{by}"), *(self.text(f"column.{name}", horizon=horizon) for name in columns)]
        named = [(self.name(row["month" if by == "month" else "value"], by), cells(row)) for row in shown]
        total = (self.text("row.all"), cells(total_of(self.told, self.months))) if with_total else None
        aims = ("", "leads", "", "", "won", "", "") if by == "month" else _MAIN
        objective = self._objective(aims, each_month=by != "month")
        title = self.text(heading) if heading else self.text("view.by", what=self.text(f"column.{by}"))
        return Shown(
            by, title, headings, named, total, objective, len(rows) - len(shown), by in ("campaign", "content")
        )

    def _objective(self, columns: Sequence[str], *, each_month: bool) -> list[Cell] | None:
        """Write what is aimed at; counts are those of a month, which is said where rows are of several."""
        if not any(name in self.targets for name in columns):
            return None
        return [Cell(self.aim(name, each_month=each_month) if name in self.targets else "") for name in columns]

    def aim(self, name: str, *, each_month: bool = False) -> str:
        """Write an objective."""
        written = self._writes[name](self.targets[name])
        is_sum = name in ("leads", "won", "revenue")
        return self.text("cell.a_month", value=written) if each_month and is_sum else written

    @property
    def _writes(self) -> Mapping[str, Callable[[float], str]]:
        costs = dict.fromkeys(("cpc", "cpl", "cac", "cost_per_expected", "revenue"), self.money)
        counts = {"leads": self.write.whole, "won": self.write.whole}
        return {**costs, **counts, "conversion_rate": self.write.share, "roi": self._signed, "roas": self.write.number}

    def _main_cells(self, row: Mapping[str, Any]) -> list[Cell]:
        return [
            self._spent(row),
            Cell(self.write.whole(row["leads"])),
            self._of(row, "cpl", self.money),
            Cell(self.write.whole(row["won"])),
            Cell(self.write.tenth(row["expected"])),
            self._of(row, "cost_per_expected", self.money),
            self._returned(row, "roi", self._signed),
        ]

    def _step_cells(self, row: Mapping[str, Any]) -> list[Cell]:
        visits = Cell(self.write.whole(row["visits"]) if _known(row["visits"]) else "")
        return [
            *([visits, self._of(row, "visit_rate", self.write.share)] if self.told.has_visits else []),
            *(Cell(self.write.whole(row[step])) for step in self.told.steps),
            self._of(row, "conversion_rate", self.write.share),
            Cell(self.write.whole(row["won_again"])),
            Cell(self.write.share(row["worked"] / row["leads"]) if row["leads"] else ""),
            Cell(self.write.whole(row["sql_now"])),
        ]

    def _cost_cells(self, row: Mapping[str, Any]) -> list[Cell]:
        return [
            self._of(row, "cpc", self.money),
            *(self._of(row, f"cost {step}", self.money) for step in self.told.steps),
            self._of(row, "cac", self.money),
            self._returned(row, "roas", self.write.number),
            Cell(self.money(row["revenue"]) if self.told.has_revenue else ""),
        ]

    def _month_cells(self, row: Mapping[str, Any]) -> list[Cell]:
        final, today = row["final_on"], self.told.today
        if final is None:
            told = self.text("cell.unknown")
        else:
            told = self.text("cell.final") if final <= today else self.write.day(final)
        interval = self._interval(row, "projected", self.write.whole) if row["expected"] else ""
        return [
            self._spent(row),
            Cell(self.write.whole(row["leads"])),
            Cell(self.write.whole(row["won"])),
            Cell(self.write.tenth(row["expected"])),
            Cell(self.write.tenth(row["projected"]), interval),
            Cell(told),
            Cell(self._year_before(row["month"])),
        ]

    def _year_before(self, month: pd.Timestamp) -> str:
        """Give the sales of the leads of the same month a year before, as they were known a year before."""
        rows = self.told.cohorts[self.told.cohorts["dimension"] == "channel"]
        former = rows[rows["month"] == month.replace(year=month.year - 1)]
        return self.write.whole(former["won_before"].sum()) if former["leads"].sum() else ""

    def _spent(self, row: Mapping[str, Any]) -> Cell:
        return Cell(self.money(row["cost"]) if _known(row["cost"]) else self.text("cell.no_cost"))

    def _of(self, row: Mapping[str, Any], name: str, write: Callable[[float], str]) -> Cell:
        """Write a KPI with its interval; empty where it can't be told."""
        if not _known(row[name]):
            has_cost = _known(row["cost"]) and name not in ("cpc", "conversion_rate", "visit_rate", "cpl")
            return Cell(self.text("cell.none_yet") if has_cost and not row["costed won"] and name == "cac" else "")
        return Cell(write(row[name]), self._interval(row, name, write))

    def _returned(self, row: Mapping[str, Any], name: str, write: Callable[[float], str]) -> Cell:
        return self._of(row, name, write) if self.told.has_revenue else Cell("")

    def _signed(self, share: float) -> str:
        written = self.write.share(abs(share)) if abs(share) < 10.0 else self.write.share(round(abs(share)))  # noqa: PLR2004
        return f"{'-' if share < 0 else '+'}{written}"

    def _interval(self, row: Mapping[str, Any], name: str, write: Callable[[float], str]) -> str:
        low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
        if low is None or high is None or not (_known(low) and _known(high)):
            return ""
        return self.text("interval", low=write(low), high=write(high))


_known = partial(isfinite)


def _timestamp(day: date) -> pd.Timestamp:
    import pandas as pd  # noqa: PLC0415 - only here

    return pd.Timestamp(day)
