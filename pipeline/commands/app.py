"""The command line. Heavy imports wait until the command that needs them."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from features.core.errors import InputError, SettingsError, nearest
from pipeline.commands import comparing, exports, leads, models, money, monitoring, publishing
from pipeline.commands import crm as delivery_commands
from pipeline.commands.console import console, print_table, reporting, tell
from pipeline.commands.placing import placed
from pipeline.core.processor import use_common_instructions
from pipeline.core.project import HERE, Project, sole

use_common_instructions()  # before the first library reads them

app = typer.Typer(
    help="From the log of what leads did to a calibrated probability that each one converts, and to who calls whom.",
    epilog="Exit codes: 0 done, 1 other failures, 2 wrong usage, 3 wrong settings, 4 input missing or broken, "
    "5 a contract broken, 6 not enough data, 7 data too old, 8 model not in the registry, "
    "9 the CRM or the mail server refuses, 10 the model is wrong, 11 an alarm, 130 stopped by you.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)

STAGES = {
    "ingest": "Read the raw files into one sorted log; what can't be used goes to data/quarantine.",
    "validate": "Check the log with Great Expectations; data docs go to reports/data-docs.",
    "snapshots": "List when each lead is looked at, with its label and its part (fit ... test).",
    "features": "Compute the feature matrix of the labelled snapshots.",
    "train": "Fit LightGBM, stop it and calibrate it, each on a later part.",
    "evaluate": "Measure the model on later leads, and track it in MLflow.",
    "recommend": "Recommend: every open lead with its probability and tier, those to work on with reasons.",
    "report": "Write what was found: reports/index.html, model.html, cut-offs.html, kpi.xlsx, summary.txt, private/.",
}
_ON_SPARK = {"ingest", "snapshots", "features", "recommend"}
"""Stages that have rows sorted, leads looked at, or features computed, by ``run.executor``."""
_STAGE_PANEL = "Stages of the pipeline (dvc repro runs them in order)"


def module_of(stage: str) -> str:
    """Name the module of a stage: a file, or ``stage`` in a folder of what it needs."""
    spec = importlib.util.find_spec(f"pipeline.{stage}")
    return f"pipeline.{stage}.stage" if spec and spec.submodule_search_locations else f"pipeline.{stage}"


def _run_stage(name: str) -> None:
    with reporting(name):
        from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(Path("params.yaml"))
        stage = importlib.import_module(module_of(name))
        from pipeline.core.parallel import keep_to  # noqa: PLC0415 - only here

        keep_to(parameters.run.threads)
        if parameters.run.executor == "spark" and name not in _ON_SPARK:
            told = "works in this process: run.executor: spark is for ingest, snapshots and features (docs/scaling.md)"
            tell(name, told)
        with sole(HERE):
            stage.run(Project(HERE.root, parameters.hand_over(stage.run)), lambda text: tell(name, text))


def _add_stage(name: str, meaning: str) -> None:
    def command(context: typer.Context) -> None:
        if "--explain" in context.args:  # what features once took
            raise typer.BadParameter("a value is explained by 'leadcast explain FEATURE --lead ID' now")
        if context.args:
            raise typer.BadParameter(f"{context.args[0]!r}: a stage takes nothing; its settings stand in params.yaml")
        _run_stage(name)

    example = f"Example: leadcast {name}"
    app.command(
        name,
        help=meaning,
        epilog=example,
        rich_help_panel=_STAGE_PANEL,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )(command)


for _name, _meaning in STAGES.items():
    _add_stage(_name, _meaning)


@app.command(
    help="Tell the value of a feature of a lead in words, with the events that it was computed from: what was counted, "
    "what was not and why. Nothing is written.",
    epilog="Examples: leadcast explain count__quote_request__30d --lead L000042 | "
    "leadcast explain days_since_last__all --lead L000042 --as-of 2026-03-01 --all",
)
def explain(
    feature: Annotated[str, typer.Argument(help="Its name, as data/features.parquet has it.", show_default=False)],
    lead: Annotated[str, typer.Option(help="The lead_id whose value is asked for.", show_default=False)],
    as_of: Annotated[str, typer.Option(help="latest (the end of the log), or a date, in UTC.")] = "latest",
    *,
    everything: Annotated[bool, typer.Option("--all", help="List all events, however many.")] = False,
) -> None:
    """Explain a value of the matrix."""
    with reporting("explain"):
        from pipeline.inspection.explain import explain_value  # noqa: PLC0415 - heavy

        explanation = explain_value(HERE, feature, lead, as_of, everything=everything)
        for line in explanation.told:
            tell("explain", line)
        if explanation.rows:
            print_table(explanation.headers, explanation.rows, texts=explanation.headers)


@app.command(
    help="Score every open lead with the champion of the registry, keep the result in data/scores, and write what "
    "people open in the morning to reports/live: the list, and what leads cost and bring (not for a backfill).",
    epilog="Examples: leadcast score --as-of now | leadcast score --as-of 2026-06-29 --backfill",
)
def score(
    as_of: Annotated[
        str | None, typer.Option(help="now, latest (the end of the log), or a date, in UTC.", show_default=False)
    ] = None,
    *,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="Allow a moment that the champion has learned from.")
    ] = False,
    corrected: Annotated[
        bool,
        typer.Option("--corrected", help="What the last scores knew, and the log lacks, was put right at the source."),
    ] = False,
) -> None:
    """Score with the champion."""
    if as_of is None:
        raise typer.BadParameter(
            "name the moment: now, latest or a date. The stage that scores with the model just trained is "
            "'leadcast recommend'",
            param_hint="--as-of",
        )
    with reporting("score"):
        from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(Path("params.yaml"))
        from pipeline.core.parallel import keep_to  # noqa: PLC0415 - only here
        from pipeline.scoring import champion  # noqa: PLC0415 - heavy

        keep_to(parameters.run.threads)
        project = Project(HERE.root, parameters)
        folder = champion.run(
            project, lambda text: tell("score", text), as_of, backfill=backfill, is_corrected=corrected
        )
        tell("score", f"wrote {folder}")
        if not backfill:
            from pipeline.report.live import write_live  # noqa: PLC0415 - heavy
            from pipeline.scoring.basis import DECIDED  # noqa: PLC0415 - heavy

            with sole(HERE):
                recommendations, decided = folder / "recommendations.parquet", folder / DECIDED
                write_live(project, recommendations, decided, lambda text: tell("score", text))


@app.command(
    help="Simulate eighteen months of a company's leads, as raw files to try everything on.",
    epilog="Examples: leadcast sample | leadcast sample --leads 100000 --directory data/raw --seed 1 | "
    "leadcast sample --directory shifted --shift 2026-04-01 --truth | "
    "leadcast sample --directory torn --gap web:2026-06-28",
)
def sample(
    leads: Annotated[int, typer.Option(min=1, max=50_000_000, help="How many people.")] = 12_000,
    seed: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Equal seeds give equal bytes.")] = 7,
    directory: Annotated[Path, typer.Option(help="An empty or missing folder.")] = Path("data/raw"),
    *,
    truth: Annotated[bool, typer.Option("--truth", help="Write what is true, too: docs/sample-world.md.")] = False,
    shift: Annotated[
        str | None, typer.Option(metavar="DATE", help="From this day on the company is another one.")
    ] = None,
    gap: Annotated[str | None, typer.Option(metavar="SOURCE:DATE", help="A day that web, email or crm loses.")] = None,
) -> None:
    """Write the sample world."""
    with reporting("sample"):
        if directory.exists() and any(directory.iterdir()):
            raise InputError(
                f"{directory} holds files, and nothing is overwritten; name another --directory or empty it"
            )
        from pipeline.sample import Scenario, write_sample  # noqa: PLC0415 - heavy

        counts = write_sample(
            directory,
            leads=leads,
            seed=seed,
            truth=truth,
            scenario=Scenario.read(shift, gap),
            progress=lambda done, of: tell("sample", f"simulated {done:,} of {of:,} leads"),
        )
        tell("sample", f"wrote {counts.interactions:,} interactions of {counts.leads:,} leads to {directory}")


_DATA_PANEL = "Your own data"


@app.command(
    help="Look at your exports (or a database), propose what is what, and write params.yaml, each line with its reason."
    "\n\nNothing in the folder is changed. What can't be found out is asked for, or said by an option.",
    epilog="Examples: leadcast init exports | leadcast init exports --yes --conversion won --lost lost | "
    "leadcast init exports --database '$CRM_DATABASE'",
    rich_help_panel=_DATA_PANEL,
)
def init(
    folder: Annotated[Path, typer.Argument(help="The folder that holds your exports.")],
    database: Annotated[
        str | None, typer.Option(help="Also its tables: $NAME of a variable that holds its URL.", show_default=False)
    ] = None,
    leads: Annotated[str | None, typer.Option(help="The table of leads.", show_default=False)] = None,
    lead_id: Annotated[str | None, typer.Option(help="The column that names the lead.", show_default=False)] = None,
    event_type: Annotated[
        str | None, typer.Option(help="The column that says what happened.", show_default=False)
    ] = None,
    conversion: Annotated[
        list[str] | None,
        typer.Option(help="An event type that means a conversion; may be repeated.", show_default=False),
    ] = None,
    lost: Annotated[
        list[str] | None, typer.Option(help="An event type that means a loss; may be repeated.", show_default=False)
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(help="The column that says who converted, where no time does.", show_default=False)
    ] = None,
    horizon: Annotated[str | None, typer.Option(help="How far ahead to look, as in 30d.", show_default=False)] = None,
    date_order: Annotated[
        str | None, typer.Option(help="What comes first in dates such as 03/04/2026: day or month.", show_default=False)
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            help="A column of the leads that never changes after creation; may be repeated.", show_default=False
        ),
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(help="A table or file to leave out; may be repeated.", show_default=False)
    ] = None,
    survivor: Annotated[
        str | None,
        typer.Option(help="Of a table of merges, the column of the record that is left.", show_default=False),
    ] = None,
    output: Annotated[Path, typer.Option(help="Where the settings go.")] = Path("params.yaml"),
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; take what is proposed.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite settings that are not committed.")] = False,
) -> None:
    """Propose settings for a folder of exports."""
    with reporting("init"):
        if date_order not in {None, "day", "month"}:
            raise typer.BadParameter(f"{date_order!r} is neither day nor month", param_hint="--date-order")
        from features.core.time import parse_duration  # noqa: PLC0415 - only here

        try:
            ahead = parse_duration(horizon) if horizon else None
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--horizon") from None
        if not force:
            _refuse_to_overwrite(output)
        from pipeline.discovery.initialise import Options, initialise  # noqa: PLC0415 - heavy

        options = Options(
            database, leads, lead_id, event_type, tuple(conversion or ()), tuple(lost or ()), outcome, ahead,
            date_order, tuple(attribute or ()), tuple(without or ()), survivor,
        )  # fmt: skip
        ask = _ask if sys.stdin.isatty() and not yes else None
        found = initialise(folder, options, ask, lambda text: tell("init", text), output.parent)
        output.write_text(found.settings, encoding="utf-8")
        for line in found.told:
            tell("", line)
        print_table(("milestone", "horizon", "mature snapshots", "that convert (leads)", ""), found.learnable)
        tell("init", f"wrote {output}: read it, then leadcast doctor, and dvc repro (or leadcast run)")


def _ask(question: str, choices: Sequence[str], proposed: str) -> str:
    """Put a question on the terminal."""
    console.print(f"  {', '.join(choices[:40])}", markup=False)
    answer: str = typer.prompt(f"  {question}", default=proposed or None, err=True)
    return answer


def _refuse_to_overwrite(path: Path) -> None:
    """Raise SettingsError where settings would be lost: those that stand in a file, and in no commit."""
    if not path.exists():
        return
    known = subprocess.run(
        ["git", "diff", "--quiet", "HEAD", "--", path.name], cwd=path.resolve().parent, capture_output=True, check=False
    )
    tracked = subprocess.run(
        ["git", "ls-files", "--error-unmatch", path.name], cwd=path.resolve().parent, capture_output=True, check=False
    )
    if known.returncode or tracked.returncode:
        raise SettingsError(
            f"{path} is there, is not committed as it stands, and would be overwritten; "
            "commit it, name another --output, or say --force"
        )


@app.command(
    help="Say what is missing or odd in environment, settings and data, each with its remedy."
    "\n\nWhere there is a log, it tabulates how much there is to learn from, and names the longest horizon.",
    epilog="Example: leadcast doctor",
    rich_help_panel=_DATA_PANEL,
)
def doctor() -> None:
    """Examine the project."""
    with reporting("doctor"):
        from pipeline.inspection.doctor import examine  # noqa: PLC0415 - heavy

        examination = examine(HERE)
        signs = {"good": "[green]good [/green]", "odd": "[yellow]odd  [/yellow]", "wrong": "[red]wrong[/red]"}
        for finding in examination.findings:
            console.print(f"{signs[finding.state]} {finding.area:<12}", end="")
            console.print(
                finding.what + (f"\n      {'':<12}-> {finding.remedy}" if finding.remedy else ""), markup=False
            )
        if examination.learnable:
            print_table(("milestone", "horizon", "mature snapshots", "that convert (leads)", ""), examination.table())
            if examination.longest is not None:
                tell("doctor", f"the longest horizon that can be trained is {examination.longest}")
    if examination.exit_code:
        raise typer.Exit(examination.exit_code)


@app.command(
    help="Run all stages in this process, without DVC: the same results, but nothing is skipped or cached."
    "\n\nAll stages run, whatever is found; where a verdict stands, it ends with exit code 10."
    "\n\nWith --place all that they write lies in that folder, on a disk that several machines share: it is a project "
    "of its own, where the other commands are called. place.json, for git, says here what lies there.",
    epilog="Examples: leadcast run | leadcast run --start train | leadcast run --place /mnt/shared/leads",
    rich_help_panel=_STAGE_PANEL,
)
def run(
    start: Annotated[str, typer.Option(help="The stage to begin with; those before it must have run.")] = "ingest",
    place: Annotated[
        str | None, typer.Option(metavar="URI", help="The folder that outputs go to; this one without it.")
    ] = None,
) -> None:
    """Run the stages one after the other."""
    if start not in STAGES:
        raise typer.BadParameter(f"{start!r} is no stage; {nearest(start, STAGES)}", param_hint="--start")
    from pipeline.core.verdicts import read_verdicts, refuse_standing  # noqa: PLC0415 - heavy

    with placed(place):
        for name in list(STAGES)[list(STAGES).index(start) :]:
            _run_stage(name)
        console.print(HERE.summary.read_text(encoding="utf-8"), markup=False)
        with reporting("run"):
            verdicts = read_verdicts(HERE)
    with reporting("run"):
        refuse_standing(verdicts)


for _commands in (models, comparing, monitoring, leads, money, exports, publishing, delivery_commands):
    _commands.add_to(app)


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="leadcast")
    except KeyboardInterrupt:
        console.print("stopped")
        sys.exit(130)


if __name__ == "__main__":
    main()
