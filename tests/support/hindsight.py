"""The sample's raw files as they were at a moment, and as they may look later: they differ in what was learned since.

The rules by which an event becomes known are written here a second time, on purpose.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

EMAIL_DELAY = timedelta(hours=6)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def forget(raw: Path, as_of: datetime) -> None:
    """Remove every row that was not known before ``as_of`` (UTC), and the leads that came later; broken rows stay."""
    web = pq.read_table(raw / "web.parquet")
    unknown = pc.greater_equal(web["received_at"], pa.scalar(as_of, web["received_at"].type))
    pq.write_table(web.filter(pc.invert(pc.fill_null(unknown, fill_value=False))), raw / "web.parquet")
    moment = as_of.replace(tzinfo=UTC)
    _keep(raw / "email.csv.gz", lambda line: _time(line.split(";"), 2) + EMAIL_DELAY < moment)
    _keep(raw / "crm.jsonl", lambda line: _crm_time(line) < moment)
    _keep(raw / "outcomes.csv", lambda line: _time(line.split(","), 1) < moment)
    _keep(raw / "leads.csv", lambda line: _time(line.split(","), 1) < moment)


def come_to_know(raw: Path, as_of: datetime) -> int:
    """Add events of every third lead that become known at ``as_of`` (UTC) or later; gives the number of these events.

    Some occurred before. Those of the web stand first in their file, the others last.
    """
    leads = [line.split(",")[0] for line in (raw / "leads.csv").read_text().splitlines()[1::3]]
    web = pq.read_table(raw / "web.parquet")
    rows = [
        {
            "hit_id": f"later-{number}-{received}",
            "visitor": lead,
            "ts": as_of - DAY,
            "received_at": received,
            "event": "pricing_view",
            "channel": "sea",
            "campaign": "sea-brand",
            "content": "lead scoring price",
            "cart_value": 1000.0,
        }
        for number, lead in enumerate(leads)
        for received in (as_of, as_of + HOUR)
    ]
    pq.write_table(pa.concat_tables([pa.Table.from_pylist(rows, web.schema), web]), raw / "web.parquet")
    clicked = (as_of - EMAIL_DELAY).isoformat() + "+00:00"
    filled_in = (as_of + DAY).replace(tzinfo=UTC).astimezone(AMSTERDAM).replace(tzinfo=None).isoformat()
    won = (as_of + 2 * DAY).isoformat() + "Z"
    _append(raw / "email.csv.gz", (f"later-{lead};{lead};{clicked};email_click;nurture-1" for lead in leads))
    forms = ({"id": f"later-{lead}", "lead": lead, "when": filled_in, "kind": "form", "by": "lead"} for lead in leads)
    _append(raw / "crm.jsonl", map(json.dumps, forms))
    _append(raw / "outcomes.csv", (f"{lead},{won},won,,1000.00,EUR" for lead in leads))
    return 5 * len(leads)


def _time(fields: list[str], position: int) -> datetime:
    return datetime.fromisoformat(fields[position]).astimezone(UTC)


def _crm_time(line: str) -> datetime:
    return datetime.fromisoformat(json.loads(line)["when"]).replace(tzinfo=AMSTERDAM).astimezone(UTC)


def _keep(path: Path, was_known: Callable[[str], bool]) -> None:
    def stays(line: str) -> bool:
        try:
            return was_known(line)
        except (ValueError, IndexError, KeyError):
            return True  # a header, or a row that is broken

    _write(path, (line for line in _read(path) if stays(line)))


def _append(path: Path, lines: Iterable[str]) -> None:
    _write(path, [*_read(path), *lines])


def _read(path: Path) -> list[str]:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode().splitlines()


def _write(path: Path, lines: Iterable[str]) -> None:
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
