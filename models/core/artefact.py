"""The model as data: three files of text, and the calibrated probabilities that follow from them.

========================  ==================================================================
``booster.txt``           the trees, in LightGBM's own text format, without its settings
``calibrator.json``       from the trees' log-odds to a probability
``manifest.json``         the columns in their order, the levels of each category, the
                          SHA-256 of the two other files under ``files``, and whatever
                          else says how the model came about
========================  ==================================================================

The SHA-256 of the manifest is the model's version. Every load compares the files with it, and looks whether they can
be a model at all: LightGBM takes whatever it is given, and ends the process, or never returns, where a text of trees is
cut short or leads in a circle.

This very file also travels inside the logged MLflow model, as its loader, where the rest of the
project is not installed: it imports lightgbm, numpy and pandas, and nothing else that is not Python's own.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    import lightgbm

BOOSTER_FILE = "booster.txt"
CALIBRATOR_FILE = "calibrator.json"
MANIFEST_FILE = "manifest.json"

# Threads of LightGBM that wait for each other spin by default: beside another busy process all takes ten times as long.
# It counts where it is set before LightGBM is imported, and all that imports LightGBM imports this file first.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

LARGEST_LOG_ODDS = 34.0
"""Where `exp` and `1 / (1 + exp)` still tell neighbours apart: beyond it a probability would round to 0 or 1."""

ROWS_AT_ONCE = 2048
"""Rows that are encoded before the trees read them: few enough to stay in a core's cache in between."""


_RESTORE = "Train the model again, or restore its folder."
_OTHER = f"it was changed since, cut short, or comes from another model. {_RESTORE}"


class ArtefactError(ValueError):
    """The files are no model, or a frame lacks what the model reads."""


