"""Why leads are recommended: reasons for and against in words, with their figures, and grades of fit and behaviour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from functools import cached_property, partial
from typing import Any, Self
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.core.time import parse_duration
from features.language.catalogue import Catalogue
from features.language.filters import Filter
from features.language.stories import Story
from models.core.model import Model
from models.decision.claims import Claims
from models.decision.reasons import Explained, Telling, explain, grades_of
from models.explaining.contributions import Contributions
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.ingest import Ingest
from pipeline.settings.types import Constant
from pipeline.settings.words import Words
from pipeline.wording.reasons import ReasonWords

_MOST_OF_BOTH = 3
UNEXPLAINED = (
    "warning: the model was learned by an earlier version, which kept no figures for reasons: none are given. Train it "
    "anew (dvc repro)"
)


def are_explained(
    tiers: NDArray[np.str_], are_called: NDArray[np.bool_], reasons_for: Sequence[str]
) -> NDArray[np.bool_]:
    """Tell which leads are explained: those of some tiers and, whatever theirs is, who is called; without tiers nobody.

    >>> are_explained(np.array(["SQL", "IQL", "IQL"]), np.array([False, True, False]), ["SQL"]).tolist()
    [True, True, False]
    """
    return np.isin(tiers, list(reasons_for)) | (are_called & bool(reasons_for))


def explained_alone(recommendations: pa.Table, are_explained: NDArray[np.bool_]) -> pa.Table:
    """Take grades and reasons back of who was explained, and was not to be: it might have been called, and is not."""
    is_one = pa.array(are_explained)
    for name in ("grade", "reasons_for", "reasons_against", "reasons"):
        column = recommendations[name].combine_chunks()
        nothing = pa.scalar(None if name == "grade" else [], column.type)
        place = recommendations.column_names.index(name)
        recommendations = recommendations.set_column(place, name, pc.if_else(is_one, column, nothing))
    return recommendations


@dataclass(frozen=True)
class Answers:
    """What a lead does only where we have written or called: that it didn't says what we did, and nothing of it."""

    event_types: frozenset[str]
    """Contacts of ours, acts by which leads answer, and what is done with a mail; some may be globs."""
    channels: frozenset[str]
    """Those that mails come through."""

    @classmethod
    def of(cls, policy: DecisionPolicy, ingest: Ingest) -> Self:
        """Find what the settings name so: ``decision.answers``, ``decision.work.contacts``, and ``machines``."""
        types = {*policy.work.contacts, *(one for some in policy.answers.values() for one in some)}
        channels = set()
        for source in ingest.sources.values():
            if source.machines:
                rules, channel = source.machines, source.columns.channel
                types |= {*rules.opens, *rules.clicks, *rules.unsubscribes}
                channels |= {channel.constant} if isinstance(channel, Constant) else set()
        return cls(frozenset(types), frozenset(channels))

    def has(self, story: Story) -> bool:
        """Tell whether a story is of such acts."""
        if story.feature is None:
            return False
        kind, channel = story.feature.filter.event_type, story.feature.filter.channel
        is_named = isinstance(kind, str) and any(fnmatchcase(kind, one) for one in self.event_types)
        return is_named or channel in self.channels


