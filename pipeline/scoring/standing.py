"""What decides of a lead beside its probability: what it did and how lately, which facts hold, and what people decided.

One walk over the log counts it for all leads asked for at once, from what was known at the moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.core.schema import MACHINE
from models.decision.consent import Consent
from models.decision.facts import Held
from pipeline.core.project import Places, require
from pipeline.core.sql import file_literal, identifier, literal
from pipeline.scoring.consent import read_consent
from pipeline.scoring.in_words import facts_in_words
from pipeline.scoring.word import Spoken, listen
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.timeline import Episodes

_NOTHING = np.datetime64("NaT", "us")


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    decision: DecisionPolicy
    episodes: Episodes


@dataclass(frozen=True)
class Standing:
    """How leads stand at a moment, each array of shape (leads,), in the order in which they were asked for."""

    held: Held
    maturity: NDArray[np.str_]
    is_back: NDArray[np.bool_]
    """Whether it came back of late, after a loss or a silence."""
    stage: pa.Array
    """What people last decided in this episode, null where they have not."""
    decided_at: NDArray[np.datetime64]
    """When they last decided (UTC), in whichever episode; missing where they never have."""
    target: NDArray[np.object_]
    """in, out or unknown; None where there is no rule."""
    value: NDArray[np.float64] | None
    """What a conversion of it is worth; None where nobody said."""
    contacted: NDArray[np.datetime64]
    """When one of us last contacted it (UTC), missing where nobody ever did; as the next two."""
    acted: NDArray[np.datetime64]
    """When it last did something itself."""
    handed: NDArray[np.datetime64]
    """When sales was last handed it."""
    account: NDArray[np.object_]
    territory: NDArray[np.object_]
    arm: NDArray[np.object_]
    """What the attribute of a lottery says; None where there is none."""
    facts: Sequence[Sequence[str]]
    """What holds of each, in words, the latest first."""
    acts_unseen: NDArray[np.bool_]
    """Whether most of what it did is of event types that the model does not know."""
    spoken: Spoken
    """What people said last of each, as far as it holds."""

    @property
    def closed(self) -> NDArray[np.bool_]:
        """Whether a lead is closed altogether, by a fact or as one that the company does not want."""
        is_out: NDArray[np.bool_] = self.target == "out"
        return self.held.closed | is_out


def look(
    places: Places,
    parameters: Sections,
    connection: duckdb.DuckDBPyConnection,
    leads: pd.DataFrame,
    as_of: datetime,
    known_types: Sequence[str] = (),
) -> Standing:
    """Tell how ``leads`` (lead_id, created_at, started_at, episode) stand at ``as_of`` (UTC); see ``require_named``.

    ``known_types`` are the event types that the model knows; without them, none is unseen.
    """
    require(places.decisions, places.consents)
    policy = parameters.decision
    connection.register("asked", leads[["lead_id"]].assign(place=np.arange(len(leads))))
    found = connection.sql(_query(places, parameters, as_of, known_types)).to_arrow_table()
    (ended_at,) = _times(found, ["ended_at"]).T
    consent = read_consent(places, connection, as_of)
    spoken = listen(places, policy, connection, as_of, ended_at)
    connection.unregister("asked")
    moment = np.full(len(leads), np.datetime64(as_of, "us"))
    held = _judge(policy, found, moment, consent)
    strong, medium, before, back, decided = _times(found, ["strong", "medium", "before", "back", "decided"]).T
    contacted, acted, handed = _times(found, ["contacted", "acted", "handed"]).T
    started = leads["started_at"].to_numpy("datetime64[us]")
    was_lost = (leads["episode"].to_numpy() > 1) & (started >= moment - np.timedelta64(policy.recycled.within))
    was_quiet = back - before >= np.timedelta64(policy.recycled.silence)
    came_back = pc.fill_null(found["came_back"], fill_value=False).to_numpy()
    rules = _Rules(policy, found, len(leads))
    return Standing(
        held=held,
        maturity=policy.maturity.maturities(strong, medium, came_back, held.raised, moment),
        is_back=was_lost | was_quiet,
        stage=pc.if_else(pa.array(decided >= started), found["stage"].combine_chunks(), None),
        decided_at=decided,
        target=rules.target,
        value=rules.value,
        contacted=contacted,
        acted=acted,
        handed=handed,
        account=found["account"].to_pandas().to_numpy(object),
        territory=found["territory"].to_pandas().to_numpy(object),
        arm=found["arm"].to_pandas().to_numpy(object),
        facts=facts_in_words(policy, held, rules.broken, len(leads)),
        acts_unseen=pc.fill_null(found["acts_unseen"], fill_value=False).to_numpy(),
        spoken=spoken,
    )


def _query(places: Places, parameters: Sections, as_of: datetime, known_types: Sequence[str]) -> str:
    """Ask for one row of each lead, in order: when it last did what, what was last decided, and its attributes."""
    policy, episodes = parameters.decision, parameters.episodes
    by_lead = "actor = 'lead'"
    recent = _timestamp(as_of - policy.maturity.hot_for)
    returned = _timestamp(as_of - policy.recycled.within)
    stages = _stages(policy, episodes)
    columns = {
        "strong": _last(policy.maturity.strong, by_lead),
        "medium": _last(policy.maturity.medium, by_lead),
        "came_back": f"count(DISTINCT local_day) FILTER ({by_lead} AND occurred_at >= {recent}) "
        f">= {policy.maturity.active_days}",
        "before": f"max(occurred_at) FILTER ({by_lead} AND occurred_at < {returned})",
        "back": f"min(occurred_at) FILTER ({by_lead} AND occurred_at >= {returned})",
        "acts_unseen": f"count(*) FILTER ({by_lead} AND NOT {_among(known_types)}) * 2 > count(*) FILTER ({by_lead})"
        if known_types
        else "false",
        "contacted": _last(policy.work.contacts),
        "acted": f"max(occurred_at) FILTER ({by_lead})",
        "handed": _last(policy.work.handed_over),
        "ended_at": _last([*episodes.conversion, *episodes.lost]),
        "decided": _last(list(stages)),
        "decided_as": f"arg_max(event_type, occurred_at) FILTER ({_among(list(stages))})",
    }
    columns |= _facts(policy)
    acts = ", ".join(f"{sql} AS {name}" for name, sql in columns.items())
    names = " ".join(f"WHEN {literal(kind)} THEN {literal(stage)}" for kind, stage in stages.items())
    stage = f"CASE decided_as {names} END" if stages else "NULL::VARCHAR"
    wanted = dict.fromkeys(name for _, name in policy.attributes)
    attributes = "".join(f", lead.{identifier(name)} AS {identifier(f'of {name}')}" for name in wanted)
    territory, arm = (
        f"CAST(lead.{identifier(name)} AS VARCHAR)" if name else "NULL::VARCHAR"
        for name in (policy.territory, policy.lottery.attribute)
    )
    return (
        f"SELECT acts.*, {stage} AS stage, lead.account_id AS account, {territory} AS territory, "
        f"{arm} AS arm{attributes} "
        f"FROM asked LEFT JOIN (SELECT lead_id, {acts} FROM {_known(places, as_of)} GROUP BY lead_id) AS acts "
        f"USING (lead_id) LEFT JOIN read_parquet({file_literal(places.leads)}) AS lead USING (lead_id) ORDER BY place"
    )


def hold(
    places: Places,
    policy: DecisionPolicy,
    connection: duckdb.DuckDBPyConnection,
    lead_ids: Sequence[str],
    as_of: datetime,
) -> Held:
    """Tell which facts hold of leads, and what they agree to, by what was known before ``as_of`` (UTC), in their order.

    It is what ``look`` tells of that, for those who ask for nothing else.
    """
    require(places.consents)
    asked = pa.table({"lead_id": pa.array(lead_ids, pa.string()), "place": np.arange(len(lead_ids))})
    connection.register("asked", asked)
    columns = "".join(f", {sql} AS {name}" for name, sql in _facts(policy).items())
    found = connection.sql(
        f"SELECT acts.* FROM asked LEFT JOIN (SELECT lead_id{columns} FROM {_known(places, as_of)} GROUP BY lead_id) "
        "AS acts USING (lead_id) ORDER BY place"
    ).to_arrow_table()
    consent = read_consent(places, connection, as_of)
    connection.unregister("asked")
    return _judge(policy, found, np.full(len(lead_ids), np.datetime64(as_of, "us")), consent)


def _judge(policy: DecisionPolicy, found: pa.Table, moment: NDArray[np.datetime64], consent: Consent) -> Held:
    places = range(len(policy.facts))
    said, ended = (_times(found, [f"{part}_{place}" for place in places]) for part in ("said", "ended"))
    return Held.of(policy.facts, said, ended, moment, consent)


def _facts(policy: DecisionPolicy) -> dict[str, str]:
    """Ask when each fact was last said, and last ended."""
    columns: dict[str, str] = {}
    for place, fact in enumerate(policy.facts.values()):
        columns |= {f"said_{place}": _last(fact.events), f"ended_{place}": _last(fact.ended_by)}
    return columns


def _last(types: Sequence[str], what: str = "true") -> str:
    return f"max(occurred_at) FILTER ({what} AND {_among(types)})"


def _known(places: Places, as_of: datetime) -> str:
    """Write the events of the leads that were asked for: those that had happened and were known, but of machines."""
    moment = _timestamp(as_of)
    return (
        f"read_parquet({file_literal(places.interactions)}) SEMI JOIN asked USING (lead_id) "
        f"WHERE known_at < {moment} AND occurred_at < {moment} AND actor <> '{MACHINE}'"
    )


def _stages(policy: DecisionPolicy, episodes: Episodes) -> dict[str, str]:
    """Name what people decide, by the event type that says so: milestones, and what sales refuses."""
    refusals = {kind: name for name, fact in policy.facts.items() if fact.kind == "refuses" for kind in fact.events}
    return refusals | {kind: name for name, kinds in episodes.milestones.items() for kind in kinds}


def _timestamp(moment: datetime) -> str:
    return f"TIMESTAMP '{moment.isoformat(sep=' ')}'"


def _among(types: Sequence[str]) -> str:
    return f"event_type IN ({', '.join(map(literal, types))})" if types else "false"


def _times(table: pa.Table, names: Sequence[str]) -> NDArray[np.datetime64]:
    """Give columns of times, missing ones as NaT, shape (rows, names)."""
    columns = [table[name].to_numpy().astype("datetime64[us]") for name in names]
    return np.stack(columns, axis=1) if columns else np.full((len(table), 0), _NOTHING)


@dataclass(frozen=True)
class _Rules:
    """What the attributes of leads say."""

    policy: DecisionPolicy
    table: pa.Table
    length: int

    @property
    def broken(self) -> Iterator[tuple[str, NDArray[np.bool_], NDArray[np.bool_]]]:
        """Give each rule in words, whom it puts outside, and whom it can't judge."""
        for name, rule in self.policy.out_of_target.items():
            column = self.table[f"of {name}"].to_pandas()
            is_out = np.zeros(self.length, dtype=bool)
            if rule.among is not None:
                is_out |= column.isin(rule.among).to_numpy()
                told = f"{name} is {' or '.join(rule.among)}"
            else:
                numbers = pd.to_numeric(column, errors="coerce").to_numpy(float)
                bounds = []
                if rule.below is not None:
                    is_out |= numbers < rule.below
                    bounds.append(f"below {rule.below:g}")
                if rule.above is not None:
                    is_out |= numbers > rule.above
                    bounds.append(f"above {rule.above:g}")
                told = f"{name} {' or '.join(bounds)}"
            yield told, is_out, column.isna().to_numpy()

    @property
    def target(self) -> NDArray[np.object_]:
        """Say whether each lead is in the target."""
        found = np.full(self.length, "in" if self.policy.out_of_target else None, dtype=object)
        rules = list(self.broken)
        for _, _, is_unknown in rules:
            found[is_unknown] = "unknown"
        for _, is_out, _ in rules:
            found[is_out] = "out"
        return found

    @property
    def value(self) -> NDArray[np.float64] | None:
        """Say what a conversion of each lead is worth."""
        money = self.policy.money
        if money is None:
            return None
        values = np.full(self.length, money.value)
        if money.attribute is not None:
            column = self.table[f"of {money.attribute}"].to_pandas()
            worth = money.values  # noqa: PD011 - of a setting
            numbers = pd.to_numeric(column if worth is None else column.map(worth), errors="coerce").to_numpy(float)
            values = np.where(numbers > 0, numbers, values)
        return values
