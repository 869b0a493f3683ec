"""The command line as the tests call it: in this process, or as it is installed."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
import typer.testing

from pipeline.commands.app import app

typer.testing._get_command = functools.cache(typer.main.get_command)  # type: ignore[attr-defined]  # noqa: SLF001 - no other way in
"""The commands are put together once for all calls: it takes longer than many of them."""
WIDE = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"}


def call(*arguments: str) -> tuple[int, str]:
    """Call the command line in this process; gives the exit code, and all that was printed with single spaces."""
    result = typer.testing.CliRunner(env=WIDE).invoke(app, list(arguments), prog_name="leadcast")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, re.sub(r"[\s│]+", " ", result.output)


def call_for_its_output(*arguments: str) -> str:
    """Call the command line in this process, which must succeed; gives standard output alone, as it is."""
    result = typer.testing.CliRunner(env=WIDE).invoke(app, list(arguments), prog_name="leadcast")
    assert result.exit_code == 0, result.stderr
    return result.stdout


def call_executable(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Call the command as it is installed, in ``folder``."""
    result = subprocess.run(
        [str(Path(sys.executable).parent / "leadcast"), *arguments],
        cwd=folder, env=os.environ | WIDE, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return result.returncode, result.stdout, " ".join(result.stderr.split())


def failure(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, str]:
    monkeypatch.chdir(folder)
    code, text = call(*arguments)
    assert "Traceback" not in text
    assert text.count(f"{arguments[0]} failed ") == 1, "one message"
    return code, text
