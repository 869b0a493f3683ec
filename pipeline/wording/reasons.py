"""Reasons in words: the story, when it was, and what became of the leads that had it in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.language.filters import OTHER, Filter
from features.language.labels import Labels, Part
from features.language.stories import Story
from features.language.words import describe
from models.decision.claims import Claim, Claims
from models.decision.reasons import Reasons
from pipeline.wording.locales import Writing
from pipeline.wording.texts import of, sentence, text

_EXACT_FOR = 128
"""Days that a number of 32 bits holds to a third of a second; further back it is seconds."""


@dataclass(frozen=True)
class ReasonWords:
    """Says reasons in a language: ``horizon`` is that of the probability, ``zone`` the company's."""

    language: str
    labels: Labels
    horizon: timedelta
    zone: ZoneInfo
    _said: dict[tuple[Story, Claim, object, float], str] = field(default_factory=dict, init=False, repr=False)

    def say(
        self,
        reasons: Reasons,
        stories: Sequence[Story],
        claims: Sequence[Claims],
        values: Sequence[NDArray[np.generic]],
        as_of: datetime,
    ) -> NDArray[np.object_]:
        """Say each reason: shape of the reasons, None where there is none.

        ``claims`` and ``values``, of shape (n,), are those of each story's teller; ``as_of`` is in UTC. What is the
        same of many leads is written once.
        """
        written = np.full(reasons.stories.shape, None, dtype=object)
        for place in np.unique(reasons.stories[reasons.stories >= 0]).tolist():
            rows, ranks = np.nonzero(reasons.stories == place)
            story, known = stories[place], claims[place]
            numbers = reasons.claims[rows, ranks]
            shown = values[place][rows]
            if story.kind != "value":
                shown = self.days(shown, as_of)
            codes, distinct = pd.factorize(shown)
            pairs = numbers * (len(distinct) + 1) + codes  # what is missing has code -1
            _, first, which = np.unique(pairs, return_index=True, return_inverse=True)
            told = zip(numbers[first].tolist(), shown[first].tolist(), strict=True)
            texts = [self._once(story, known.claims[number], value, known.share) for number, value in told]
            written[rows, ranks] = np.array(texts, dtype=object)[which]
        return written

    def _once(self, story: Story, claim: Claim, value: object, of_all: float) -> str:
        """Say one reason; what it says of a day or a name is kept for the leads of other batches: these are few."""
        if story.kind == "value" and not isinstance(value, str):
            return self.one(story, claim, value, of_all)
        key = (story, claim, value, of_all)
        if key not in self._said:
            self._said[key] = self.one(story, claim, value, of_all)
        return self._said[key]

    def one(self, story: Story, claim: Claim, value: object, of_all: float) -> str:
        """Say one reason; ``value`` is a day where the story is told by one."""
        writing = Writing(self.language)
        figures = self._text(
            "figures", share=writing.share(claim.share), all=writing.share(of_all), horizon=writing.length(self.horizon)
        )
        filled: dict[str, object] = {"leads": writing.whole(claim.leads), "figures": figures}
        if story.kind == "value":
            filled |= {"name": self._name(story), "value": self.value(story, value), "range": self._range(claim)}
        else:
            filled |= self.act(story)
            filled["day"] = writing.day(value) if isinstance(value, date) else None
            filled["days"] = None if claim.days is None else self._days_or_hours(claim.days)
        return sentence(self._text(f"{story.kind}.{claim.kind}", **filled))

    def _days_or_hours(self, days: float) -> str:
        """Say a number of days; of one day its hours, for it need not be today."""
        writing = Writing(self.language)
        return writing.hours(24) if days == 1.0 else writing.length(timedelta(days=days))

    def _text(self, name: str, /, **filled: object) -> str:
        return text(name, self.language, **filled)

    def days(self, values: NDArray[np.generic], as_of: datetime) -> NDArray[np.object_]:
        """Give the company's days of moments so many days before ``as_of`` (UTC); None of what is missing."""
        days = values.astype(np.float64)
        known = ~np.isnan(days)
        distinct, places = np.unique(self.days_of(days[known], as_of), return_inverse=True)
        written = np.full(len(days), None, dtype=object)
        written[known] = distinct.astype(object)[places]
        return written

    def days_of(self, days: NDArray[np.float64], as_of: datetime) -> NDArray[np.datetime64]:
        """Give the company's days of moments so many days before ``as_of`` (UTC), none of which is missing."""
        moments = as_of.replace(tzinfo=UTC).timestamp() - days * 86_400.0
        moments = np.where(days < _EXACT_FOR, np.round(moments), np.round(moments / 4.0) * 4.0)
        local = pd.DatetimeIndex(moments.astype("datetime64[s]")).tz_localize("UTC").tz_convert(self.zone)
        return np.asarray(local.tz_localize(None).to_numpy().astype("datetime64[D]"))

    def act(self, story: Story) -> dict[str, object]:
        """Give the noun and the verb of an act."""
        if story.feature is None:
            return {}
        given = story.feature.filter
        noun, verb = self._called(given)
        for name, value in (("via", given.channel), ("about", given.content)):
            if value is not None:
                other = self._text("other.noun") if value is OTHER else str(value)
                shown = self.labels.noun("channels", other) if name == "via" and value is not OTHER else other
                noun, verb = (self._text(name, what=what, channel=shown, content=shown) for what in (noun, verb))
        return {"noun": noun, "of_noun": of(noun), "verb": verb}

    def _called(self, given: Filter) -> tuple[str, str]:
        kind = given.event_type
        if isinstance(kind, str):
            return self.labels.noun("event_types", kind), self.labels.verb(kind)
        name = "any" if kind is None else "other"
        return self._text(f"{name}.noun"), self._text(f"{name}.verb")

    def _name(self, story: Story) -> str:
        if story.attribute is not None:
            return self.labels.noun("attributes", story.attribute)
        if story.feature is None:
            return self._text(story.teller)
        return self.labels.noun("features", story.teller) if self._has_noun(story) else story.teller

    def _has_noun(self, story: Story) -> bool:
        return self.labels.has("features", story.teller)

    def named(self, story: Story, value: object) -> str:
        """Say the value that tells a story behind its name, where it does not say itself what it is."""
        told = self.value(story, value)
        return self._text("named", name=self._name(story), value=told) if self._is_bare(story) else told

    def _is_bare(self, story: Story) -> bool:
        """Tell whether the value of a feature is told alone: what is measured is said in English without a noun."""
        return story.feature is not None and (self._has_noun(story) or self.language != "en")

    def value(self, story: Story, value: object) -> str:
        """Say the value that tells a story."""
        if not isinstance(value, str | float | int | np.generic) or pd.isna(value):
            return ""
        if story.feature is not None and not self._is_bare(story):
            return describe(story.feature, value if isinstance(value, str) else float(value), self.labels)
        if isinstance(value, str):
            of = "channel" if story.is_channel else story.feature and story.feature.of
            parts: dict[object, Part] = {"channel": "channels", "event_type": "event_types"}
            return self.labels.noun(parts[of], value) if of in parts else value
        return Writing(self.language).number(float(value))

    def _range(self, claim: Claim) -> str:
        if claim.low is None:
            return ""
        writing = Writing(self.language)
        if claim.below is None:
            return self._text("range.from", low=writing.number(claim.low))
        return self._text("range.between", low=writing.number(claim.low), below=writing.number(claim.below))
