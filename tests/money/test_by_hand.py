"""KPIs of six leads worked out by hand: two zones and currencies, a refund, a renamed channel, a lead of two."""

from __future__ import annotations

import json
import zipfile
from datetime import date, datetime
from io import BytesIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from python_calamine import CalamineWorkbook
from small_project import SmallProject

from features.core.errors import SettingsError
from features.language.labels import Labels
from models.evaluation.money import add_up, kpis
from pipeline.core.project import Project
from pipeline.kpi.cohorts import UNMATCHED
from pipeline.kpi.compute import Kpis, compute
from pipeline.kpi.tables import shown_months, table_by, total_of
from pipeline.kpi.workbook import kpi_workbook
from pipeline.report.money import MoneyView
from pipeline.settings.file import load_parameters
from pipeline.settings.parameters import Parameters
from pipeline.settings.words import Words

LEADS = """lead,created,channel
A,2026-01-10 08:00,sea
B,2026-01-15 08:00,sea
C,2026-01-31 23:30,seo
D,2026-02-10 08:00,
E,2026-06-20 08:00,sea
F,2026-02-05 08:00,facebook
"""
# 23:30 UTC of the last of January is February in Paris. G is nobody's lead yet at the moment; X is learned of later.
LOG = """lead,at,what,channel,content,value,currency,who
A,2026-01-10 08:00,visit,sea,,,,lead
A,2026-01-12 08:00,visit,email,,,,lead
A,2026-01-12 09:00,visit,email,,,,lead
A,2026-01-14 08:00,accepted,,,,,us
A,2026-01-20 08:00,won,,,100,EUR,system
A,2026-02-02 08:00,refund,,,30,EUR,system
B,2026-01-15 08:00,visit,sea,,,,lead
B,2026-01-31 23:45,lost,,price,,,system
C,2026-01-31 23:31,visit,seo,,,,lead
C,2026-02-15 08:00,won,,,200,USD,system
D,2026-02-10 08:00,visit,social,,,,lead
D,2026-02-20 08:00,visit,direct,,,,lead
D,2026-03-01 08:00,won,,,50,EUR,system
D,2026-04-01 08:00,won,,,50,EUR,system
E,2026-06-20 08:00,visit,sea,,,,lead
F,2026-02-05 08:00,visit,facebook,,,,lead
F,2026-07-02 08:00,won,,,999,EUR,system
"""
SPEND = """day,channel,cost,clicks,visits
2026-01-05,sea,60,30,400
2026-02-03,sea,10,4,
2026-02-05,radio,7,,
2026-02-06,seo,,,50
2026-06-01,sea,5,1,100
2026-07-03,sea,1000,1000,9
"""
RATES = "day,currency,rate\n2026-01-01,USD,0.5\n"
AS_OF = datetime(2026, 7, 1)
COLUMNS = {
    "lead_id": "lead", "occurred_at": "at", "event_type": "what", "channel": "channel", "content": "content",
    "value": "value", "currency": "currency",
}  # fmt: skip


def settings_of(project: SmallProject, **kpi: object) -> Parameters:
    content = yaml.safe_load((project.root / "params.yaml").read_text())
    content["episodes"] = {"conversion": ["won"], "lost": ["lost"], "milestones": {"accepted by sales": ["accepted"]}}
    content["decision"] |= {"time_zone": "Europe/Paris"}
    renamed = [{"channel": "facebook", "now": "social"}]
    content["kpi"] = {"revenue": {"won": 1, "refund": -1}, "renamed": renamed} | kpi
    (project.root / "params.yaml").write_text(yaml.safe_dump(content))
    return load_parameters(project.root / "params.yaml")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    project = SmallProject(tmp_path_factory.mktemp("money"))
    project.write(log_csv=LOG, leads_csv=LEADS, spend_csv=SPEND, rates_csv=RATES)
    source = {
        "path": "log.csv", "delimiter": ",", "known_at": "as_it_occurred", "columns": COLUMNS,
        "actor": {"default": "system", "lead": ["visit"], "us": ["accepted"]},
    }  # fmt: skip
    columns = {name: name for name in ("day", "channel", "cost", "clicks", "visits")} | {
        "currency": {"constant": "EUR"}
    }
    rates = {"day": "day", "currency": "currency", "rate": "rate"}
    leads = {"columns": {"lead_id": "lead", "created_at": "created"}, "attributes": {"channel": "category"}}
    project.set(
        {"log": source},
        leads=leads | {"path": "leads.csv", "delimiter": ","},
        spend={"path": "spend.csv", "delimiter": ",", "columns": columns},
        rates={"path": "rates.csv", "delimiter": ",", "columns": rates},
        currency="EUR",
    )
    settings_of(project)
    assert project.ingest().code == 0
    pq.write_table(
        pa.table(
            {
                "lead_id": ["B", "E", "F"],
                "probability": [None, 0.1, 0.05],
                "probability_90d": [None, 0.2, 0.1],
                "tier": ["disqualified", "SQL", "MQL"],
            }
        ),
        project.root / "data/recommendations.parquet",
    )
    return project


