"""The command line. Heavy imports wait until the command that needs them."""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from features.errors import InputError, LeadcastError

app = typer.Typer(
    help="From the log of what leads did to a calibrated probability that each one converts, and to who calls whom.",
    epilog="Exit codes: 0 done, 1 other failures, 2 wrong usage, 3 wrong settings, 4 input missing or broken, "
    "5 a contract broken, 6 not enough data, 7 data too old, 8 model not in the registry, 130 stopped by you.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
_console = Console(stderr=True, highlight=False, soft_wrap=True)

STAGES = {
    "ingest": "Read the raw files into one sorted log; what can't be used goes to data/quarantine.",
    "validate": "Check the log with Great Expectations; data docs go to reports/data-docs.",
    "snapshots": "List when each lead is looked at, with its label and its part (fit ... test).",
    "features": "Compute the feature matrix of the labelled snapshots.",
    "train": "Fit LightGBM, stop it and calibrate it, each on a later part.",
    "evaluate": "Measure the model on later leads, and track it in MLflow.",
    "score": "Recommend: every open lead with probability, tier and reasons.",
    "report": "Write the summary of everything to reports/summary.txt.",
}
_READERS = {"_duckdb", "duckdb", "pyarrow", "json"}
"""Whose failures mean that a file of an earlier stage is broken: raw files have messages of their own."""
_STAGE_PANEL = "Stages of the pipeline (dvc repro runs them in order)"


@contextmanager
def _reporting(name: str) -> Iterator[None]:
    """Turn what a user can mend into one message and an exit code; tell how long it took."""
    started = time.monotonic()
    try:
        yield
    except LeadcastError as error:
        _console.print(f"[bold red]{name} failed[/bold red]", end=" ")
        _console.print(str(error), markup=False)
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        _console.print(f"[bold red]{name} failed[/bold red]", end=" ")
        where = f" ({error.filename})" if error.filename else ""
        message = f"{error.strerror or error}{where}; nothing half-written is left. Mend it, then run again"
        _console.print(message, markup=False)
        raise typer.Exit(InputError.exit_code) from None
    except Exception as error:
        if type(error).__module__.split(".")[0] not in _READERS:
            raise
        _console.print(f"[bold red]{name} failed[/bold red]", end=" ")
        told = str(error).splitlines()[0]
        message = f"a file in data/ can't be read ({told}); make it anew: dvc repro --force"
        _console.print(message, markup=False)
        raise typer.Exit(InputError.exit_code) from None
    _progress(name, f"done in {time.monotonic() - started:.1f} s")


def _progress(name: str, text: str) -> None:
    _console.print(f"[bold]{name:<9}[/bold] ", end="")
    _console.print(text, markup=False)


def _run_stage(name: str) -> None:
    with _reporting(name):
        from pipeline.parameters import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(Path("params.yaml"))
        stage = importlib.import_module(f"pipeline.{name}")
        stage.run(parameters, Path(), lambda text: _progress(name, text))


def _add_stage(name: str, meaning: str) -> None:
    def command() -> None:
        _run_stage(name)

    example = f"Example: leadcast {name}"
    app.command(name, help=meaning, epilog=example, rich_help_panel=_STAGE_PANEL)(command)


for _name, _meaning in STAGES.items():
    if _name != "score":
        _add_stage(_name, _meaning)


@app.command(
    "score",
    help=STAGES["score"]
    + "\n\nWithout --as-of it is the stage: the model just trained, at score.as_of. With it, the champion "
    "of the registry scores, and the result is kept in data/scores.",
    epilog="Examples: leadcast score | leadcast score --as-of now | leadcast score --as-of 2026-06-29 --backfill",
    rich_help_panel=_STAGE_PANEL,
)
def score(
    as_of: Annotated[
        str | None, typer.Option(help="now, latest (the end of the log), or a date, in UTC.", show_default=False)
    ] = None,
    *,
    backfill: Annotated[
        bool, typer.Option("--backfill", help="Allow a moment that the champion has learned from.")
    ] = False,
) -> None:
    """Score with the model just trained, or with the champion."""
    if as_of is None:
        if backfill:
            raise typer.BadParameter("--backfill goes with --as-of; name the moment")
        _run_stage("score")
        return
    with _reporting("score"):
        from pipeline.parameters import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(Path("params.yaml"))
        from pipeline import champion  # noqa: PLC0415 - heavy

        folder = champion.run(parameters, Path(), lambda text: _progress("score", text), as_of, backfill=backfill)
        _progress("score", f"wrote {folder}")


@app.command(
    help="Simulate eighteen months of a company's leads, as raw files to try everything on.",
    epilog="Examples: leadcast sample | leadcast sample --leads 100000 --directory data/raw --seed 1",
)
def sample(
    leads: Annotated[int, typer.Option(min=1, help="How many people.")] = 12_000,
    seed: Annotated[int, typer.Option(min=0, help="Equal seeds give equal bytes.")] = 7,
    directory: Annotated[Path, typer.Option(help="An empty or missing folder.")] = Path("data/raw"),
) -> None:
    """Write the sample world."""
    with _reporting("sample"):
        if directory.exists() and any(directory.iterdir()):
            raise InputError(
                f"{directory} holds files, and nothing is overwritten; name another --directory or empty it"
            )
        from pipeline.sample import write_sample  # noqa: PLC0415 - heavy

        counts = write_sample(
            directory,
            leads=leads,
            seed=seed,
            progress=lambda done, of: _progress("sample", f"simulated {done:,} of {of:,} leads"),
        )
        _progress("sample", f"wrote {counts.interactions:,} interactions of {counts.leads:,} leads to {directory}")


@app.command(
    help="Open MLflow on the project's runs, in the browser of this machine.",
    epilog="Examples: leadcast ui | leadcast ui --port 5001",
)
def ui(port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = 5000) -> None:
    """Start MLflow's interface; it runs until it is stopped."""
    with _reporting("ui"):
        from pipeline.parameters import load_parameters  # noqa: PLC0415 - a wrong setting is told before heavy imports

        parameters = load_parameters(Path("params.yaml"))
        from pipeline.tracking import connected, experiment_id, tracking_uri  # noqa: PLC0415 - heavy

        uri = tracking_uri(Path())
        with connected(Path()) as client:
            experiment = experiment_id(client, Path(), parameters.evaluate.experiment)
        _progress("ui", f"open http://127.0.0.1:{port}/#/experiments/{experiment}/runs (stop with Ctrl-C)")
        command = ["mlflow", "ui", "--backend-store-uri", uri, "--port", str(port)]
        os.execv(sys.executable, [sys.executable, "-m", *command])  # noqa: S606 - no shell


def main() -> None:
    """Run the command line."""
    try:
        app(prog_name="leadcast")
    except KeyboardInterrupt:
        _console.print("stopped")
        sys.exit(130)


if __name__ == "__main__":
    main()
