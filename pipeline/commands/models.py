"""The commands of whoever decides about models: what may be wrong, which is the champion, and why."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.core.errors import RegistryError
from pipeline.commands.console import print_table, reporting, tell
from pipeline.core.project import HERE, Project, sole

if TYPE_CHECKING:
    from pipeline.settings.parameters import Parameters

_PANEL = "Which model is in use"
_VERSION = typer.Argument(help="Its number in the registry, challenger or champion.", show_default=False)
_BY = typer.Option(help="Who decides; MLflow's user or this machine's where it is not given.", show_default=False)
_WHY = typer.Option(help="The reason, which is kept.", show_default=False)
_STARTS_WITHIN = 120.0
"""Seconds that MLflow's server may take until it answers."""


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(
        help="List what may be wrong with the model just evaluated, and with what it learned from: what was seen, what "
        "to do, and what is acquitted.\n\nEnds with exit code 10 where a verdict stands: nobody should act on the "
        "result.",
        epilog="Examples: leadcast verdicts | leadcast verdicts --json",
        rich_help_panel="Your own data",
    )(verdicts)
    app.command(
        help="Open MLflow on the project's runs, in the browser of this machine: champion, challenger and baselines.",
        epilog="Examples: leadcast ui | leadcast ui --port 5001",
        rich_help_panel=_PANEL,
    )(ui)
    app.command(
        help="Make a version of a run in MLflow's registry: the challenger. Without a run, of the model just trained; "
        "in a new store, what approvals.jsonl says of it holds again.",
        epilog="Examples: leadcast register | leadcast register 'seed 8' | leadcast register 3f2a9c1d",
        rich_help_panel=_PANEL,
    )(register)
    app.command(
        help="Make a version the champion, if it keeps what review.gates asks: no open verdict, a log loss that is not "
        "worse, calibration, no segment badly hit, enough conversions to tell, and lists that don't change too much."
        "\n\nWho, when, why, the gates and what becomes of today's lists are kept on the version and in "
        "approvals.jsonl. With --approved, which a schedule runs, it decides what reviewers have said in MLflow by the "
        "tags review (approved or refused) and review_reason of a version.",
        epilog="Examples: leadcast promote 3 --why 'email is back' | leadcast promote challenger | "
        "leadcast promote 3 --force --why 'the old one can not score the new source' | leadcast promote --approved",
        rich_help_panel=_PANEL,
    )(promote)
    app.command(
        help="Make the champion before this one the champion again. No gate is asked: it was in use.",
        epilog="Examples: leadcast rollback --why 'promises not kept since Monday' | "
        "leadcast rollback --to 2 --why 'the source is gone again'",
        rich_help_panel=_PANEL,
    )(rollback)
    app.command(
        help="List who made which model the champion, when and why, the newest last.",
        epilog="Examples: leadcast history | leadcast history --json",
        rich_help_panel=_PANEL,
    )(history)


def verdicts(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON, for a program.")] = False
) -> None:
    """Show the list of verdicts."""
    with reporting("verdicts"):
        from pipeline.core.verdicts import (  # noqa: PLC0415 - heavy
            read_verdicts,
            refuse_standing,
            tell_verdicts,
        )

        found = read_verdicts(HERE)
        if as_json:
            typer.echo(json.dumps([verdict.to_json() for verdict in found], indent=1, ensure_ascii=False))
        else:
            typer.echo("\n".join(tell_verdicts(found)) or "  no verdicts")
        refuse_standing(found)


def ui(port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = 5000) -> None:
    """Start MLflow's interface; it runs until it is stopped."""
    with reporting("ui"):
        from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(Path("params.yaml"))
        _refuse_taken(port)
        from pipeline.registry.mlflow import connected, experiment_id, tracking_uri  # noqa: PLC0415 - heavy
        from pipeline.registry.view import describe_experiment, page_of  # noqa: PLC0415 - heavy

        uri = tracking_uri(HERE)
        with connected(HERE) as client:
            experiment = experiment_id(client, HERE, parameters.evaluate.experiment)
            describe_experiment(client, experiment, parameters.evaluate.model_name)
        tell("ui", "starting MLflow's server")
        # One worker is enough for one reviewer, and answers sooner than four on a busy machine.
        served = ["--backend-store-uri", uri, "--port", str(port), "--workers", "1"]
        command = [sys.executable, "-m", "mlflow", "ui", *served]
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # whoever ends the command ends the server
        # Judges of chats and their queues are processes that nobody needs here.
        environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with subprocess.Popen(command, env=environment, start_new_session=True) as server:
            try:
                _wait_for(f"http://127.0.0.1:{port}/health", server)
                tell("ui", f"open http://127.0.0.1:{port}{page_of(experiment)} (stop with Ctrl-C)")
                server.wait()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(server.pid, signal.SIGTERM)  # it has processes of its own


