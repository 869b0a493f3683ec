"""The command that watches the champion's promises. What it does is loaded when it is called."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.core.errors import AlarmError
from pipeline.commands.console import print_table, reporting, tell
from pipeline.core.project import HERE, Project, sole, write_json, written_whole

if TYPE_CHECKING:
    from pipeline.monitor.watch import Monitored


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        help="Watch the champion: what it promised beside what happened, sources that are missing, and drift. It "
        "writes reports/monitor.html and monitor.json, tracks a run in MLflow, posts alarms to monitor.webhook, and "
        "suspends leads whose promise is broken: push sends no probability of them.\n\nEnds with exit code 11 where "
        "there is an alarm. docs/monitoring.md says what is tested, and how.",
        epilog="Examples: leadcast monitor | leadcast monitor --as-of 2026-06-29 --json | "
        "leadcast monitor --lift 'channel: seo' --why 'the export was mended'",
    )(monitor)
    app.command(
        help="Make a challenger of the champion with another calibrator only: the order of the leads stays, and the "
        "probabilities are fitted to what came of leads that it had not learned from. It is judged by rolling origins: "
        "what calibrators of earlier months say of later ones.\n\nReads the snapshots that are there (dvc repro "
        "snapshots), and says when there will be enough where there are too few.",
        epilog="Examples: leadcast recalibrate | leadcast recalibrate && leadcast compare champion challenger",
    )(recalibrate)


def monitor(
    as_of: Annotated[
        str | None,
        typer.Option(help="A date, in UTC: what was known then; the end of the log otherwise.", show_default=False),
    ] = None,
    lift: Annotated[
        str | None,
        typer.Option(metavar="SEGMENT", help="Lift a suspension, by the segment's name.", show_default=False),
    ] = None,
    why: Annotated[str | None, typer.Option(help="Why it is lifted; it is kept.", show_default=False)] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print what is written to monitor.json.")] = False,
) -> None:
    """Watch the champion, or lift a suspension."""
    if (lift is None) != (why is None) or (why is not None and not why.strip()):
        raise typer.BadParameter("a suspension is lifted with a reason: --lift SEGMENT --why 'REASON'")
    with reporting("monitor"):
        if lift is not None and why is not None:
            _lift(lift, why)
            return
        from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(Path("params.yaml"))
        from pipeline.core.parallel import keep_to  # noqa: PLC0415 - only here
        from pipeline.monitor import watch  # noqa: PLC0415 - heavy
        from pipeline.monitor.page import monitor_page  # noqa: PLC0415 - heavy
        from pipeline.monitor.webhook import tell_alarms  # noqa: PLC0415 - heavy
        from pipeline.registry.monitor_run import log_monitor  # noqa: PLC0415 - heavy

        keep_to(parameters.run.threads)
        project = Project(HERE.root, parameters)
        with sole(project):
            found = watch.run(project, lambda text: tell("monitor", text), as_of)
            write_json(project.monitored, found.told)
            with written_whole(project.monitor_page) as temporary:
                temporary.write_text(monitor_page(found.told), encoding="utf-8")
        if as_json:
            typer.echo(json.dumps(found.told, indent=1, ensure_ascii=False, sort_keys=True))
        else:
            _show(found)
        posted = tell_alarms(parameters.monitor.webhook, found.told, found.alarms)
        if posted:
            tell("monitor", posted)
        log_monitor(project, found.run_id, parameters.evaluate.model_name, found.told)
        tell("monitor", f"wrote {HERE.monitor_page} and {HERE.monitored}")
        if found.alarms:
            listed = "; ".join(f"{one.title}{f' ({one.subject})' if one.subject else ''}" for one in found.alarms)
            raise AlarmError(f"{listed}; see {HERE.monitor_page}")


def recalibrate() -> None:
    """Give the champion's scores another meaning, as a challenger."""
    with reporting("recalibrate"):
        from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(Path("params.yaml"))
        from pipeline.core.parallel import keep_to  # noqa: PLC0415 - only here
        from pipeline.monitor import recalibrating  # noqa: PLC0415 - heavy

        keep_to(parameters.run.threads)
        project = Project(HERE.root, parameters)
        with sole(project):
            for line in recalibrating.run(project, lambda text: tell("recalibrate", text)):
                tell("recalibrate", line)


def _lift(segment: str, why: str) -> None:
    from pipeline.core.suspensions import lift  # noqa: PLC0415 - heavy

    now = datetime.now(UTC).replace(tzinfo=None)
    with sole(HERE):
        lifted = lift(HERE, segment, now, why.strip())
    tell("monitor", f"{lifted.named}, suspended since {lifted.since}, is lifted; the next push sends its scores again")


def _show(found: Monitored) -> None:
    from pipeline.core.verdicts import tell_verdicts  # noqa: PLC0415 - heavy

    rows = [
        (
            one["segment"],
            f"{one['leads']:,}",
            f"{one['expected']:,.1f}",
            f"{one['happened']:,}",
            one["state"],
        )
        for one in found.told["promises"]
    ]
    if rows:
        print_table(("segment", "leads", "promised", "happened", ""), rows, is_result=True)
    typer.echo("\n".join(tell_verdicts(found.verdicts)) or "  nothing to tell")
    for one in found.told["suspended"]:
        tell("monitor", f"suspended since {one['since']}: {one['named']}")
