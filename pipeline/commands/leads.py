"""The commands that show a lead, and where the tiers begin. What they do is loaded when they are called."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from pipeline.commands.console import print_table, reporting, tell
from pipeline.core.project import HERE, Project

_AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for a program.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(
        help="Show one lead: who it is, how it stands, and what happened to it, the newest first. Nothing is written."
        "\n\nWith --at it is shown as it was known then, and as the history of scores (data/scores) has it decided: "
        "nothing that became known later is told.",
        epilog="Examples: leadcast lead L000042 | leadcast lead L000042 --at 2026-06-01 --events all | "
        "leadcast lead L000042 --json",
    )(lead)
    app.command(
        help="Show the cut-offs of the tiers: where they come from, what they mean in leads, and how each assumption "
        "behind them moves the leads of sales, at half and at double; and how often people were right who said a tier "
        "themselves. Nothing is written, and nothing scored anew.",
        epilog="Examples: leadcast tiers | leadcast tiers --json",
    )(tiers)
    app.command(
        help="Show what a lottery among leads (decision.lottery) takes and shows: how many leads it needs to know an "
        "effect to some precision, whom chance has decided of so far, and what a call adds. Without one no effect is "
        "told. Nothing is written.",
        epilog="Examples: leadcast lottery | leadcast lottery --json",
    )(lottery)
    app.command(
        help="Show what sales made of the lists of the last 28 days: how many of their leads were worked, how soon, "
        "and why leads were refused; by decision.territory, and by owner where decision.by_person says so. Nothing is "
        "written.",
        epilog="Examples: leadcast answers | leadcast answers --json",
    )(answers)


def lead(
    lead_id: Annotated[str, typer.Argument(metavar="ID", help="Its lead_id, or an alias of it.", show_default=False)],
    at: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="A date or a time, in UTC; without it, today.", show_default=False),
    ] = None,
    events: Annotated[str, typer.Option(metavar="N", help="How many lines of its time are shown, or all.")] = "30",
    *,
    as_json: _AsJson = False,
) -> None:
    """Show a lead."""
    if events != "all" and not events.isdecimal():
        raise typer.BadParameter(f"{events!r} is no number; write one, or all", param_hint="--events")
    with reporting("lead"):
        from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(HERE.root / "params.yaml")
        from dataclasses import replace  # noqa: PLC0415 - only here

        from pipeline.inspection.lead import show_lead  # noqa: PLC0415 - heavy
        from pipeline.inspection.lead_in_words import table_of, tell_lead  # noqa: PLC0415 - heavy

        whole = show_lead(Project(HERE.root, parameters), lead_id, at)
        shown = replace(whole, timeline=whole.timeline[: None if events == "all" else int(events)])
        if as_json:
            typer.echo(json.dumps(shown.to_json(), indent=1, ensure_ascii=False))
            return
        typer.echo("\n".join(tell_lead(shown, parameters)) + "\n")
        table = table_of(shown.timeline, parameters)
        if table.rows:
            print_table(table.headers, table.rows, texts=table.texts, is_result=True)
        if len(shown.timeline) < len(whole.timeline):
            tell("lead", f"{len(shown.timeline):,} of {len(whole.timeline):,} lines are shown; --events all shows them")


def tiers(*, as_json: _AsJson = False) -> None:
    """Show the cut-offs."""
    with reporting("tiers"):
        from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(HERE.root / "params.yaml")
        from pipeline.inspection.people import look_at_people, told_of_people  # noqa: PLC0415 - heavy
        from pipeline.scoring.cut_offs import look_at_cut_offs, told_of  # noqa: PLC0415 - heavy

        project = Project(HERE.root, parameters)
        cuts, people = look_at_cut_offs(project), look_at_people(project)
        if as_json:
            content = cuts.to_json() | {"people": people and people.to_json()}
            typer.echo(json.dumps(content, indent=1, ensure_ascii=False))
            return
        typer.echo("\n".join(told_of(cuts)) + "\n")
        headers = ("tier", "open leads", "expected to convert", "not by probability", " ")
        counts = [
            (one.tier, f"{one.leads:,}", f"{one.expected_conversions:,.1f}", f"{one.not_by_probability:,}", "")
            for one in cuts.tiers
        ]
        print_table(headers, counts, is_result=True)
        typer.echo("")
        what_if = ("what if", "is", "times", "SQL from", "SQL leads", "expected to convert", " ")
        moves = [
            (
                one.assumption, f"{one.value:,.4g}", f"{one.factor:g}", f"{one.sql_from:.2%}", f"{one.sql_leads:,}",
                f"{one.expected_conversions:,.1f}", "",
            )
            for one in cuts.assumptions
        ]  # fmt: skip
        print_table(what_if, moves, is_result=True)
        if people:
            typer.echo("\n" + "\n".join(told_of_people(people)))


def lottery(*, as_json: _AsJson = False) -> None:
    """Show the lottery."""
    with reporting("lottery"):
        from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(HERE.root / "params.yaml")
        from pipeline.inspection.lottery import look_at_lottery, told_of_lottery  # noqa: PLC0415 - heavy

        drawing = look_at_lottery(Project(HERE.root, parameters))
        if as_json:
            typer.echo(json.dumps(drawing.to_json(), indent=1, ensure_ascii=False))
            return
        typer.echo("\n".join(told_of_lottery(drawing)))


def answers(*, as_json: _AsJson = False) -> None:
    """Show what sales made of the lists."""
    with reporting("answers"):
        from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(HERE.root / "params.yaml")
        from pipeline.inspection.answers import look_at_answers, told_of_answers  # noqa: PLC0415 - heavy

        found = look_at_answers(Project(HERE.root, parameters))
        if as_json:
            typer.echo(json.dumps(found.to_json(), indent=1, ensure_ascii=False))
            return
        typer.echo("\n".join(told_of_answers(found)))
        if found.parts:
            typer.echo("")
            hours = [("" if one.median_hours is None else f"{one.median_hours:,.1f}") for one in found.parts]
            rows = [
                (one.who, f"{one.listed:,}", f"{one.worked:,}", f"{one.same_day:,}", half, f"{one.refused:,}", "")
                for one, half in zip(found.parts, hours, strict=True)
            ]
            headers = ("whose", "listed", "worked", "the same day", "half within hours", "refused", " ")
            print_table(headers, rows, is_result=True)
