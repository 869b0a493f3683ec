"""``leadcast compare A B``: two models on what both have foretold, and on today's leads."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.core.time import parse_duration
from models.evaluation.chance import of_a_perfect_model
from models.evaluation.curves import calibration_beside
from models.evaluation.metrics import calibration_error_of
from models.evaluation.pairs import Difference, are_enough, differences, differences_by_segment
from pipeline.core.project import Progress, Project, require
from pipeline.registry.models import Named, find_named
from pipeline.review.comparison import Calibration, Comparison, Side
from pipeline.review.kinds import kinds_of
from pipeline.review.lists import DecidedByBoth, decide_with_both
from pipeline.review.pairs import Pairs, pair, refuse_other_question
from pipeline.settings.parameters import Parameters


def compare_models(project: Project[Parameters], a: Named | str, b: Named | str, progress: Progress) -> Comparison:
    """Compare B with A, each as it is found or by one of ``pipeline.registry.models.NAMES``; nothing is written.

    Raises InputError where the two answer different questions, NotEnoughDataError where both have foretold too little
    of the same, RegistryError where a model is not there.
    """
    return compare_and_list(project, a, b, progress)[0]


def compare_and_list(
    project: Project[Parameters], a: Named | str, b: Named | str, progress: Progress
) -> tuple[Comparison, pd.DataFrame]:
    """Compare as `compare_models` does; gives beside it the leads whose tier is another, see `DecidedByBoth.moved`."""
    settings = project.parameters
    require(project.interactions, project.leads, project.former_creations, project.ingested, project.snapshots)
    one, other = (
        find_named(project, settings.evaluate, named) if isinstance(named, str) else named for named in (a, b)
    )
    sees_differently = refuse_other_question(one, other)
    pairs = pair(project, one, other)
    progress(
        f"measuring on {len(pairs.labels):,} snapshots of {len(np.unique(pairs.leads)):,} leads that both have foretold"
    )
    figures = _figures(project, pairs)
    calibration_of_a, calibration = (
        _calibration(pairs, said, one.model.manifest["horizon"], figures["calibration_slope"], side)
        for said, side in ((pairs.of_a, "a"), (pairs.of_b, "b"))
    )
    kinds = kinds_of(project, other.model, pairs.leads, pairs.as_of)
    segments = differences_by_segment(
        pairs.labels, pairs.of_a, pairs.of_b, pairs.leads, kinds, badly=settings.review.gates.segment
    )
    lists = decide_with_both(project, one, other, progress)
    decided = lists if isinstance(lists, DecidedByBoth) else None
    comparison = Comparison(
        a=_side(one),
        b=_side(other),
        horizon=one.model.manifest["horizon"],
        pairs=len(pairs.labels),
        leads=len(np.unique(pairs.leads)),
        conversions=int(pairs.labels.sum()),
        converting=len(np.unique(pairs.leads[pairs.labels > 0])),
        figures=figures,
        calibration_of_a=calibration_of_a,
        calibration=calibration,
        segments=segments,
        churn=None if decided is None else decided.churn,
        details={
            "pairs": {
                **pairs.counts,
                "from": str(pairs.as_of.min())[:19],
                "to": str(pairs.as_of.max())[:19],
            },
            "newest": _newest(project, pairs),
            "sees_differently": sees_differently,
            "lists": decided and dict(decided.details),
            "no_lists": lists if decided is None else None,
        },
    )
    return comparison, pd.DataFrame() if decided is None else decided.moved


def _figures(project: Project[Parameters], pairs: Pairs) -> dict[str, Difference]:
    settings = project.parameters
    return differences(
        pairs.labels,
        pairs.of_a,
        pairs.of_b,
        pairs.leads,
        settings.review.matters.model_dump(),
        replicates=settings.evaluate.replicates,
    )


def _newest(project: Project[Parameters], pairs: Pairs) -> dict[str, Any] | None:
    """Compare on what was foretold from the newest origin alone; None where that is all, or too little."""
    is_newest = pairs.newest
    of_newest = pairs.take(is_newest)
    if is_newest.all() or not are_enough(of_newest.labels, of_newest.leads):
        return None
    return {
        "origin": str(of_newest.origin[0])[:19],
        "pairs": len(of_newest.labels),
        "conversions": int(of_newest.labels.sum()),
        "figures": {name: asdict(one) for name, one in _figures(project, of_newest).items()},
    }


def _calibration(pairs: Pairs, said: NDArray[np.float64], horizon: str, slope: Difference, side: str) -> Calibration:
    """Set what one has promised beside what happened, and beside what a perfect model shows by chance."""
    chance = of_a_perfect_model(pairs.labels, said, pairs.leads, pairs.as_of, parse_duration(horizon))
    curve = calibration_beside(chance, pairs.labels, said, pairs.leads)
    return Calibration(
        error=calibration_error_of(pairs.labels, said),
        by_chance_95=float(chance.error_quantile_95),
        slope=getattr(slope, side),
        curve=tuple({str(name): float(value) for name, value in row.items()} for row in curve.to_dict("records")),
    )


def _side(one: Named) -> Side:
    return Side(one.asked, one.model.version, one.version, one.model.manifest["trained_until"])
