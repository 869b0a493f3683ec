"""Measure the project against its peers, or its promises against the truth: ``make bench``, with ``SIZE=truth``."""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks import findings, suites
from benchmarks.measurement import ROOT
from benchmarks.page import write_page
from benchmarks.results import RESULTS, merge
from benchmarks.truth import truth

_CACHE = ROOT / ".cache" / "benchmarks"
_SUITES = {
    "standard": suites.standard,
    "large": suites.large,
    "push": suites.push,
    "bounds": suites.bounds,
    "spark": suites.spark,
}


def main() -> None:
    """Run a suite, telling each step, and write every row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=[*sorted(_SUITES), "truth"], default="standard")
    parser.add_argument("--scale", type=float, default=1.0, help="a share of events or worlds, to try them out")
    parser.add_argument("--results", type=Path, default=ROOT / RESULTS, help="the file that the rows are merged into")
    parser.add_argument("--write-docs", action="store_true", help="write the page of docs/, too")
    arguments = parser.parse_args()
    start = time.perf_counter()

    def progress(line: str) -> None:
        print(f"{time.perf_counter() - start:6.0f} s  {line}", flush=True)

    if arguments.size == "truth":
        findings.write(ROOT, truth(progress, arguments.scale), page=arguments.write_docs)
        progress(f"done: {findings.FINDINGS}")
        return
    _CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="logs-", dir=_CACHE) as folder:
        for result in _SUITES[arguments.size](Path(folder), _CACHE, progress, arguments.scale):
            merge(arguments.results, [result])
            verdict = {True: "met", False: "NOT met", None: "no goal"}[result.met]
            progress(f"= {result.name}: {result.ratio} ({verdict}; goal {result.goal})")
    if arguments.write_docs:
        write_page(arguments.results, ROOT / "docs")
    progress(f"done: {arguments.results}")


if __name__ == "__main__":
    main()
