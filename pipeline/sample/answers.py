"""What is true of the sample world as tables: which no company has."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.sample.chain import EPISODE, Source, State
from pipeline.sample.columns import numbered, timestamps
from pipeline.sample.records import Identifiers
from pipeline.sample.simulate import sources_of
from pipeline.sample.tables import Block, Machine
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
MACHINE_SCHEMA = pa.schema({"message_id": pa.string(), "machine": pa.string()})


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


def machine_table(block: Block, first: int) -> pa.Table:
    """Which lines of the mail provider's log are machines' doing, by the ids that email_lines gives from first on."""
    events = block.events.take(sources_of(block.events.type) == Source.EMAIL)
    by_machine = np.nonzero(events.machine)[0]
    names = pa.array([machine.name.lower() for machine in Machine])
    columns = {
        "message_id": numbered("m", first + by_machine, 9),
        "machine": names.take(pa.array(events.machine[by_machine])),
    }
    return pa.table(columns, schema=MACHINE_SCHEMA)
