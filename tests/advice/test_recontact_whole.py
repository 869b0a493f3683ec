"""When to come back to the leads of a small world: all of them recounted from the log."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq
from world import Project


def test_every_lost_lead_is_told_and_of_open_ones_the_quiet(world: Project) -> None:
    table = pq.read_table(world.recommendations).to_pandas().set_index("lead_id")
    as_of, policy = table["as_of"].iloc[0], world.parameters.decision
    log = pq.read_table(world.interactions).to_pandas()
    log = log[(log["known_at"] < as_of) & (log["occurred_at"] < as_of)]
    has_ended = table["probability"].isna()
    closed = table["facts"].map(lambda facts: any(fact.endswith("objected to everything") for fact in facts))
    lost = has_ended & (table["tier"] == "disqualified") & ~closed
    acted = log[log["actor"] == "lead"].groupby("lead_id")["occurred_at"].max().reindex(table.index)
    quiet = ~has_ended & (as_of - acted > policy.recycled.silence) & (table["tier"] != "SQL") & ~closed
    in_work = table["facts"].map(lambda facts: any(fact.endswith("in work by sales") for fact in facts))
    told = table["recontact_why"].notna()
    assert lost.sum() > 50
    assert told.equals(lost | (quiet & ~in_work & (table["list"] != "sales")))
    is_closed = told & table["recontact_why"].str.startswith("Close:", na=False)
    assert table["recontact_on"].isna().equals(~told | is_closed)
    # Of a world this small too few came back for some reasons, and the pause is said to be that.
    reasons = log[log["event_type"] == "lost"].groupby("lead_id")["content"].last()
    for lead, row in table[lost & ~is_closed].iterrows():
        assert f"(reason: “{reasons[lead]}”)" in row["recontact_why"]
        if "pause of the settings" in row["recontact_why"]:
            day = pd.Timestamp(row["facts"][0][:10]) + policy.recontact.pause
            assert pd.Timestamp(row["recontact_on"]) == day, lead
