"""What a model must keep before it takes the champion's place, each gate by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.registry.figures import BY_CHANCE, CALIBRATION
from pipeline.review.comparison import Comparison
from pipeline.settings.review import Gates

_LOG_LOSS, _ENOUGH = "log_loss", "enough to tell"


@dataclass(frozen=True)
class Gate:
    """One thing that is asked, what was found, and whether it is kept."""

    name: str
    asked: str
    found: str
    kept: bool

    def told(self) -> str:
        """Say it in a line."""
        return f"{'kept' if self.kept else 'NOT kept'}: {self.name}: {self.found} (asked: {self.asked})"


def ask(
    gates: Gates,
    standing: Sequence[str],
    metrics: Mapping[str, float | None],
    comparison: Comparison | str | None,
    *,
    origins: int,
) -> list[Gate]:
    """Put all gates to a model; those that compare it with the champion only where there is another champion.

    ``standing``: the verdicts that call it wrong; ``metrics``: of its run; ``comparison``: or why there can be none;
    ``origins``: from how many moments it was judged on later time.
    """
    asked = [
        Gate("verdicts", "none stands", ", ".join(standing) or "none", not standing),
        Gate("judged", "on later time", f"from {origins} earlier moments" if origins else "it was not", origins > 0),
        _calibrated(gates, metrics),
    ]
    if isinstance(comparison, str):
        return [*asked, Gate(_ENOUGH, _enough(gates), comparison, kept=False)]
    return asked + ([] if comparison is None else _beside_the_champion(gates, comparison))


def _calibrated(gates: Gates, metrics: Mapping[str, float | None]) -> Gate:
    error, by_chance = metrics.get(CALIBRATION), metrics.get(BY_CHANCE)
    wanted = f"an error of at most {gates.calibration:g} times what chance shows a perfect model"
    if error is None or by_chance is None:
        return Gate("calibration", wanted, "unknown", kept=False)
    return Gate(
        "calibration", wanted, f"{error:.4f}, by chance up to {by_chance:.4f}", error <= gates.calibration * by_chance
    )


def _enough(gates: Gates) -> str:
    return f"{gates.minimum_conversions:,} leads that convert, and both have foretold"


def _beside_the_champion(gates: Gates, comparison: Comparison) -> list[Gate]:
    loss = comparison.figures[_LOG_LOSS]
    told = (
        "can't be said"
        if loss.difference is None or loss.low is None or loss.high is None
        else f"{loss.difference:+.4f} ({loss.low:+.4f} to {loss.high:+.4f})"
    )
    badly = [f"{one.name} {one.value}" for one in comparison.segments if one.badly]
    churn = comparison.churn
    lists = f"at most {gates.list_churn:.0%} of the champion's SQL become another tier"
    changed = (
        Gate("lists", lists, f"can't be said: {comparison.details['no_lists']}", kept=False)
        if churn is None
        else Gate(
            "lists", lists, f"{churn.left_share:.0%} ({churn.left:,} of {churn.sql_of_a:,})",
            churn.left_share <= gates.list_churn,
        )
    )  # fmt: skip
    return [
        Gate(_ENOUGH, _enough(gates), f"{comparison.converting:,}",
             comparison.converting >= gates.minimum_conversions),
        Gate("log loss", "not worse than the champion's", f"{loss.verdict}, {told}",
             loss.difference is not None and loss.verdict != "worse"),
        Gate("segments", f"none worse by more than {gates.segment:.0%} beyond chance",
             ", ".join(badly) or "none", not badly),
        changed,
    ]  # fmt: skip
