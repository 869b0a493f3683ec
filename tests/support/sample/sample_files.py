"""What the tests of the sample's files share: names, fingerprints, the block behind a small world, and chance."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sized
from pathlib import Path

import numpy as np

from pipeline.sample.company import COMPANY
from pipeline.sample.scenario import PLAIN, Scenario
from pipeline.sample.simulate import simulate_block
from pipeline.sample.tables import Block

LOGS = {"web": "web.parquet", "email": "email.csv.gz", "crm": "crm.jsonl"}
TABLES = ("leads.csv", "outcomes.csv", "identities.csv", "consents.csv", "spend.csv", "owners.csv", "rates.csv")
RAW_FILES = (*LOGS.values(), *TABLES)
TRUTHS = ("truth.parquet", "truth-machines.parquet")


def fingerprints(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def block_behind(leads: int, *, seed: int = 1, scenario: Scenario = PLAIN) -> Block:
    """Draw the first block of a world again."""
    return simulate_block(COMPANY, np.random.default_rng([seed, 0]), leads, scenario)


def by_chance(share: float, among: int | Sized) -> float:
    """Four standard errors of a share: how far it may lie from the true one."""
    count = among if isinstance(among, int) else len(among)
    return 4 * math.sqrt(share * (1 - share) / count)
