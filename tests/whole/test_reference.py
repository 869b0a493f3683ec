"""What a model has to be compared with later: counted as plain SQL counts it, and carried with the model."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
from world import Project

from models.core.model import Model
from models.core.slices import Slice
from models.core.trees import ArtefactError
from models.learning.reference import reference_of

NAN = float("nan")


def test_a_column_is_parted_at_its_tenths_and_what_is_missing_stands_apart() -> None:
    clicks = [0.0] * 6 + [1.0, 1.0, 3.0, NAN]
    frame = pd.DataFrame({"clicks": clicks, "source": ["mail", "web", "fax", None] + ["web"] * 6})
    labels = np.array([0, 1, 0, 0, 0, 0, 1, 0, 1, 1], dtype=np.float64)
    found = reference_of(
        Slice(frame, labels, np.array(list("AABBCCDDEE"))), ["clicks", "source"], {"source": ["mail", "web"]}, []
    )
    assert (found["rows"], found["leads"], found["conversions"], found["origins"]) == (10, 5, 4, [])
    # Nobody has fewer than 0; six have none, two have one or two, one has three or more, of one it is not known.
    parts = {"edges": [0.0, 1.0, 3.0], "rows": [0, 6, 2, 1, 1], "conversions": [0, 1, 1, 1, 1]}
    assert found["columns"]["clicks"] == parts
    levels = {"levels": ["mail", "web"], "rows": [1, 1, 7, 1], "conversions": [0, 0, 4, 0]}
    assert found["columns"]["source"] == levels


def test_a_column_that_is_never_known_has_one_part() -> None:
    rows = Slice(pd.DataFrame({"age": [NAN, NAN]}), np.array([0.0, 1.0]), np.array(["A", "B"]))
    (found,) = reference_of(rows, ["age"], {}, [])["columns"].values()
    assert found == {"edges": [], "rows": [0, 2], "conversions": [0, 1]}


def test_plain_sql_over_the_matrix_gives_the_same_counts(world: Project) -> None:
    numbers = {
        column: known for column, known in Model.load(world.model).reference["columns"].items() if "edges" in known
    }
    assert len(numbers) > 50
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE matrix AS FROM '{world.matrix}'")
        for column, known in numbers.items():
            bounds = ["'-infinity'", *(f"{edge!r}" for edge in known["edges"]), "'nan'"]  # DuckDB sorts NaN last
            for counted, of in (("rows", "count(*)"), ("conversions", "sum(label)")):
                parts = [
                    f"coalesce({of} FILTER (value >= {low}::DOUBLE AND value < {high}::DOUBLE), 0)"
                    for low, high in pairwise(bounds)
                ]
                asked = f'SELECT [{", ".join(parts)}] FROM (SELECT "{column}"::DOUBLE AS value, label FROM matrix)'
                assert connection.execute(asked).fetchall() == [(known[counted][: len(parts)],)], column


def test_the_origins_stand_in_it_as_they_were_foretold(world: Project) -> None:
    told = pd.read_parquet(world.foretold)
    labels = pd.read_parquet(world.matrix, columns=["lead_id", "as_of", "label"])
    told = told.merge(labels, on=["lead_id", "as_of"])
    figures = Model.load(world.model).reference["origins"]
    assert [pd.Timestamp(one["origin"]) for one in figures] == sorted(told["origin"].unique())
    for one, (_, rows) in zip(figures, told.groupby("origin"), strict=True):
        assert (one["rows"], one["conversions"]) == (len(rows), rows["label"].sum())
        assert one["expected"] == pytest.approx(rows["probability"].sum())
        said = np.where(rows["label"] > 0, rows["probability"], 1.0 - rows["probability"])
        assert one["log_loss"] == pytest.approx(-np.log(said).mean())


def test_it_travels_with_the_model_and_is_refused_where_it_was_changed(world: Project, tmp_path: Path) -> None:
    model = Model.load(world.model)
    model.save(tmp_path)
    assert Model.load(tmp_path, model.version) == model
    path = tmp_path / "reference.json"
    path.write_text(path.read_text().replace('"rows"', '"lines"', 1))
    with pytest.raises(ArtefactError, match=r"reference\.json is not the one that manifest\.json was written with"):
        Model.load(tmp_path)
    without = dataclasses.replace(model, reference={})
    without.save(tmp_path)
    assert not path.exists()
    assert Model.load(tmp_path) == without
    assert without.version != model.version
