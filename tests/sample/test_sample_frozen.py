"""The world as it was frozen: what is fitted to it, and measured on it, is measured on this one."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.sample import write_sample

FROZEN = {
    "consents.csv": "0d586a80b4531a65",
    "crm.jsonl": "fd048b2ea0b0278e",
    "email.csv.gz": "7e0fb82e9f0e6640",
    "identities.csv": "381469d412d54d6d",
    "leads.csv": "7657c66963b8e920",
    "outcomes.csv": "5b6b6b6e9c942db0",
    "owners.csv": "4da3a0434067d278",
    "rates.csv": "86d40b5165d292a7",
    "spend.csv": "b07c714502b2dc0a",
    "truth-machines.parquet": "20b1d9b8661a6727",
    "truth.parquet": "8caa0784a64ecf46",
    "web.parquet": "2fedf6de11e9ca71",
}
"""The first letters of the SHA-256 of each file's content, of 200 leads with the seed 1.

A change here is a new world: every figure that was measured on the former one is measured anew.
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("frozen") / "raw"
    write_sample(folder, leads=200, seed=1, truth=True)
    return folder


def fingerprint(path: Path) -> str:
    """Tell contents apart, whatever the versions of what packs them."""
    if path.suffix == ".parquet":
        content = repr(pq.read_table(path).to_pylist()).encode()
    else:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return hashlib.sha256(content).hexdigest()[:16]


def test_the_world_is_the_one_that_was_frozen(folder: Path) -> None:
    assert {path.name: fingerprint(path) for path in folder.iterdir()} == FROZEN
