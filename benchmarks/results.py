"""The figures: one row for each comparison, and the file that holds them, ``reports/benchmarks.json``."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.measurement import Measurement
from pipeline.core.project import write_json

RESULTS = Path("reports/benchmarks.json")
AT_MOST = " (at most)"
"""Ends the name of a row in which less is better: there the ratio is our time over the peer's, or a figure of ours."""


@dataclass(frozen=True)
class Result:
    """One comparison. Without a goal it is there to be known; without a ratio it could not be made."""

    name: str
    peer: str
    ours_s: float | None
    peer_s: float | None
    ratio: float | None
    goal: float | None
    met: bool | None

    @property
    def less_is_better(self) -> bool:
        """Whether the goal is the most that the ratio may be, and not the least."""
        return self.name.endswith(AT_MOST)


def faster(task: str, peer: str, ours: Measurement, theirs: Measurement, goal: float | None) -> Result:
    """Say how many times as fast as a peer we are."""
    ratio = theirs.seconds / ours.seconds
    met = None if goal is None else ratio >= goal
    return _result(f"{task}, against {peer}", peer, ours.seconds, theirs.seconds, ratio, goal, met)


def within(task: str, peer: str, ours: Measurement, theirs: Measurement, goal: float) -> Result:
    """Say how many times as long as a peer we take."""
    ratio = ours.seconds / theirs.seconds
    return _result(f"{task}, against {peer}{AT_MOST}", peer, ours.seconds, theirs.seconds, ratio, goal, ratio <= goal)


def memory(task: str, ours: Measurement, goal: float) -> Result:
    """Say how much memory we have held, in 10^9 bytes: that is the ratio, and the goal, too."""
    met = ours.peak_gb <= goal
    return _result(f"{task}, peak memory in GB{AT_MOST}", "nobody", ours.seconds, None, ours.peak_gb, goal, met)


def memory_within(task: str, peer: str, ours: Measurement, theirs: Measurement, goal: float) -> Result:
    """Say how many times as much memory as a peer we have held."""
    ratio, name = ours.peak_gb / theirs.peak_gb, f"{task}, peak memory against {peer}{AT_MOST}"
    return _result(name, peer, ours.seconds, theirs.seconds, ratio, goal, ratio <= goal)


def pace(task: str, events: int, ours: Measurement, goal: float) -> Result:
    """Say how many million events a second we draw: that is the ratio, and the goal, too."""
    ratio = events / ours.seconds / 1e6
    return _result(f"{task}, million events a second", "nobody", ours.seconds, None, ratio, goal, ratio >= goal)


def skipped(task: str, peer: str, reason: str, goal: float | None = None) -> Result:
    """Say that a peer could not be had: what was not measured is not met, where it should have been."""
    met = None if goal is None else False
    return _result(f"{task}, against {peer}", f"{peer} (skipped: {reason})", None, None, None, goal, met=met)


def merge(path: Path, results: Iterable[Result]) -> list[Result]:
    """Write the results over those of the same names, keep the others, and give them all."""
    kept = {result.name: result for result in read(path)} if path.exists() else {}
    kept |= {result.name: result for result in results}
    write_json(path, [asdict(result) for result in kept.values()])
    return list(kept.values())


def read(path: Path) -> list[Result]:
    """Read what ``merge`` has written."""
    return [Result(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def _result(
    name: str,
    peer: str,
    ours: float | None,
    theirs: float | None,
    ratio: float | None,
    goal: float | None,
    met: bool | None,
) -> Result:
    """Round to what a second run may show again."""
    ours, theirs, ratio = (None if number is None else float(f"{number:.3g}") for number in (ours, theirs, ratio))
    return Result(name, peer, ours, theirs, ratio, goal, met)
