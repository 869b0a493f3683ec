"""What the stages found, read once for the summary and the page, and the figures that both of them show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from models.core.verdicts import Verdict
from pipeline.core.project import Places, Project, read_json
from pipeline.core.verdicts import read_verdicts
from pipeline.report.naming import name_milestones, name_parts
from pipeline.settings.decision import DecisionPolicy, Recommend
from pipeline.settings.ingest import OWN_TABLES, Ingest
from pipeline.settings.kpi import Kpi
from pipeline.settings.leads import LeadPages
from pipeline.settings.run import Run
from pipeline.settings.timeline import Episodes, Snapshots, told_of_older
from pipeline.settings.words import Words

_FIGURES = (
    ("share that converts", "base_rate", "{:.2%}"),
    ("ROC AUC", "roc_auc", "{:.3f}"),
    ("lift, best 5 % of leads", "lift_at_5", "{:.2f}"),
    ("lift, best 10 % of leads", "lift_at_10", "{:.2f}"),
    ("share that converts, best 10 %", "precision_at_10", "{:.1%}"),
    ("calibration error", "calibration_error", "{:.4f}"),
    ("calibration slope (1 is right)", "calibration_slope", "{:.2f}"),
)
_LOSS = (("log loss", "log_loss", "{:.4f}"),)
_OF_THE_UNTOUCHED = ("base_rate", "roc_auc", "lift_at_10", "calibration_error", "calibration_slope", "log_loss")


class Sections(Protocol):
    """The sections of the settings that this stage is handed."""

    data_root: str
    ingest: Ingest
    decision: DecisionPolicy
    episodes: Episodes
    kpi: Kpi
    leads: LeadPages
    recommend: Recommend
    run: Run
    snapshots: Snapshots
    words: Words


@dataclass(frozen=True)
class Table:
    """What became of the rows of one table of the log."""

    name: str
    rows: int
    used: int
    set_aside: int
    until: str | None
    """Until when a source was observed, to the minute; None where the table is no source."""
    state: str
    """Whether a source runs or has stopped; empty where the table is no source."""


@dataclass(frozen=True)
class Figure:
    """A figure and its 95 % interval, written out; ``interval`` is empty where there is none."""

    label: str
    value: str
    interval: str


@dataclass(frozen=True)
class Rival:
    """What else was tried, its figures written out; ``gain`` is how much lower the model's log loss is."""

    name: str
    log_loss: str
    roc_auc: str
    gain: str
    interval: str
    beaten: bool
    wins: bool


@dataclass(frozen=True)
class Horizon:
    """What the probabilities of another horizon were worth; ``log_loss``, ``roc_auc`` and the rest written out."""

    name: str
    rows: int
    leads: int
    promised: float
    happened: int
    log_loss: Figure
    log_loss_of_base_rate: str
    roc_auc: Figure
    calibration_error: str
    by_chance: str


@dataclass(frozen=True)
class JudgedFrom:
    """A day from which the procedure was judged: snapshots learned from and foretold, and the conversions of both."""

    moment: str
    learned: int
    learned_conversions: int
    foretold: int
    expected: float
    conversions: int