@dataclass(frozen=True)
class Model:
    """Trees, calibrator and manifest. `booster_text` is LightGBM's text as `without_settings` leaves it."""

    booster_text: str
    calibrator: dict[str, Any]
    manifest: dict[str, Any]

    @property
    def columns(self) -> list[str]:
        """The columns the trees read, in their order."""
        return list(self.manifest["columns"])

    @property
    def categories(self) -> dict[str, list[str]]:
        """The levels kept of each category column."""
        return dict(self.manifest["categories"])

    @cached_property
    def booster(self) -> lightgbm.Booster:
        """The trees, ready to predict on what `encode` returns."""
        import lightgbm  # noqa: PLC0415 (it takes more than a second to import)

        return lightgbm.Booster(model_str=self.booster_text)

    @property
    def version(self) -> str:
        """SHA-256, in hexadecimal, of the manifest, which holds that of the other files."""
        return _sha256(self._files()[MANIFEST_FILE])

    def save(self, folder: Path | str) -> None:
        """Write the three files, the same bytes for the same model; the folder is made if it is missing."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        for name, content in self._files().items():
            (target / name).write_bytes(content)

    @classmethod
    def load(cls, folder: Path | str, version: str | None = None) -> Model:
        """Read the three files, and compare them with each other and with ``version``, where it is known.

        Raises `ArtefactError` where one is missing, cannot be read, is not the one that was written, or holds no model.
        """
        source = Path(folder)
        contents = {name: _read(source / name) for name in (BOOSTER_FILE, CALIBRATOR_FILE, MANIFEST_FILE)}
        manifest = _parse(source / MANIFEST_FILE, contents[MANIFEST_FILE], required={"columns", "categories", "files"})
        if version is not None and _sha256(contents[MANIFEST_FILE]) != version:
            raise ArtefactError(f"{source / MANIFEST_FILE} is not that of model {version[:16]}: {_OTHER}")
        files = manifest.pop("files")
        for name in (BOOSTER_FILE, CALIBRATOR_FILE):
            if not isinstance(files, dict) or files.get(name) != _sha256(contents[name]):
                raise ArtefactError(f"{source / name} is not the one that {MANIFEST_FILE} was written with: {_OTHER}")
        model = cls(
            booster_text=_text(source / BOOSTER_FILE, contents[BOOSTER_FILE]),
            calibrator=_parse(source / CALIBRATOR_FILE, contents[CALIBRATOR_FILE], required={"method"}),
            manifest=manifest,
        )
        try:
            check_trees(model.booster_text, len(model.columns))
            check_calibrator(model.calibrator)
        except ArtefactError as error:
            raise ArtefactError(f"{source}: {error}") from None
        return model

    def raw_score(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Log-odds as the trees add them up, before calibration: shape (n,)."""
        return self._ask_trees(frame, raw_score=True)

    def predict(self, frame: pd.DataFrame, params: Mapping[str, Any] | None = None) -> NDArray[np.float64]:
        """Calibrated probabilities, strictly between 0 and 1: shape (n,).

        `params` is there because MLflow may hand it over; there is nothing to set.
        """
        if params:
            raise ArtefactError(f"the model takes no parameters, but was given {sorted(params)}: leave them out.")
        return calibrate(self.calibrator, self.raw_score(frame))

    def contributions(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Say what each column adds to the log-odds of each row (TreeSHAP): shape (n, columns + 1).

        The last column is the model's average; each row sums to its `raw_score`.
        """
        return self._ask_trees(frame, pred_contrib=True)

    def _ask_trees(self, frame: pd.DataFrame, **question: bool) -> NDArray[np.float64]:
        """Ask block by block, a block a thread: encoding is shared among the cores, too, and memory is bounded."""
        numbers = _numbers_of(frame, self.columns, self.categories)
        booster = self.booster
        asked_for = np.flatnonzero(booster.feature_importance()).tolist()  # the other columns may as well be 0
        answers = np.empty((len(frame), len(numbers) + 1) if "pred_contrib" in question else len(frame))
        threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        step = min(ROWS_AT_ONCE, max(len(frame) // threads, 1))

        def answer(first: int) -> None:
            rows = slice(first, min(first + step, len(frame)))
            matrix = np.zeros((rows.stop - first, len(numbers)))
            for position in asked_for:
                matrix[:, position] = numbers[position][rows]
            answers[rows] = booster.predict(matrix, num_threads=1, **question)

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(answer, range(0, len(frame), step)))
        return answers

    def _files(self) -> dict[str, bytes]:
        files = {BOOSTER_FILE: self.booster_text.encode(), CALIBRATOR_FILE: _canonical(self.calibrator)}
        hashes = {name: _sha256(content) for name, content in files.items()}
        return {**files, MANIFEST_FILE: _canonical({**self.manifest, "files": hashes})}


def encode(frame: pd.DataFrame, columns: Sequence[str], categories: Mapping[str, Sequence[str]]) -> NDArray[np.float64]:
    """Turn a frame into the numbers the trees read: shape (n, len(columns)).

    Columns are picked by name: LightGBM goes by position alone and would not notice another order. Other columns
    are ignored. Numbers are cast to float64. In a category column the i-th level becomes i + 1, any other text 0
    ("other"). What is missing becomes NaN.

    Raises `ArtefactError` where a column is missing, or is neither a number nor a category.

    >>> frame = pd.DataFrame({"source": ["web", None, "fax"], "clicks": [3, None, 1]})
    >>> encode(frame, ["clicks", "source"], {"source": ["mail", "web"]})
    array([[ 3.,  2.],
           [nan, nan],
           [ 1.,  0.]])
    """
    numbers = _numbers_of(frame, columns, categories)
    matrix = np.empty((len(frame), len(columns)), dtype=np.float64)
    for first in range(0, len(frame), ROWS_AT_ONCE):
        rows = slice(first, first + ROWS_AT_ONCE)
        for position, values in enumerate(numbers):
            matrix[rows, position] = values[rows]
    return matrix


def calibrate(calibrator: Mapping[str, Any], raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities, shape (n,), for log-odds of shape (n,): never 0 or 1, and in the order of the log-odds.

    ``sigmoid``   1 / (1 + exp(-(slope * raw + intercept)))
    ``isotonic``  the straight lines between the points (`raw`, `rate`), level beyond the ends, mixed with the
                  share `blend` of the sigmoid, so that nothing is level.
    """
    log_odds = calibrator["slope"] * raw + calibrator["intercept"]
    sigmoid = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -LARGEST_LOG_ODDS, LARGEST_LOG_ODDS)))
    if calibrator["method"] == "sigmoid":
        return np.asarray(sigmoid, dtype=np.float64)
    if calibrator["method"] == "isotonic":
        steps = np.interp(raw, calibrator["raw"], calibrator["rate"])
        return np.asarray(steps + calibrator["blend"] * (sigmoid - steps), dtype=np.float64)
    raise ArtefactError(f"the calibrator's method {calibrator['method']!r} is unknown: known are isotonic, sigmoid.")


