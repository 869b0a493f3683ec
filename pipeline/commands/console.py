"""What the commands say, and how they end: one message and an exit code for what a user can mend."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import typer
from rich.console import Console

from features.core.errors import InputError, LeadcastError
from pipeline.core.spreadsheets import write_csv

console = Console(stderr=True, highlight=False, soft_wrap=True)
_READERS = {"_duckdb", "duckdb", "pyarrow", "json"}
"""Whose failures mean that a file of an earlier stage is broken: raw files have messages of their own."""
_TABLE_WIDTH = 400
_NO_TIME = 0.1
"""Seconds below which nobody asks how long it took."""


@contextmanager
def reporting(name: str) -> Iterator[None]:
    """Turn what a user can mend into one message and an exit code; tell how long it took, if it did."""
    started = time.monotonic()
    try:
        yield
    except LeadcastError as error:
        console.print(f"[bold red]{name} failed[/bold red]", end=" ")
        console.print(str(error), markup=False)
        raise typer.Exit(error.exit_code) from None
    except OSError as error:
        console.print(f"[bold red]{name} failed[/bold red]", end=" ")
        where = f" ({error.filename})" if error.filename else ""
        message = f"{error.strerror or error}{where}; nothing half-written is left. Mend it, then run again"
        console.print(message, markup=False)
        raise typer.Exit(InputError.exit_code) from None
    except Exception as error:
        if type(error).__module__.split(".")[0] not in _READERS:
            raise
        console.print(f"[bold red]{name} failed[/bold red]", end=" ")
        told = str(error).splitlines()[0]
        message = f"a file in data/ can't be read ({told}); make it anew: dvc repro --force"
        console.print(message, markup=False)
        raise typer.Exit(InputError.exit_code) from None
    seconds = time.monotonic() - started
    if seconds >= _NO_TIME:
        tell(name, f"done in {seconds:.1f} s")


def tell(name: str, text: str) -> None:
    """Say one line on behalf of a command."""
    console.print(f"[bold]{name:<9}[/bold] ", end="")
    console.print(text, markup=False)


def print_table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], texts: Sequence[str] = (), *, is_result: bool = False
) -> None:
    """Print a table whose columns hold numbers, but for the first, the last and those that ``texts`` names.

    What was asked for, ``is_result``, goes to standard output; what is told beside it to standard error.
    """
    from rich.table import Table  # noqa: PLC0415 - takes time to import
    from rich.text import Text  # noqa: PLC0415 - likewise

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for header in headers:
        is_text = header in {headers[0], headers[-1], *texts}
        table.add_column(header, justify="left" if is_text else "right", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    # As wide as it is: a terminal folds a line that is too long, and a file takes it.
    Console(stderr=not is_result, highlight=False, width=_TABLE_WIDTH).print(table)


def print_csv(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows as CSV on standard output; a text that would run in a spreadsheet is made a text again."""
    write_csv(sys.stdout, headers, rows)
