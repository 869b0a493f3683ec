"""The stage ``train``: the procedure judged at each origin, and the same procedure on all that is settled today."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.core.enough import Pace
from models.core.horizons import column_of
from models.learning.additive import Roles
from models.learning.backtest import Foretold, backtest, decide, leave_out, newest
from models.learning.baselines import BASELINE_NAMES, BASELINES
from models.learning.claims import claims_of
from models.learning.horizons import Horizons, Waits, foretell_others, learn_steps, require_settled
from models.learning.ladder import RUNG_NAMES
from models.learning.learner import Fitting, Recipe, require_outcomes
from models.learning.one_order import in_one_order
from models.learning.origins import choose_origins
from models.learning.parameters import RUNGS
from models.learning.reference import quarters_of, reference_of
from pipeline.core.parallel import Crew, cores
from pipeline.core.project import Places, Progress, Project, fingerprint, read_json, require, write_json, written_whole
from pipeline.matrix.slices import delay_of, horizon_of, reach_of, read_catalogue, read_taught, waits_of
from pipeline.settings import question
from pipeline.settings.learning import Train
from pipeline.settings.question import question_of

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from models.core.model import Model
    from models.core.slices import Slice

_ROUNDS_A_LINE = 100
_CELLS_AT_ONCE = 100_000_000
"""Of the matrices that models are fitted to side by side: 400 MB. With more, LightGBM's own threads share well."""
FEWEST_ORIGINS = 2
"""With fewer, one month's luck would pass for what the model is worth."""
_FOR_CHOICES = 2
"""Origins before those that count, which serve for choices alone."""


class Sections(question.Sections, Protocol):
    """The sections of the settings that this stage is handed."""

    train: Train


def run(project: Project[Sections], progress: Progress) -> None:
    """Judge at the origins and keep what was foretold, learn from all rows; write the model's files and the log."""
    require(project.matrix)
    settings = project.parameters.train
    counts = read_json(project.snapshot_counts)
    rows, as_of = read_taught(project)
    require_outcomes(rows, settings.minimum_conversions, _pace(counts))
    recipe, known = recipe_of(settings, project)
    horizons, observed_until = Horizons(horizon_of(counts), settings.other_horizons), _observed_until(counts)
    waits = Waits(as_of, waits_of(rows, as_of, project.snapshots), delay_of(counts))
    require_settled(waits, horizons, observed_until)

    def tell(one: Foretold) -> None:
        progress(
            f"learned from {one.log.rows:,} snapshots settled by {_moment(one):%Y-%m-%d} "
            f"({RUNG_NAMES[one.log.rung]}), and foretold {len(one.labels):,}{'' if one.counts else ', for choices'}"
        )

    manifest = {
        **known,
        "oldest_episode_days": float(rows.frame["episode_age_days"].max()),
        "horizon": counts["horizon"],
        "question": question_of(project.parameters),
        "trained_from": counts["labelled"]["from"],
        "trained_until": max(waits.looked_until(one, observed_until) for one in horizons.all).isoformat(),
        "matrix_sha256": fingerprint(project.matrix),
        "versions": {name: importlib.metadata.version(name) for name in ("leadcast", "lightgbm", "numpy")},
    }
    with crew_for(rows) as crew:

        def tell_trees(done: int, most: int) -> None:
            crew.go_on()
            if done % _ROUNDS_A_LINE == 0:
                progress(f"learning from all {len(rows.labels):,}: grown {done:,} trees of at most {most:,}")

        def fit() -> Fitting:
            recent, threads = newest(as_of), crew.threads_each
            fitting = Fitting(
                rows,
                replace(recipe, num_threads=threads),
                members=settings.members,
                manifest=manifest,
                progress=tell_trees,
                recent=recent,
            )
            fitting.choose()  # so that all that can be taken has been fitted
            return fitting

        shipped = crew.submit(fit)  # the longest work first
        foretold = judge(settings, project, rows, as_of, tell, crew)
        fitting = shipped.result()
        rung, shift = decide(foretold, fitting, recipe)
        model, log = fitting.assemble(rung, shift=shift)
        counted = [one for one in foretold if one.counts]
        if len(counted) < FEWEST_ORIGINS:
            progress("too few origins to judge from: each lead is foretold by the others instead")
            foretold, counted = [], [leave_out(rows, as_of, fitting, log)]
        if horizons.others:
            progress(f"foretelling {', '.join(horizons.names)}, too, from {len(counted)} origins")
        others = foretell_others(counted, rows, waits, horizons, recipe, side_by_side=crew.map)
        steps = learn_steps(rows, waits, horizons, recipe, observed_until)
    learned = rows if fitting.learned.all() else rows.take(fitting.learned)
    reference = reference_of(learned, model.columns, model.categories, counted) | _of_stories(project, learned, model)
    model = replace(model, steps=tuple(step for step, _ in steps), reference=reference)
    project.training.unlink(missing_ok=True)  # it says that the model is whole
    with written_whole(project.model) as temporary:
        model.save(temporary)
    for path in (project.foretold, project.kept_origins / f"{model.version[:16]}.parquet"):
        with written_whole(path) as temporary:
            pq.write_table(_table(counted, others, model.version), temporary)
    write_json(
        project.training,
        {
            "model_version": model.version,
            **asdict(log),
            "recipe": RUNG_NAMES[log.rung],
            "names": dict([*RUNG_NAMES.items(), *BASELINE_NAMES.items()]),
            "members": settings.members,
            "until": counts["labelled"]["to"],
            "origins": [_account(one) for one in foretold if one.counts],
            "may_shift": recipe.may_shift,
            "for_choices": [_account(one) for one in foretold if not one.counts],
            "steps": [asdict(account) for _, account in steps],
        },
    )


