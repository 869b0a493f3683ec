"""What was found of a promise: one row for each, the file that holds them, and the page that shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.core.project import write_json, written_whole

FINDINGS, PAGE = Path("reports/truth.json"), Path("docs/truth.md")

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Finding:
    """A figure that was measured where the truth is known; without a promise it is there to be known."""

    what: str
    measured: float
    promised: str | None
    holds: bool | None
    in_errors: bool = False
    """Whether it is counted in standard errors, and is no share."""

    def told(self) -> str:
        """Write what was measured.

        >>> Finding("a share", 0.951, None, None).told(), Finding("a gain", 3.21, None, None, in_errors=True).told()
        ('95.1 %', '3.2 s.e.')
        """
        return f"{self.measured:.1f} s.e." if self.in_errors else f"{100 * self.measured:.1f} %"

    @classmethod
    def within(cls, what: str, measured: float, least: float, most: float) -> Finding:
        """Hold a share to lie between two others."""
        return cls(what, measured, f"{100 * least:g} to {100 * most:g} %", least <= measured <= most)


Check = Callable[[Progress, float], Iterator[Finding]]
"""Measures one kind of promise: tells its progress, and may be given a scale below 1, to try it out."""


def write(root: Path, findings: Iterable[Finding], *, page: bool) -> None:
    """Write the findings, and the page of them where it is asked for."""
    found = list(findings)
    write_json(root / FINDINGS, [asdict(finding) for finding in found])
    if page:
        with written_whole(root / PAGE) as temporary:
            temporary.write_text(_page(found), encoding="utf-8")


def _page(findings: list[Finding]) -> str:
    rows = "\n".join(
        f"| {one.what} | {one.told()} | {one.promised or ''} | "
        f"{'' if one.holds is None else 'yes' if one.holds else '**no**'} |"
        for one in findings
    )
    return f"""# What the figures promise, and whether it holds

Written by `make bench SIZE=truth DOCS=yes`. For figures and their intervals leads are drawn that change between three
hazards to convert, 1,500 in each world, and are looked at several times within 60 days: the truth is known, no model is
trained. Worlds have the seeds 0, 1, 2 ..., so a second run gives the same figures. A share of 95 % of 1,000 worlds has
a standard error of 0.7.

- An *interval* of 95 %, of a figure or of a dot of the calibration picture, is to hold the figure of all leads of
  that kind in 95 of 100 logs: each by itself, not all at once.
  One that holds the figure in more than 97 is wider than it need be: what it excludes is excluded all the same.
- The *band* of the calibration picture is to hold all dots of a model that promises exactly right, all at once, in 95
  of 100 logs.
- The *calibration error by chance* is what such a model exceeds in 5 of 100 logs. The error has no interval of
  its own: drawing leads anew adds noise, and noise only raises it.
- The *sample world*: its probabilities and what happens in it differ by more than chance in one world of twenty.
- *Alarms* of `leadcast monitor`, looked at every week: worlds of such a chain without a shift, watched for two years,
  each lead scored every Monday by the truth; and worlds of the sample that shift, scored by who does not know of it.
- *Machines* that open, click and unsubscribe: what ingest marks in the sample world's mail log, beside its truth.
- *Dates to come back* to lost leads, learned from one sample world and judged by another: conversions per contact,
  beside contacts of all lost leads after 90 days; `benchmarks/recontact_truth.py` says what counts as one.
- *Verdicts*, on worlds in which a model is trained: how many honest ones none calls wrong, and of how many others at
  least one names what is amiss; `benchmarks/verdicts_truth.py` says what each kind of world is.
- How many wrong models are *found out* says what the yardstick is good for: a model below it is not proven right.
- *Learning*, on sample worlds: from few leads, drawn twenty times each, against baselines learned from the same leads;
  on a log whose base rate rises fivefold within its last fifth; and how much of the log loss that anyone could have
  saved (`p_observable`) is saved at the origins. What is gained over draws is counted in their standard errors (s.e.).

| what | measured | promised | holds |
|---|---|---|---|
{rows}
"""
