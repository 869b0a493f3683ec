"""Gradient-boosted trees: their number by folds over leads, and members of different seeds on all rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.core.errors import SettingsError
from models.core.trees import without_settings
from models.learning.parameters import Parameter

if TYPE_CHECKING:
    import lightgbm

_ROWS_AT_ONCE = 65_536
Loss = Literal["binary", "cross_entropy"]
_METRICS: Mapping[Loss, str] = {"binary": "binary_logloss", "cross_entropy": "cross_entropy"}

Progress = Callable[[int, int], None]
"""Is told the trees grown and the most there can be."""


@dataclass(frozen=True)
class Grove:
    """The data that trees are grown on, with its bins, and the settings of their growth."""

    data: lightgbm.Dataset
    numbers: Sequence[NDArray[Any]]
    settings: Mapping[str, Parameter]
    loss: Loss

    @classmethod
    def plant(
        cls,
        numbers: Sequence[NDArray[Any]],
        labels: NDArray[np.float64],
        columns: Sequence[str],
        categories: Mapping[str, Sequence[str]],
        settings: Mapping[str, Parameter],
    ) -> Grove:
        """Take columns of shape (n,), as `encoding.numbers_of` gives them, and LightGBM's settings by their main names.

        LightGBM reads the columns where they lie: there is no matrix of them. Of ``labels`` between 0 and 1 the loss is
        the same log loss, which LightGBM calls cross-entropy.
        """
        import lightgbm  # noqa: PLC0415 (it takes more than a second to import)

        data = lightgbm.Dataset(
            pa.table(list(map(pa.array, numbers)), names=_tree_names(columns)),
            label=labels,
            feature_name=_tree_names(columns),
            categorical_feature=[position for position, column in enumerate(columns) if column in categories],
        )
        loss: Loss = "binary" if np.isin(labels, (0.0, 1.0)).all() else "cross_entropy"
        return cls(data, numbers, settings, loss)

    def cross_validate(
        self, fold: NDArray[np.int64], progress: Progress | None = None
    ) -> tuple[int, NDArray[np.float64]]:
        """Give the number of trees with the lowest mean log loss over the folds, and each row's score by unseen trees.

        Raises `SettingsError` where LightGBM refuses the settings.
        """
        import lightgbm  # noqa: PLC0415 (it takes more than a second to import)

        folds = [
            (np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(int(fold.max()) + 1)
        ]
        patience = int(self.settings["early_stopping_round"])
        callbacks: list[Callable[..., Any]] = [lightgbm.early_stopping(patience, verbose=False)]
        if progress is not None:
            callbacks.append(lambda state: progress(state.iteration + 1, state.end_iteration))
        try:
            result = lightgbm.cv(
                _of_lightgbm(self.settings, self.loss),
                self.data,
                int(self.settings["num_iterations"]),
                folds=folds,
                callbacks=callbacks,
                return_cvbooster=True,
            )
        except lightgbm.basic.LightGBMError as error:
            complaint = str(error).partition(" at /")[0]  # without the line of its source
            raise SettingsError(f"LightGBM refuses the parameters {dict(self.settings)}: {complaint}.") from error
        losses = result[f"valid {_METRICS[self.loss]}-mean"]
        trees = int(np.argmin(losses)) + 1
        scores = np.empty(len(fold))
        for booster, (_, held_out) in zip(result["cvbooster"].boosters, folds, strict=True):
            for first in range(0, len(held_out), _ROWS_AT_ONCE):
                some = held_out[first : first + _ROWS_AT_ONCE]
                block = np.stack([values[some] for values in self.numbers], axis=1, dtype=np.float64)
                scores[some] = booster.predict(
                    block, num_iteration=trees, raw_score=True, num_threads=self.settings["num_threads"]
                )
        return trees, scores

    def grow(self, trees: int, seed: int) -> str:
        """Grow so many trees on all rows, and give LightGBM's text of them."""
        import lightgbm  # noqa: PLC0415 (it takes more than a second to import)

        booster = lightgbm.train(_of_lightgbm({**self.settings, "seed": seed}, self.loss), self.data, trees)
        return without_settings(booster.model_to_string(num_iteration=trees))


def _of_lightgbm(settings: Mapping[str, Parameter], loss: Loss) -> dict[str, Any]:
    """Give settings as LightGBM takes them, with what makes a run repeat to the byte."""
    rounds = {"num_iterations", "early_stopping_round"}
    return {name: value for name, value in settings.items() if name not in rounds} | {
        "objective": loss,
        "metric": _METRICS[loss],
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }


def _tree_names(columns: Sequence[str]) -> list[str]:
    """Names that LightGBM accepts, for people who open the file; the manifest holds the real ones."""
    names = [re.sub(r"\W", "_", column) for column in columns]
    return [name if names.count(name) == 1 else f"{name}__column_{position}" for position, name in enumerate(names)]
