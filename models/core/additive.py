"""A member that adds up: log-odds that are an intercept and, for each term, a weight times a shape of one column.

As a file it is JSON, of which an entry is a term. What a value ``v`` of its column becomes, with its ``parameter`` p:

``log``      ln(1 + p v), for what is counted: the first event says more than the tenth
``capped``   v, at most p
``decay``    exp(-v / p), for ages and times since
``missing``  1 where there is no value
``level``    1 where a category has the level with the number p (`encoding.encode`)
``latest``   1 where v is the smallest of all columns that have such a term: the last thing that happened

A value below 0 is taken as 0. A term says how far its shape lies from its ``mean``; what is missing lies there.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .trees import RESTORE, ArtefactError

Shape = Literal["log", "capped", "decay", "missing", "level", "latest"]
SHAPES: tuple[Shape, ...] = get_args(Shape)


@dataclass(frozen=True)
class Term:
    """What one column adds: its shape and the shape's parameter, where it lies on average, and its weight.

    ``spread`` is the shape's standard deviation where the weight was learned.
    """

    column: str
    shape: Shape
    parameter: float = 1.0
    mean: float = 0.0
    spread: float = 1.0
    weight: float = 0.0


@dataclass(frozen=True)
class Additive:
    """An intercept, which is the score of a row that is average in everything, and terms."""

    intercept: float
    terms: tuple[Term, ...]

    def contributions(self, numbers: Mapping[str, NDArray[Any]]) -> list[tuple[str, NDArray[np.float64]]]:
        """Say what each term adds to the score of each row, beside its column; ``numbers`` are of shape (n,)."""
        shapes = shaped(self.terms, numbers)
        return [
            (term.column, _known(values - term.mean) * term.weight)
            for term, values in zip(self.terms, shapes, strict=True)
        ]

    def score(self, numbers: Mapping[str, NDArray[Any]], rows: int) -> NDArray[np.float64]:
        """Add up the log-odds: shape (rows,)."""
        total = np.full(rows, self.intercept)
        for _, added in self.contributions(numbers):
            total += added
        return total

    def to_text(self) -> str:
        """Write the member, a term a line."""
        terms = ",\n".join(json.dumps(asdict(term), sort_keys=True, ensure_ascii=False) for term in self.terms)
        return f'{{"intercept": {self.intercept!r}, "terms": [\n{terms}\n]}}\n'

    @classmethod
    def from_text(cls, text: str, columns: Sequence[str]) -> Additive:
        """Read a member of a model with these columns.

        Raises `ArtefactError` where it is none.
        """
        try:
            content = json.loads(text)
            read = cls(_number(content["intercept"]), tuple(_term(one, columns) for one in content["terms"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError(f"the terms of a member are broken ({error}). {RESTORE}") from None
        return read


def adds_up(text: str) -> bool:
    """Tell the text of a member that adds up, which is JSON, from one of trees."""
    return text.startswith("{")


def shaped(terms: Sequence[Term], numbers: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float64]]:
    """Give the shape of each term's column, each of shape (n,): NaN where it is missing."""
    rivals = [term.column for term in terms if term.shape == "latest"]
    latest = _latest([numbers[column] for column in rivals]) if rivals else np.empty(0, dtype=np.int64)
    return [
        np.asarray(latest == rivals.index(term.column), dtype=np.float64)
        if term.shape == "latest"
        else _shape(term, np.asarray(numbers[term.column], dtype=np.float64))
        for term in terms
    ]


def _known(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give distances from the mean, 0 where a value is missing; most columns are whole, and to ask takes less."""
    return distances if np.isfinite(distances).all() else np.nan_to_num(distances)


def _shape(term: Term, values: NDArray[np.float64]) -> NDArray[np.float64]:
    match term.shape:
        case "missing":
            return np.isnan(values).astype(np.float64)
        case "level":
            return np.asarray(values == term.parameter, dtype=np.float64)
        case "log":
            return np.log1p(term.parameter * np.maximum(values, 0.0))
        case "capped":
            return np.clip(values, 0.0, term.parameter)
        case _:
            return np.exp(np.maximum(values, 0.0) / -term.parameter)


def _latest(columns: Sequence[NDArray[Any]]) -> NDArray[np.int64]:
    """Tell which column holds the smallest value of each row, the first of equal ones; -1 where all are missing."""
    values = np.stack([np.asarray(column, dtype=np.float64) for column in columns])
    known = ~np.isnan(values)
    return np.where(known.any(axis=0), np.where(known, values, np.inf).argmin(axis=0), -1)


def _term(content: Any, columns: Sequence[str]) -> Term:  # noqa: ANN401 - whatever the file holds
    term = Term(**content)
    if term.column not in columns or term.shape not in SHAPES:
        raise ValueError(f"a term of {term.column!r} as {term.shape!r}")
    numbers = {name: _number(content[name]) for name in ("parameter", "mean", "spread", "weight")}
    if term.shape == "decay" and numbers["parameter"] <= 0.0:
        raise ValueError("a decay within no time")
    return term


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)
