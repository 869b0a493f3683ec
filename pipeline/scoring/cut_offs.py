"""``leadcast tiers``: where the cut-offs come from, what they mean in leads, and how each assumption moves them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.core.errors import InputError
from features.core.schema import TIERS
from models.decision.tiers import CUT_OFFS_FROM, CutOffs, Money, Multiples, Stated
from models.decision.what_if import COLUMNS, OpenLeads
from pipeline.core.project import HERE, Project, read_json, require
from pipeline.settings.decision import DecisionPolicy

_FACTORS = (0.5, 2.0)
_EQUAL = 1e-9


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    decision: DecisionPolicy


@dataclass(frozen=True)
class OfTier:
    """The open leads of a tier."""

    tier: str
    leads: int
    expected_conversions: float
    not_by_probability: int
    """How many of them would have another tier by their probability alone."""


@dataclass(frozen=True)
class Moved:
    """What becomes of the leads that are worth an hour of sales where an assumption is another."""

    assumption: str
    value: float
    """What it is; of the first, which nothing is compared with, what it is now."""
    factor: float
    sql_from: float
    """The cut-off, of a conversion of the usual value."""
    sql_leads: int
    expected_conversions: float


@dataclass(frozen=True)
class Cuts:
    """The cut-offs of the current recommendations, in numbers."""

    as_of: str
    """UTC."""
    cut_offs_from: str
    """tiers, money or multiples."""
    cut_offs: dict[str, float]
    tiers: tuple[OfTier, ...]
    assumptions: tuple[Moved, ...]

    def to_json(self) -> dict[str, Any]:
        """Give them as JSON holds them."""
        return asdict(self)


def look_at_cut_offs(project: Project[Sections]) -> Cuts:
    """Say what the cut-offs mean on the current recommendations, and how each assumption moves them.

    Raises InputError where there are none, or where ``decision`` says another thing than when they were made.
    """
    require(project.recommendations, project.scoring, project.model / "manifest.json")
    policy, told = project.parameters.decision, read_json(project.scoring)
    base_rate = read_json(project.model / "manifest.json")["base_rate"]
    usual = CutOffs.of(policy.settled, base_rate)
    now = {"MQL": float(usual.mql), "SQL": float(usual.sql)}
    if any(abs(now[tier] - told["cut_offs"][tier]) > _EQUAL for tier in now):
        raise InputError(
            f"{HERE.recommendations} was decided by other cut-offs than decision in params.yaml gives now "
            f"(SQL from {told['cut_offs']['SQL']:.4g}, now {now['SQL']:.4g}); run: leadcast recommend"
        )
    written = pq.read_schema(project.recommendations).names
    columns = [name for name in COLUMNS if name in written]  # what an earlier version wrote knew of no word
    is_open = pc.field("probability").is_valid()
    opened = pq.read_table(project.recommendations, columns=columns, filters=is_open)
    leads = OpenLeads.of(opened.to_pandas(), policy.facts, policy.usual_value)
    cuts = CutOffs.of(policy.settled, base_rate, leads.value)
    return Cuts(
        f"{told['as_of']}Z",
        told["cut_offs_from"],
        now,
        tuple(_count_tiers(leads, cuts)),
        tuple(_move(leads, cuts, policy.settled, base_rate)),
    )


def told_of(cuts: Cuts) -> Iterator[str]:
    """Say in words where the cut-offs come from and what they mean."""
    yield f"cut-offs: {CUT_OFFS_FROM[cuts.cut_offs_from]} (decision.{cuts.cut_offs_from})"
    for tier, cut in reversed(cuts.cut_offs.items()):
        yield f"{tier} from {cut:.2%}: there one lead in {1.0 / cut:,.1f} converts"


def _count_tiers(leads: OpenLeads, cuts: CutOffs) -> Iterator[OfTier]:
    alone = leads.tiers(cuts, by_probability_alone=True)
    for tier in TIERS:
        own = leads.tier == tier
        if own.any():
            expected = float(leads.probability[own].sum())
            yield OfTier(tier, int(own.sum()), expected, int((own & (alone != tier)).sum()))


def _move(leads: OpenLeads, cuts: CutOffs, settled: Stated | Money | Multiples, base_rate: float) -> Iterator[Moved]:
    """Count the SQL leads as it is, then with each assumption at half and at double."""
    usual = float(CutOffs.of(settled, base_rate).sql)
    yield _moved(leads, cuts, "as it is", usual, 1.0, cuts.sql, usual)
    for name, value, power in _assumptions(settled):
        for factor in _FACTORS:
            # More than all conversions can't come of a call.
            by = min(factor, 1.0 / value) if name == "effect" else factor
            if isinstance(settled, Multiples):
                # Whatever the other multiple is: only that of sales is asked for.
                other = float(CutOffs.of(Multiples(value * by / 2.0, value * by), base_rate).sql)
                yield _moved(leads, cuts, name, value * by, by, other, other)
            else:
                yield _moved(leads, cuts, name, value * by, by, cuts.sql * by**power, usual * by**power)


def _moved(
    leads: OpenLeads,
    cuts: CutOffs,
    assumption: str,
    value: float,
    factor: float,
    sql: NDArray[np.float64] | float,
    usual: float,
) -> Moved:
    """Count the SQL leads from another cut-off on."""
    is_sql = leads.tiers(CutOffs(cuts.mql, sql)) == "SQL"
    return Moved(assumption, value, factor, usual, int(is_sql.sum()), float(leads.probability[is_sql].sum()))


def _assumptions(settled: Stated | Money | Multiples) -> Iterator[tuple[str, float, int]]:
    """Give each assumption behind the cut-off of sales: its place, its value, and the power by which it moves it."""
    match settled:
        case Money():
            yield "value", settled.value, -1
            yield "sales_contact", settled.sales_contact, 1
            if settled.effect is not None:
                yield "effect", settled.effect, -1
        case Multiples():
            yield "multiples.sql", settled.sql, 1
        case Stated():
            yield "tiers.sql", settled.sql, 1
