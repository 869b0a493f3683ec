"""The command that shows what leads cost and bring. What it does is loaded when it is called."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.console import print_csv, print_table, reporting, tell
from pipeline.core.project import HERE, Project, written_whole

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.kpi.compute import Kpis


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        help="Show what leads cost and bring, by where they came from: leads, costs per lead and per customer, sales, "
        "what is still expected, revenue and ROI. It counts anew, and writes all tables to data/kpi, for dashboards."
        "\n\nAll but the spending of a month is told of the leads that were created in it. docs/kpis.md says what each "
        "figure is.",
        epilog="Examples: leadcast kpi | leadcast kpi --by campaign --month 2026-05 | leadcast kpi --by month --csv > "
        "kpi.csv | leadcast kpi --json | leadcast kpi --by campaign --xlsx kpi.xlsx",
    )(kpi)


def kpi(
    by: Annotated[
        str,
        typer.Option(
            help="channel, group, campaign, content, first_touch, last_touch, month (of creation) or maturity."
        ),
    ] = "channel",
    month: Annotated[
        list[str] | None,
        typer.Option(metavar="MONTH", help="Of which months, as in 2026-05; may be repeated.", show_default=False),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print all columns as JSON, for a program.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print all columns as CSV.")] = False,
    xlsx: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="Write them to a workbook, too, with all tables as sheets.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show the KPIs."""
    months = [_month(text) for text in month] if month else None
    with reporting("kpi"):
        from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(HERE.root / "params.yaml")
        from pipeline.kpi import history, tables  # noqa: PLC0415 - heavy
        from pipeline.kpi.compute import compute  # noqa: PLC0415 - heavy
        from pipeline.report.live import known_sales  # noqa: PLC0415 - heavy

        if by not in tables.BY:
            raise typer.BadParameter(f"{by!r} is none of {', '.join(tables.BY)}", param_hint="--by")
        project = Project(HERE.root, parameters)
        scored = history.newest_scores(project)
        tell("kpi", f"counting what was known on {scored.as_of:%Y-%m-%d %H:%M} UTC")
        within = parameters.recommend.maximum_age
        proposed = history.first_proposed(project, scored.as_of, within)
        told = compute(project, *scored, proposed, known_sales(project))
        table = tables.table_by(told, by, months)
        tables.write_tables(told, project.kpis)
        if xlsx:
            from pipeline.kpi.workbook import kpi_workbook  # noqa: PLC0415 - only here

            with written_whole(xlsx) as temporary:
                temporary.write_bytes(kpi_workbook(table, told, by, parameters.words, months))
        if as_json:
            typer.echo(table.to_json(orient="records", date_format="iso", indent=1, force_ascii=False))
        elif as_csv:
            print_csv(list(table.columns), tables.as_cells(table))
        elif by == "maturity":
            _show_ripening(table)
        else:
            _show(table, told, by, parameters.ingest.currency, parameters.kpi.targets)
        for line in tables.told_of(told):
            tell("kpi", line)
        tell("kpi", f"wrote {HERE.kpis}{f' and {xlsx}' if xlsx else ''}")


def _month(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m").date()  # noqa: DTZ007 - a month, without a zone
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no month; write one as 2026-05", param_hint="--month") from None


def _show(table: pd.DataFrame, told: Kpis, by: str, currency: str | None, targets: Mapping[str, float]) -> None:
    steps = [name.removeprefix("reached ") for name in told.steps]
    spent = f"spent {currency}" if currency else "spent"
    brought = ("won", "still expected", "CAC", "per expected", "revenue", "ROI", " ")
    visitors = ["visitors"] if told.has_visits else []
    headers = [by, *visitors, "leads", spent, "CPL", *steps, *brought]
    rows = [
        [
            f"{row['month']:%Y-%m}" if by == "month" else row["value"],
            *(["-" if math.isnan(row["visits"]) else f"{row['visits']:,.0f}"] if visitors else []),
            f"{row['leads']:,.0f}",
            _money(row["cost"]),
            _money(row["cpl"]),
            *(f"{row[name]:,.0f}" for name in told.steps),
            f"{row['won']:,.0f}",
            f"{row['expected']:,.1f}",
            _money(row["cac"]),
            _money(row["cost_per_expected"]),
            f"{row['revenue']:,.0f}" if told.has_revenue else "-",
            f"{row['roi']:,.0%}" if told.has_revenue and not math.isnan(row["roi"]) else "-",
            f"final on {row['final_on']}" if by == "month" and row["final_on"] else "",
        ]
        for _, row in table.iterrows()
    ]
    if any(name in targets for name in _AIMS):
        aims = _objective(targets, len(told.steps), "" if by == "month" else " a month")
        rows.append(["objective", *([""] if visitors else []), *aims])
    print_table(headers, rows, is_result=True)


_AIMS = ("leads", "cpl", "won", "cac", "cost_per_expected", "revenue", "roi")
"""The columns printed that may have an objective."""


def _objective(targets: Mapping[str, float], steps: int, each: str) -> list[str]:
    """Write the row of objectives: those of counts are a month's."""

    def aim(name: str, form: str, ending: str = "") -> str:
        return f"{targets[name]:{form}}{ending}" if name in targets else ""

    return [
        aim("leads", ",.0f", each),
        "",
        aim("cpl", ",.2f"),
        *[""] * steps,
        aim("won", ",.0f", each),
        "",
        aim("cac", ",.2f"),
        aim("cost_per_expected", ",.2f"),
        aim("revenue", ",.0f", each),
        aim("roi", ",.0%"),
        "",
    ]


def _show_ripening(table: pd.DataFrame) -> None:
    within = f"{table['within'].iloc[0]:g} days" if len(table) else ""
    headers = ["created", "began", "became", "leads", "so far", "had the time", f"in {within}", "share", "half in days"]
    rows = [
        [
            f"{row['month']:%Y-%m}",
            row["began"],
            row["became"],
            *(f"{row[name]:,}" for name in ("leads", "taken", "had_time", "took_it")),
            "too recent" if row["had_time"] < row["leads"] else f"{row['share']:.1%}",
            "-" if math.isnan(row["median_days"]) else f"{row['median_days']:.0f}",
        ]
        for _, row in table.iterrows()
    ]
    print_table(headers, rows, is_result=True)


def _money(amount: float) -> str:
    return "-" if math.isnan(amount) else f"{amount:,.2f}"