def computed(small: SmallProject, proposed: pa.Table | None = None, **kpi: object) -> Kpis:
    project = Project(small.root, settings_of(small, **kpi))
    return compute(project, project.recommendations, AS_OF, proposed)


@pytest.fixture(scope="module")
def told(small: SmallProject) -> Kpis:
    return computed(small)


def cohort(told: Kpis, value: str, month: str, dimension: str = "channel") -> dict[str, float]:
    rows = told.cohorts
    rows = rows[(rows["dimension"] == dimension) & (rows["value"] == value) & (rows["month"] == month)]
    (row,) = rows.to_dict("records")
    return {str(name): amount for name, amount in row.items()}


def test_a_cohort_is_its_leads_whenever_they_convert_with_what_its_month_cost(told: Kpis) -> None:
    january = cohort(told, "sea", "2026-01-01")
    assert (january["leads"], january["won"], january["reached accepted by sales"], january["lost"]) == (2, 1, 1, 1)
    assert (january["revenue"], january["cost"], january["clicks"], january["worked"]) == (70.0, 60.0, 30, 1)
    assert january["revenue_squares"] == 70.0**2
    assert cohort(told, "seo", "2026-02-01")["revenue"] == 100.0, "200 USD at 0.5; and February in Paris"


def test_a_lead_without_an_origin_is_of_its_first_touch_and_a_renamed_channel_goes_on_under_its_new_name(
    told: Kpis,
) -> None:
    social = cohort(told, "social", "2026-02-01")
    assert (social["leads"], social["won"], social["won_again"], social["revenue"]) == (2, 1, 1, 100.0)
    assert (social["open"], social["expected"], social["mql_now"], social["sql_now"]) == (1, 0.1, 1, 0)
    assert social["expected_variance"] == pytest.approx(0.1 * 0.9)
    assert "facebook" not in set(told.cohorts["value"])


def test_nothing_known_later_counts(told: Kpis) -> None:
    assert told.cohorts.query("dimension == 'channel'")["won"].sum() == 3
    assert told.months["cost"].sum() == 60 + 10 + 7 + 5
    assert told.months["revenue"].sum() == told.attribution.query("rule == 'linear'")["revenue"].sum() == 270.0


def test_what_too_recent_leads_will_bring_is_expected_and_not_missing(told: Kpis) -> None:
    recent = cohort(told, "sea", "2026-06-01")
    assert (recent["leads"], recent["won"], recent["expected"], recent["cost"]) == (1, 0, 0.2, 5.0)
    row = table_by(told, "channel", [date(2026, 6, 1)]).iloc[0]
    assert row["cost_per_expected"] == pytest.approx(5.0 / 0.2)
    assert pd.isna(row["cac"]), "no sale, no cost of one"


def test_a_cost_is_told_where_one_was_entered_and_never_as_nothing(told: Kpis) -> None:
    assert pd.isna(cohort(told, "seo", "2026-02-01")["cost"])
    february = cohort(told, "sea", "2026-02-01")
    assert (february["leads"], february["cost"]) == (0, 10.0)
    unmatched = cohort(told, UNMATCHED, "2026-02-01")
    assert (unmatched["leads"], unmatched["cost"]) == (0, 7.0)
    rows = table_by(told, "channel").set_index("value")
    assert list(rows.index) == ["sea", "social", "seo", UNMATCHED], "the dearest first, then the most leads"
    assert rows.loc["sea", "cpl"] == pytest.approx(75.0 / 3)
    assert rows.loc["sea", "cac"] == 75.0
    assert rows.loc["sea", "cost reached accepted by sales"] == 75.0
    assert rows.loc["sea", "roi"] == pytest.approx(70.0 / 75.0 - 1.0)
    assert rows.loc["sea", "cpc"] == pytest.approx(75.0 / 35)
    assert rows.loc[["seo", "social"], ["cpl", "cac", "roi"]].isna().all(axis=None)


