"""What may be wrong with a run, whoever found it: one list, shown first wherever figures are shown.

A verdict never stops a stage. One that says ``wrong`` keeps the model from being used: it gets no alias in the
registry, and the command ends with the exit code of ``VerdictError``. ``KINDS`` holds every verdict that there is:
whoever finds something says ``found("slope_at_bound", evidence)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Severity = Literal["wrong", "doubtful", "told"]
"""Of a verdict: nobody should act on the result; look before you act; good to know."""
SEVERITIES: tuple[Severity, ...] = ("wrong", "doubtful", "told")


@dataclass(frozen=True)
class Verdict:
    """One thing that may be wrong: what it is, what was seen, and what to do."""

    code: str
    """What it is called in the settings, where it may be acquitted: ``worse_than_base_rate``."""
    title: str
    """What is wrong, in a few words."""
    severity: Severity
    evidence: str
    """What was seen, with its figures, and what chance would do; without lead ids."""
    remedy: str
    """What to do next."""
    subject: str | None = None
    """The column, source or part that it is about, where there may be several of one code."""
    acquitted: str | None = None
    """The reason that the settings give for taking it as harmless; it is shown with it."""

    @property
    def name(self) -> str:
        """The code, with the subject where there is one: what acquits this verdict and no other."""
        return self.code if self.subject is None else f"{self.code}:{self.subject}"

    @property
    def stands(self) -> bool:
        """Whether it keeps the model from being used."""
        return self.severity == "wrong" and self.acquitted is None

    @property
    def weight(self) -> str:
        """How it is called where it is shown: its severity, or that it is acquitted."""
        return self.severity if self.acquitted is None else "acquitted"

    def to_json(self) -> dict[str, Any]:
        """Give the verdict as ``reports/verdicts.json`` holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Kind:
    """A verdict that may be given: what it is called, how grave it is, and what helps."""

    code: str
    title: str
    severity: Severity
    """How grave it is where the evidence does not say otherwise."""
    remedy: str
    is_of_data: bool = False
    """Whether the log alone shows it, before there is a model."""


