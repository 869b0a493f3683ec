"""``leadcast lottery``: how many leads it takes to see what a call does and, where chance decided, what it does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from features.core.errors import InputError
from features.core.time import format_duration
from models.evaluation.lottery import FEWEST_LEADS, Arm, Effect, judge_drawn, sizes_of
from pipeline.core.project import HERE, Project, read_json, require
from pipeline.core.sql import open_reader
from pipeline.log.drawn import read_drawn
from pipeline.matrix.slices import delay_of, horizon_of
from pipeline.settings.decision import DecisionPolicy, Recommend
from pipeline.settings.timeline import Episodes

_YEAR = timedelta(days=365)


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    decision: DecisionPolicy
    episodes: Episodes
    recommend: Recommend


@dataclass(frozen=True)
class Drawing:
    """What a lottery has shown so far, and what it takes to show more."""

    horizon: str
    agreed_by: str | None
    share: float
    base_rate: float
    """The share of the training rows that convert within the horizon."""
    new_leads_a_year: float
    sizes: dict[str, int]
    """By the precision that is wanted: how many leads either group needs."""
    drawn: dict[str, int]
    """Leads by their group, as each was first given one."""
    too_late: int
    """Leads that were drawn only by scores computed long after their moment: nobody has worked by them."""
    gone: int
    """Leads that today's log does not show open when they were drawn: nobody can say what became of them."""
    not_settled: int
    """Those whose outcome is not known yet."""
    arms: dict[str, Arm]
    """The settled ones by group."""
    effect: Effect | None
    """Of being to be called, against being left alone; None without a lottery, or with too few."""

    def to_json(self) -> dict[str, Any]:
        """Give it as JSON holds it."""
        return asdict(self)


def look_at_lottery(project: Project[Sections]) -> Drawing:
    """Read whom chance decided of (data/scores), and what became of them.

    Each lead counts in the group that it had first, from that moment on, whatever became of it later. Raises InputError
    where a stage has not run yet.
    """
    require(project.snapshot_counts, project.interactions, project.leads, project.aliases, project.model)
    counts, policy = read_json(project.snapshot_counts), project.parameters.decision
    horizon, delay, until = horizon_of(counts), delay_of(counts), datetime.fromisoformat(counts["observed_until"])
    rate = float(read_json(project.model / "manifest.json")["base_rate"])
    everybody = read_drawn(project, horizon, delay, until, project.parameters.recommend.maximum_age)
    first = everybody[everybody["as_of"].notna()]
    settled = first[first["is_settled"]]
    arms, effect = judge_drawn(settled)
    return Drawing(
        horizon=format_duration(horizon),
        agreed_by=policy.lottery.agreed_by,
        share=policy.lottery.share,
        base_rate=rate,
        new_leads_a_year=_new_leads_a_year(project),
        sizes=sizes_of(rate),
        drawn={str(group): int(number) for group, number in first["lottery_group"].value_counts().items()},
        too_late=len(everybody) - len(first),
        gone=int(first["is_gone"].sum()),
        not_settled=len(first) - len(settled) - int(first["is_gone"].sum()),
        arms=arms,
        effect=effect,
    )


def told_of_lottery(drawing: Drawing) -> Iterator[str]:
    """Say it line by line."""
    if drawing.agreed_by is None:
        yield (
            "Nobody is drawn: whom sales calls is whom we believed in, so no effect of a call can be told. With "
            "decision.lottery (share, agreed_by) chance decides of some"
        )
    else:
        share = f"{drawing.share:.1%} of the leads are drawn here, a third of them in each group"
        yield f"{share}; agreed by {drawing.agreed_by}"
    yield (
        f"At a base rate of {drawing.base_rate:.1%} within {drawing.horizon}, and {drawing.new_leads_a_year:,.0f} new "
        "leads a year, the effect of a call is known"
    )
    for precision, leads in drawing.sizes.items():
        drawn = 3 * leads / drawing.new_leads_a_year if drawing.new_leads_a_year else float("inf")
        how = f"{drawn:.0%} of a year's new leads drawn" if drawn <= 1.0 else "more than all leads of a year"
        yield f"  to {float(precision):.1%} either way with {leads:,} leads in each group: {how}"
    if drawing.too_late:
        yield (
            f"Drawn only by scores computed more than recommend.maximum_age after their moment: {drawing.too_late:,} "
            "leads; nobody has worked by these, and they don't count"
        )
    if not drawing.drawn:
        return
    counted = ", ".join(f"{number:,} {group}" for group, number in sorted(drawing.drawn.items()))
    yield f"Drawn so far ({HERE.scores}): {counted}; of {drawing.not_settled:,} the outcome is not known yet"
    if drawing.gone:
        yield f"  left out: {drawing.gone:,}, which today's log does not show open when they were drawn"
    for group, arm in drawing.arms.items():
        yield (
            f"  {group}: {arm.converted:,} of {arm.leads:,} converted ({arm.share:.1%}); "
            f"{arm.promised:,.1f} were promised"
        )
    effect = drawing.effect
    if effect is None:
        yield f"No effect is told yet: it takes {FEWEST_LEADS} settled leads among those worked, and those left alone"
        return
    yield (
        f"Being to be called adds {effect.value:+.1%} to the share that converts within {drawing.horizon} "
        f"({effect.low:+.1%} to {effect.high:+.1%}), among leads that nobody would have had to call"
    )


def _new_leads_a_year(project: Project[Sections]) -> float:
    with open_reader() as connection:
        found = connection.execute(
            "SELECT count(*), date_diff('day', min(created_at), max(created_at)) FROM read_parquet(?)",
            [str(project.leads)],
        ).fetchone()
    if found is None or not found[0]:
        raise InputError(f"{HERE.leads} holds no leads; run 'leadcast ingest' on files that do")
    return float(found[0] / max(found[1] / _YEAR.days, 1 / _YEAR.days))