@dataclass(frozen=True)
class Explainer:
    """Explains what a model says of leads at a moment (UTC), in the words of the settings."""

    model: Model
    catalogue: Catalogue
    words: Words
    policy: DecisionPolicy
    ingest: Ingest
    as_of: datetime
    counted: dict[str, float] = field(default_factory=lambda: {"moved": 0.0, "denied": 0.0})
    """Of what was explained so far: what stories ``moved`` in log-odds, and what of it the figures ``denied``."""

    @property
    def can_explain(self) -> bool:
        """Whether the model has the figures that reasons rest on."""
        return "claims" in self.model.reference

    def explain(self, features: pa.Table | pa.RecordBatch, rows: NDArray[np.int64]) -> dict[str, pa.Array]:
        """Give grade and reasons of the ``rows`` of a table of features, by the names of their columns.

        The other rows have none; each array is as long as the table.
        """
        length = len(features)
        if not self.can_explain or not len(rows):
            nobody = _lists(np.empty((0, 0), dtype=object), np.empty(0, dtype=np.int64), length)
            lists = dict.fromkeys(("reasons_for", "reasons_against", "reasons"), nobody)
            return {"grade": pa.nulls(length, pa.string()), **lists}
        frame = features.take(pa.array(rows)).to_pandas(split_blocks=True)
        contributions = self._contributions.of(frame)
        values = [frame[story.teller].to_numpy() for story in self.catalogue.stories]
        found = explain(contributions, values, self._tellings, partial(self._in_words.days_of, as_of=self.as_of))
        self.counted["moved"] += found.moving
        self.counted["denied"] += found.denied
        speak_for, speak_against = (
            self._in_words.say(some, self.catalogue.stories, self._claims, values, self.as_of)
            for some in (found.speak_for, found.speak_against)
        )
        grades = np.full(length, None, dtype=object)
        fit, behaviour = self._parts
        grades[rows] = grades_of(contributions, fit, behaviour, self.model.reference["grades"])
        return {
            "grade": pa.array(grades, pa.string()),
            "reasons_for": _lists(speak_for, rows, length),
            "reasons_against": _lists(speak_against, rows, length),
            "reasons": _lists(_of_both(found, speak_for, speak_against), rows, length),
        }

    @cached_property
    def _contributions(self) -> Contributions:
        return Contributions(self.model)

    @cached_property
    def _claims(self) -> list[Claims]:
        reference: Mapping[str, Any] = self.model.reference["claims"]
        answers = Answers.of(self.policy, self.ingest)
        found = []
        for story in self.catalogue.stories:
            claims = Claims.of(reference, story.teller, is_of_act=story.kind == "act")
            found.append(claims.without_absence() if answers.has(story) else claims)
        return found

    @cached_property
    def _places(self) -> dict[str, int]:
        return {column: place for place, column in enumerate(self.model.columns)}

    @cached_property
    def _tellings(self) -> list[Telling]:
        acts = {_filter(story): place for place, story in enumerate(self.catalogue.stories) if story.kind == "act"}
        return [
            self._telling(story, claims, acts)
            for story, claims in zip(self.catalogue.stories, self._claims, strict=True)
        ]

    def _telling(self, story: Story, claims: Claims, acts: Mapping[Filter | None, int]) -> Telling:
        """Say how a story is told; ``acts`` are the places of those that are told by their last act."""
        columns, given = [self._places[column] for column in story.columns], _filter(story)
        if given is None or not isinstance(given.event_type, str):
            return Telling(columns, claims, story.is_amount)
        return Telling(
            columns,
            claims,
            is_strong=story.kind == "act" and given.event_type in self.policy.maturity.strong,
            event_type=given.event_type,
            refines=None if given.content is None else acts.get(replace(given, content=None)),
        )

    @cached_property
    def _parts(self) -> tuple[list[int], list[int]]:
        """The places of the columns of fit, and of behaviour."""
        fit = [self._places[column] for story in self.catalogue.stories if story.is_fit for column in story.columns]
        acts = (story for story in self.catalogue.stories if story.feature is not None)
        return fit, [self._places[column] for story in acts for column in story.columns]

    @cached_property
    def _in_words(self) -> ReasonWords:
        horizon = parse_duration(self.model.manifest["horizon"])
        return ReasonWords(self.words.language, self.words.labels, horizon, ZoneInfo(self.policy.time_zone))


def _filter(story: Story) -> Filter | None:
    """Give which events a story is of, whoever of the actors did them; None where it is of the lead itself."""
    return None if story.feature is None else replace(story.feature.filter, actors=("lead",))


def _lists(texts: NDArray[np.object_], rows: NDArray[np.int64], length: int) -> pa.ListArray:
    """Give ``length`` lists of texts: those of the ``rows``, of shape (rows, most) but for None; empty ones between."""
    is_one = pd.notna(texts)
    counts = np.zeros(length + 1, dtype=np.int32)
    counts[rows + 1] = is_one.sum(axis=1)
    return pa.ListArray.from_arrays(pa.array(counts.cumsum(dtype=np.int32)), pa.array(texts[is_one], pa.string()))


def _of_both(
    found: Explained, speak_for: NDArray[np.object_], speak_against: NDArray[np.object_]
) -> NDArray[np.object_]:
    """Take the first of those for and against, in the order of both, behind a word that says which."""
    texts = np.concatenate([speak_for, speak_against], axis=1)
    weights = np.concatenate([found.speak_for.weights, found.speak_against.weights], axis=1)
    order = np.argsort(-weights, axis=1, kind="stable")[:, :_MOST_OF_BOTH]
    chosen = np.take_along_axis(texts, order, axis=1)
    is_one = pd.notna(chosen)
    rises = order[is_one] < speak_for.shape[1]
    chosen[is_one] = np.where(rises, "raises: ", "lowers: ").astype(object) + chosen[is_one]
    return np.asarray(chosen)
