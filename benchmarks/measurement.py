"""Time and memory of one call, in a process of its own: what ran before leaves no trace in it.

The process imports what it needs, takes the time of the call alone, and tells both as JSON. The time is that of all
cores together, which other work on the machine changes least. A function that returns a number has taken the time of
its essential part itself, in seconds: where what is waited for is the point.
"""

from __future__ import annotations

import importlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
_LONG = 10
"""Seconds, after which a measurement is not repeated."""


@dataclass(frozen=True)
class Measurement:
    """What one call took."""

    seconds: float
    """Of all cores together, or as the call says."""
    peak_gb: float
    """The most memory that the process has held at once, in 10^9 bytes; pages of mapped files count."""


class MeasuredCallError(RuntimeError):
    """The process of a measured call has failed; the text is the end of what it said."""


def measure(
    function: Callable[..., Any] | str, *arguments: object, repeats: int = 3, python: str = sys.executable
) -> Measurement:
    """Call a public function of a module of ``benchmarks`` with arguments that are paths, texts or whole numbers.

    One that can be imported by another ``python`` alone is named, as in ``benchmarks.polars_peer:write_matrix``.

    Gives the shortest of ``repeats`` calls, each in a new process, and the largest of their peaks. What takes long is
    not repeated: chance makes less of it.
    """
    name = function if isinstance(function, str) else f"{function.__module__}:{function.__name__}"
    taken = [_call(name, arguments, python)]
    while len(taken) < repeats and sum(one.seconds for one in taken) < _LONG:
        taken.append(_call(name, arguments, python))
    return Measurement(min(one.seconds for one in taken), max(one.peak_gb for one in taken))


def _call(name: str, arguments: tuple[object, ...], python: str) -> Measurement:
    given = [["path", str(argument)] if isinstance(argument, Path) else ["value", argument] for argument in arguments]
    command = [python, "-m", "benchmarks.measurement", name, json.dumps(given)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MeasuredCallError(f"{name} failed:\n{done.stderr[-2000:]}")
    return Measurement(**json.loads(done.stdout.splitlines()[-1]))


def _cpu_seconds() -> float:
    """Give the time that this process, and those that it has waited for, have had of the cores."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _peak_bytes() -> int:
    """Give the peak of this process: of Linux itself, since ``ru_maxrss`` may hold that of the parent process."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main() -> None:
    """Make the call that the command line names."""
    module, _, name = sys.argv[1].partition(":")
    function = getattr(importlib.import_module(module), name)
    arguments = [Path(value) if kind == "path" else value for kind, value in json.loads(sys.argv[2])]
    start = _cpu_seconds()
    own = function(*arguments)
    seconds = _cpu_seconds() - start if own is None else own
    print(json.dumps({"seconds": seconds, "peak_gb": _peak_bytes() / 1e9}))


if __name__ == "__main__":
    main()
