"""The list of verdicts as a file: written by ``evaluate``, read by whoever shows figures or acts on them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import fields

from features.core.errors import VerdictError
from models.core.verdicts import Verdict
from pipeline.core.project import Places, read_json, write_json

WIDTH = 96
"""Letters in a line of what is told."""


def write_verdicts(places: Places, model_version: str, verdicts: Sequence[Verdict]) -> None:
    """Write the list, in its order."""
    write_json(
        places.verdicts, {"model_version": model_version, "verdicts": [verdict.to_json() for verdict in verdicts]}
    )


def read_verdicts(places: Places) -> list[Verdict]:
    """Read the list that ``evaluate`` has written; raises InputError where it has not run."""
    names = [field.name for field in fields(Verdict)]
    return [Verdict(**{name: verdict[name] for name in names}) for verdict in read_json(places.verdicts)["verdicts"]]


def refuse_standing(verdicts: Sequence[Verdict]) -> None:
    """Raise VerdictError where a verdict stands."""
    standing = [verdict for verdict in verdicts if verdict.stands]
    if standing:
        listed = "; ".join(f"{verdict.name} ({verdict.title})" for verdict in standing)
        raise VerdictError(
            f"all stages have run, but nobody should act on the result: {listed}. What was seen and what to do stands "
            "in reports/summary.txt; what you know to be harmless is acquitted under evaluate.acquitted, with a reason"
        )


def tell_verdicts(verdicts: Sequence[Verdict]) -> list[str]:
    """Put each verdict as it is told: what it is, what was seen, and what to do or why it is harmless."""
    lines = []
    for verdict in verdicts:
        advice = f"-> {verdict.remedy}" if verdict.acquitted is None else f"acquitted: {verdict.acquitted}"
        lines.append(f"  {verdict.weight:<10}{verdict.title} ({verdict.name})")
        indent = " " * 12
        lines += [
            textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent)
            for text in (verdict.evidence, advice)
        ]
    return lines
