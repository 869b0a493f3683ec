"""How reasons are worded: it stands beside the scores and in the ledger, and new words alone write to nobody."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pushing import Delivery, Lead, ways

from pipeline.delivery.ledger import LEDGER
from pipeline.delivery.records import read_wording
from pipeline.scoring.files import write_recommendations
from pipeline.wording.texts import wording_of


def test_new_words_write_to_nobody_until_something_else_does(tmp_path: Path) -> None:
    delivery = Delivery(tmp_path, {"sink": {"kind": "files", "folder": "out"}}, {})
    leads = {"L1": Lead("SQL", 0.3, ("a visit",)), "L2": Lead("SQL", 0.3, ("a visit",))}
    others = {"L1": Lead("SQL", 0.3, ("une visite",)), "L2": Lead("MQL", 0.2, ("une visite",))}
    again = {**others, "L2": Lead("MQL", 0.2, ("un devis",))}
    for pushed, wording, expected in (
        (leads, "en", {"written": 2}),
        (others, "fr", {"unchanged": 1, "written": 1}),
        (others, "fr", {"unchanged": 2}),
        (again, "fr", {"unchanged": 1, "written": 1}),  # of L2 it is a new reason, in the words that it was told in
    ):
        assert ways(delivery.push(pushed, wording=wording)) == expected, (pushed, wording)


def test_a_ledger_of_an_earlier_version_knows_no_wording_and_goes_on(tmp_path: Path) -> None:
    delivery = Delivery(tmp_path, {"sink": {"kind": "files", "folder": "out"}}, {})
    delivery.push({"L1": Lead("SQL", 0.3, ("a visit",))}, wording="en")
    with closing(sqlite3.connect(tmp_path / LEDGER)) as connection:
        connection.execute("ALTER TABLE run DROP COLUMN wording")
    assert ways(delivery.push({"L1": Lead("SQL", 0.3, ("une visite",))}, wording="fr")) == {"unchanged": 1}
    assert ways(delivery.push({"L1": Lead("MQL", 0.1, ("une visite",))}, wording="fr")) == {"written": 1}
    assert ways(delivery.push({"L1": Lead("MQL", 0.1, ("un devis",))}, wording="fr")) == {"written": 1}


def test_how_reasons_are_worded_stands_in_the_file_of_scores(tmp_path: Path) -> None:
    table = pa.table({"lead_id": ["L1"]})
    for wording in (None, wording_of("{}"), wording_of('{"language": "fr"}')):
        write_recommendations(tmp_path / "s.parquet", table, wording)
        assert read_wording(pq.read_schema(tmp_path / "s.parquet")) == (wording or "")
    assert wording_of("{}") == wording_of("{}") != wording_of('{"language": "fr"}')
