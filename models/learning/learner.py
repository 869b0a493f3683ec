"""From labelled rows to a calibrated model: the rungs of the ladder fitted, one of them taken, and calibrated.

Every row counts once. Resampling and class weights would change the share of conversions that is learned, and with it
every probability; a rare outcome does not need them when the loss is the log loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.core.errors import NotEnoughDataError
from models.core.additive import Additive, Term
from models.core.calibrators import calibrate, probability, shifted
from models.core.encoding import numbers_of
from models.core.enough import Pace, told_of_lack
from models.core.model import Model
from models.core.slices import Slice, deal, folds_for, whole_leads
from models.learning.additive import (
    PRIOR,
    PRIOR_OF_RATES,
    Roles,
    fit_additive,
    terms_of_rates,
    terms_of_recency_and_frequency,
    terms_of_regression,
)
from models.learning.baselines import CLAMP, Baseline, naive_bayes, points_rule
from models.learning.calibration import fit_calibrator, fit_shift, fit_slopes
from models.learning.ladder import SHIFTED, choose, losses, rungs_for
from models.learning.parameters import RUNGS, Method, Parameter, Rung, checked_parameters
from models.learning.trees import Grove, Progress

_HELPS = (
    "a longer log, a shorter horizon (more outcomes are known), or looking at leads more often (snapshots.policies)"
)

SOON_FROM = 300
"""From so many leads that convert on, how soon they do is learned from: scores of it have to be calibrated by two
numbers at the least, which fewer leads don't give."""
MOST_LEVELS = 100
"""Of a category. Each is a column of the logistic regression, whose time grows with their square and more: two thousand
levels in 60,000 rows took minutes and gigabytes, and most of them a few leads each."""


@dataclass(frozen=True)
class Recipe:
    """How a model is made of rows: the same at every origin, and of the model that ships.

    `columns` are the features in the order the model keeps; those of them in `categorical` hold text, of which a level
    is kept where at least `minimum_leads` leads have it, and of more than `MOST_LEVELS` those that most leads have.
    `roles` says which columns the logistic regression and the base rates read, and `rung` what is made of them: `auto`
    leaves that to the ladder, among `rungs`. `parameters` are LightGBM's, by their main names, over `DEFAULTS`.
    `points` are those of the rule of points, by event type. Of more than `maximum_rows` rows, those of leads drawn by a
    hash are learned from. Where `may_shift` is false, the base rate does not follow the newest outcomes. `num_threads`
    (0: all cores) does not change a byte of the model.
    """

    columns: Sequence[str]
    categorical: Sequence[str] = ()
    parameters: Mapping[str, Parameter] | None = None
    calibration: Method = "auto"
    minimum_leads: int = 20
    minimum_conversions: int = 5
    seed: int = 7
    num_threads: int = 0
    rung: Rung | Literal["auto"] = "trees"
    rungs: Sequence[Rung] = RUNGS
    roles: Roles = field(default_factory=Roles)
    points: Mapping[str, float] = field(default_factory=dict)
    maximum_rows: int | None = None
    may_shift: bool = True


@dataclass(frozen=True)
class TrainingLog:
    """What training has to tell of the rows that were learned from, and of what the folds chose."""

    rung: Rung
    trees: int
    """Of a member; 0 where the rung has none."""
    calibration: str
    shift: float
    """Added to the log-odds of what is calibrated, for the newest outcomes; 0 where the origins don't ask for it."""
    rows: int
    leads: int
    conversions: int
    log_loss: float
    """Of the calibrated scores of rows that the fit had not seen."""


Trained = tuple[Model, TrainingLog]