def test_visitors_are_set_beside_the_leads_of_the_months_in_which_they_were_counted(told: Kpis) -> None:
    rows = table_by(told, "channel").set_index("value")
    assert rows.loc["sea", ["visits", "visited leads", "visit_rate"]].tolist() == [500.0, 3.0, 3 / 500]
    assert rows.loc["seo", ["visits", "visited leads", "visit_rate"]].tolist() == [50.0, 1.0, 1 / 50]
    assert pd.isna(rows.loc["seo", "cost"]), "who counts visitors has entered no cost"
    assert rows.loc["social", ["visits", "visit_rate"]].isna().all()
    assert total_of(told)["visit_rate"] == pytest.approx(4 / 550)
    assert told.months["visits"].sum() == 550


def test_costs_of_all_are_of_those_whose_cost_is_known(told: Kpis) -> None:
    whole = total_of(told)
    assert (whole["leads"], whole["won"], whole["cost"]) == (6, 3, 82.0)
    assert whole["cpl"] == pytest.approx(82.0 / 3), "three leads of sea; what radio cost brought none"
    assert whole["roi"] == pytest.approx(70.0 / 82.0 - 1.0)


def test_events_of_a_month_are_a_book_of_accounts_and_a_refund_is_below_nothing_on_its_day(told: Kpis) -> None:
    months = told.months.set_index(["channel", "month"])
    january, february = (months.loc[("sea", pd.Timestamp(day))] for day in ("2026-01-01", "2026-02-01"))
    assert (january["created"], january["conversions"], january["revenue"], january["refunded"]) == (2, 1, 100.0, 0.0)
    assert (february["created"], february["conversions"], february["revenue"], february["refunded"]) == (
        0,
        0,
        -30.0,
        -30.0,
    )
    assert months.loc[("social", pd.Timestamp("2026-04-01")), "conversions"] == 1


def test_every_sale_and_every_euro_is_shared_once_by_each_rule(told: Kpis) -> None:
    shared = told.attribution.pivot_table(index="channel", columns="rule", values="conversions", aggfunc="sum").fillna(
        0.0
    )
    assert shared["first"].to_dict() == {"direct": 0, "email": 0, "sea": 1, "seo": 1, "social": 2}
    assert shared["last"].to_dict() == {"direct": 2, "email": 1, "sea": 0, "seo": 1, "social": 0}
    assert shared["last non-direct"].to_dict() == {"direct": 0, "email": 1, "sea": 0, "seo": 1, "social": 2}
    assert shared["linear"].to_dict() == {"direct": 1, "email": 0.5, "sea": 0.5, "seo": 1, "social": 1}
    assert told.attribution.groupby("rule")["conversions"].sum().tolist() == pytest.approx([4.0] * 6)
    revenue = told.attribution.pivot_table(index="channel", columns="rule", values="revenue", aggfunc="sum")
    assert revenue.loc["email", "last"] == 70.0, "the refund goes with its sale"
    decayed = 2.0 ** (-2.0 / 7.0)
    assert shared.loc["sea", "time decay"] == pytest.approx(decayed / (1.0 + decayed))


def test_a_loss_is_told_by_its_reason_its_channel_and_how_far_the_lead_was(told: Kpis) -> None:
    assert told.reasons.to_dict("records") == [
        {"kind": "lost", "reason": "price", "channel": "sea", "step": "created", "leads": 1}
    ]


def test_what_was_proposed_is_known_where_there_is_a_history_alone(small: SmallProject, told: Kpis) -> None:
    assert "sql_first" not in told.cohorts
    assert "sql_first" not in table_by(told, "channel")
    moment = datetime(2026, 6, 25)
    history = pa.table(
        {
            "lead_id": ["E", "F"],
            "mql_on": pa.array([None, moment], pa.timestamp("us")),
            "sql_on": pa.array([moment, None], pa.timestamp("us")),
        }
    )
    known = computed(small, history)
    assert known.proposed_since == moment
    rows = table_by(known, "channel").set_index("value")
    assert (rows.loc["sea", "sql_first"], rows.loc["social", "mql_first"], rows["mql_first"].sum()) == (1, 1, 1)


