"""``make bench SIZE=truth``: what is promised, measured where the truth is known. A check more is a line more."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import (
    alarms_truth,
    coverage,
    flapping_truth,
    late_outcomes,
    learned_truth,
    machines_truth,
    money_truth,
    recontact_truth,
    rhythms,
    sample_truth,
    verdicts_truth,
)
from benchmarks.findings import Check, Finding, Progress

CHECKS: tuple[Check, ...] = (
    alarms_truth.of_alarms,
    coverage.of_what_is_shown,
    flapping_truth.of_flapping,
    late_outcomes.of_late_outcomes,
    learned_truth.of_learning,
    machines_truth.of_machines,
    money_truth.of_expected_by_channel,
    recontact_truth.of_recontact,
    rhythms.of_rhythms,
    sample_truth.of_sample_world,
    verdicts_truth.of_verdicts,
)


def truth(progress: Progress, scale: float = 1.0) -> Iterator[Finding]:
    """Put every promise to the test, and tell each finding as soon as it is known."""
    for check in CHECKS:
        for finding in check(progress, scale):
            verdict = {True: "holds", False: "does NOT hold", None: "no promise"}[finding.holds]
            progress(f"= {finding.what}: {finding.measured:.3f} ({verdict}; promised {finding.promised})")
            yield finding
