"""How leads ripen, by the month of their creation: read from the log in parts, each with whole leads.

How far a lead is says ``decision.maturity``, with the facts that raise. By when acts occurred, of what was known at the
moment of which all is told.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.core.schema import MACHINE
from features.core.time import DAY
from models.evaluation import ripening
from models.evaluation.ripening import BECAME, BEGAN, NEVER, NOTHING, WHAT, Events, Ripens
from models.evaluation.waiting import FEWEST, HALF, days_until
from pipeline.core.project import Places
from pipeline.core.sql import Relation
from pipeline.kpi.leads import Clock, Sections

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIRST = DAY
"""How far a lead came within so long of its creation is how it began."""
NONE = "none"
"""What came before a step where nothing did, or too long before."""
_ROWS = 500_000
"""Of the log that are looked at at a time."""
_COLUMNS = ("lead_id", "occurred_at", "known_at", "event_type", "actor", "local_day")
_NAMES = ("lead_id", "event_type", "actor")
_DAY = int(DAY.total_seconds()) * 1_000_000
STEPS = ("month", "began", "became", "leads", "had_time", "took_it", "taken", "median_days", "typical_days", "within")
ACTS = ("month", "began", "became", "what", "event_type", "steps", "others")


@dataclass(frozen=True)
class Ripening:
    """How leads ripened (``STEPS``), and what came right before (``ACTS``); both are empty where nothing can ripen.

    ``steps``: of the leads of a month that ``began`` so far within a day of their creation, how many became warmer, or
    customers: ``leads`` are all, ``taken`` those that have. ``had_time`` are those older than ``within`` days, and
    ``took_it`` those of them that did within so many days of their creation, half of them within ``median_days``.
    ``typical_days`` are those within which half of the leads of all months do that ever do (Kaplan and Meier). Both are
    missing where too few did, or the log is too short.

    ``acts``: ``what`` says what of a step: the event that it came by, the lead's own act right before it, or our touch
    right before; ``steps`` how many had it, ``others`` before how many other acts of such leads it was the same.
    """

    steps: pd.DataFrame
    acts: pd.DataFrame


def measure_ripening(
    places: Places, parameters: Sections, leads: Relation, clock: Clock, within: timedelta
) -> Ripening:
    """Measure how the leads of ``make_leads`` that are at least a day old ripened, and who did ``within`` how long."""
    maturity = parameters.decision.maturity
    raising = [kind for fact in parameters.decision.facts.values() if fact.kind == "raises" for kind in fact.events]
    if not (maturity.strong or maturity.medium or raising):
        return Ripening(pd.DataFrame(columns=list(STEPS)), pd.DataFrame(columns=list(ACTS)))
    table = leads.connection.sql(
        f"SELECT lead_id, month, epoch_us(created_at) AS created FROM {leads} ORDER BY lead_id"
    ).to_arrow_table()
    created, months = table["created"].to_numpy(), table["month"].to_numpy().astype("datetime64[D]")
    now = int(np.datetime64(clock.as_of, "us").astype(np.int64))
    known_months, month = np.unique(months, return_inverse=True)
    month = np.where(created + _DAY <= now, month, NOTHING)
    ripens = Ripens(round(maturity.hot_for.total_seconds() * 1e6), maturity.active_days)
    log = _Log(places, parameters, clock, table["lead_id"].combine_chunks(), tuple(raising))
    times = np.full((len(table), len(BECAME)), NEVER)
    parts = []
    for events, of in log.parts():
        rows = ripening.rows_of_steps(events, len(of), ripens)
        times[of] = ripening.times_of_steps(events, rows)
        begins = ripening.began(times[of], created[of], _DAY)
        parts.append(ripening.before_steps(events, rows, begins, created[of] + _DAY, month[of], ripens))
    begins = ripening.began(times, created, _DAY)
    return Ripening(
        _steps(known_months, month, begins, (now - created) / _DAY, _waits(times, created), within / DAY),
        _named(ripening.add_up(parts), known_months, log.kinds) if parts else pd.DataFrame(columns=list(ACTS)),
    )


def _waits(times: NDArray[np.int64], created: NDArray[np.int64]) -> NDArray[np.float64]:
    waits = np.full(times.shape, np.nan)
    taken = times != NEVER
    waits[taken] = np.maximum((times - created[:, None])[taken] / _DAY, 0.0)
    return waits


def _steps(
    months: NDArray[np.datetime64],
    month: NDArray[np.int64],
    begins: NDArray[np.int64],
    ages: NDArray[np.float64],
    waits: NDArray[np.float64],
    within: float,
) -> pd.DataFrame:
    rows = []
    for begin, name in enumerate(BEGAN):
        for became in range(begin, len(BECAME)):
            some = (begins == begin) & (month >= 0)
            typical = days_until(HALF, ages[some], waits[some, became])
            for place in np.unique(month[some]):
                of_month = some & (month == place)
                wait = waits[of_month, became]
                ripe = ages[of_month] >= within
                took = wait[ripe & (wait <= within)]
                median = np.sort(np.ceil(took))[(len(took) - 1) // 2] if len(took) >= FEWEST else np.nan
                counts = (len(wait), int(ripe.sum()), len(took), int((~np.isnan(wait)).sum()))
                rows.append((months[place], name, BECAME[became], *counts, median, typical, within))
    found = pd.DataFrame(rows, columns=list(STEPS))
    days = ["median_days", "typical_days", "within"]
    return found.astype({"month": "datetime64[us]"} | dict.fromkeys(days, np.float64))


def _named(counted: pd.DataFrame, months: NDArray[np.datetime64], kinds: list[str]) -> pd.DataFrame:
    """Name what is numbered: what a customer came by is the sale itself, and is left out."""
    rows = counted[(counted["what"] != 0) | (counted["became"] != len(BECAME) - 1)]
    names = np.array([*kinds, NONE], object)
    return pd.DataFrame(
        {
            "month": months[rows["month"].to_numpy()].astype("datetime64[us]"),
            "began": np.array(BEGAN, object)[rows["began"].to_numpy()],
            "became": np.array(BECAME, object)[rows["became"].to_numpy()],
            "what": np.array(WHAT, object)[rows["what"].to_numpy()],
            "event_type": names[rows["kind"].to_numpy()],
            "steps": rows["steps"].to_numpy(np.int64),
            "others": rows["others"].to_numpy(np.int64),
        }
    ).sort_values(list(ACTS[:5]), ignore_index=True)


_WHO = {"lead": 1, "us": 2, MACHINE: 3}
_Numbers = tuple["NDArray[np.int64]", ...]


@dataclass(frozen=True)
class _Log:
    places: Places
    parameters: Sections
    clock: Clock
    lead_ids: pa.Array
    """In byte order, as the log is."""
    raising: tuple[str, ...]
    kinds: list[str] = field(default_factory=list)
    """The event types by their numbers, as far as the log was read."""

    def parts(self) -> Iterator[tuple[Events, NDArray[np.int64]]]:
        """Give the events of some leads at a time, and which leads those are (places in ``lead_ids``)."""
        log = pq.ParquetFile(self.places.interactions)
        read: list[_Numbers] = []
        for batch in log.iter_batches(_ROWS, columns=list(_COLUMNS)):
            read.append(self._numbers(batch))
            if sum(len(part[0]) for part in read) < _ROWS:
                continue
            whole = _joined(read)
            # The last lead may have more events in what follows.
            last = int(np.searchsorted(whole[0], whole[0][-1]))
            read = [tuple(column[last:] for column in whole)]
            if last:
                yield self._events(tuple(column[:last] for column in whole))
        if read:
            yield self._events(_joined(read))

    def _numbers(self, batch: pa.RecordBatch) -> _Numbers:
        """Write what was known as numbers: lead, at, kind, day, and who acted."""
        moment = pa.scalar(self.clock.as_of, pa.timestamp("us"))
        names = {name: batch[name].dictionary_encode() for name in _NAMES}
        lead_ids, types, actors = (names[name].dictionary for name in _NAMES)
        is_known = pc.and_(pc.less(batch["known_at"], moment), pc.less(batch["occurred_at"], moment))
        lead = _of_dictionary(names["lead_id"], self._places_of(lead_ids))
        who = _of_dictionary(names["actor"], pa.array([_WHO.get(one, 0) for one in actors.to_pylist()], pa.int64()))
        known = is_known.to_numpy(zero_copy_only=False) & (lead >= 0) & (who != _WHO[MACHINE])
        self.kinds.extend(one for one in types.to_pylist() if one not in self.kinds)
        numbers = pa.array([self.kinds.index(one) for one in types.to_pylist()], pa.int64())
        kind = _of_dictionary(names["event_type"], numbers)
        at = batch["occurred_at"].cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
        day = batch["local_day"].cast(pa.int32()).cast(pa.int64()).to_numpy()
        return tuple(column[known] for column in (lead, at, kind, day, who))

    def _places_of(self, lead_ids: pa.Array) -> pa.Array:
        """Find leads of the log among ours: both are sorted, so only those between the first and the last are asked."""
        ends = pc.min_max(lead_ids)
        first = bisect_left(self.lead_ids, ends["min"].as_py() or "", key=_text)
        last = bisect_right(self.lead_ids, ends["max"].as_py() or "", key=_text)
        return pc.add(pc.index_in(lead_ids, self.lead_ids.slice(first, last - first)).cast(pa.int64()), first)

    def _events(self, read: _Numbers) -> tuple[Events, NDArray[np.int64]]:
        lead, at, kind, day, who = read
        of, place = np.unique(lead, return_inverse=True)
        policy = self.parameters.decision
        own, ours = who == _WHO["lead"], who == _WHO["us"]
        strong, medium = (self._among(types, kind) for types in (policy.maturity.strong, policy.maturity.medium))
        return (
            Events(
                place,
                at,
                kind,
                day,
                own,
                touch=ours & ~self._among(self._decided(), kind),
                hot=(own & strong) | self._among(self.raising, kind),
                warm=own & medium,
                won=self._among(self.parameters.episodes.conversion, kind),
            ),
            of,
        )

    def _among(self, types: tuple[str, ...] | list[str], kind: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.array([one in types for one in self.kinds], bool)[kind]

    def _decided(self) -> list[str]:
        """List what people of ours note of a lead and it can't notice: steps, refusals, losses, who has it."""
        episodes, policy = self.parameters.episodes, self.parameters.decision
        facts = [kind for fact in policy.facts.values() if fact.kind != "raises" for kind in fact.events]
        steps = [kind for types in episodes.milestones.values() for kind in types]
        noted = [*steps, *facts, *policy.work.handed_over, *episodes.conversion, *episodes.lost]
        return [kind for kind in noted if kind not in policy.work.contacts]


def _joined(parts: list[_Numbers]) -> _Numbers:
    return tuple(np.concatenate(columns) for columns in zip(*parts, strict=True))


def _text(one: pa.StringScalar) -> str:
    return str(one)


def _of_dictionary(column: pa.DictionaryArray, values: pa.Array) -> NDArray[np.int64]:
    """Give of each row what stands for its value, ``NOTHING`` where nothing does."""
    numbers = pc.fill_null(values.cast(pa.int64()), NOTHING).to_numpy()
    found: NDArray[np.int64] = numbers[column.indices.to_numpy()] if len(numbers) else np.zeros(0, np.int64)
    return found