def _refuse_taken(port: int) -> None:
    """Raise RegistryError where another program listens, before a server takes seconds to find it out."""
    with socket.socket() as asked, socket.socket() as other:
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a server that has just ended holds no port
        try:
            asked.bind(("127.0.0.1", port))
        except OSError as error:
            other.bind(("127.0.0.1", 0))
            raise RegistryError(
                f"port {port} cannot be had ({error.strerror}): another program listens there, perhaps a former "
                f"leadcast ui; end it, or take one that is free: leadcast ui --port {other.getsockname()[1]}"
            ) from None


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers; raises RegistryError where it ends instead, or takes too long."""
    until = time.monotonic() + _STARTS_WITHIN
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=2):  # noqa: S310 - on this machine
                if server.poll() is None:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RegistryError(f"MLflow's server does not answer at {address}; what it said stands above")


def register(
    run: Annotated[
        str | None,
        typer.Argument(help="The beginning of its id or model_version, or its name.", show_default=False),
    ] = None,
) -> None:
    """Make a version."""
    with reporting("register"):
        project = _project()
        from pipeline.review.promotion import register_run  # noqa: PLC0415 - heavy

        with sole(HERE):
            for line in register_run(project, run, lambda text: tell("register", text)):
                tell("register", line)


def promote(
    version: Annotated[str | None, _VERSION] = None,
    *,
    approved: Annotated[bool, typer.Option("--approved", help="Decide what reviewers have said in MLflow.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Against gates that are not kept; needs --why.")] = False,
    why: Annotated[str | None, _WHY] = None,
    by: Annotated[str | None, _BY] = None,
) -> None:
    """Make a version the champion."""
    if approved == (version is not None):
        raise typer.BadParameter("name a version, or say --approved", param_hint="VERSION")
    if force and not (why and why.strip()):
        raise typer.BadParameter("--force needs a reason: --why 'the old one can not score the new source'")
    if approved and (force or why):
        raise typer.BadParameter("--approved takes its reasons from MLflow; leave out --force and --why")
    with reporting("promote"):
        project = _project()
        from pipeline.review import promotion  # noqa: PLC0415 - heavy

        def say(text: str) -> None:
            tell("promote", text)

        with sole(HERE):
            if version is None:
                for line in promotion.decide_reviews(project, by, say):
                    tell("promote", line)
                return
            for line in promotion.promote(project, version, say, by=by, why=why, force=force):
                tell("promote", line)


def rollback(
    *,
    to: Annotated[str | None, typer.Option(help="A version that was champion before.", show_default=False)] = None,
    why: Annotated[str, typer.Option(help="The reason, which is kept.", show_default=False)],
    by: Annotated[str | None, _BY] = None,
) -> None:
    """Go back to the champion before."""
    with reporting("rollback"):
        project = _project()
        from pipeline.review import promotion  # noqa: PLC0415 - heavy

        with sole(HERE):
            for line in promotion.roll_back(project, to, by=by, why=why):
                tell("rollback", line)


def history(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON, for a program.")] = False
) -> None:
    """List the decisions."""
    with reporting("history"):
        from dataclasses import asdict  # noqa: PLC0415 - only here

        from pipeline.registry.approvals import read_approvals  # noqa: PLC0415 - heavy

        decisions = read_approvals(HERE)
        if as_json:
            typer.echo(json.dumps([asdict(one) for one in decisions], indent=1, ensure_ascii=False))
        elif not decisions:
            tell("history", "nobody has promoted a model yet; the first one is champion without an approval")
        else:
            headers = ["when (UTC)", "version", "model", "what", "by", "gates not kept", "why"]
            rows = [
                [
                    one.at[:16].replace("T", " "), one.version, one.model_version[:12], one.action, one.by,
                    ", ".join(gate["name"] for gate in one.gates if not gate["kept"]) or "-", one.why or "-",
                ]
                for one in decisions
            ]  # fmt: skip
            print_table(headers, rows, texts=headers)


def _project() -> Project[Parameters]:
    from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

    parameters = load_parameters(Path("params.yaml"))
    from pipeline.core.parallel import keep_to  # noqa: PLC0415 - only here

    keep_to(parameters.run.threads)
    return Project(HERE.root, parameters)
