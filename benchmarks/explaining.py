"""Telling why, what has changed and what next of the open leads in the tiers that are shown, against bare TreeSHAP.

The world is the sample's: a model is learned of it, then its open leads are repeated until there are enough. What
telling adds to scoring is timed: reasons, the comparison with a week ago (with its walk over the log), and actions.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import yaml

from benchmarks.measurement import ROOT
from features.core.schema import SORT_ORDER
from features.language.catalogue import Catalogue
from features.timeline.snapshots import take_snapshots_at
from models.core.encoding import encode
from models.core.model import Model
from pipeline import features, train
from pipeline.core.project import Project
from pipeline.core.sql import connect, file_literal
from pipeline.ingest import stage as ingest
from pipeline.log.history import read_history
from pipeline.log.reach import Reach
from pipeline.matrix.batches import gathered
from pipeline.matrix.executors import executor_of
from pipeline.sample import write_sample
from pipeline.scoring.actions import Actions
from pipeline.scoring.comparing import Comparer, LastScore
from pipeline.scoring.deciding import Decider
from pipeline.scoring.earlier import Earlier
from pipeline.scoring.explaining import Explainer
from pipeline.scoring.open_leads import stated_moment
from pipeline.scoring.recontact import Recontact
from pipeline.scoring.standing import look
from pipeline.scoring.work import see_today
from pipeline.settings.file import load_parameters
from pipeline.settings.parameters import Parameters
from pipeline.settings.types import halve
from pipeline.snapshots import stage as snapshots

DRAWN = 12_000
"""Leads of the world that the model has learned from, and whose open ones are repeated."""
_SETTINGS = "params.yaml"
_BACK = timedelta(days=7)


class _Shown(NamedTuple):
    """Leads of a batch in the tiers that are shown: the features of the batch, their rows, and what is foretold."""

    features: pa.Table
    rows: np.ndarray[Any, np.dtype[np.int64]]
    lead_ids: list[str]
    probabilities: np.ndarray[Any, np.dtype[np.float64]]


def write_world(root: Path, leads: int) -> None:
    """Draw a world, learn a model of it, and repeat the leads that are open until there are so many."""
    root.mkdir(parents=True, exist_ok=True)
    content: dict[str, Any] = yaml.safe_load((ROOT / _SETTINGS).read_text(encoding="utf-8"))
    content["train"] |= {"origins": 0, "other_horizons": []}
    (root / _SETTINGS).write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    write_sample(root / content["data_root"], leads=DRAWN, seed=1)
    project = Project(root, load_parameters(root / _SETTINGS))
    for stage in (ingest, snapshots, features, train):
        stage.run(project, lambda _: None)
    _repeat(project, leads)


def _repeat(project: Project[Parameters], leads: int) -> None:
    """Put copies of the open leads, each under a name of its own, in the place of all leads of the log."""
    history = read_history(project, project.parameters.episodes)
    drawn = take_snapshots_at(history, stated_moment(project))[["lead_id"]]
    copies = -(-leads // len(drawn))
    with duckdb.connect() as connection:
        connection.register("drawn", drawn)
        for path, names, order in (
            (project.interactions, ["lead_id"], SORT_ORDER),
            (project.leads, ["lead_id", "account_id"], ["lead_id"]),
            (project.consents, ["lead_id", "own_id"], ["lead_id", "purpose", "changed_at"]),
        ):
            renamed = ", ".join(f"CASE WHEN {one} IS NOT NULL THEN {one} || '-' || copy END AS {one}" for one in names)
            temporary = path.with_suffix(".repeated")
            connection.execute(
                f"COPY (SELECT * EXCLUDE copy REPLACE ({renamed}) FROM read_parquet({file_literal(path)}) SEMI JOIN "
                f"drawn USING (lead_id), range({copies}) AS copies(copy) ORDER BY {', '.join(order)}) "
                f"TO {file_literal(temporary)} (FORMAT parquet)"
            )
            temporary.replace(path)


class _Night:
    """A night in which open leads are scored."""

    def __init__(self, root: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.project = Project(root, load_parameters(root / _SETTINGS))
        self.connection, self.parameters = connection, self.project.parameters
        self.stream_matrix = executor_of(self.parameters.run)
        self.model = Model.load(self.project.model)
        self.model.boosters  # noqa: B018 - read before the time begins, on both sides
        self.catalogue = Catalogue.from_json(self.model.manifest["catalogue"])
        self.as_of = stated_moment(self.project)
        self.history = read_history(self.project, self.parameters.episodes)
        self.open = take_snapshots_at(self.history, self.as_of)
        self.standing = look(self.project, self.parameters, connection, self.open, self.as_of)
        today = see_today(self.project, self.parameters, connection, self.as_of, Earlier())
        ids = self.open["lead_id"].to_numpy(object)
        rate = self.model.manifest["base_rate"]
        self.decider = Decider(self.parameters.decision, self.standing, ids, rate, today)

    def shown(self) -> Iterator[_Shown]:
        """Score everybody, and give those who are shown, batch by batch."""
        self.connection.register("taken", self.open)
        taken = "SELECT lead_id, as_of, created_at, started_at, episode FROM taken"
        done = 0
        log, leads = self.project.interactions, self.project.leads
        matrix = self.stream_matrix(self.connection, taken, log, leads, self.catalogue)
        for batch in gathered(matrix):
            asked = batch.select(self.catalogue.columns)
            probabilities = self.model.predict(asked.to_pandas(split_blocks=True))
            tiers = self.decider.tiers(probabilities, slice(done, done + len(batch)))
            done += len(batch)
            rows = np.flatnonzero(np.isin(tiers, self.parameters.recommend.reasons_for))
            yield _Shown(asked, rows, batch["lead_id"].take(pa.array(rows)).to_pylist(), probabilities[rows])

    def recommended(self, foretold: pd.Series) -> dict[str, Any]:
        """Give what actions are chosen by: the shown leads are those of sales or marketing, the others of nobody."""
        everybody = foretold.reindex(self.decider.lead_ids).fillna(0.0).to_numpy()
        tiers = self.decider.tiers(everybody, slice(None))
        lists, _ = self.decider.lists(everybody, tiers)
        reach = Reach(self.project)
        recontact = Recontact.learn(
            self.project, self.parameters, self.connection, self.history, self.as_of, reach.outcomes_until
        )
        names = lists.list.astype("U12")
        again = recontact.of_open(self.standing, tiers, names)
        return {"tiers": tiers, "lists": names, "list_reasons": lists.reason, "recontact": again}


@contextmanager
def _night(root: Path) -> Iterator[_Night]:
    of_duckdb, _ = halve(load_parameters(root / _SETTINGS).run.memory_limit)
    with connect(of_duckdb, root / "data/.tmp") as connection:
        yield _Night(root, connection)


def give_reasons(root: Path) -> float:
    """Give the reasons of all that are shown; gives the seconds."""
    with _night(root) as night:
        seconds, _ = _explain(night)
    return seconds


def tell_all(root: Path) -> float:
    """Tell, of all that are shown, why, what has changed and what to do next; gives the seconds."""
    with _night(root) as night:
        seconds, foretold = _explain(night)
        asked = night.recommended(foretold)
        decision, words = night.parameters.decision, night.parameters.words
        last = LastScore(night.as_of - _BACK, night.model, is_todays_model=True)
        start = time.perf_counter()
        comparer = Comparer(last, night.as_of, words, decision)
        nobody = pd.DataFrame(columns=["before", "after", "cause", "told"], dtype=object)
        comparer.compare(
            night.connection, night.project, night.history, night.open, foretold, nobody, night.stream_matrix
        )
        actions = Actions(night.project, night.connection, decision, words.language, night.as_of)
        actions.columns(night.decider.lead_ids.tolist(), night.standing, **asked)
        return seconds + time.perf_counter() - start


def _explain(night: _Night) -> tuple[float, pd.Series]:
    """Explain the leads that are shown; gives the seconds, and what is foretold of them."""
    settings = night.parameters
    explainer = Explainer(night.model, night.catalogue, settings.words, settings.decision, settings.ingest, night.as_of)
    seconds, foretold = 0.0, []
    for one in night.shown():
        start = time.perf_counter()
        explainer.explain(one.features, one.rows)
        seconds += time.perf_counter() - start
        foretold.append(pd.Series(one.probabilities, one.lead_ids, dtype=float))
    return seconds, pd.concat(foretold)


def contribute(root: Path) -> float:
    """Ask LightGBM alone for the contributions of the same leads, once; gives the seconds."""
    seconds = 0.0
    with _night(root) as night:
        for one in night.shown():
            frame = one.features.take(pa.array(one.rows)).to_pandas()
            matrix = encode(frame, night.model.columns, night.model.categories)
            start = time.perf_counter()
            for booster in night.model.boosters if len(matrix) else ():
                booster.predict(matrix, pred_contrib=True)
            seconds += time.perf_counter() - start
    return seconds


def shown_of(root: Path) -> int:
    """Count the open leads that are shown."""
    with _night(root) as night:
        return sum(len(one.rows) for one in night.shown())
