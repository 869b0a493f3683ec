"""Whether it pays to come back to lost leads when we say so: on worlds of the sample, each judged by another one.

When to come back is learned from what had become of the lost of a world when its log ends, by the reason of the loss.
Then all losses of another world are contacted: each at the date that is learned for its reason, or after 90 days. Who
has come back before needs no contact; a contact brings who comes back within the thirty days after it, and converts
within the horizon of that. The world knows of no effect of a contact upon the lost: that a contact does not make
people come back, but finds those who would, is assumed of all dates alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.findings import Finding, Progress
from models.decision.recontact import MONTH, Basis, Followed, RecontactPolicy, advise, rates_of
from pipeline.sample.chain import LOSS_REASONS, Exit, State
from pipeline.sample.company import COMPANY, HORIZON_DAYS, PAUSES
from pipeline.sample.simulate import simulate_block
from pipeline.sample.timeline import END

WORLDS, LEADS = 40, 12_000
HORIZON = timedelta(days=HORIZON_DAYS)
USUAL = timedelta(days=90)
_NEVER = np.datetime64("NaT", "us")


def of_recontact(progress: Progress, scale: float) -> Iterator[Finding]:
    """Hold conversions per contact on our dates to those of contacts after 90 days; errors are those of the worlds."""
    worlds = max(4, int(WORLDS * scale))
    lost = [losses_of(seed) for seed in range(worlds)]
    policy = RecontactPolicy()
    ours, usual, kept, closed = [], [], [], []
    months: list[dict[str, tuple[Basis, int]]] = []
    for seed, judged in enumerate(lost):
        rates = rates_of(lost[seed - 1], HORIZON, np.datetime64(END, "us"), timedelta(microseconds=int(PAUSES.min())))
        # Each is told its date on the day on which it was lost.
        advice = advise(policy, rates, judged.groups, judged.since, judged.since)
        ours.append(_contacts(judged, advice.on))
        later = judged.since + np.timedelta64(USUAL)
        usual.append(_contacts(judged, later))
        kept.append(_contacts(judged, np.where(np.isnat(advice.on), _NEVER, later)))
        months.append({name: known.choose(policy, 0) for name, known in rates.items()})
        closed.append(months[-1]["outside the target"][0] == "close")
    progress(f"dates to come back, {worlds} worlds: {', '.join(_told(months))}")
    for name, others in {"after 90 days": usual, "after 90 days, of those that are not closed": kept}.items():
        gain, error = _gain(ours, others)
        what = (
            f"conversions per contact on the dates to come back above those {name}, by the standard error over worlds"
        )
        yield Finding(what, gain / error, "more than 2 s.e.", gain > 2.0 * error, in_errors=True)
        share = _per_contact(others) / _per_contact(ours)
        yield Finding(f"conversions per contact {name}, of those on the dates", share, "below 100 %", share < 1.0)
    yield Finding("worlds in which leads outside the target are closed", float(np.mean(closed)), None, None)


class Contacts(NamedTuple):
    """How many leads of a world were contacted, and how many of these converted."""

    made: int
    converted: int


def losses_of(seed: int) -> Followed:
    """List the losses of a world, their reasons, and what became of them until the log ends."""
    segments = simulate_block(COMPANY, np.random.default_rng(seed), LEADS).segments
    reopened = (segments.exit == Exit.REOPEN) & (segments.state >= State.LOST)
    of_interest = segments.take((segments.exit == Exit.CONVERT) | (segments.exit >= Exit.LOSE) | reopened)
    ordered = of_interest.take(np.lexsort((of_interest.end, of_interest.lead)))
    rows = np.flatnonzero(ordered.exit >= Exit.LOSE)
    ends = np.append(ordered.end, [0, 0]).astype("datetime64[us]")
    exits, leads = np.append(ordered.exit, [Exit.NONE] * 2), np.append(ordered.lead, [-1, -1])
    is_back = (leads[rows + 1] == leads[rows]) & (exits[rows + 1] == Exit.REOPEN)
    bought = is_back & (leads[rows + 2] == leads[rows]) & (exits[rows + 2] == Exit.CONVERT)
    reasons = np.array(LOSS_REASONS, dtype=object)[ordered.exit[rows] - Exit.LOSE]
    until = np.full(len(rows), np.datetime64(END, "us"))
    return Followed(
        reasons, ends[rows], until, np.where(is_back, ends[rows + 1], _NEVER), np.where(bought, ends[rows + 2], _NEVER)
    )


def _contacts(lost: Followed, on: NDArray[np.datetime64]) -> Contacts:
    """Contact those that are still away on their date, where all that may come of it is known."""
    made = (on + np.timedelta64(MONTH + HORIZON) <= lost.until) & ~(lost.returned < on)
    brought = made & (lost.returned < on + np.timedelta64(MONTH))
    converted = brought & (lost.converted < lost.returned + np.timedelta64(HORIZON))
    return Contacts(int(made.sum()), int(converted.sum()))


def _per_contact(worlds: list[Contacts]) -> float:
    return sum(one.converted for one in worlds) / sum(one.made for one in worlds)


def _gain(ours: list[Contacts], others: list[Contacts]) -> tuple[float, float]:
    """Give how many more conversions a contact brings, and the standard error of that over the worlds."""
    differences = np.array([
        mine.converted / mine.made - other.converted / other.made for mine, other in zip(ours, others, strict=True)
    ])  # fmt: skip
    return float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(len(differences)))


def _told(months: list[dict[str, tuple[Basis, int]]]) -> Iterator[str]:
    """Say for each reason on which months the worlds settle."""
    for reason in LOSS_REASONS:
        found = [f"{basis} {month}" for basis, month in (one[reason] for one in months)]
        counts = {text: found.count(text) for text in sorted(set(found))}
        yield f"{reason}: {counts}"