KINDS: Mapping[str, Kind] = {
    kind.code: kind
    for kind in (
        Kind(
            "worse_than_base_rate", "no better than the base rate", "wrong",
            "without features that tell more, or a longer log, the share that converts is the better forecast; where "
            "the share has changed over time, learn from newer leads (snapshots.start)",
        ),
        Kind(
            "ranks_like_a_coin", "ranks no better than a coin", "wrong",
            "map more of what leads do (ingest.sources), or bring a longer log: these features tell nobody apart",
        ),
        Kind(
            "same_for_everyone", "every lead gets the same probability", "wrong",
            "look at what was learned from (reports/model.html): the newest leads may be of another kind than those "
            "before, or the features tell nobody apart",
        ),
        Kind(
            "slope_at_bound", "the calibration contradicts the trees", "wrong",
            "what the trees learned is not true of leads that were left out: learn from newer leads "
            "(snapshots.start), or leave out features that name a lead or change with time",
        ),
        Kind(
            "too_little_learned", "next to nothing was learned", "doubtful",
            "more leads, more features, or a longer log; trees stop where later leads are foretold no better",
        ),
        Kind(
            "promises_not_kept", "the sum of the promises is not what happened", "doubtful",
            "don't count on the numbers, even where the order is right: learn from newer leads (snapshots.start), and "
            "check that outcomes are complete (observed_until, snapshots.outcome_delay)",
        ),
        Kind(
            "too_good", "too good to be true", "wrong",
            "look at the importance of the features in reports/model.html: what is written after the outcome, or says "
            "it in other words, must go (ingest.leads.attributes, features.exclude_types)",
        ),
        Kind(
            "column_knows_outcome", "a column that knows the outcome", "wrong",
            "take it out of ingest.leads.attributes: what is overwritten in place is worth nothing when it counts",
            is_of_data=True,
        ),
        Kind(
            "event_knows_outcome", "an event type that knows the outcome", "wrong",
            "put it under features.exclude_types, or take its line out of ingest.sources: the time of a row's last "
            "change, or a date that people type, is no act of a lead",
        ),
        Kind(
            "feature_drift", "leads are not what they were", "doubtful",
            "look at how the columns are filled and mapped over time; learn from newer leads (snapshots.start), or "
            "leave out what changes by itself",
        ),
        Kind(
            "base_rate_drift", "more or fewer convert than before", "doubtful",
            "check that outcomes are complete at both ends of the log; learn from newer leads (snapshots.start)",
        ),
        Kind(
            "outcomes_lack", "months without a conversion, where many were due", "doubtful",
            "complete the export, and run leadcast ingest; or learn from what came after (its observed_from); "
            "or, where the business stood still, state the days under its closed_days",
            is_of_data=True,
        ),
        Kind(
            "type_renamed", "a named event type may be called otherwise by now", "doubtful",
            "look at what the source calls it, unite both with a query (ingest.sources), and run leadcast ingest; or "
            "name both in the settings, and train again",
            is_of_data=True,
        ),
        Kind(
            "ages_unseen", "open leads are older than any that was learned from", "doubtful",
            "add '- calendar: monday' to snapshots.policies; where there is a calendar, a longer log would teach it",
            is_of_data=True,
        ),
        Kind(
            "source_silent", "silent for longer than ever", "wrong",
            "bring its rows and run leadcast ingest; or state under ingest.sources what is so: closed, quiet or "
            "observed_until",
            is_of_data=True,
        ),
        Kind(
            "source_thin", "far fewer rows than usual in the last four weeks", "wrong",
            "bring its rows and run leadcast ingest; or, where so few are right, state the days under its closed_days",
            is_of_data=True,
        ),
        Kind(
            "source_thin_before", "few rows on days long ago, or explained", "told",
            "nothing, or state the days under its closed_days",
            is_of_data=True,
        ),
        Kind(
            "source_unjudged", "too few silences to tell whether it has stopped", "told",
            "look at its last row; with more of them it is judged by its own rhythm",
            is_of_data=True,
        ),
        Kind(
            "source_goes_on", "rows after the end that the settings state", "doubtful",
            "take what states its end out of ingest.sources, or move it",
            is_of_data=True,
        ),
        Kind(
            "source_closes_later", "the log ends before the day that closes the source", "told",
            "nothing, if the day is right; a source that has ended was closed on the day of its last row",
            is_of_data=True,
        ),
        Kind(
            "not_judged", "not judged", "told",
            "nobody knows what this model is worth: it becomes the champion only by force. An origin "
            "(train.origins) after which ten leads convert would tell",
        ),
        Kind(
            "promise_broken", "a promise is broken", "wrong",
            "its leads are suspended: push sends no probability of them. Look at the sources first; then train again "
            "on newer leads (dvc repro) or, where the order of the leads is still right, give the scores another "
            "calibrator (leadcast recalibrate), compare the new model with this one and make it the champion; or, "
            "where the cause is mended, lift it: leadcast monitor --lift SEGMENT --why REASON",
        ),
        Kind(
            "promise_too_early", "too early to say whether promises are kept", "told",
            "wait until the day that it names; score every night, for each lead counts once a horizon",
        ),
        Kind(
            "promise_unclear", "of many promises nobody can say what came of them", "told",
            "look at how leads are merged and corrected (ingest.identities): where most leads that buy get another id "
            "by buying, what is left seems colder than it was promised",
        ),
        Kind(
            "promise_unknown", "nothing is known of promises", "told",
            "score with the champion (leadcast score --as-of now), and look again when the horizon is over",
        ),
        Kind(
            "column_moved", "a column moved further than it used to", "told",
            "look at how it is filled and mapped; where the leads are really others, train again",
        ),
        Kind(
            "level_new", "values that the champion has not learned", "told",
            "look at how the column is mapped; a new channel is learned when its leads have had a horizon",
        ),
        Kind(
            "rows_moved", "a source has other numbers of rows than it used to", "told",
            "see whether its export is complete; a source that is missing is an alarm of its own",
        ),
        Kind(
            "scores_moved", "the scores are distributed otherwise than at first", "told",
            "nothing by itself: the leads may be better or worse; whether the promise is kept is said above",
        ),
        Kind(
            "acquittal_unused", "an acquittal of nothing", "told",
            "take it out of evaluate.acquitted",
        ),
    )
}  # fmt: skip
"""Every verdict that there is, by its code."""


def found(
    code: str,
    evidence: str,
    *,
    subject: str | None = None,
    severity: Severity | None = None,
    remedy: str | None = None,
) -> Verdict:
    """Give the verdict of a kind, with what was seen; of its own severity and remedy where these are given."""
    kind = KINDS[code]
    return Verdict(code, kind.title, severity or kind.severity, evidence, remedy or kind.remedy, subject)


def ordered(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Sort verdicts: those that stand first, then by severity, code and subject."""
    return sorted(
        verdicts, key=lambda one: (not one.stands, SEVERITIES.index(one.severity), one.code, one.subject or "")
    )


def acquit(verdicts: Iterable[Verdict], reasons: Mapping[str, str]) -> list[Verdict]:
    """Mark the verdicts that ``reasons`` names, by code or by ``code:subject``."""
    return [replace(one, acquitted=reasons.get(one.name, reasons.get(one.code))) for one in verdicts]


def judged(verdicts: Iterable[Verdict], reasons: Mapping[str, str]) -> list[Verdict]:
    """Acquit and sort verdicts; an acquittal that meets none is told, for it may be mistyped or outlived."""
    known = list(verdicts)
    met = {name for one in known for name in (one.code, one.name)}
    idle = [
        found("acquittal_unused", f"no verdict is called {name}; the reason given is: {reasons[name]}", subject=name)
        for name in reasons
        if name not in met
    ]
    return ordered([*acquit(known, reasons), *idle])
