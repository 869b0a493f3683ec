"""Files for others over the sample world are what plain SQL says, and hold nobody who did not agree."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from world import Project

from features.core.errors import InputError, SettingsError
from models.decision.tiers import Money
from pipeline.core.project import Project as Folder
from pipeline.core.project import read_json
from pipeline.exports.audience import Wanted, find_audience
from pipeline.exports.conversions import WITHOUT_CLICK, WITHOUT_CONSENT, find_conversions
from pipeline.kpi.history import Scored
from pipeline.settings.leads import Exports
from pipeline.settings.parameters import Parameters

NOW = datetime(2026, 7, 15)
"""Two weeks after the scores; the log ends before."""
AGREES = (
    "lead_id IN (SELECT lead_id FROM consent WHERE purpose IN ('advertising', 'everything') GROUP BY lead_id "
    "HAVING arg_max(status, (changed_at, status <> 'given')) = 'given') AND lead_id NOT IN (SELECT lead_id FROM "
    "consent WHERE purpose = 'everything' AND status = 'objected')"
)
"""Of leads that have one id alone."""
ONE_ID = "lead_id NOT IN (SELECT lead_id FROM alias)"


@pytest.fixture(scope="module")
def folder(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Folder[Parameters]:
    """Give the world a column of click ids: every third lead has none."""
    root = tmp_path_factory.mktemp("exports")
    changes = {"exports": Exports(click_id="gclid", names={"won": "Sale"})}
    made = Folder(root, world.parameters.model_copy(update=changes))
    made.interactions.parent.mkdir()
    for name in ("interactions", "leads", "aliases", "consents", "recommendations"):
        getattr(made, name).symlink_to(getattr(world, name))
    raw = root / world.parameters.data_root
    raw.mkdir(parents=True)
    with (world.root / world.parameters.data_root / "leads.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    with (raw / "leads.csv").open("w", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [*rows[0], "gclid"])
        writer.writeheader()
        writer.writerows(row | {"gclid": click_of(row["lead_id"])} for row in rows)
    return made


def click_of(lead_id: str) -> str:
    number = int(lead_id.removeprefix("L"))
    return f"Cj0-{number}" if number % 3 else ""


@pytest.fixture(scope="module")
def ask(world: Project) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for name, path in (
            ("event", world.interactions), ("lead", world.leads), ("consent", world.consents),
            ("alias", world.aliases), ("score", world.recommendations),
        ):  # fmt: skip
            connection.execute(f"CREATE VIEW {name} AS FROM read_parquet('{path}')")
        yield connection


def scored_of(project: Folder[Parameters], world: Project) -> Scored:
    return Scored(project.recommendations, datetime.fromisoformat(read_json(world.scoring)["as_of"]))


def with_leads(project: Folder[Parameters], money: Money | None) -> Folder[Parameters]:
    decision = project.parameters.decision.model_copy(update={"money": money})
    return Folder(project.root, project.parameters.model_copy(update={"decision": decision}))


def test_conversions_are_those_of_who_agrees_with_their_values(
    folder: Folder[Parameters], ask: duckdb.DuckDBPyConnection
) -> None:
    made = find_conversions(folder, NOW)
    (sales,) = ask.execute("SELECT count(*) FROM event WHERE event_type = 'won'").fetchone() or (0,)
    assert len(made.rows) + made.left_out.total() == sales
    assert min(len(made.rows), made.left_out[WITHOUT_CONSENT], made.left_out[WITHOUT_CLICK]) > 5
    expected = ask.execute(
        "SELECT 'Cj0-' || CAST(substr(lead_id, 2) AS INTEGER), strftime(timezone('Europe/Amsterdam', "
        "timezone('UTC', date_trunc('second', occurred_at))), '%Y-%m-%dT%H:%M:%S'), value FROM event "
        f"WHERE event_type = 'won' AND CAST(substr(lead_id, 2) AS INTEGER) % 3 <> 0 AND {ONE_ID} AND {AGREES}"
    ).fetchall()
    merged = {f"Cj0-{int(lead[1:])}" for (lead,) in ask.execute("SELECT lead_id FROM alias").fetchall()}
    ours = [row for row in made.rows if row.click_id not in merged]
    assert sorted((row.click_id, row.conversion_time[:19], row.value) for row in ours) == sorted(expected)
    assert {(row.conversion_name, row.currency) for row in made.rows} == {("Sale", "EUR")}
    assert {row.conversion_time[19:] for row in made.rows} == {"+01:00", "+02:00"}
    assert [row.conversion_time[:10] for row in made.rows] == sorted(row.conversion_time[:10] for row in made.rows)


def test_since_is_a_day_of_the_company(folder: Folder[Parameters]) -> None:
    whole, part = find_conversions(folder, NOW).rows, find_conversions(folder, NOW, date(2026, 3, 1)).rows
    assert part == [row for row in whole if row.conversion_time[:10] >= "2026-03-01"]
    assert 0 < len(part) < len(whole)


def test_what_is_expected_is_probability_times_worth_once_a_lead(
    folder: Folder[Parameters], world: Project, ask: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    scored = scored_of(folder, world)
    with pytest.raises(SettingsError, match=r"nobody says what a conversion is worth.*state decision\.money"):
        find_conversions(folder, NOW, None, scored)
    priced = with_leads(folder, Money(value=2000.0, sales_contact=60.0, nurturing=4.0))
    with pytest.raises(InputError, match="the newest scores hold no expected value; score anew"):
        find_conversions(priced, NOW, None, scored)
    table = pq.read_table(world.recommendations)
    worth = pa.array([None if one is None else one * 2000.0 for one in table["probability"].to_pylist()], pa.float64())
    place = table.schema.get_field_index("expected_value")
    pq.write_table(table.set_column(place, "expected_value", worth), tmp_path / "scores.parquet")
    made = find_conversions(priced, NOW, None, Scored(tmp_path / "scores.parquet", scored.as_of))
    ours = [row for row in made.rows if row.conversion_name == "expected conversion"]
    merged = {f"Cj0-{int(lead[1:])}" for (lead,) in ask.execute("SELECT lead_id FROM alias").fetchall()}
    expected = ask.execute(
        "SELECT 'Cj0-' || CAST(substr(lead_id, 2) AS INTEGER), 2000 * probability FROM score WHERE probability IS NOT "
        f"NULL AND tier <> 'disqualified' AND CAST(substr(lead_id, 2) AS INTEGER) % 3 <> 0 AND {ONE_ID} AND {AGREES}"
    ).fetchall()
    assert {row.click_id: row.value for row in ours if row.click_id not in merged} == pytest.approx(dict(expected))
    assert len(ours) == len({row.click_id for row in ours}) > 20
    sales = len(find_conversions(folder, NOW).rows)
    assert len(made.rows) == sales + len(ours)


def test_an_audience_is_who_was_asked_for_and_may_be_written_to(
    folder: Folder[Parameters], world: Project, ask: duckdb.DuckDBPyConnection
) -> None:
    scored = scored_of(folder, world)
    (content,) = ask.execute(
        "SELECT content FROM event WHERE actor = 'lead' AND content IS NOT NULL GROUP BY content "
        "ORDER BY count(*) DESC, content LIMIT 1"
    ).fetchone() or ("",)
    wanted = Wanted("mail", maturities=("warm", "hot"), contents=(content.upper(),), within=timedelta(days=30))
    found = find_audience(folder, scored, wanted, NOW)
    taken = (
        "lead_id IN (SELECT lead_id FROM event WHERE event_type IN ('case_opened', 'accepted', 'opportunity_opened', "
        "'refused', 'lost') GROUP BY lead_id HAVING max(occurred_at) FILTER (event_type NOT IN ('refused', 'lost')) > "
        f"greatest(TIMESTAMP '{NOW}' - INTERVAL 30 DAY, coalesce(max(occurred_at) FILTER (event_type IN ('refused', "
        "'lost')), TIMESTAMP '2000-01-01')))"
    )
    no_mail = (
        "lead_id IN (SELECT lead_id FROM (SELECT lead_id, occurred_at AS said, 'withdrawn' AS status, 'mail' AS "
        "purpose FROM event WHERE event_type = 'unsubscribe' AND actor <> 'machine' UNION ALL "
        "SELECT lead_id, changed_at, status, purpose FROM consent WHERE purpose IN ('mail', 'everything')) "
        "GROUP BY lead_id HAVING arg_max(status, (said, status <> 'given')) <> 'given' "
        "OR bool_or(status = 'objected' AND purpose = 'everything'))"
    )
    asked = (
        "probability IS NOT NULL AND maturity IN ('warm', 'hot') AND lead_id IN (SELECT lead_id FROM event WHERE "
        f"actor = 'lead' AND content = '{content}' AND known_at < TIMESTAMP '{scored.as_of}' AND occurred_at >= "
        f"TIMESTAMP '{scored.as_of}' - INTERVAL 30 DAY AND occurred_at < TIMESTAMP '{scored.as_of}')"
    )
    expected = ask.execute(
        f"SELECT lead_id FROM score WHERE {asked} AND tier <> 'disqualified' AND NOT {taken} AND NOT {no_mail} "
        f"AND {ONE_ID} ORDER BY lead_id"
    ).fetchall()
    merged = {lead for (lead,) in ask.execute("SELECT lead_id FROM alias").fetchall()}
    assert [lead for lead in found.lead_ids if lead not in merged] == [lead for (lead,) in expected]
    assert len(expected) > 20
    assert min(found.left_out["in work by sales"], found.left_out["mail closed"]) > 0
    (number,) = ask.execute(f"SELECT count(*) FROM score WHERE {asked}").fetchone() or (0,)
    assert len(found.lead_ids) + found.left_out.total() - found.left_out["customer"] - found.left_out["lost"] == number


def test_a_content_that_no_act_is_about_is_told(folder: Folder[Parameters], world: Project) -> None:
    with pytest.raises(InputError, match="no act of a lead is about 'pricng'"):
        find_audience(folder, scored_of(folder, world), Wanted("mail", contents=("pricng",)), NOW)


def test_without_a_click_id_it_is_said_how_to_name_one(world: Project) -> None:
    with pytest.raises(SettingsError, match=r"exports: \{click_id: gclid\}"):
        find_conversions(world, NOW)
    missing = Folder(world.root, world.parameters.model_copy(update={"exports": Exports(click_id="gclid")}))
    with pytest.raises(SettingsError, match=r"exports\.click_id: the table of leads has no column 'gclid'"):
        find_conversions(missing, NOW)
    assert not list((world.root / "data/.tmp").glob("tmp*"))
