"""What holds of leads, in words: since which day of the company's, and what; and what says a tier by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from features.core.schema import Language
from models.decision.facts import Held, Kind
from pipeline.settings.decision import DecisionPolicy
from pipeline.wording.locales import Writing
from pipeline.wording.texts import text

if TYPE_CHECKING:
    from pipeline.scoring.deciding import Decider

_OUTSIDE = "outside the target"


def days_of(policy: DecisionPolicy, times: NDArray[np.datetime64]) -> list[str]:
    """Write the company's days of times in UTC.

    >>> days_of(DecisionPolicy(time_zone="Europe/Paris"), np.array(["2026-03-04T23:30"], "datetime64[us]"))
    ['2026-03-05']
    """
    local = pd.DatetimeIndex(times).tz_localize("UTC").tz_convert(ZoneInfo(policy.time_zone)).tz_localize(None)
    # Of a million times there are few days: each is written once.
    days, places = np.unique(local.to_numpy().astype("datetime64[D]"), return_inverse=True)
    written: list[str] = np.datetime_as_string(days).astype(object)[places].tolist()
    return written


def facts_in_words(
    policy: DecisionPolicy,
    held: Held,
    broken: Iterable[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]],
    leads: int,
) -> list[list[str]]:
    """Say which facts hold of each of ``leads`` leads, then the rules of the target that are ``broken``, by whom."""
    told: list[list[str]] = [[] for _ in range(leads)]
    rows, since, names = held.told()
    for row, day, name in zip(rows.tolist(), days_of(policy, since), names.tolist(), strict=True):
        told[row].append(f"{day} {name}")
    for words, is_out, _ in broken:
        for row in np.flatnonzero(is_out).tolist():
            told[row].append(f"{_OUTSIDE}: {words}")
    return told


def with_words(moved: pd.DataFrame, decider: Decider, tiers: pa.ChunkedArray, language: Language) -> pd.DataFrame:
    """Put beside ``before`` and ``cause`` of who moved the tier ``after``, and what is ``told`` of the cause.

    ``tiers`` are those of all open leads. Nothing is told where it is the probability.
    """
    rows = pd.Index(decider.lead_ids).get_indexer(moved.index)
    now = np.array(tiers.to_pylist(), dtype=object)
    told = np.full(len(moved), None, dtype=object)
    causes = moved["cause"].to_numpy(object)
    for cause in ("rules", "cut-offs", "unknown"):
        told[causes == cause] = text(f"moved.{cause}", language)
    by_facts = np.flatnonzero(causes == "fact")
    told[by_facts] = what_says_the_tiers(decider, rows[by_facts], now, language)
    return moved.assign(after=now[rows], told=told)


def what_says_the_tiers(
    decider: Decider, rows: NDArray[np.int64], tiers: NDArray[np.object_], language: Language
) -> list[str]:
    """Say it of the ``rows`` of open leads, whose ``tiers`` are those of today; names of facts are the settings' own.

    Where their probability says it, something else did before, and holds no longer.
    """
    standing = decider.standing
    word, held = standing.spoken.word, standing.held
    by_word = word.decides(held.closed, slice(None))
    told = []
    for row, tier in zip(rows.tolist(), tiers[rows].tolist(), strict=True):
        if by_word[row]:
            day = date.fromisoformat(str(standing.spoken.texts[row])[: len("2026-03-05")])
            told.append(text("moved.word", language, day=Writing(language).day(day)))
        elif standing.target[row] == "out":
            told.append(text("moved.out", language))
        elif held.closed[row]:
            told.append(_fact(decider, row, ["closes"], language) or text("moved.objected", language))
        elif tier == "SQL" and held.raised[row]:
            told.append(str(_fact(decider, row, ["raises"], language)))
        elif tier != "SQL" and held.refused[row]:
            told.append(str(_fact(decider, row, ["refuses"], language)))
        elif tier == "recycled":
            told.append(text("moved.back", language))
        else:
            told.append(text("moved.over", language))
    return told


def _fact(decider: Decider, row: int, kinds: Sequence[Kind], language: Language) -> str | None:
    """Name the latest fact of some kinds that holds of a lead, and since when; None where there is none."""
    held = decider.standing.held
    holding = [
        (since, name)
        for since, (name, fact) in zip(held.since[row], held.facts.items(), strict=True)
        if fact.kind in kinds and not np.isnat(since)
    ]
    if not holding:
        return None
    since, name = max(holding)
    (day,) = days_of(decider.policy, np.array([since]))
    return text("moved.fact", language, fact=name, day=Writing(language).day(date.fromisoformat(day)))
