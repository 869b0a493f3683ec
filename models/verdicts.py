"""What may be wrong with a run, whoever found it: one list, shown first wherever figures are shown.

A verdict never stops a stage. One that says ``wrong`` keeps the model from being used: it gets no alias in the registry,
and the command ends with the exit code of ``VerdictError``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Severity = Literal["wrong", "doubtful", "told"]
"""Of a verdict: nobody should act on the result; look before you act; good to know."""
SEVERITIES: tuple[Severity, ...] = ("wrong", "doubtful", "told")


@dataclass(frozen=True)
class Verdict:
    """One thing that may be wrong: what it is, what was seen, and what to do."""

    code: str
    """What it is called in the settings, where it may be acquitted: ``worse_than_base_rate``."""
    title: str
    """What is wrong, in a few words."""
    severity: Severity
    evidence: str
    """What was seen, with its figures, and what chance would do; without lead ids."""
    remedy: str
    """What to do next."""
    subject: str | None = None
    """The column, source or part that it is about, where there may be several of one code."""
    acquitted: str | None = None
    """The reason that the settings give for taking it as harmless; it is shown with it."""

    def to_json(self) -> dict[str, Any]:
        """Give the verdict as ``reports/verdicts.json`` holds it."""
        return asdict(self)

    @property
    def stands(self) -> bool:
        """Whether it keeps the model from being used."""
        return self.severity == "wrong" and self.acquitted is None


def ordered(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Sort verdicts: those that stand first, then by severity, code and subject."""
    return sorted(
        verdicts, key=lambda one: (not one.stands, SEVERITIES.index(one.severity), one.code, one.subject or "")
    )


def acquit(verdicts: Iterable[Verdict], reasons: Mapping[str, str]) -> list[Verdict]:
    """Mark the verdicts that ``reasons`` names, by code or by ``code:subject``."""
    return [replace(one, acquitted=reasons.get(f"{one.code}:{one.subject}", reasons.get(one.code))) for one in verdicts]
