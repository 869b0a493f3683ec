"""What stands beside the figures: what else could be done, and in which parts the promises are not kept."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.errors import InputError
from features.language.catalogue import Catalogue
from models.evaluation.rivals import attained, compare_with
from models.evaluation.segments import age_of, segments, worst
from pipeline.core.project import Places, read_json
from pipeline.evaluate.acts import latest_sources
from pipeline.evaluate.origins import Origins


def break_down(
    places: Places, catalogue: Catalogue, origins: Origins, rung: str, acted: NDArray[np.bool_] | None
) -> dict[str, Any]:
    """Compare with every other rung and with the baselines, and measure each age, channel and kind of lead.

    ``acted`` says of each row whether one of us had acted on its lead, where any of us ever did.
    """
    later, said = origins.later, origins.probabilities
    names = read_json(places.training)["names"]
    rivals = {name: values for name, values in origins.rivals.items() if name != rung}
    kinds: dict[str, NDArray[Any]] = {
        "age of the episode": age_of(later.frame["episode_age_days"].to_numpy(np.float64))
    }
    if acted is not None:
        kinds["our own acts"] = np.where(acted, "we had acted", "none of us had acted")
    sources = latest_sources(places.interactions, later.leads, origins.as_of)
    if sources is not None:
        kinds["source"] = sources
    attributes = {column: name for name, column in catalogue.attribute_columns.items()}
    for column in catalogue.roles["channels"]:
        kinds[attributes[column]] = later.frame[column].astype(object).fillna("").to_numpy().astype(str)
    found = segments(later.labels, said, origins.base_rates, later.leads, kinds)
    beyond, bound = worst(found)
    return {
        "rivals": [
            {**asdict(one), "code": one.name, "name": names[one.name]}
            for one in compare_with(later.labels, said, later.leads, rivals)
        ],
        "segments": [asdict(one) for one in found],
        "worst": [asdict(one) for one in beyond],
        "away_by_chance": bound,
    }


def share_of_attainable(truth: Path, origins: Origins) -> dict[str, float]:
    """Say how much of the log loss that could be saved is saved, where the truth is known: of the sample world.

    The limit is ``p_observable``; rows without a truth are left out.

    Raises InputError where the file is no such table.
    """
    try:
        table = pq.read_table(truth, columns=["lead_id", "as_of", "p_observable"]).to_pandas()
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"evaluate.truth: {truth} is no table of lead_id, as_of, p_observable ({error})") from None
    rows = pd.DataFrame({"lead_id": origins.later.leads.astype(str), "as_of": origins.as_of})
    table = table.astype({"lead_id": "str", "as_of": rows["as_of"].dtype})
    likely = rows.merge(table, on=["lead_id", "as_of"], how="left")["p_observable"].to_numpy(np.float64)
    known = ~np.isnan(likely)
    if not known.any():
        raise InputError(f"evaluate.truth: {truth} knows none of the leads and moments that were foretold")
    likely, said, labels = likely[known], origins.probabilities[known], origins.later.labels[known]
    return {"value": attained(likely, said, labels), "rows": int(known.sum())}
