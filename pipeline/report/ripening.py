"""How leads ripen, as the page shows it: a picture, a table behind it, and what came right before each step."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from features.core.time import DAY
from models.evaluation.ripening import ACT, BECAME, BEGAN, BY, TOUCH
from pipeline.kpi.ripening import NONE
from pipeline.report.money import MoneyView
from pipeline.report.shown import Cell, Shown

if TYPE_CHECKING:
    import pandas as pd

_MOST_ACTS = 6
"""What came right before a step, the most frequent first; files hold all."""
_FEWEST_STEPS = 20
"""Of fewer steps nobody can say what comes before them."""


@dataclass(frozen=True)
class RipeningView:
    """How the leads of the months shown ripened, in the words and numbers of the page."""

    view: MoneyView

    @property
    def is_known(self) -> bool:
        """Whether there is anything to tell."""
        return not self._steps().empty

    def opening(self) -> str:
        """Say whose maturity is told, and within which time."""
        return self.view.text("ripening.opening", within=self._within())

    def bars(self) -> list[dict[str, Any]]:
        """Give the months of the picture: the shares of the leads cold at first that became warm, hot, customers.

        Those of a month that is too recent are missing. ``top`` is the highest share, written at the top of the axis.
        """
        rows = self._of("cold")
        shares = {month: [_share(part[became]) for became in BECAME] for month, part in rows.items()}
        highest = max((share[0] or 0.0 for share in shares.values()), default=0.0)
        return [
            {
                "name": self.view.name(month, "month"),
                "short": self.view.write.short_month(month),
                "year": str(month.year) if month.month == 1 or not place else "",
                "heights": [share / highest if share is not None and highest else None for share in of_month],
                "written": ["" if share is None else self.view.write.share(share) for share in of_month],
            }
            for place, (month, of_month) in enumerate(shares.items())
        ]

    def tables(self) -> list[Shown]:
        """Give a table of each way to begin: by month, how many became warmer, or customers, and how soon."""
        return [self._table(began) for began in BEGAN[:2] if self._of(began)]

    def typical(self) -> str | None:
        """Say within which time half of those that were cold at first take each step, of all that ever do."""
        steps = self._steps()
        rows = steps[(steps["began"] == "cold") & steps["typical_days"].notna()].groupby("became", sort=False).first()
        told = [
            self.view.text("ripening.step", step=self.view.text(f"ripening.{became}"), days=self._days(days))
            for became, days in rows["typical_days"].items()
        ]
        return self.view.text("ripening.typical", steps="; ".join(told)) if told else None

    def before(self) -> list[tuple[str, list[Shown]]]:
        """Give, of each step, what came right before it, beside what came before the other acts of such leads."""
        view, acts = self.view, self.view.told.ripening_acts
        acts = acts[acts["month"].dt.date.isin(list(view.months))]
        told = []
        for became in BECAME:
            tables = []
            for what in (BY, ACT, TOUCH):
                rows = acts[(acts["became"] == became) & (acts["what"] == what)]
                # Two event types may be called the same.
                counts = rows.groupby(rows["event_type"].map(self._named))[["steps", "others"]].sum()
                if counts["steps"].sum() >= _FEWEST_STEPS:
                    tables.append(self._acts(became, what, counts.sort_values("steps", ascending=False, kind="stable")))
            if tables:
                told.append((view.text("ripening.before", step=view.text(f"ripening.{became}")), tables))
        return told

    def _named(self, event_type: str) -> str:
        view = self.view
        return view.text("ripening.none") if event_type == NONE else view.labels.noun("event_types", event_type)

    def _acts(self, became: str, what: str, counts: pd.DataFrame) -> Shown:
        view = self.view
        steps, others = counts["steps"].sum(), counts["others"].sum()
        rows = [
            (
                str(name),
                [
                    Cell(view.write.whole(row["steps"])),
                    Cell(view.write.share(row["steps"] / steps)),
                    # What makes a lead warm can't come with an act that did not.
                    *([Cell(view.write.share(row["others"] / others) if others else "")] if what != BY else []),
                ],
            )
            for name, row in counts[counts["steps"] > 0].head(_MOST_ACTS).iterrows()
        ]
        columns = ["steps", "of_steps", *(["of_others"] if what != BY else [])]
        headings = [view.text(f"ripening.what.{what}"), *(view.text(f"column.{name}") for name in columns)]
        left_out = max(int((counts["steps"] > 0).sum()) - _MOST_ACTS, 0)
        title = f"{view.text(f'ripening.{became}')}: {view.text(f'ripening.what.{what}')}"
        return Shown(what, title, headings, rows, left_out=left_out)

    def _table(self, began: str) -> Shown:
        view = self.view
        become = BECAME[BEGAN.index(began) :]
        rows = [
            (
                view.name(month, "month"),
                [
                    Cell(view.write.whole(part[become[0]]["leads"])),
                    *(self._became(part[became]) for became in become),
                    *(Cell(self._median(part[became])) for became in become),
                ],
            )
            for month, part in self._of(began).items()
        ]
        headings = [
            view.text("column.month"),
            view.text(f"ripening.began.{began}"),
            *(view.text(f"ripening.{became}") for became in become),
            *(view.text("ripening.half", step=view.text(f"ripening.{became}")) for became in become),
        ]
        return Shown(began, view.text(f"ripening.heading.{began}"), headings, rows)

    def _became(self, row: pd.Series) -> Cell:
        """Write the share that took a step in time; of a month that is too recent, how many have so far."""
        write, share = self.view.write, _share(row)
        if share is None:
            return Cell(write.whole(row["taken"]), self.view.text("ripening.too_recent"))
        return Cell(write.share(share), write.whole(row["took_it"]))

    def _median(self, row: pd.Series) -> str:
        told = _share(row) is not None and isfinite(row["median_days"])
        return self._days(row["median_days"]) if told else ""

    def _days(self, days: float) -> str:
        return self.view.write.length(int(days) * DAY)

    def _within(self) -> str:
        return self.view.write.length(float(self._steps()["within"].iloc[0]) * DAY)

    def _steps(self) -> pd.DataFrame:
        steps = self.view.told.ripening
        return steps[steps["month"].dt.date.isin(list(self.view.months))] if len(steps) else steps

    def _of(self, began: str) -> dict[Any, dict[str, pd.Series]]:
        """Give the rows of each month by what the leads became, the oldest month first."""
        steps = self._steps()
        return {
            month.date(): {row["became"]: row for _, row in rows.iterrows()}
            for month, rows in steps[steps["began"] == began].groupby("month", sort=True)
        }


def _share(row: pd.Series) -> float | None:
    """Give the share that took a step in time; None where not all of the month have had the time to."""
    return float(row["took_it"] / row["leads"]) if row["had_time"] == row["leads"] else None
