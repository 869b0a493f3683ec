"""The environment of featuretools: it needs an older pandas than the project."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PINNED = (
    "featuretools==1.31.0",
    "woodwork==0.31.0",
    "pandas==2.2.3",
    "numpy==1.26.4",
    "pyarrow==17.0.0",
    "scikit-learn==1.6.1",
    "scipy==1.14.1",
    "setuptools==80.9.0",  # woodwork asks it for pkg_resources
)


class NotAvailableError(RuntimeError):
    """The environment could not be made; the text says why."""


def featuretools_python(folder: Path) -> str:
    """Make the environment in ``folder`` unless it is there, and give its interpreter.

    Raises NotAvailableError, where its packages can't be had or don't work.
    """
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if ready.exists() and ready.read_text(encoding="utf-8") == "\n".join(PINNED):
        return str(python)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PINNED]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        install,
        [str(python), "-c", "import featuretools"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise NotAvailableError(f"its environment can't be made: {last[:200]}")
    ready.write_text("\n".join(PINNED), encoding="utf-8")
    return str(python)
