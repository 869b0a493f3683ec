"""What to do next with each lead, by the rules of ``decision.actions``, and through which channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.core.errors import nearest
from features.core.schema import CHANNELS, MACHINE, Language
from models.decision.actions import WAIT_UNTIL, Leads, act
from pipeline.core.project import Places, Progress
from pipeline.core.sql import file_literal, literal
from pipeline.scoring.recontact import Columns, states_of
from pipeline.scoring.standing import Standing
from pipeline.settings.decision import DecisionPolicy
from pipeline.wording.actions import say_action


@dataclass(frozen=True)
class Actions:
    """Says what to do next at ``as_of`` (UTC)."""

    places: Places
    connection: duckdb.DuckDBPyConnection
    policy: DecisionPolicy
    language: Language
    as_of: datetime

    def columns(
        self,
        lead_ids: Sequence[str],
        standing: Standing,
        tiers: NDArray[np.str_],
        lists: NDArray[np.str_],
        list_reasons: NDArray[np.object_],
        recontact: Columns,
    ) -> Columns:
        """Give action, channel and next step of leads, all in the same order; ``recontact``: their columns of that."""
        held = standing.held
        seen = self._look(lead_ids)
        answered = {name: _is_true(seen, f"answered {name}") for name in CHANNELS}
        leads = Leads(
            tier=tiers,
            maturity=standing.maturity,
            list=lists,
            list_reason=list_reasons,
            recontact=states_of(self.policy, self.as_of, recontact),
            facts={name: ~np.isnat(held.since[:, place]) for place, name in enumerate(self.policy.facts)},
            is_open={name: ~held.shut(name) for name in CHANNELS},
            has_answered=answered,
            last_act=seen["last act"].to_pandas().to_numpy(object),
            content=seen["content"].to_pandas().to_numpy(object),
            has_had={name: _is_true(seen, f"had {name}") for name in self._sent},
        )
        actions, channels = act(self.policy.actions, leads)
        # Of a million leads there are few steps: each is written once.
        days = recontact["recontact_on"].to_pandas().where(actions == WAIT_UNTIL, None)
        codes, distinct = pd.factorize(pd.MultiIndex.from_arrays([actions, channels, days]))
        steps = ((code, *(None if pd.isna(one) else one for one in rest)) for code, *rest in distinct)
        said = [say_action(code, channel, day, self.language) for code, channel, day in steps]
        return {
            "action": pa.array(actions, pa.string()),
            "channel": pa.array(channels, pa.string()),
            "next_step": pa.array(said, pa.string()).take(pa.array(codes)),
        }

    def warn(self, progress: Progress) -> None:
        """Say which contents rules name that no event is about: who has had them can't be told."""
        asked = {name for rule in self.policy.actions for name in (*(rule.content or ()), rule.sends) if name}
        if not asked:
            return
        rows = self.connection.execute(
            f"SELECT DISTINCT content FROM read_parquet({file_literal(self.places.interactions)}) "
            "WHERE content IS NOT NULL ORDER BY 1"
        ).fetchall()
        known = [content for (content,) in rows]
        for name in sorted(asked - set(known)):
            progress(
                f"warning: decision.actions names the content {name!r}, and no event is about it; until one is, who "
                f"has had it can't be told; {nearest(name, known)}"
            )

    @property
    def _sent(self) -> list[str]:
        return sorted({rule.sends for rule in self.policy.actions if rule.sends is not None})

    def _look(self, lead_ids: Sequence[str]) -> pa.Table:
        """Look once into the log for what rules ask for that standing does not say; most tables ask for nothing."""
        rules = self.policy.actions
        by_lead, newest = "actor = 'lead'", "(occurred_at, source, sequence)"
        wanted = {}
        if any(rule.last_act is not None for rule in rules):
            wanted["last act"] = f"arg_max(event_type, {newest}) FILTER ({by_lead})"
        if any(rule.content is not None for rule in rules):
            wanted["content"] = f"arg_max(content, {newest}) FILTER ({by_lead} AND content IS NOT NULL)"
        for channel, types in self.policy.answers.items():
            named = ", ".join(map(literal, types))
            wanted[f"answered {channel}"] = f"bool_or(event_type IN ({named})) FILTER ({by_lead})"
        for content in self._sent:
            wanted[f"had {content}"] = f"bool_or(content = {literal(content)})"
        nothing = {"last act": pa.string(), "content": pa.string()}
        nothing |= {f"answered {channel}": pa.bool_() for channel in CHANNELS}
        found = {name: pa.nulls(len(lead_ids), kind) for name, kind in nothing.items()}
        if wanted:
            asked = pa.table({"lead_id": pa.array(lead_ids, pa.string()), "place": np.arange(len(lead_ids))})
            self.connection.register("asked", asked)
            acts = ", ".join(f'{sql} AS "{place}"' for place, sql in enumerate(wanted.values()))
            table = self.connection.sql(
                f"SELECT acts.* FROM asked LEFT JOIN (SELECT lead_id, {acts} FROM "
                f"read_parquet({file_literal(self.places.interactions)}) SEMI JOIN asked USING (lead_id) WHERE "
                f"known_at < $now AND occurred_at < $now AND actor <> '{MACHINE}' GROUP BY lead_id) AS acts "
                "USING (lead_id) ORDER BY place",
                params={"now": self.as_of},
            ).to_arrow_table()
            self.connection.unregister("asked")
            found |= {name: table[f"{place}"].combine_chunks() for place, name in enumerate(wanted)}
        return pa.table(found)


def _is_true(table: pa.Table, name: str) -> NDArray[np.bool_]:
    """Give a column of yes and no, no where nothing is said."""
    said: NDArray[np.bool_] = pc.fill_null(table[name], fill_value=False).to_numpy()
    return said
