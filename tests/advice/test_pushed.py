"""What to do next as a CRM is given it: in words of its own, with dates, which are right for weeks."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pushing import Lead, write_scores

from pipeline.delivery.records import Selection, wanted_of
from pipeline.settings.push import Push

FIELDS = {"action": "a", "channel": "c", "recontact_on": "d"}


def pushed(path: Path, **push: object) -> list[dict[str, Any]]:
    leads = {f"L{number}": Lead(tier) for number, tier in enumerate(["disqualified", "SQL", "MQL"])}
    scores = write_scores(path, leads)
    table = pq.read_table(path).drop_columns("action")
    table = table.append_column("action", pa.array(["wait_until", "call_today", "send_price_list"]))
    table = table.append_column("channel", pa.array([None, "telephone", "mail"]))
    table = table.append_column("recontact_on", pa.array([date(2026, 9, 15), None, None], pa.date32()))
    pq.write_table(table, path)
    settings = Push.model_validate({"sink": {"kind": "files"}, "fields": FIELDS, **push})
    return [dict(lead.values) for part in wanted_of(scores.path, settings, Selection({}), {}) for lead in part]


def test_the_date_is_the_company_s_day_of_the_score(tmp_path: Path) -> None:
    # At midnight in Paris it is the day before in UTC.
    night = write_scores(tmp_path / "scores.parquet", {"L1": Lead("SQL")}, datetime(2026, 6, 29, 22))
    settings = Push.model_validate({"sink": {"kind": "files"}, "fields": {"date": "d"}})
    for zone, day in (("Europe/Paris", "2026-06-30"), ("America/New_York", "2026-06-29"), ("UTC", "2026-06-29")):
        ((lead,),) = wanted_of(night.path, settings, Selection({}), {}, zone)
        assert lead.values == {"d": day}


def test_an_action_is_written_in_words_and_a_code_without_words_as_it_is(tmp_path: Path) -> None:
    assert pushed(tmp_path / "s.parquet") == [
        {"a": "wait until 2026-09-15", "c": None, "d": "2026-09-15"},
        {"a": "call today", "c": "telephone", "d": None},
        {"a": "send_price_list", "c": "mail", "d": None},
    ]


@pytest.mark.parametrize("actions", [{"wait_until": "attendre ({day})", "send_price_list": "tarifs"}])
def test_the_settings_may_say_it_in_other_words(tmp_path: Path, actions: dict[str, str]) -> None:
    told = [values["a"] for values in pushed(tmp_path / "s.parquet", actions=actions)]
    assert told == ["attendre (2026-09-15)", "call today", "tarifs"]
