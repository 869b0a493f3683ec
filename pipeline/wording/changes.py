"""What has changed since an earlier score, in words: the way it went, the strongest cause, and what else had a part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.language.stories import Story
from models.decision.changes import CAUSES, Change
from pipeline.wording.locales import Writing
from pipeline.wording.reasons import ReasonWords
from pipeline.wording.texts import page_text, sentence, text

_WAYS = {1: "up", -1: "down", 0: "little"}


class Moves(NamedTuple):
    """Leads that have another tier, each of shape (n,): None where it is the same."""

    before: NDArray[np.object_]
    after: NDArray[np.object_]
    told: NDArray[np.object_]
    """What moved it, in words; None where it is what moved its probability."""

    @classmethod
    def none(cls, length: int) -> Moves:
        """Give nobody of so many leads."""
        nobody = np.full(length, None, dtype=object)
        return cls(nobody, nobody, nobody)


@dataclass(frozen=True)
class ChangeWords:
    """Says at a moment what has changed since another (both in UTC); ``words`` has the language and the labels."""

    words: ReasonWords
    stories: Sequence[Story]
    since: datetime
    as_of: datetime

    def say(
        self, change: Change, moving: NDArray[np.int64], shown: NDArray[np.object_], moves: Moves | None = None
    ) -> NDArray[np.object_]:
        """Say each change, shape (n,): what is the same of many leads is written once.

        ``moving`` are the places of the stories behind the strongest cause, -1 where none is, and ``shown`` what each
        is told with (``shown_of``).
        """
        moves = moves or Moves.none(len(moving))
        codes, distinct = pd.factorize(
            pd.MultiIndex.from_arrays(
                [
                    change.directions,
                    change.strongest,
                    change.had_a_part("data"),
                    change.had_a_part("model"),
                    np.isnan(change.data),
                    moving,
                    pd.Series(shown, dtype=object),
                    change.is_leads_own,
                    *moves,
                ]
            )
        )
        texts = [self._one(*row) for row in distinct]
        said: NDArray[np.object_] = np.array([*texts, None], dtype=object)[codes]
        return said

    def shown_of(
        self, moving: NDArray[np.int64], values: Sequence[NDArray[np.generic]], moment: datetime
    ) -> NDArray[np.object_]:
        """Give what stories are told with: the day of an act or of the return, or the value.

        ``values``, of shape (n,), are those of each story's teller at a moment (UTC).
        """
        shown = np.full(len(moving), None, dtype=object)
        for place in np.unique(moving[moving >= 0]).tolist():
            rows = np.flatnonzero(moving == place)
            told = values[place][rows]
            shown[rows] = told if self.stories[place].kind == "value" else self.words.days(told, moment)
        return shown

    def _one(
        self,
        direction: int,
        strongest: int,
        has_data: bool,
        has_model: bool,
        is_joint: bool,
        moving: int,
        shown: object,
        is_leads_own: bool,
        before: object,
        after: object,
        told: object,
    ) -> str:
        is_moved = isinstance(before, str)
        by_probability = not isinstance(told, str)
        if strongest < 0 and by_probability:
            return sentence(self._text("changed.none", since=self._since))
        names = {"model": "data_or_model"} if is_joint else {}
        cause = CAUSES[strongest]
        if not by_probability:
            what = str(told)
        elif moving >= 0:
            what = self._story(self.stories[moving], shown)
            what = self._text("cause.late", told=what) if cause == "data" else what
        else:
            what = self._text(f"cause.{names.get(cause, cause)}")
        tiers = {"before": self._tier(before), "after": self._tier(after)} if is_moved else {}
        said = self._text(f"changed.{'tier' if is_moved else _WAYS[direction]}", since=self._since, cause=what, **tiers)
        for name, had_a_part in (("data", has_data), ("model", has_model)):
            if had_a_part and name != cause and by_probability:
                said = self._text(f"part.{names.get(name, name)}", told=said)
        return sentence(self._text("leads_own", told=said) if is_moved and is_leads_own else said)

    @property
    def _since(self) -> str:
        """Say since when; by the company's calendar, and with the day, so that it stays true."""
        since, today = (
            moment.replace(tzinfo=UTC).astimezone(self.words.zone).date() for moment in (self.since, self.as_of)
        )
        name = "yesterday" if today - since == timedelta(days=1) else "day"
        return self._text(f"since.{name}", day=Writing(self.words.language).day(since))

    def _tier(self, tier: object) -> str:
        return page_text(f"tier.{tier}", self.words.language)

    def _story(self, story: Story, shown: object) -> str:
        writing = Writing(self.words.language)
        if isinstance(shown, date):
            name = "act" if story.kind == "act" else "back"
            return self._text(f"cause.{name}", **{**self.words.act(story), "day": writing.day(shown)})
        return self.words.named(story, shown)

    def _text(self, name: str, /, **filled: object) -> str:
        return text(name, self.words.language, **filled)