def without_settings(booster_text: str) -> str:
    """LightGBM's text of a model without what does not change a prediction, as the number of threads.

    Raises `ArtefactError` where the text does not look like a model of LightGBM's.
    """
    trees, mark, _ = booster_text.partition("\nparameters:\n")
    if not mark:
        raise ArtefactError("the text of the trees has no part 'parameters:': this is another version of LightGBM.")
    return trees


def _numbers_of(
    frame: pd.DataFrame, columns: Sequence[str], categories: Mapping[str, Sequence[str]]
) -> list[NDArray[Any]]:
    """Give each column as numbers that NumPy casts to float64 by itself, without a copy where it holds such."""
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        raise ArtefactError(
            f"the model reads {len(columns)} columns, of which the frame lacks {', '.join(map(repr, missing))}:"
            " make the frame with the features that the model was trained on."
        )
    return [
        _codes(frame[column], categories[column]) if column in categories else _numbers(frame[column])
        for column in columns
    ]


def _numbers(values: pd.Series) -> NDArray[Any]:
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biuf":
        plain: NDArray[Any] = values.to_numpy()
        return plain
    try:
        numbers: NDArray[np.float64] = values.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ArtefactError(
            f"the column {values.name!r} must hold numbers, but its type is {values.dtype} ({error})."
        ) from error
    return numbers


def _codes(values: pd.Series, levels: Sequence[str]) -> NDArray[np.float64]:
    # Each distinct text is looked up once, however many rows share it.
    positions, distinct = pd.factorize(values)
    codes = pd.Index(levels, dtype=object).get_indexer(pd.Index(distinct, dtype=object)) + 1.0
    encoded: NDArray[np.float64] = np.append(codes, np.nan)[positions]  # what is missing has position -1: the last
    return encoded


def _canonical(content: Mapping[str, Any]) -> bytes:
    # Python writes the shortest text that reads back as the same float: nothing is lost on the way.
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def check_calibrator(calibrator: Mapping[str, Any]) -> None:
    """Look whether ``calibrate`` can only give probabilities; raises `ArtefactError` where it could not."""
    is_isotonic = calibrator["method"] == "isotonic"
    single = ["slope", "intercept"] + (["blend"] if is_isotonic else [])
    if not all(_is_number(calibrator.get(name)) for name in single):
        raise ArtefactError(f"the calibrator's {', '.join(single)} must be numbers. {_RESTORE}")
    if not is_isotonic:
        return
    raw, rate = _rising(calibrator.get("raw")), _rising(calibrator.get("rate"))
    if not raw or len(raw) != len(rate) or rate[0] < 0 or rate[-1] > 1:
        raise ArtefactError(f"the calibrator's points must be numbers that rise, and its rates shares. {_RESTORE}")


def _rising(values: object) -> list[float]:
    """Give a list of numbers that never fall, and an empty one where it is none."""
    numbers = values if isinstance(values, list) and all(map(_is_number, values)) else []
    return numbers if numbers == sorted(numbers) else []


