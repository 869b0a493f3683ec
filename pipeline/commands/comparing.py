"""The commands that compare ways to model. What they do lies in ``pipeline.inspection``, and is loaded when called."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.console import print_table, reporting, tell
from pipeline.core.project import HERE, Project, sole


def add_to(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command(
        help="Compare model B with model A on what both have foretold of the same leads at the same moments, and "
        "decide today's leads with both. A model is trained (the one in data/model), champion, challenger, a version "
        "of the registry, or 8 letters or more of a model_version.\n\nEach figure has the size that would matter "
        "(review.matters), an interval, and a verdict: better, worse, no difference that matters, can't tell. It "
        "writes reports/comparisons/A-B.html and .json, the leads whose tier is another to reports/private, and a run "
        "into MLflow. No score is written, and no model changed.",
        epilog="Examples: leadcast compare champion challenger | leadcast compare champion trained --json",
    )(compare)
    app.command(
        "compare-actors",
        help="Judge the procedure twice, at the same origins on the same rows: by the lead's acts alone, and by the "
        "acts of all, whatever features.actors says. That shows how much of a model is what you did yourselves."
        "\n\nIt computes all features anew, twice, in data/.tmp, and writes reports/comparisons/actors.json and "
        "actors.txt. It needs a trained model, and changes nothing of it.",
        epilog="Example: leadcast compare-actors",
    )(compare_actors)


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="The model that is compared with.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="The one that may take its place.", show_default=False)],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON, for a program.")] = False,
) -> None:
    """Compare two models."""
    with reporting("compare"):
        from pipeline.settings.file import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(Path("params.yaml"))
        from pipeline.core.parallel import keep_to  # noqa: PLC0415 - only here
        from pipeline.review import keep, told  # noqa: PLC0415 - heavy

        keep_to(parameters.run.threads)
        with sole(HERE):
            comparison = keep.compare_and_keep(Project(HERE.root, parameters), a, b, lambda text: tell("compare", text))
        if as_json:
            typer.echo(json.dumps(comparison.to_json(), indent=1, ensure_ascii=False))
        else:
            typer.echo("\n".join(told.summary_of(comparison)))
            for table in told.tables_of(comparison).values():
                typer.echo(f"\n{table.title}")
                print_table(table.headers, table.rows, texts=told.WORDS, is_result=True)
        for path in keep.files_of(HERE, comparison):
            tell("compare", f"wrote {path}")


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