def test_groups_look_at_channels_together_and_may_overlap(small: SmallProject) -> None:
    known = computed(small, groups={"search": ["SEA", "seo"], "paid": ["sea"], "nothing": ["tv"]})
    groups = table_by(known, "group").set_index("value")
    assert groups["leads"].to_dict() == {"paid": 3, "search": 4}
    assert groups["cost"].to_dict() == {"paid": 75.0, "search": 75.0}
    assert groups["cpl"].tolist() == [25.0, 25.0], "of seo no cost is known"


def test_a_refund_that_would_count_as_earned_is_refused(small: SmallProject) -> None:
    with pytest.raises(SettingsError, match="kpi.revenue: gift: the log has no event of that type"):
        computed(small, revenue={"gift": 1})
    with pytest.raises(SettingsError, match="kpi.revenue: visit: none of them has a value"):
        computed(small, revenue={"visit": 1})
    project = Project(small.root, settings_of(small))
    log = pq.read_table(project.interactions)
    rows = log.select(["event_type", "value"]).to_pylist()
    values = [-row["value"] if row["event_type"] == "refund" else row["value"] for row in rows]
    turned = log.set_column(log.schema.get_field_index("value"), "value", pa.array(values, pa.float64()))
    try:
        pq.write_table(turned, project.interactions)
        with pytest.raises(
            SettingsError, match="refund: -1, but 1 of its 1 values are below 0 already.*write refund: 1"
        ):
            computed(small)
        assert computed(small, revenue={"won": 1, "refund": 1}).months["revenue"].sum() == 270.0
    finally:
        pq.write_table(log, project.interactions)


def test_the_command_prints_what_the_tables_hold_and_writes_them(small: SmallProject) -> None:
    settings_of(small)
    (small.root / "data/scoring.json").write_text('{"as_of": "2026-07-01T00:00:00"}')
    outcome = small.run("kpi")
    assert outcome.code == 0
    assert " sea 500 3 75.00 25.00 1 1 0.2 75.00 62.50 70 -7% " in f" {' '.join(outcome.text.split())} "
    assert "not recorded: visitors" not in outcome.text
    written = pd.read_parquet(small.root / "data/kpi/cohorts.parquet")
    assert written.query("dimension == 'channel'")["leads"].sum() == 6
    assert small.run("kpi", "--by", "shape").code == 2
    assert "nothing of it; name acts that make leads warm" in small.run("kpi", "--by", "maturity").text
    assert small.run("kpi", "--month", "May").code == 2
    nothing = small.run("kpi", "--month", "2019-05")
    assert nothing.code == 4
    assert "no leads by channel in 2019-05; months with leads are 2026-01" in nothing.text


def test_objectives_stand_beside_the_values(small: SmallProject) -> None:
    settings_of(small, targets={"leads": 4, "cpl": 30, "cac": 60, "roi": 0.5})
    (small.root / "data/scoring.json").write_text('{"as_of": "2026-07-01T00:00:00"}')
    by_channel, by_month = (" ".join(small.run("kpi", "--by", by).text.split()) for by in ("channel", "month"))
    assert " objective 4 a month 30.00 60.00 50% " in by_channel
    assert " objective 4 30.00 60.00 50% " in by_month
    told = computed(small)
    view = MoneyView(
        told, Labels({}, {}), "en", "EUR", shown_months(told, 13), "first", {"leads": 4, "cac": 60, "won": 2}
    )
    written = [
        [(name, cell.text) for name, cell in zip(table.columns[1:], table.objective or (), strict=True) if cell.text]
        for table in (view.main(), view.by_month(), view.more()[1])
    ]
    assert written == [
        [("leads", "4 a month"), ("sales so far", "2 a month")],
        [("leads", "4"), ("in 90 days", "2")],
        [("CAC so far", "€60.00")],
    ]
    assert MoneyView(told, Labels({}, {}), "en", "EUR", shown_months(told, 13), "first", {}).main().objective is None


