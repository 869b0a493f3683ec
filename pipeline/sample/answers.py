"""The truth of the sample world as a table."""

from __future__ import annotations

import pyarrow as pa

from pipeline.sample.chain import EPISODE, State
from pipeline.sample.columns import timestamps
from pipeline.sample.records import Identifiers
from pipeline.sample.truth import Truth

_DECIMALS = 9
_CASES = ("", "_with_contact", "_without_contact")
TRUTH_SCHEMA = pa.schema(
    {
        "lead_id": pa.string(),
        "as_of": pa.timestamp("us"),
        "state": pa.string(),
        "level": pa.int8(),
        **{f"p_{who}{case}": pa.float64() for who in ("hidden", "observable") for case in _CASES},
    }
)


def truth_table(truth: Truth, ids: Identifiers) -> pa.Table:
    """Put the ids of leads to what is true of them."""
    columns = {
        "lead_id": ids.lead.take(pa.array(truth.lead)),
        "as_of": timestamps(truth.as_of),
        "state": pa.array([state.name.lower() for state in EPISODE]).take(pa.array(truth.state - State.OPEN)),
        "level": pa.array(truth.level),
    }
    for who, values in (("hidden", truth.hidden), ("observable", truth.observable)):
        for case, column in zip(_CASES, values.T, strict=True):
            # The last bits of a product of matrices go by the kind of processor.
            columns[f"p_{who}{case}"] = pa.array(column.round(_DECIMALS))
    return pa.table(columns, schema=TRUTH_SCHEMA)
