"""The model as data: files of text, and the calibrated probabilities that follow from them.

=====================  ==================================================================
``members/0.txt`` ...  the trees of a member, in LightGBM's own text format, without its
                       settings, or the terms of one that adds up (``additive``)
``calibration.json``   from these log-odds to a probability (``calibrators``)
``horizons.json``      steps to other horizons (``horizons``), where there are such
``reference.json``     how the columns were distributed in what was learned from, and how
                       many of each part converted; what was foretold at the origins
``manifest.json``      the columns in their order, the levels of each category, the
                       SHA-256 of the other files under ``files``, and whatever else says
                       how the model came about
=====================  ==================================================================

The log-odds of a row are the mean over the members, or their sum by the ``weights`` in the manifest.

The SHA-256 of the manifest is the model's version. Every load compares the files with it, and looks whether they can
be a model at all: LightGBM takes whatever it is given, and ends the process, or never returns, where a text of trees is
cut short or leads in a circle.

This very folder also travels inside the logged MLflow model, as its loader, where the rest of the project is not
installed: it imports lightgbm, numpy and pandas, its own files, and nothing else that is not Python's own.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .additive import Additive, adds_up
from .calibrators import calibrate, complaint
from .encoding import Numbers, in_blocks, numbers_of
from .horizons import Step, chain, from_json, to_json
from .trees import RESTORE, ArtefactError, check_trees

if TYPE_CHECKING:
    import lightgbm

MEMBERS = "members"
CALIBRATION_FILE = "calibration.json"
HORIZONS_FILE, REFERENCE_FILE = "horizons.json", "reference.json"
MANIFEST_FILE = "manifest.json"

# Threads of LightGBM that wait for each other spin by default: beside another busy process all takes ten times as long.
# It counts where it is set before LightGBM is imported, and all that imports LightGBM imports this file first.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

_OPTIONAL = frozenset({HORIZONS_FILE, REFERENCE_FILE})
_OTHER = f"it was changed since, cut short, or comes from another model. {RESTORE}"


@dataclass(frozen=True)
class Model:
    """Members, calibrator and manifest, the steps to other horizons than its own, and what to compare it with later.

    A member is LightGBM's text as `trees.without_settings` leaves it, or that of `additive.Additive`.
    """

    members: tuple[str, ...]
    calibrator: dict[str, Any]
    manifest: dict[str, Any]
    steps: tuple[Step, ...] = ()
    reference: dict[str, Any] = field(default_factory=dict)
    """As ``models.learning.reference`` makes it; no prediction asks for it."""

    @property
    def columns(self) -> list[str]:
        """The columns that the members read, in the order of the trees' columns."""
        return list(self.manifest["columns"])

    @property
    def categories(self) -> dict[str, list[str]]:
        """The levels kept of each category column."""
        return dict(self.manifest["categories"])

    @property
    def weights(self) -> list[float]:
        """How much of each member's log-odds the model's are."""
        equal = [1.0 / len(self.members)] * len(self.members)
        return list(self.manifest.get("weights", equal))

    @cached_property
    def boosters(self) -> list[lightgbm.Booster]:
        """The trees of each member that has some, ready to predict on what `encode` returns."""
        return [ready for ready in self._ready if not isinstance(ready, Additive)]

    @cached_property
    def _ready(self) -> list[lightgbm.Booster | Additive]:
        return [Additive.from_text(text, self.columns) if adds_up(text) else _booster(text) for text in self.members]

    @cached_property
    def version(self) -> str:
        """SHA-256, in hexadecimal, of the manifest, which holds that of the other files."""
        return _sha256(self._files()[MANIFEST_FILE])

    def save(self, folder: Path | str) -> None:
        """Write the files, the same bytes for the same model; the folder is made if it is missing.

        What a model of more members, or with files that this one has not, has left there is removed.
        """
        files = self._files()
        for left in set(_parts_in(Path(folder))) - files.keys():
            (Path(folder) / left).unlink()
        for name, content in files.items():
            target = Path(folder) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    @classmethod
    def load(cls, folder: Path | str, version: str | None = None) -> Model:
        """Read the files, and compare them with each other and with ``version``, where it is known.

        Raises `ArtefactError` where one is missing, cannot be read, is not the one that was written, holds no model, or
        where a file of a model lies there that the manifest does not name.
        """
        source = Path(folder)
        manifest, contents = _read_all(source, version)
        members = [name for name in contents if name.startswith(MEMBERS)]
        model = cls(
            members=tuple(_text(source / name, contents[name]) for name in map(_member, range(len(members)))),
            calibrator=_parse(source / CALIBRATION_FILE, contents[CALIBRATION_FILE], required={"method"}),
            manifest=manifest,
        )
        try:
            for text in model.members:
                if adds_up(text):
                    Additive.from_text(text, model.columns)
                else:
                    check_trees(text, len(model.columns))
            if HORIZONS_FILE in contents:
                chained = _parse(source / HORIZONS_FILE, contents[HORIZONS_FILE], required={"steps"})
                model = replace(model, steps=from_json(chained, model.columns))
            if REFERENCE_FILE in contents:
                described = _parse(source / REFERENCE_FILE, contents[REFERENCE_FILE], required={"columns"})
                model = replace(model, reference=described)
        except ArtefactError as error:
            raise ArtefactError(f"{source}: {error}") from None
        if wrong := complaint(model.calibrator) or _complaint(manifest.get("weights"), len(members)):
            raise ArtefactError(f"{source}: {wrong}. {RESTORE}")
        return model

    def numbers(self, frame: pd.DataFrame) -> Numbers:
        """Give what the model reads of a frame, for whom asks more than once about its rows."""
        return Numbers(len(frame), numbers_of(frame, self.columns, self.categories))

    def raw_score(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Log-odds as the members add them up, before calibration: shape (n,)."""
        return self._raw_score(self.numbers(frame), None)

    def _raw_score(self, read_of: Numbers, at: NDArray[np.intp] | None) -> NDArray[np.float64]:
        numbers = read_of.columns
        place = {column: position for position, column in enumerate(self.columns)}
        ready, weights = self._ready, self.weights
        # The other columns may as well be 0.
        asked_for = np.flatnonzero(np.sum([booster.feature_importance() for booster in self.boosters], axis=0)).tolist()
        read = sorted({term.column for one in ready if isinstance(one, Additive) for term in one.terms})
        answers = np.zeros(read_of.rows if at is None else len(at))

        def answer(rows: slice) -> None:
            taken = rows if at is None else at[rows]
            matrix = np.zeros((rows.stop - rows.start, len(numbers)))
            for position in asked_for:
                matrix[:, position] = numbers[position][taken]
            values = {column: numbers[place[column]][taken] for column in read}
            total = answers[rows]
            for one, weight in zip(ready, weights, strict=True):
                if not isinstance(one, Additive):
                    total += weight * one.predict(matrix, num_threads=1, raw_score=True)
                    continue
                total += weight * one.intercept
                for _, added in one.contributions(values):
                    total += weight * added

        in_blocks(len(answers), answer, threads())
        return answers

    def predict(self, frame: pd.DataFrame, params: Mapping[str, Any] | None = None) -> NDArray[np.float64]:
        """Calibrated probabilities, strictly between 0 and 1: shape (n,).

        `params` is there because MLflow may hand it over; there is nothing to set.
        """
        if params:
            raise ArtefactError(f"the model takes no parameters, but was given {sorted(params)}: leave them out.")
        return calibrate(self.calibrator, self.raw_score(frame))

    def predict_at(self, numbers: Numbers, at: NDArray[np.intp]) -> NDArray[np.float64]:
        """Calibrated probabilities of the rows at some places of what `numbers` gave: shape (len(at),)."""
        return calibrate(self.calibrator, self._raw_score(numbers, at))

    def other_horizons(
        self, frame: pd.DataFrame, probabilities: NDArray[np.float64] | None = None
    ) -> dict[str, NDArray[np.float64]]:
        """Probabilities of the other horizons, by their texts (``60d``), each of shape (n,).

        They never contradict the `probabilities` of the model's own horizon, which are asked for where they are not
        given; a longer horizon never has a lower one.
        """
        own = self.predict(frame) if probabilities is None else probabilities
        return chain(self.steps, frame, own, threads=threads())

    def gains(self) -> NDArray[np.float64]:
        """Say what share of the members' work each column does, by their weights: shape (columns,), summing to 1.

        In trees it is how much of the log loss the splits on the column have saved; in a member that adds up, how far
        the column's terms spread.
        """
        shares = np.zeros(len(self.columns))
        for ready, weight in zip(self._ready, self.weights, strict=True):
            if isinstance(ready, Additive):
                work = np.zeros(len(self.columns))
                for term in ready.terms:
                    work[self.columns.index(term.column)] += abs(term.weight) * term.spread
            else:
                work = np.asarray(ready.feature_importance("gain"), dtype=np.float64)
            shares += abs(weight) * work / (work.sum() or 1.0)
        return shares / (shares.sum() or 1.0)

    def _files(self) -> dict[str, bytes]:
        files = {_member(number): text.encode() for number, text in enumerate(self.members)}
        files[CALIBRATION_FILE] = _canonical(self.calibrator)
        if self.steps:
            files[HORIZONS_FILE] = _canonical(to_json(self.steps))
        if self.reference:
            files[REFERENCE_FILE] = _canonical(self.reference)
        hashes = {name: _sha256(content) for name, content in files.items()}
        return {**files, MANIFEST_FILE: _canonical({**self.manifest, "files": hashes})}


def _read_all(source: Path, version: str | None) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Read the manifest, and the other files of a model as it names them, which are those that it was written with."""
    content = _read(source / MANIFEST_FILE)
    manifest = _parse(source / MANIFEST_FILE, content, required={"columns", "categories", "files"})
    if version is not None and _sha256(content) != version:
        raise ArtefactError(f"{source / MANIFEST_FILE} is not that of model {version[:16]}: {_OTHER}")
    files = manifest.pop("files")
    others = {CALIBRATION_FILE} | (_OPTIONAL & files.keys() if isinstance(files, dict) else set())
    number = len(files) - len(others) if isinstance(files, dict) else 0
    if number < 1 or files.keys() != {*others, *map(_member, range(number))}:
        raise ArtefactError(f"{source / MANIFEST_FILE} names other files than a model has: {_OTHER}")
    contents = {}
    for name, expected in {**dict.fromkeys(_parts_in(source)), **files}.items():
        contents[name] = _read(source / name)
        if _sha256(contents[name]) != expected:
            raise ArtefactError(f"{source / name} is not the one that {MANIFEST_FILE} was written with: {_OTHER}")
    return manifest, contents


def threads() -> int:
    """Say how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _booster(text: str) -> lightgbm.Booster:
    import lightgbm  # noqa: PLC0415 (it takes more than a second to import)

    return lightgbm.Booster(model_str=text)


def _complaint(weights: object, members: int) -> str | None:
    """Say why members can't be summed by these weights; None where they can, or where there are none."""
    if weights is None or (
        isinstance(weights, list)
        and len(weights) == members
        and all(isinstance(weight, int | float) and not isinstance(weight, bool) for weight in weights)
        and all(0.0 <= weight <= sys.float_info.max for weight in weights)
    ):
        return None
    return "the manifest's weights must be as many numbers as there are members, none below 0"


def _member(number: int) -> str:
    return f"{MEMBERS}/{number}.txt"


def _parts_in(folder: Path) -> list[str]:
    """Name the files of a folder that one model has and another one lacks: members, other horizons, the reference."""
    members = sorted(f"{MEMBERS}/{path.name}" for path in (folder / MEMBERS).glob("*.txt"))
    return members + sorted(name for name in _OPTIONAL if (folder / name).exists())


def _canonical(content: Mapping[str, Any]) -> bytes:
    # Python writes the shortest text that reads back as the same float: nothing is lost on the way.
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read ({error}). {RESTORE}") from error


def _text(path: Path, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise ArtefactError(f"{path} cannot be read ({error}). {RESTORE}") from error


def _parse(path: Path, content: bytes, *, required: set[str]) -> dict[str, Any]:
    try:
        parsed = json.loads(_text(path, content), parse_constant=_refuse_constant)
    except ValueError as error:
        raise ArtefactError(f"{path} is broken ({error}). {RESTORE}") from error
    if not isinstance(parsed, dict) or not required <= parsed.keys():
        lacking = sorted(required - parsed.keys()) if isinstance(parsed, dict) else sorted(required)
        raise ArtefactError(f"{path} lacks {', '.join(lacking)}. {RESTORE}")
    return parsed


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _load_pyfunc(path: str) -> Model:
    """Load the model from its folder: MLflow calls it by this name."""
    return Model.load(path)