@dataclass(frozen=True)
class Results:
    """The reports of all stages, each as its JSON file holds it but for names. They hold no lead ids."""

    ingested: dict[str, Any]
    validated: dict[str, Any]
    snapshots: dict[str, Any]
    training: dict[str, Any]
    metrics: dict[str, Any]
    breakdown: dict[str, Any]
    scoring: dict[str, Any]
    verdicts: list[Verdict]
    is_of_another_model: bool = False
    """Whether ``scoring`` is of another model than the one that was judged: its figures say nothing of that one."""

    @staticmethod
    def files(places: Places) -> tuple[Path, ...]:
        """Name the files that hold them."""
        return (
            places.ingested,
            places.validation,
            places.snapshot_counts,
            places.training,
            places.metrics,
            places.breakdown,
            places.scoring,
            places.verdicts,
        )

    @classmethod
    def read(cls, project: Project[Sections]) -> Results:
        """Read what the stages wrote, names in the words of people; raises InputError where a stage has not run."""
        words, leads = project.parameters.words, project.parameters.ingest.leads
        return cls(
            read_json(project.ingested),
            read_json(project.validation),
            name_milestones(read_json(project.snapshot_counts), words),
            read_json(project.training),
            read_json(project.figures),
            name_parts(read_json(project.breakdown), words, leads.attributes if leads else ()),
            read_json(project.scoring),
            read_verdicts(project),
        )

    @property
    def is_measured(self) -> bool:
        """Whether anything was foretold that can be measured."""
        return self.metrics["roc_auc"]["value"] is not None

    @property
    def is_judged(self) -> bool:
        """Whether what was measured came later than all that had been learned from."""
        return self.is_measured and bool(self.training["origins"])

    def origins(self) -> list[JudgedFrom]:
        """List the origins, the oldest first."""
        return [
            JudgedFrom(
                one["origin"][:10],
                one["learned"]["rows"],
                one["learned"]["conversions"],
                one["foretold"]["rows"],
                one["foretold"]["expected"],
                one["foretold"]["conversions"],
            )
            for one in self.training["origins"]
        ]

    def recipe(self) -> str:
        """Say what the model is made of."""
        training = self.training
        trees = f" ({training['trees']:,} trees in each of {training['members']} members)" if training["trees"] else ""
        shift = training["shift"]
        shifted = f", shifted by {shift:+.2f} in log-odds for the newest outcomes" if shift else ""
        if shift < 0.0:
            shifted += " (fewer convert of late, or fewer are recorded: look whether the export is complete)"
        if not training["may_shift"]:
            shifted = ", never shifted for the newest outcomes, for outcomes lack"
        return f"{training['recipe']}{trees}, calibration: {training['calibration']}{shifted}"

    def rivals(self) -> list[Rival]:
        """List what else was tried on the same rows, first what ours does not beat."""
        return [
            Rival(
                one["name"],
                f"{one['log_loss']:.4f}",
                f"{one['roc_auc']:.3f}",
                f"{one['gain']:+.4f}",
                f"{one['low']:+.4f} to {one['high']:+.4f}",
                beaten=one["low"] > 0.0,
                wins=one["high"] < 0.0,
            )
            for one in self.breakdown["rivals"]
        ]

    def horizons(self) -> list[Horizon]:
        """List the other horizons that could be measured, the shortest first."""
        return [
            Horizon(
                one["horizon"],
                one["rows"],
                one["leads"],
                one["promised"],
                one["happened"],
                _written("log loss", one["log_loss"], "{:.4f}"),
                f"{one['log_loss_of_base_rate']:.4f}",
                _written("ROC AUC", one["roc_auc"], "{:.3f}"),
                f"{one['calibration_error']:.4f}",
                f"{one['error_by_chance']:.4f}",
            )
            for one in self.breakdown["horizons"]
            if "rows" in one
        ]

    def told_of_horizons(self) -> list[str]:
        """Say which horizons are not calibrated, and which could not be judged, or from fewer origins."""
        told = []
        for one in self.breakdown["horizons"]:
            name, judged, left_out = one["horizon"], one["origins"], one["origins_left_out"]
            if "rows" not in one:
                few = "of what was foretold and is known fewer than ten leads convert, or don't"
                told.append(f"{name} is not judged: {few}")
                continue
            if not one["is_calibrated"]:
                much = "much" if one["promised"] > one["happened"] else "little"
                told.append(f"{name} is NOT calibrated: it is further off than chance explains, promising too {much}")
            if left_out:
                told.append(
                    f"{name} is judged from {judged} of {judged + left_out} origins: at the others nothing was settled "
                    "for it, or none of what they foretold is known yet"
                )
        return told

    def unbeaten(self) -> str | None:
        """Say what is better than the model, and what it is not better than by more than chance."""
        better = [one.name for one in self.rivals() if one.wins]
        equal = [one.name for one in self.rivals() if not one.wins and not one.beaten]
        told = [f"BETTER than the model: {', '.join(better)}"] if better else []
        told += [f"Not worse than the model by more than chance: {', '.join(equal)}"] if equal else []
        return ". ".join(told) + "." if told else None

    def newest(self) -> list[Figure]:
        """List the figures of what was foretold from the newest origin alone."""
        known = [(label, f"newest_{name}", style) for label, name, style in _FIGURES + _LOSS]
        return self._written([one for one in known if one[1] in self.metrics])

    @property
    def tells_untouched(self) -> bool:
        """Whether the log says who of the leads that were foretold none of us had acted on."""
        return "untouched_foretold" in self.metrics

    def untouched(self) -> list[Figure]:
        """List the figures of leads that none of us had acted on; none where there are too few to tell."""
        if not self.tells_untouched or self.metrics["untouched_log_loss"]["value"] is None:
            return []
        chosen = [one for one in _FIGURES + _LOSS if one[1] in _OF_THE_UNTOUCHED]
        return self._written([(label, f"untouched_{name}", style) for label, name, style in chosen])

    def untouched_rest_on(self) -> str:
        """Say on how much the figures of `untouched` rest, or why there are none."""
        rows, leads, conversions = (
            self.metrics["untouched_foretold"][part] for part in ("rows", "leads", "conversions")
        )
        if not rows:
            return "Of every lead that was foretold, one of us had acted on it before: there is none to measure."
        counted = f"{rows:,} snapshots of {leads:,} leads, {conversions:,} of which convert"
        if not self.untouched():
            return f"There are {counted}: too few leads of either kind to tell the model from chance."
        error = self.metrics["untouched_calibration_error"]["value"]
        chance = self.metrics["untouched_calibration_error_by_chance"]["quantile_95"]
        off = " There the model is NOT calibrated." if error > chance else ""
        return (
            f"They rest on {counted}. By chance, a perfect model shows a calibration error of up to {chance:.4f} there "
            f"in 95 of 100 cases.{off}"
        )

    def worst(self) -> list[str]:
        """Say of which parts too much or too little is promised, by more than chance."""
        return [
            f"{one['kind']}, {one['name']}: {one['promised']:,.0f} promised, {one['happened']:,} happened, of "
            f"{one['rows']:,} snapshots of {one['leads']:,} leads"
            for one in self.breakdown["worst"]
        ]

    def tables(self) -> list[Table]:
        """List the tables of the log: sources first, in alphabetical order."""
        until = {name: (part["observed_until"] or "no event")[:16] for name, part in self.ingested["sources"].items()}
        return [
            Table(
                name,
                part["rows"],
                part["used"],
                sum(part["set_aside"].values()),
                until.get(name),
                part.get("rhythm", {}).get("state", ""),
            )
            for name, part in self._tables()
        ]

    def rhythms(self) -> list[tuple[str, str, str]]:
        """List name, state and evidence of the sources that don't simply run."""
        sources = sorted(self.ingested["sources"].items())
        states = [(name, part["rhythm"]) for name, part in sources if "rhythm" in part]
        return [(name, one["state"], one["evidence"]) for name, one in states if one["state"] != "running"]

    def set_aside(self) -> list[tuple[str, int, list[str]]]:
        """Count the rows that were set aside by reason, the most frequent first: reason, rows, tables."""
        counts: dict[str, dict[str, int]] = {}
        for name, part in self._tables():
            for reason, count in part["set_aside"].items():
                counts.setdefault(reason, {})[name] = count
        aside = [(reason, sum(tables.values()), list(tables)) for reason, tables in counts.items()]
        return sorted(aside, key=lambda part: (-part[1], part[0]))

    def _tables(self) -> list[tuple[str, dict[str, Any]]]:
        """List what was read of each table: of the sources of events first, in alphabetical order."""
        others = dict(self.ingested.get("tables") or {})
        others |= {name: self.ingested.get(name) for name in OWN_TABLES}
        return [*sorted(self.ingested["sources"].items()), *(other for other in others.items() if other[1])]

    def warnings(self) -> list[str]:
        """List what is odd but stopped no stage: of the log as it was read, then of the expectations that failed."""
        failed = [verdict for verdict in self.validated["expectations"] if not verdict["success"]]
        return [
            *self.ingested.get("warnings", []),
            *(f"{verdict['suite']}: {verdict['meaning']}, found {verdict['count']:,g}" for verdict in failed),
            *(start["told"] for start in self.snapshots["outcomes_from"].values() if not start["stated"]),
        ]

    def unlabelled(self) -> list[str]:
        """Say which snapshots have no label and why, and which have one though their lead was not open in truth."""
        counts, told = self.snapshots["unlabelled"], []
        if immature := counts.get("immature"):
            until = self.snapshots["observed_until"][:10]
            told.append(f"{immature:,} more snapshots have no label yet: what they ask lies beyond {until}, until when "
                        "outcomes were observed.")  # fmt: skip
        if unobserved := counts.get("unobserved"):
            since = max(start["observed_from"] for start in self.snapshots["outcomes_from"].values())[:10]
            told.append(
                f"{unobserved:,} have none, for they come before {since}, from when on conversions were recorded."
            )
        if ended := self.snapshots["ended_unknown"]:
            told.append(
                f"{ended:,} were of leads that had converted or were lost before, which nobody knew yet: "
                "they count as not converting."
            )
        return told

    def outcomes_unknown(self) -> str | None:
        """Say since when nobody knows who of the leads scored has ended, where that is so."""
        unknown = self.scoring.get("outcomes_unknown")
        if unknown is None:
            return None
        ended, leads = unknown["leads_ended"], self.scoring["leads"]
        who = "some of them may have" if ended is None else f"about {ended:,.0f} of them ({ended / leads:.0%}) have"
        days = f"{unknown['days']:.1f}".removesuffix(".0")
        return (
            f"Outcomes are known up to {unknown['since'][:10]}, {days} days before: {who} ended since, and are counted "
            "as open. Fewer will convert than is expected here."
        )

    def ages_unseen(self, parameters: Sections) -> str | None:
        """Say how many of the leads scored are older than any that was learned from, and what would teach it."""
        older, leads = self.scoring["older_than_learned"], self.scoring["leads"]
        if not older:
            return None
        advice = parameters.snapshots.what_would_teach_age(is_assumed=parameters.ingest.assumes_when)
        return f"{told_of_older(older, leads, self.scoring['oldest_learned_days'])}; {advice}"

    def figures(self) -> list[Figure]:
        """List the figures of all that was foretold; one that can't be said is ``unknown``."""
        return self._written(_FIGURES)

    def _written(self, figures: Sequence[tuple[str, str, str]]) -> list[Figure]:
        return [_written(label, self.metrics[name], style) for label, name, style in figures]


def _written(label: str, estimate: Mapping[str, float | None], style: str) -> Figure:
    value, low, high = (estimate.get(part) for part in ("value", "low", "high"))
    if value is None:
        return Figure(label, "unknown", "")
    interval = "" if low is None or high is None else f"{style.format(low)} to {style.format(high)}"
    return Figure(label, style.format(value), interval)
