"""How leads stand at a moment, made by hand: nothing is known of them but what is stated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from models.decision.facts import Fact, Held
from models.decision.word import Word
from pipeline.scoring.standing import Standing
from pipeline.scoring.word import Spoken

TAKEN = {"in work": Fact("taken", ("case", "accepted")), "asked": Fact("raises", ("quote",))}


def moments(texts: Sequence[str | None] | None, size: int) -> NDArray[np.datetime64]:
    """Read times, missing where nothing is written."""
    return np.array([text or "NaT" for text in texts or [None] * size], "datetime64[us]")


def standing_of(
    size: int,
    as_of: datetime,
    *,
    taken: Sequence[str | None] | None = None,
    raised: Sequence[str | None] | None = None,
    contacted: Sequence[str | None] | None = None,
    acted: Sequence[str | None] | None = None,
    handed: Sequence[str | None] | None = None,
    territory: Sequence[str | None] | None = None,
    account: Sequence[str | None] | None = None,
    arm: Sequence[str | None] | None = None,
) -> Standing:
    """Give the standing of leads; times are UTC: ``taken`` since when one is in work, ``raised`` SQL at once."""
    never, nobody = moments(None, size), np.full(size, None, dtype=object)
    said, no = np.stack([moments(taken, size), moments(raised, size)], axis=1), np.zeros(size, dtype=bool)
    return Standing(
        held=Held.of(TAKEN, said, np.full_like(said, "NaT"), np.full(size, np.datetime64(as_of, "us"))),
        maturity=np.full(size, "warm"),
        is_back=no,
        stage=pa.nulls(size, pa.string()),
        decided_at=never,
        target=nobody,
        value=None,
        contacted=moments(contacted, size),
        acted=moments(acted, size),
        handed=moments(handed, size),
        account=np.array(account or [None] * size, dtype=object),
        territory=np.array(territory or [None] * size, dtype=object),
        arm=np.array(arm or [None] * size, dtype=object),
        facts=[[]] * size,
        acts_unseen=no,
        spoken=Spoken(Word(no, np.full(size, ""), no, no), [None] * size),
    )
