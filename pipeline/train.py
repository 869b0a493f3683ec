"""The stage ``train``: the procedure judged at each origin, and the same procedure on all that is settled today."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from models.learning.backtest import Foretold, backtest
from models.learning.learner import Recipe, learn, require_outcomes
from models.learning.origins import choose_origins
from pipeline.core.project import Places, Progress, Project, fingerprint, read_json, require, write_json, written_whole
from pipeline.matrix.slices import reach_of, read_catalogue, read_rows
from pipeline.settings import question
from pipeline.settings.learning import Train
from pipeline.settings.question import question_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from models.core.slices import Slice

_ROUNDS_A_LINE = 100


class Sections(question.Sections, Protocol):
    """The sections of the settings that this stage is handed."""

    train: Train


def run(project: Project[Sections], progress: Progress) -> None:
    """Judge at the origins and keep what was foretold, learn from all rows; write the model's files and the log."""
    require(project.matrix)
    settings = project.parameters.train
    counts = read_json(project.snapshot_counts)
    rows, as_of = read_rows(project.matrix)
    require_outcomes(rows, settings.minimum_conversions)
    recipe, known = recipe_of(settings, project)

    def tell(one: Foretold) -> None:
        progress(
            f"learned from {one.log.rows:,} snapshots settled by {one.origin.moment:%Y-%m-%d} ({one.log.trees:,} "
            f"trees), and foretold {len(one.labels):,}"
        )

    foretold = judge(settings, project, rows, as_of, tell)

    def tell_trees(done: int, most: int) -> None:
        if done % _ROUNDS_A_LINE == 0:
            progress(f"learning from all {len(rows.labels):,}: grown {done:,} trees of at most {most:,}")

    manifest = {
        **known,
        "oldest_episode_days": float(rows.frame["episode_age_days"].max()),
        "horizon": counts["horizon"],
        "question": question_of(project.parameters),
        "trained_from": counts["labelled"]["from"],
        "trained_until": labels_until(counts).isoformat(),
        "matrix_sha256": fingerprint(project.matrix),
        "versions": {name: importlib.metadata.version(name) for name in ("leadcast", "lightgbm", "numpy")},
    }
    model, log = learn(rows, recipe, members=settings.members, manifest=manifest, progress=tell_trees)
    project.training.unlink(missing_ok=True)  # it says that the model is whole
    with written_whole(project.model) as temporary:
        model.save(temporary)
    with written_whole(project.foretold) as temporary:
        pq.write_table(_table(foretold, model.version), temporary)
    write_json(
        project.training,
        {
            "model_version": model.version,
            **asdict(log),
            "members": settings.members,
            "until": counts["labelled"]["to"],
            "origins": [_account(one) for one in foretold],
        },
    )


def judge(
    settings: Train,
    places: Places,
    rows: Slice,
    as_of: NDArray[np.datetime64],
    progress: Callable[[Foretold], None] | None = None,
) -> list[Foretold]:
    """Judge the procedure at its origins, on the rows of the matrix that lies in a folder, and write nothing."""
    reach = reach_of(read_json(places.snapshot_counts))
    origins = choose_origins(as_of, rows.labels, reach, count=settings.origins, minimum=settings.minimum_conversions)
    return backtest(rows, as_of, origins, reach, recipe_of(settings, places)[0], progress)


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
    )
    return recipe, {"catalogue": catalogue.to_json(), "known_types": known_types}


def labels_until(counts: dict[str, Any]) -> datetime:
    """Tell up to when the newest label looks: what happened before it is no news to the model."""
    return datetime.fromisoformat(counts["labelled"]["to"]) + reach_of(counts)


def _table(foretold: list[Foretold], version: str) -> pa.Table:
    """Say what was foretold of each lead and moment, and from which origin, by the procedure that made the model."""
    columns: dict[str, list[Any]] = {
        "lead_id": [pa.array(one.leads, pa.string()) for one in foretold],
        "as_of": [pa.array(one.as_of, pa.timestamp("us")) for one in foretold],
        "origin": [pa.array([one.origin.moment] * len(one.leads), pa.timestamp("us")) for one in foretold],
        "probability": [pa.array(one.probabilities) for one in foretold],
        "model_version": [pa.array([version] * len(one.leads), pa.string()) for one in foretold],
    }
    kinds = (pa.string(), pa.timestamp("us"), pa.timestamp("us"), pa.float64(), pa.string())
    return pa.table(
        {name: pa.chunked_array(parts, kind) for (name, parts), kind in zip(columns.items(), kinds, strict=True)}
    )


def _account(one: Foretold) -> dict[str, Any]:
    return {
        "origin": one.origin.moment.isoformat(),
        "until": one.origin.until.isoformat(),
        "learned": asdict(one.log),
        "foretold": {
            "rows": len(one.labels),
            "leads": len(set(one.leads)),
            "conversions": int(one.labels.sum()),
            "expected": float(one.probabilities.sum()),
        },
    }
