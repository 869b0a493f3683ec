"""The command that brings pages to people. What it does lies in ``pipeline.publishing``, and is loaded when called."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.commands.console import reporting, tell
from pipeline.core.project import HERE, Project


def add_to(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command(
        help="Bring people what there is: pages without leads and the KPIs as a workbook to a folder, the champion's "
        "lists to another, and a digest without leads by mail, as the section publish says. Of what it wrote before, "
        "what is published no more is removed, and nothing else.\n\ndocs/publish.md shows it.",
        epilog="Examples: leadcast publish --dry-run | leadcast publish",
        rich_help_panel="Files for others",
    )(publish)


def publish(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Look at everything and print the digest; write and send nothing.")
    ] = False,
) -> None:
    """Publish."""
    with reporting("publish"):
        from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(HERE.root / "params.yaml")
        from pipeline.publishing import publish as publishing  # noqa: PLC0415 - heavy

        digest = publishing.publish(Project(HERE.root, parameters), lambda text: tell("publish", text), dry_run=dry_run)
        if dry_run:
            typer.echo(digest, nl=False)
