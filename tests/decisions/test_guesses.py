"""A probability is a guess where the model has learned from no lead of the kind, and the reason is said."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from world import Project

from features.language.catalogue import Catalogue
from features.timeline.snapshots import take_snapshots_at
from models import Model
from pipeline.log.history import read_history
from pipeline.scoring.doubts import why_guesses
from pipeline.scoring.standing import look


@pytest.fixture(scope="module")
def model(world: Project) -> Model:
    return Model.load(world.model)


def test_of_several_reasons_the_first_is_said(model: Model) -> None:
    catalogue = Catalogue.from_json(model.manifest["catalogue"])
    (channel,) = catalogue.roles["channels"]
    known = model.categories[channel][0]
    narrow = replace(model, manifest=model.manifest | {"oldest_episode_days": 10.0})
    rows = [
        (5.0, known, False, None),
        (10.0, known, False, None),
        (10.1, "fax", True, "age"),
        (5.0, "fax", True, "channel"),
        (5.0, None, False, None),
        (5.0, None, True, "main act"),
    ]
    ages, channels, unseen, expected = zip(*rows, strict=True)
    table = pa.table({"episode_age_days": ages, channel: pa.array(channels, pa.string())})
    acts = np.array(unseen)
    assert why_guesses(table, narrow, catalogue, acts, has_ages=True).to_pylist() == list(expected)
    without_ages = why_guesses(table, narrow, catalogue, acts, has_ages=False).to_pylist()
    assert without_ages == [None, None, "channel", *expected[3:]]


def test_the_main_act_is_most_of_what_the_lead_did_by_then(world: Project) -> None:
    as_of = datetime(2026, 3, 2)
    leads = take_snapshots_at(read_history(world, world.parameters.episodes), as_of)
    known = ["page_view", "form"]
    with duckdb.connect() as connection:
        standing = look(world, world.parameters, connection, leads, as_of, known)
        nothing_asked = look(world, world.parameters, connection, leads, as_of)
    events = pq.read_table(world.interactions).to_pylist()
    acts = [one for one in events if one["actor"] == "lead" and max(one["known_at"], one["occurred_at"]) < as_of]
    every = Counter(one["lead_id"] for one in acts)
    strange = Counter(one["lead_id"] for one in acts if one["event_type"] not in known)
    expected = [strange[lead] > every[lead] / 2 for lead in leads["lead_id"]]
    assert standing.acts_unseen.tolist() == expected
    assert 0 < sum(expected) < len(expected)
    assert not nothing_asked.acts_unseen.any()