def learn(
    rows: Slice,
    recipe: Recipe,
    *,
    members: int = 1,
    manifest: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Fit the recipe's rung, or the one that the ladder takes by the folds, and calibrate it.

    What is chosen (number of trees, rung, calibrator) is chosen by scores of rows that the fit had not seen, in folds
    over leads. Trees are grown in members, which differ by their seed. Into the manifest go `manifest` and the columns,
    the categories, the base rate, the seed, the rung, the parameters and the number of trees.

    Raises `SettingsError` for parameters that are unknown or would break the probabilities, `NotEnoughDataError` where
    fewer than `minimum_conversions` leads convert, or have a row that doesn't.
    """
    fitting = Fitting(rows, recipe, members=members, manifest=manifest, progress=progress)
    return fitting.assemble(fitting.choose() if recipe.rung == "auto" else recipe.rung)


@dataclass(frozen=True)
class _Part:
    """Members of one kind, how many trees each has, and the score of each row by members that had not seen it."""

    texts: tuple[str, ...]
    scores: NDArray[np.float64]
    trees: int = 0


class Fitting:
    """The rungs on some rows, each fitted once, when it is first asked for.

    ``recent``, of shape (n,), says which rows are the newest; what they say of the base rate makes the shift.
    """

    def __init__(
        self,
        rows: Slice,
        recipe: Recipe,
        *,
        members: int = 1,
        manifest: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
        recent: NDArray[np.bool_] | None = None,
    ) -> None:
        require_outcomes(rows, recipe.minimum_conversions)
        self.learned = whole_leads(rows.leads, recipe.maximum_rows or len(rows.leads))
        """Which of the rows are learned from: shape (n,)."""
        if not self.learned.all():
            rows, recent = rows.take(self.learned), None if recent is None else recent[self.learned]
            require_outcomes(rows, recipe.minimum_conversions, helps="more rows to draw leads of (train.maximum_rows)")
        self._rows, self._recipe, self._recent = rows, recipe, recent
        self._members, self._manifest, self._progress = members, manifest or {}, progress
        self._parameters = checked_parameters(recipe.parameters or {}, rows=len(rows.labels))
        self._categories = category_levels(rows, recipe.categorical, minimum_leads=recipe.minimum_leads)
        dealt = deal(rows.labels, rows.leads, seed=recipe.seed, folds=folds_for(len(rows.labels)))
        self._fold, self._wins = dealt.fold, dealt.converting
        self._taught = rows.labels if rows.soon is None or self._wins < SOON_FROM else rows.soon
        """What trees and the regression learn from, shape (n,): the mean of the labels of all shorter horizons, or the
        labels."""
        self._parts: dict[Rung, _Part] = {}
        self._weights: dict[Rung, NDArray[np.float64]] = {}
        self._calibrators: dict[Rung, dict[str, Any]] = {}

    @property
    def rungs(self) -> Sequence[Rung]:
        """The rungs that the rows bear."""
        if self._recipe.rung != "auto":
            return (self._recipe.rung,)
        return [rung for rung in rungs_for(self._wins) if rung in self._recipe.rungs]

    def choose(self) -> Rung:
        """Take a rung by the losses of rows that the fits had not seen."""
        labels = self._rows.labels
        return choose(
            {rung: losses(labels, calibrate(self._calibrator(rung), self._scores(rung))) for rung in self.rungs},
            self._rows.leads,
        )

    def foretell(self, frame: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        """Give the probabilities that each rung says of rows, with and without the shift, and each baseline.

        By the names of rungs, rungs with `SHIFTED` behind them, and baselines; each of shape (rows,).
        """
        raw: dict[Rung, NDArray[np.float64]] = {}
        said: dict[str, NDArray[np.float64]] = {}
        for rung in self.rungs:
            for one in _made_of(rung):
                if one not in raw:
                    manifest = {"columns": list(self._recipe.columns), "categories": self._categories}
                    raw[one] = Model(self._part(one).texts, {"method": "none"}, manifest).raw_score(frame)
            scores = self._weigh(rung, [raw[one] for one in _made_of(rung)])
            said[rung] = calibrate(self._calibrator(rung), scores)
            said[f"{rung}{SHIFTED}"] = shifted(said[rung], self._shift(rung))
        return said | self._baselines(frame)

    def left_out(self) -> dict[Rung, NDArray[np.float64]]:
        """Give the probabilities that each rung says of the rows that are learned from, by fits that had not seen them.

        Nor had the calibrator: it is fitted to the scores of the other folds. Its kind, the number of trees and the
        weights of a stack are those of all rows, so what is said is a little better than it would be of others.
        """
        rows, recipe, said = self._rows, self._recipe, {}
        for rung in self.rungs:
            method, scores = self._calibrator(rung)["method"], self._scores(rung)
            said[rung] = np.empty(len(scores))
            for fold in range(int(self._fold.max()) + 1):
                held_out, rest = self._fold == fold, self._fold != fold
                calibrator = fit_calibrator(
                    scores[rest], rows.labels[rest], rows.leads[rest], method=method, seed=recipe.seed
                )
                said[rung][held_out] = calibrate(calibrator, scores[held_out])
        return said

    def assemble(self, rung: Rung, *, shift: bool = False) -> Trained:
        """Make the model of a rung, with or without the shift of its base rate, and tell of it."""
        parts = [self._part(one) for one in _made_of(rung)]
        calibrator = self._calibrator(rung)
        if shift:
            calibrator = {**calibrator, "shift": self._shift(rung)}
        labels, leads = self._rows.labels, self._rows.leads
        trees = max(part.trees for part in parts)
        own_entries: dict[str, Any] = {
            "columns": list(self._recipe.columns),
            "categories": self._categories,
            "base_rate": float(labels.mean()),
            "parameters": self._parameters,
            "seed": self._recipe.seed,
            "rung": rung,
            "share_of_rows": float(self.learned.mean()),
            "trees": trees,
        }
        if len(parts) > 1:
            own_entries["weights"] = [
                float(weight) / len(part.texts)
                for part, weight in zip(parts, self._weights[rung], strict=True)
                for _ in part.texts
            ]
        if clashing := own_entries.keys() & self._manifest.keys():
            raise ValueError(f"the learner itself writes into the manifest: {sorted(clashing)}")
        log = TrainingLog(
            rung=rung,
            trees=trees,
            calibration=calibrator["method"],
            shift=float(calibrator.get("shift", 0.0)),
            rows=len(labels),
            leads=len(np.unique(leads)),
            conversions=self._rows.conversions,
            log_loss=log_loss(labels, calibrate(calibrator, self._scores(rung))),
        )
        texts = tuple(text for part in parts for text in part.texts)
        return Model(texts, calibrator, {**self._manifest, **own_entries}), log

    def _scores(self, rung: Rung) -> NDArray[np.float64]:
        """Give the rung's score of each row that is learned from, by fits that had not seen it."""
        return self._weigh(rung, [self._part(one).scores for one in _made_of(rung)])

    def _weigh(self, rung: Rung, scores: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Add up the scores of a rung's parts by the weights that the rows call for."""
        if len(scores) == 1:
            return scores[0]
        if rung not in self._weights:
            # Their mean, as long as the rows don't say otherwise.
            unseen = np.stack([self._part(one).scores for one in _made_of(rung)])
            self._weights[rung] = np.array(fit_slopes(unseen / len(unseen), self._rows.labels)) / len(unseen)
        return np.asarray(np.tensordot(self._weights[rung], np.stack(scores), axes=1))

    def _calibrator(self, rung: Rung) -> dict[str, Any]:
        if rung not in self._calibrators:
            rows, recipe = self._rows, self._recipe
            # Base rates are told apart by few numbers, which a line sets right.
            method: Method = "platt" if rung == "base_rates" and recipe.calibration == "auto" else recipe.calibration
            self._calibrators[rung] = fit_calibrator(
                self._scores(rung), rows.labels, rows.leads, method=method, seed=recipe.seed
            )
        return self._calibrators[rung]

    def _shift(self, rung: Rung) -> float:
        if self._recent is None or not self._recent.any():
            return 0.0
        said = calibrate(self._calibrator(rung), self._scores(rung))
        return fit_shift(said[self._recent], self._rows.labels[self._recent])

    def _part(self, rung: Rung) -> _Part:
        if rung not in self._parts:
            self._parts[rung] = self._trees() if rung == "trees" else self._additive(rung)
        return self._parts[rung]

    def _trees(self) -> _Part:
        recipe, rows = self._recipe, self._rows
        numbers = numbers_of(rows.frame, recipe.columns, self._categories)
        settings = {**self._parameters, "seed": recipe.seed, "num_threads": recipe.num_threads}
        grove = Grove.plant(numbers, self._taught, recipe.columns, self._categories, settings)
        trees, scores = grove.cross_validate(self._fold, self._progress)
        texts = tuple(grove.grow(trees, recipe.seed + member) for member in range(self._members))
        return _Part(texts, scores, trees)

    def _additive(self, rung: Rung) -> _Part:
        roles, numbers = self._recipe.roles, self._numbers(self._rows.frame)
        if rung == "logistic":
            return self._fitted(terms_of_regression(roles, numbers, self._categories), PRIOR, self._taught)
        return self._fitted(terms_of_rates(roles, self._categories), PRIOR_OF_RATES, self._rows.labels)

    def _fitted(self, terms: Sequence[Term], prior: float, labels: NDArray[np.float64]) -> _Part:
        rows, numbers = self._rows, self._numbers(self._rows.frame)
        member, scores = fit_additive(terms, numbers, labels, rows.leads, self._fold, prior=prior)
        return _Part((member.to_text(),), scores)

    def _numbers(self, frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
        """Give the columns that terms may read, as numbers."""
        columns = [*self._recipe.roles.columns, *self._recipe.categorical]
        return dict(zip(columns, numbers_of(frame, columns, self._categories), strict=True))

    def _baselines(self, frame: pd.DataFrame) -> dict[Baseline, NDArray[np.float64]]:
        rows, roles = self._rows, self._recipe.roles
        known, asked = self._numbers(rows.frame), self._numbers(frame)
        rate = float(rows.labels.mean())
        said: dict[Baseline, NDArray[np.float64]] = {"base_rate": np.full(len(frame), rate)}
        members: dict[Baseline, Additive] = {"points": points_rule(roles, known, self._recipe.points)}
        if terms := terms_of_recency_and_frequency(roles):
            text = self._fitted(terms, PRIOR_OF_RATES, rows.labels).texts[0]
            members["recency_frequency"] = Additive.from_text(text, list(known))
        for name, member in members.items():
            raw = member.score(known, len(rows.labels))
            calibrator = fit_calibrator(raw, rows.labels, rows.leads, method="platt", seed=self._recipe.seed)
            said[name] = calibrate(calibrator, member.score(asked, len(frame)))
        counted = naive_bayes(roles, known, self._categories, rows.labels)
        said["naive_bayes"] = np.clip(probability(counted.score(asked, len(frame))), *CLAMP)
        return said


def _made_of(rung: Rung) -> Sequence[Rung]:
    return ("trees", "logistic") if rung == "stack" else (rung,)


def require_outcomes(rows: Slice, minimum: int, pace: Pace | None = None, *, helps: str = _HELPS) -> None:
    """Raise `NotEnoughDataError` where fewer leads than the minimum convert, or have a row that doesn't.

    By a ``pace`` it says when there will be as many; ``helps`` is what would help today.
    """
    converting, others = rows.leads_of_each
    lack = told_of_lack(converting, others, minimum, pace)
    if lack:
        raise NotEnoughDataError(
            f"too few outcomes to learn from: of the leads whose outcome is known {converting:,} convert and "
            f"{others:,} have a snapshot that doesn't, and at least {minimum:,} of each are needed: {lack}. "
            f"What helps: {helps}"
        )


def category_levels(rows: Slice, categorical: Sequence[str], *, minimum_leads: int) -> dict[str, list[str]]:
    """Levels of each category column that at least `minimum_leads` leads have, in the order of their text.

    Rows of one lead repeat each other: by rows, the address of a lead that is looked at often would be a level, and the
    model would know the lead by its name. Of more than `MOST_LEVELS` those that most leads have are kept.
    """
    levels = {}
    for column in categorical:
        values = pd.DataFrame({"level": rows.frame[column].to_numpy(dtype=object), "lead": rows.leads})
        leads = values.dropna().drop_duplicates()["level"].value_counts().sort_index()
        known = leads[leads >= minimum_leads].sort_values(ascending=False, kind="stable").index[:MOST_LEVELS]
        levels[column] = sorted(map(str, known))
    return levels


def log_loss(labels: NDArray[np.float64], probabilities: NDArray[np.float64]) -> float:
    """Mean log loss of probabilities strictly between 0 and 1."""
    return float(losses(labels, probabilities).mean())
