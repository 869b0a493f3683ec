"""A log of one lead above all, with the scores that were kept of it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from raw_logs import LEADS, LINKS, source_of
from small_project import SmallProject

from features.core.recommendation import HISTORY, RECOMMENDATION
from pipeline.scoring.files import write_recommendations

LOG = """lead,at,seen,what,channel,about,worth
A,2026-01-02 08:00,2026-01-02 08:00,visit,seo,home,
A,2026-01-05 09:30,2026-01-05 09:30,quote,email,,12.5
A,2026-01-06 10:00,2026-01-06 10:00,call,,,
A,2026-01-07 23:30,2026-01-12 06:15,leaving,,,
A,2026-01-08 12:00,2026-01-08 12:00,accepted,,,
c1,2026-01-03 11:00,2026-01-03 11:00,visit,sea,prices,
A,2026-02-10 13:00,2026-02-10 13:00,won,,,900
B,2026-01-04 14:00,2026-01-04 14:00,visit,seo,,
"""
PEOPLE = "lead,created,account,country\nA,2026-01-01 23:30,acme,nl\nB,2026-01-20,,\n"
ALIASES = "alias,lead,at\nc1,A,2026-01-04 10:00\n"
WORDS = (
    "lead,at,seen,what,who\nA,2026-01-09 09:00,2026-01-09 09:00,MQL,K2\nc1,2026-01-10 09:00,2026-01-15 09:00,SQL,K1\n"
)


def recommendation(lead: str, as_of: datetime, probability: float, tier: str, **more: object) -> dict[str, Any]:
    return {
        "lead_id": lead, "as_of": as_of, "probability": probability, "probability_60d": probability * 1.5,
        "score": probability * 100, "maturity": "hot", "tier": tier, "facts": [], "list": "sales", "rank": 1,
        "grade": "B2", "reasons_for": ["3 visits"], "reasons_against": [], "reasons": ["raises: 3 visits"],
        "is_guess": False, "model_version": "abcdef0123456789",
    } | more  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    names = [field.name for field in RECOMMENDATION]
    kept = [field for field in HISTORY if field.name in rows[0]]
    schema = pa.schema([(field.name, field.arrow) for field in (*RECOMMENDATION, *kept)])
    schema = schema.insert(names.index("probability") + 1, pa.field("probability_60d", pa.float64()))
    write_recommendations(path, pa.Table.from_pylist(rows, schema))


def keep(project: SmallProject, as_of: datetime, model: str, scored: datetime, **more: object) -> None:
    folder = project.root / f"data/scores/as_of={as_of:%Y-%m-%dT%H-%M-%S.%f}/model={model}"
    row = recommendation("A", as_of, **({"probability": 0.2, "tier": "MQL"} | more))  # type: ignore[arg-type]
    write(folder / "recommendations.parquet", [row | {"run_id": "run", "scored_at": scored, "model_version": model}])


def project_of_one_lead(root: Path) -> SmallProject:
    """Ingest the log, keep three scores in the history, and recommend at the end."""
    project = SmallProject(root)
    project.write(log_csv=LOG, leads_csv=PEOPLE, links_csv=ALIASES, words_csv=WORDS)
    source = source_of(
        columns={"channel": "channel", "content": "about", "value": "worth"},
        known_at={"column": "seen"},
        actor={"default": "lead", "us": ["call", "accepted"], "system": ["won"]},
    )
    columns = {"lead_id": "lead", "created_at": "created", "account_id": "account"}
    leads = LEADS | {"columns": columns, "attributes": {"country": "category"}}
    columns = {"lead_id": "lead", "decided_at": "at", "known_at": "seen", "tier": "what", "by": "who"}
    decisions = {"path": "words.csv", "columns": columns}
    project.set({"log": source}, leads=leads, identities=LINKS, decisions=decisions, currency="EUR")
    settings = yaml.safe_load((project.root / "params.yaml").read_text())
    settings["episodes"]["milestones"] = {"taken by sales": ["accepted"]}
    settings["decision"] |= {
        "time_zone": "Europe/Amsterdam",
        "facts": {
            "no mail": {"kind": "closes_channel", "channel": "mail", "events": ["leaving"]},
            "asked": {"kind": "raises", "events": ["quote"], "lasts": "7d"},
            "in work": {"kind": "taken", "events": ["accepted"], "ended_by": ["won"]},
        },
    }
    settings["words"] = {
        "en": {
            "event_types": {"quote": ["quote(s)", "asked for a quote"]},
            "channels": {"seo": "SEO"},
            "attributes": {"country": "land"},
        }
    }
    (project.root / "params.yaml").write_text(yaml.safe_dump(settings))
    assert project.ingest().code == 0
    keep(project, datetime(2026, 1, 6), "early", datetime(2026, 1, 6, 1))
    keep(project, datetime(2026, 1, 9), "first", datetime(2026, 1, 9, 1), probability=0.3)
    again = {"probability": 0.4, "tier": "SQL", "list_changed": "capacity"}
    keep(project, datetime(2026, 1, 9), "again", datetime(2026, 1, 9, 2), **again)
    keep(project, datetime(2026, 1, 20), "later", datetime(2026, 1, 20, 1), probability=0.9, tier="SQL")
    end = datetime(2026, 2, 10, 12)
    said = {"own_tier": "MQL", "word": "2026-02-01 IQL, by K2"}
    row = recommendation("B", end, 0.05, "IQL", list="none", rank=None, **said)
    write(project.root / "data/recommendations.parquet", [row])
    return project


def shown(project: SmallProject, *arguments: str) -> dict[str, Any]:
    outcome = project.run("lead", *arguments, "--events", "all", "--json")
    assert outcome.code == 0
    content: dict[str, Any] = json.loads(outcome.text[: outcome.text.rindex("}") + 1])
    return content


def lines(content: dict[str, Any], *kinds: str) -> list[tuple[str, str]]:
    return [(one["at"][:16], one["what"]) for one in content["timeline"] if one["kind"] in kinds]
