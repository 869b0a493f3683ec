"""The commands ``push`` and ``crm``. What they do lies in ``pipeline.delivery``, and is loaded when called."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from features.core.errors import DeliveryError
from pipeline.commands.console import console, print_csv, print_table, reporting, tell
from pipeline.core.project import HERE, Project

if TYPE_CHECKING:
    from pipeline.delivery.ledger import Run
    from pipeline.delivery.push import Pushed
    from pipeline.delivery.rehearsal import Rehearsal
    from pipeline.settings.parameters import Parameters

_PANEL = "Scores in the CRM"
_WAYS = ("written", "unchanged", "skipped", "rejected", "dead letter", "deferred", "edited", "written by a later run")

_AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON, for a program.")]
_AsCsv = Annotated[bool, typer.Option("--csv", help="Print the leads as CSV.")]

crm = typer.Typer(help="Prepare the CRM, see what was pushed to it, take it back.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(
        help="Write the newest recommendations to the system of push.sink: only what changed, and nothing twice."
        "\n\nWhat is written may start automations (mails, tasks, assignments) that no undo recalls: look at "
        "--dry-run, then begin with --first or --share.",
        epilog="Examples: leadcast push --dry-run | leadcast push --only tier=SQL --first 50 | leadcast push --share "
        "10% | leadcast push",
        rich_help_panel=_PANEL,
    )(push)
    app.add_typer(crm, name="crm", rich_help_panel=_PANEL)


def push(
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only leads of a tier or maturity, as in tier=SQL; may be repeated.", show_default=False),
    ] = None,
    first: Annotated[
        int | None,
        typer.Option(min=1, help="At most so many leads, the best of those that changed.", show_default=False),
    ] = None,
    share: Annotated[
        str, typer.Option(help="A share of all leads, the same ones every day, as in 10%.", show_default=False)
    ] = "100%",
    force: Annotated[
        str | None,
        typer.Option(
            metavar="REASON", help="Push scores that are refused; the reason is kept with the run.", show_default=False
        ),
    ] = None,
    lead: Annotated[str | None, typer.Option(help="Only this lead.", show_default=False)] = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Rehearse: write nothing, tell what would be.")] = False,
    resync: Annotated[
        bool,
        typer.Option("--resync", help="After the CRM was put back to a backup: compare every lead, and write it anew."),
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --resync: write without asking.")] = False,
    as_json: _AsJson = False,
    as_csv: _AsCsv = False,
) -> None:
    """Push, or rehearse it."""
    if force is not None and not force.strip():
        raise typer.BadParameter("say why, as in --force 'the sample ends in June'", param_hint="--force")
    _refuse_both(as_json=as_json, as_csv=as_csv)
    if (as_json or as_csv) and not dry_run:
        raise typer.BadParameter("a push tells what it did by 'leadcast crm status'; this goes with --dry-run")
    part = _share(share)
    with reporting("push"):
        project = _project()
        from pipeline.delivery import operations  # noqa: PLC0415 - heavy
        from pipeline.delivery.push import Options  # noqa: PLC0415 - heavy
        from pipeline.delivery.records import select  # noqa: PLC0415 - heavy
        from pipeline.registry.champion import champion_version  # noqa: PLC0415 - heavy

        options = Options(select(only or (), part, lead), first, force, resync)
        champion = champion_version(project, project.parameters.evaluate)
        if dry_run or resync:
            objections, found = operations.rehearse(
                project, champion, lambda text: tell("push", text), options, everything=as_json or as_csv
            )
            if as_json:
                _print_json({"would_be_refused": objections, **found.to_json()})
            elif as_csv:
                print_csv(("lead", "field", "from", "to"), found.rows)
            else:
                _tell_rehearsal(objections, found)
        if resync and not dry_run and not yes:
            _confirm_resync()
        if not dry_run:
            _tell_pushed("push", operations.push(project, champion, lambda text: tell("push", text), options))


def _confirm_resync() -> None:
    if not sys.stdin.isatty():
        raise typer.BadParameter("nothing is written yet: where the rehearsal is as it should be, say --resync --yes")
    if not typer.confirm("  Write this?", err=True):
        raise typer.Exit


@crm.command(
    help="Say whether the system of push.sink is ready: each problem in plain words. Nothing is changed.",
    epilog="Example: leadcast crm check",
)
def check() -> None:
    """Check the sink."""
    with reporting("check"):
        project = _project()
        from pipeline.delivery import operations  # noqa: PLC0415 - heavy

        for line in operations.check(project):
            tell("check", line)


@crm.command(
    help="Make the fields that the scores go to, where the system's interface allows it; others are left alone.",
    epilog="Examples: leadcast crm setup | leadcast crm setup --user-env CRM_ADMIN_KEY --user admin@example.com",
)
def setup(
    user_env: Annotated[
        str | None,
        typer.Option(
            help="The environment variable with an administrator's key, where the scoring user may make no fields.",
            show_default=False,
        ),
    ] = None,
    user: Annotated[
        str | None, typer.Option(help="That administrator's login, where the system asks for one.", show_default=False)
    ] = None,
) -> None:
    """Make the fields."""
    # It may be the key itself that was given: it is not repeated.
    if user_env is not None and user_env not in os.environ:
        raise typer.BadParameter("there is no such environment variable; put the key into one", param_hint="--user-env")
    with reporting("setup"):
        project = _project()
        from pipeline.delivery import operations  # noqa: PLC0415 - heavy

        for line in operations.setup(project, user_env, user) or ["nothing was missing"]:
            tell("setup", line)


@crm.command(
    help="Put back what a run overwrote, except where a person, or a later run, has changed it since."
    "\n\nWhat the writes have started (mails, tasks, assignments) is not recalled.",
    epilog="Example: leadcast crm undo 20260630T021500Z",
)
def undo(run: Annotated[str, typer.Argument(help="The run, as leadcast crm status names it.")]) -> None:
    """Undo a run."""
    with reporting("undo"):
        project = _project()
        from pipeline.delivery import operations  # noqa: PLC0415 - heavy

        _tell_pushed("undo", operations.undo(project, lambda text: tell("undo", text), run))
        tell("undo", "the next push writes scores again; to stop that, change the champion or the job first")


@crm.command(
    help="List the runs, and the leads that were not written to, each with the reason. Leads are named.",
    epilog="Examples: leadcast crm status | leadcast crm status --lead L000042 | leadcast crm status --json | "
    "leadcast crm status --retry",
)
def status(
    lead: Annotated[
        str | None, typer.Option(help="Tell all that is known of this lead, field by field.", show_default=False)
    ] = None,
    *,
    retry: Annotated[
        bool, typer.Option("--retry", help="Have the next push try again what was rejected or skipped.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="List all leads, and not the first of a kind.")] = False,
    as_json: _AsJson = False,
    as_csv: _AsCsv = False,
) -> None:
    """Tell the state."""
    _refuse_both(as_json=as_json, as_csv=as_csv)
    if retry and lead is not None:
        raise typer.BadParameter("--retry is for all leads; one is taken back by 'leadcast crm release'")
    with reporting("status"):
        project = _project()
        from pipeline.delivery import operations  # noqa: PLC0415 - heavy
        from pipeline.delivery.rehearsal import show  # noqa: PLC0415 - heavy

        everything = everything or as_json or as_csv
        revived, found = operations.state(project, retry=retry, everything=everything, lead=lead)
        if retry:
            tell("status", f"{revived:,} leads will be tried again by the next push")
        headers = ("lead", "what", "run", "reason")
        listed = [(one.key, one.what, one.run, one.reason) for one in found.leads]
        if as_json:
            _print_json(found.to_json())
            return
        if as_csv:
            print_csv(headers, listed)
            return
        if not found.runs:
            tell("status", f"nothing was pushed to {found.sink} yet")
            return
        rows = [
            (
                run.id, run.kind, run.sink, (run.as_of or "")[:16], run.model or "", run.state, f"{run.leads:,}",
                *(f"{run.counts.get(way, 0):,}" for way in _WAYS), f"{run.calls:,}",
                "; ".join(filter(None, (_why(run), run.message))),
            )
            for run in found.runs
        ]  # fmt: skip
        texts = ("run", "", "sink", "as of", "model", "state")
        print_table((*texts, "leads", *_WAYS, "calls", "told"), rows, texts=texts, is_result=True)
        if found.dead:
            tell("status", f"{found.dead:,} dead letters wait for other values, or for --retry")
        if found.unwritten > len(found.leads):
            tell("status", f"{found.unwritten:,} leads were not written to; --all lists them")
        if found.leads:
            print_table(headers, listed, texts=("what", "run"), is_result=True)
        if found.fields:
            rows = [(name, show(held), show(target)) for name, (held, target) in found.fields.items()]
            print_table(("field", "holds by us", "shall hold"), rows, texts=("holds by us",), is_result=True)
            rows = [
                (run, name, show(write.before.get(name)), show(value))
                for run, write in found.writes
                for name, value in write.after.items()
            ]
            print_table(("run", "field", "from", "to"), rows, texts=("field", "from"), is_result=True)


@crm.command(
    help="Take fields of a lead back that a person has changed: the next push writes them again.",
    epilog="Examples: leadcast crm release --lead L000042 | leadcast crm release --lead L000042 --field tier",
)
def release(
    lead: Annotated[str, typer.Option(help="The lead_id.", show_default=False)],
    field: Annotated[
        list[str] | None,
        typer.Option(help="One of our fields, as in tier; may be repeated. All without it.", show_default=False),
    ] = None,
) -> None:
    """Take fields back."""
    with reporting("release"):
        project = _project()
        from pipeline.delivery import operations  # noqa: PLC0415 - heavy

        released = operations.release(project, lead, field or ())
        tell(
            "release",
            f"{', '.join(released)} of the lead are ours again; the next push writes them, unless a person has",
        )
        tell("release", f"{', '.join(released)} of the lead are ours again; the next push writes them")
        if field:
            tell(
                "release",
                "tier, maturity, action, reasons and date go together: release what else was changed",
            )


def _project() -> Project[Parameters]:
    from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

    return Project(HERE.root, load_parameters(HERE.root / "params.yaml"))


def _why(run: Run) -> str | None:
    """Give the reason that was kept with a run: whose undo it is, or why the guard was overruled."""
    return f"forced: {run.forced}" if run.forced and run.kind == "push" else run.forced


def _print_json(content: object) -> None:
    typer.echo(json.dumps(content, indent=1, ensure_ascii=False))


def _refuse_both(*, as_json: bool, as_csv: bool) -> None:
    if as_json and as_csv:
        raise typer.BadParameter("take one of them", param_hint="--json, --csv")


def _share(text: str) -> float:
    try:
        share = float(text.removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not text.endswith("%") or not 0 < share <= 1:
        raise typer.BadParameter(f"{text!r} is no share; write it as in 10%", param_hint="--share")
    return share


def _tell_pushed(command: str, pushed: Pushed) -> None:
    counts = pushed.tally.statuses + pushed.left
    told = ", ".join(f"{counts[way]:,} {way}" for way in _WAYS if counts[way])
    tell(
        command,
        f"run {pushed.run}: {counts.total():,} leads: {told or 'none'}; {pushed.calls:,} calls to {pushed.sink}",
    )
    if pushed.tally.edited:
        tell(command, f"{pushed.tally.edited:,} leads have fields that a person has changed since we wrote them")
    tried = pushed.tally.statuses
    if tried["skipped"] == tried.total() > 0:
        tell(
            command,
            "warning: the system knows none of these leads, or has closed them all; is push.sink.key_field right?",
        )
    if any(counts[way] for way in ("rejected", "skipped", "dead letter", "deferred")):
        tell(command, "leadcast crm status lists the leads that were not written to, with the reasons")
    if counts["deferred"]:
        raise DeliveryError(f"{counts['deferred']:,} leads wait for the next push; run it again")


def _tell_rehearsal(objections: list[str], found: Rehearsal) -> None:
    tell("push", f"a rehearsal: nothing is written to {found.sink}")
    tell("push", found.scores)
    for objection in objections:
        tell("push", f"would be refused: {objection}")
    counts = [(what, f"{count:,}", "") for what, count in found.leads.most_common()]
    print_table(("leads", "", " "), counts, is_result=True)
    if found.edited:
        tell("push", f"{found.edited:,} leads have fields that a person has changed since we wrote them")
    if found.fields:
        changes = [(name, f"{count:,}", "") for name, count in found.fields.most_common()]
        print_table(("field", "changes", " "), changes, is_result=True)
    if found.movements:
        print_table(
            ("field", "from", "to", "leads", " "),
            [(*movement, f"{count:,}", "") for movement, count in found.movements.most_common(20)],
            texts=("from", "to"),
            is_result=True,
        )
    if found.up or found.down:
        mean = found.by / (found.up + found.down)
        tell("push", f"probabilities: {found.up:,} rise, {found.down:,} fall, by {mean:+.4f} in the mean")
    if found.rows:
        console.print("the first leads in full:")
        print_table(("lead", "field", "from", "to"), found.rows, texts=("field", "from"), is_result=True)
    budget = f" of {found.calls_a_day:,} a day" if found.calls_a_day else ""
    tell("push", f"calls: {found.calls:,} for such a push, {found.calls_today:,} made in the last 24 hours{budget}")
    if found.leads["to write"]:
        tell(
            "push",
            "a write starts the automations that watch these fields (mails, tasks, assignments), and no undo recalls "
            "them: begin with --first 50 or --share 10%",
        )
