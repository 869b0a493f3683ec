"""The commands that compare ways to model. What they do lies in ``pipeline.inspection``, and is loaded when called."""

from __future__ import annotations

from pathlib import Path

import typer

from pipeline.commands.console import reporting, tell
from pipeline.core.project import HERE, Project, sole


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(
        "compare-actors",
        help="Judge the procedure twice, at the same origins on the same rows: by the lead's acts alone, and by the "
        "acts of all, whatever features.actors says. That shows how much of a model is what you did yourselves."
        "\n\nIt computes all features anew, twice, in data/.tmp, and writes reports/comparisons/actors.json and "
        "actors.txt. It needs a trained model, and changes nothing of it.",
        epilog="Example: leadcast compare-actors",
    )(compare_actors)


def compare_actors() -> None:
    """Compare what leads did with what everybody did."""
    name = "compare-actors"
    with reporting(name):
        from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(Path("params.yaml"))
        from pipeline.core.parallel import keep_to  # noqa: PLC0415 - only here
        from pipeline.inspection import comparison  # noqa: PLC0415 - heavy

        keep_to(parameters.run.threads)
        with sole(HERE):
            project = Project(HERE.root, parameters)
            lines = comparison.compare_actors(project, lambda text: tell(name, text))
        typer.echo("\n".join(lines))
        tell(name, f"wrote {HERE.comparison} and {HERE.comparison_text}")
