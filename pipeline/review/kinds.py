"""What leads are parted by: how old they are, the channel, the source of their last act, and whether we had acted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.language.catalogue import Catalogue
from features.timeline.snapshots import take_snapshots_of
from models.core.model import Model
from models.evaluation.segments import age_of
from pipeline.core.project import Project
from pipeline.evaluate.acts import latest_sources, touched
from pipeline.log.history import Sections, read_history

_DAY = np.timedelta64(86_400_000_000, "us")


def kinds_of(
    project: Project[Sections], model: Model, leads: NDArray[Any], as_of: NDArray[np.datetime64]
) -> dict[str, NDArray[Any]]:
    """Part rows by what was known of their leads at ``as_of`` (UTC): by each kind a text for each row, shape (n,).

    ``model`` says which attributes are channels. A kind that tells nothing apart is left out; a text is empty where it
    is not known.
    """
    kinds: dict[str, NDArray[Any]] = {"age of the episode": _ages(project, leads, as_of)}
    acted = touched(project.interactions, leads, as_of)
    if acted is not None:
        kinds["our own acts"] = np.where(acted, "we had acted", "none of us had acted")
    sources = latest_sources(project.interactions, leads, as_of)
    if sources is not None:
        kinds["source"] = sources
    return kinds | _channels(project, model, leads)


def _ages(project: Project[Sections], leads: NDArray[Any], as_of: NDArray[np.datetime64]) -> NDArray[Any]:
    """Name the band of each episode's age; of what no snapshot was taken, the leads are looked at once more."""
    rows = pd.DataFrame({"lead_id": leads.astype(str), "as_of": as_of.astype("datetime64[us]")})
    columns = ["lead_id", "as_of", "started_at"]
    taken = pq.read_table(project.snapshots, columns=columns).to_pandas().astype({"lead_id": rows["lead_id"].dtype})
    started = rows.merge(taken, on=["lead_id", "as_of"], how="left")["started_at"]
    unknown = rows[started.isna()]
    if len(unknown):
        history = read_history(project, project.parameters.episodes)
        looks = take_snapshots_of(history, unknown["lead_id"], unknown["as_of"])[columns]
        found = rows.merge(looks.astype({"lead_id": rows["lead_id"].dtype}), on=columns[:2], how="left")
        started = started.fillna(found["started_at"])
    days = (as_of - started.to_numpy("datetime64[us]")) / _DAY
    return np.where(np.isnan(days), "", age_of(days))


def _channels(project: Project[Sections], model: Model, leads: NDArray[Any]) -> dict[str, NDArray[Any]]:
    catalogue = Catalogue.from_json(model.manifest["catalogue"])
    attributes = {column: name for name, column in catalogue.attribute_columns.items()}
    held = set(pq.read_schema(project.leads).names)
    names = [name for column in catalogue.roles["channels"] if (name := attributes[column]) in held]
    if not names:
        return {}
    table = pq.read_table(project.leads, columns=["lead_id", *names]).to_pandas().set_index("lead_id")
    of_leads = table.reindex(leads.astype(str))
    return {name: of_leads[name].astype(object).fillna("").to_numpy().astype(str) for name in names}