def check_trees(text: str, columns: int) -> None:
    """Look whether LightGBM can read this text, and walk its trees to an end.

    Each tree lies where the header says, its lists have the lengths that its leaves ask for, nodes lead to later nodes
    or to leaves, splits ask for features that there are, and leaves hold numbers.

    Raises `ArtefactError` where one does not.
    """
    header, _, rest = text.partition("\n\n")
    try:
        _walk_trees(_entries(header), rest.encode(), columns)
    except (KeyError, ValueError) as error:
        raise ArtefactError(f"the text of the trees is broken ({error}). {_RESTORE}") from None


def _walk_trees(head: Mapping[str, str], content: bytes, columns: int) -> None:
    if int(head["max_feature_idx"]) + 1 != columns:
        raise ValueError(f"they read {int(head['max_feature_idx']) + 1} columns, and the manifest has {columns}")
    place = 0
    for number, size in enumerate(head["tree_sizes"].split()):
        block = content[place : place + int(size)].decode()
        place += len(block)
        if not block.startswith(f"Tree={number}\n"):
            raise ValueError(f"tree {number} does not begin where it should")
        _check_tree(_entries(block), columns)
    if not content[place:].startswith(b"end of trees\n"):
        raise ValueError("they do not end where they should")


def _check_tree(tree: Mapping[str, str], columns: int) -> None:
    leaves, categorical = int(tree["num_leaves"]), int(tree["num_cat"])
    values = [float(value) for value in tree["leaf_value"].split()]
    if len(values) != leaves or not all(map(math.isfinite, values)):
        raise ValueError(f"a tree of {leaves} leaves has {len(values)} values, or some that are no numbers")
    if leaves == 1:
        return
    lists = {name: tree[name].split() for name in ("split_feature", "threshold", "decision_type")}
    children = [[int(child) for child in tree[name].split()] for name in ("left_child", "right_child")]
    if {len(some) for some in lists.values()} | {len(side) for side in children} != {leaves - 1}:
        raise ValueError(f"a tree of {leaves} leaves lacks nodes")
    if not all(0 <= int(feature) < columns for feature in lists["split_feature"]):
        raise ValueError("a node asks for a feature that there is not")
    if not all(
        -leaves <= child < 0 or node < child < leaves - 1 for side in children for node, child in enumerate(side)
    ):
        raise ValueError("a node leads nowhere")
    bounds = [int(bound) for bound in tree["cat_boundaries"].split()] if categorical else [0]
    if len(bounds) != categorical + 1 or bounds != sorted(bounds) or bounds[0] != 0:
        raise ValueError("the sets of categories are not where they should be")
    if len(tree.get("cat_threshold", "").split()) != bounds[-1]:
        raise ValueError("a set of categories is cut short")
    for threshold, decision in zip(lists["threshold"], lists["decision_type"], strict=True):
        if int(decision) & 1 and not 0 <= int(float(threshold)) < categorical:
            raise ValueError("a node asks for a set of categories that there is not")


def _entries(lines: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in lines.splitlines() if "=" in line)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read ({error}). {_RESTORE}") from error


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ArtefactError(f"{path} cannot be read ({error}). {_RESTORE}") from error


def _parse(path: Path, content: bytes, *, required: set[str]) -> dict[str, Any]:
    try:
        parsed = json.loads(_text(path, content), parse_constant=_refuse_constant)
    except ValueError as error:
        raise ArtefactError(f"{path} is broken ({error}). {_RESTORE}") from error
    if not isinstance(parsed, dict) or not required <= parsed.keys():
        lacking = sorted(required - parsed.keys()) if isinstance(parsed, dict) else sorted(required)
        raise ArtefactError(f"{path} lacks {', '.join(lacking)}. {_RESTORE}")
    return parsed


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _load_pyfunc(path: str) -> Model:
    """Load the model from its folder: MLflow calls it by this name."""
    return Model.load(path)