def test_objectives_stand_beside_the_months_in_every_form(small: SmallProject) -> None:
    settings_of(small, targets={"leads": 4, "cpl": 30, "roi": 0.5})
    (small.root / "data/scoring.json").write_text('{"as_of": "2026-07-01T00:00:00"}')
    outcome = small.run("kpi", "--by", "month", "--json", "--xlsx", "kpi.xlsx")
    printed = outcome.text.partition("[")[2].rpartition("]")[0]
    months = json.loads(f"[{printed}]")
    assert {(one["objective leads"], one["objective cpl"], one["objective roi"]) for one in months} == {(4, 30, 0.5)}
    kept = pq.read_table(small.root / "data/kpi/objectives.parquet").to_pylist()
    assert [(one["kpi"], one["objective"]) for one in kept] == [("cpl", 30), ("leads", 4), ("roi", 0.5)]
    book = CalamineWorkbook.from_path(str(small.root / "kpi.xlsx"))
    head, first, *_ = book.get_sheet_by_name("kpi").to_python()
    assert dict(zip(head, first, strict=True))["objective: leads"] == 4
    assert book.get_sheet_by_name("objectives").to_python() == [
        ["each month", "objective"], ["CPL", 30], ["leads", 4], ["ROI so far", 0.5],
    ]  # fmt: skip


def test_a_workbook_holds_what_was_asked_for_and_all_tables(small: SmallProject) -> None:
    settings_of(small)
    (small.root / "data/scoring.json").write_text('{"as_of": "2026-07-01T00:00:00"}')
    target = small.root / "kpi.xlsx"
    target.write_bytes(b"of yesterday")
    outcome = small.run("kpi", "--by", "channel", "--month", "2026-01", "--xlsx", "kpi.xlsx")
    assert (outcome.code, "wrote data/kpi and kpi.xlsx" in outcome.text) == (0, True)
    book = CalamineWorkbook.from_path(str(target))
    tables = ["cohorts", "months", "attribution", "funnel", "reasons", "answers", "ripening", "ripening_acts"]
    assert book.sheet_names == ["kpi", *tables, "objectives"]
    head, *rows = book.get_sheet_by_name("kpi").to_python()
    (sea,) = (dict(zip(head, row, strict=True)) for row in rows if row[0] == "sea")
    assert (sea["leads created in"], sea["leads"], sea["spent"], sea["CPL"]) == ("2026-01", 2, 60.0, 30.0)
    assert (sea["become customers"], sea["share that reached: accepted by sales"]) == (0.5, 0.5)
    # One of two converts: Wilson's interval.
    assert sea["become customers, at least (95 %)"] == pytest.approx(0.0945, abs=1e-4)
    assert not [name for name in head if "_" in str(name)]
    names, first, *_ = book.get_sheet_by_name("months").to_python()
    assert (names[:3], first[1]) == (["channel", "month", "leads created"], date(2026, 1, 1))
    with zipfile.ZipFile(target) as archive:
        assert 'formatCode="0.0%"' in archive.read("xl/styles.xml").decode()
    assert small.run("kpi", "--xlsx", "data").code == 2, "a folder is not replaced by a file"
    assert (small.root / "data/interactions.parquet").exists()


def test_a_french_workbook_is_french(told: Kpis) -> None:
    words = Words.model_validate({"language": "fr", "fr": {"milestones": {"accepted by sales": "accepté"}}})
    book = CalamineWorkbook.from_filelike(BytesIO(kpi_workbook(table_by(told, "month"), told, "month", words)))
    head, *_ = book.get_sheet_by_name("kpi").to_python()
    assert head[:3] == ["mois", "leads", "contactés par nous"]
    assert "coût par\N{NO-BREAK SPACE}: accepté, au plus (95\N{NO-BREAK SPACE}%)" in head


def test_a_csv_has_few_digits_and_plain_days(small: SmallProject) -> None:
    settings_of(small)
    (small.root / "data/scoring.json").write_text('{"as_of": "2026-07-01T00:00:00"}')
    outcome = small.run("kpi", "--by", "month", "--csv")
    line = next(line for line in outcome.text.split() if line.startswith("2026-01-01,"))
    assert line.startswith("2026-01-01,2,1,1,1,0,1,0,70,4900,")
    assert ",0.5,0.0945,0.9055," in line
    assert ",nan" not in outcome.text.casefold()


def test_a_row_of_several_months_is_the_sum_of_its_rows(told: Kpis) -> None:
    channels = told.cohorts[told.cohorts["dimension"] == "channel"]
    sums = add_up(channels, ["value"])
    for name in ("leads", "won", "revenue", "expected"):
        assert sums[name].sum() == pytest.approx(channels[name].sum())
    assert kpis(sums, told.steps)["projected"].sum() == pytest.approx(3 + 0.3)