def judge(
    settings: Train,
    places: Places,
    rows: Slice,
    as_of: NDArray[np.datetime64],
    progress: Callable[[Foretold], None] | None = None,
    crew: Crew | None = None,
) -> list[Foretold]:
    """Judge the procedure at its origins, on the rows of the matrix that lies in a folder, and write nothing.

    The origins are the work of a crew, which may have other work, too; of one of their own where none is given.
    """
    if crew is None:
        with crew_for(rows) as their_own:
            return judge(settings, places, rows, as_of, progress, their_own)
    reach = reach_of(read_json(places.snapshot_counts))
    count = settings.origins + (_FOR_CHOICES if settings.origins else 0)
    origins = choose_origins(as_of, rows.labels, rows.leads, reach, count=count, minimum=settings.minimum_conversions)
    recipe = replace(recipe_of(settings, places)[0], num_threads=crew.threads_each)
    return backtest(
        rows,
        as_of,
        origins,
        reach,
        recipe,
        progress,
        counted=settings.origins,
        grown=lambda _done, _most: crew.go_on(),
        side_by_side=crew.map,
    )


@contextmanager
def crew_for(rows: Slice) -> Iterator[Crew]:
    """Give as many threads as may fit models of these rows side by side: where there are many, one with all cores."""
    cells = max(len(rows.labels) * rows.frame.shape[1], 1)
    with in_one_order(), Crew(min(max(_CELLS_AT_ONCE // cells, 1), cores())) as crew:
        yield crew


def recipe_of(settings: Train, places: Places) -> tuple[Recipe, dict[str, Any]]:
    """Give the recipe of the settings on the columns of the matrix, and what its model notes of the catalogue."""
    catalogue, known_types = read_catalogue(places.catalogue)
    recipe = Recipe(
        columns=catalogue.columns,
        categorical=catalogue.categories,
        parameters=settings.parameters,
        calibration=settings.calibration,
        minimum_conversions=settings.minimum_conversions,
        seed=settings.seed,
        rung=settings.rung,
        roles=Roles(**catalogue.roles),
        points=settings.points,
        maximum_rows=settings.maximum_rows,
        # What was not recorded is no fall of the base rate, and would be taken for one.
        may_shift=not read_json(places.snapshot_counts).get("outcome_holes"),
    )
    return recipe, {"catalogue": catalogue.to_json(), "known_types": known_types}


def _of_stories(places: Places, rows: Slice, model: Model) -> dict[str, Any]:
    """Count what became of the leads that have a story in common, and where the grades of fit and behaviour lie."""
    stories = read_catalogue(places.catalogue)[0].stories
    told = {story.teller: story.kind != "value" for story in stories}
    parts = {
        "fit": [column for story in stories if story.is_fit for column in story.columns],
        "behaviour": [column for story in stories if story.feature is not None for column in story.columns],
    }
    return {"claims": claims_of(rows, told, model.categories), "grades": quarters_of(model, rows, parts)}


def _pace(counts: dict[str, Any]) -> Pace:
    first, last, until = (
        datetime.fromisoformat(moment)
        for moment in (counts["labelled"]["from"], counts["labelled"]["to"], counts["observed_until"])
    )
    return Pace((last - first) / timedelta(days=1), until)


def _table(foretold: Sequence[Foretold], others: Sequence[Mapping[str, NDArray[np.float64]]], version: str) -> pa.Table:
    """Say what was foretold of each lead and moment, from which origin, by the procedure that made the model.

    What came of it stands beside it: two models are compared when the matrix of the earlier one is no more.
    Without an origin it was foretold by other leads, and not from an earlier moment.

    Beside it stands what each rung and each baseline said, and the probabilities of the ``others`` among the horizons:
    NaN where an origin had too little for a rung, or for a horizon.
    """
    rivals = [name for name in (*RUNGS, *BASELINES) if any(name in one.said for one in foretold)]
    horizons = list(dict.fromkeys(horizon for one in others for horizon in one))
    kinds: dict[str, Any] = {
        "lead_id": pa.string(),
        "as_of": pa.timestamp("us"),
        "origin": pa.timestamp("us"),
        "probability": pa.float64(),
        "model_version": pa.string(),
        "happened": pa.bool_(),
    }
    kinds |= {name: pa.float64() for name in (*rivals, *map(column_of, horizons))}
    tables = []
    for one, chained in zip(foretold, others, strict=True):
        columns: dict[str, Any] = {
            "lead_id": pa.array(one.leads, pa.string()),
            "as_of": pa.array(one.as_of, pa.timestamp("us")),
            "origin": pa.array([one.origin and one.origin.moment] * len(one.leads), pa.timestamp("us")),
            "probability": pa.array(one.probabilities),
            "model_version": pa.array([version] * len(one.leads), pa.string()),
            "happened": pa.array(one.labels > 0),
        }
        unknown = np.full(len(one.leads), np.nan)
        columns |= {name: pa.array(one.said.get(name, unknown)) for name in rivals}
        columns |= {column_of(horizon): pa.array(chained.get(horizon, unknown)) for horizon in horizons}
        tables.append(pa.table(columns, schema=pa.schema(kinds)))
    return pa.concat_tables(tables) if tables else pa.schema(kinds).empty_table()


def _observed_until(counts: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(counts["observed_until"])


def _moment(one: Foretold) -> pd.Timestamp:
    assert one.origin is not None  # noqa: S101 - only what was left out has none
    return one.origin.moment


def _account(one: Foretold) -> dict[str, Any]:
    return {
        "origin": _moment(one).isoformat(),
        "learned": asdict(one.log),
        "foretold": {
            "rows": len(one.labels),
            "leads": len(set(one.leads)),
            "conversions": int(one.labels.sum()),
            "expected": float(one.probabilities.sum()),
        },
    }
