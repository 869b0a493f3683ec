"""Environments of peers that are no part of the project's own, and of which one needs an older pandas."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PINNED = {
    "featuretools": (
        "featuretools==1.31.0",
        "woodwork==0.31.0",
        "pandas==2.2.3",
        "numpy==1.26.4",
        "pyarrow==17.0.0",
        "scikit-learn==1.6.1",
        "scipy==1.14.1",
        "setuptools==80.9.0",  # woodwork asks it for pkg_resources
    ),
    "polars": ("polars==2.1.0",),
    "chdb": ("chdb==4.4.0", "chdb-core==26.9.0", "pandas==3.1.1", "numpy==2.4.6", "pyarrow==26.0.1"),
}
"""What is installed in each, by the name of the package that is imported."""


class NotAvailableError(RuntimeError):
    """The environment could not be made; the text says why."""


def is_there(peer: str, folder: Path) -> bool:
    """Tell whether the environment of a peer in ``folder`` has been made, of what is pinned now."""
    ready = folder / peer / "ready"
    return ready.exists() and ready.read_text(encoding="utf-8") == "\n".join(PINNED[peer])


def python_of(peer: str, folder: Path) -> str:
    """Make the environment of a peer in ``folder`` unless it is there, and give its interpreter.

    Raises NotAvailableError, where its packages can't be had or don't work.
    """
    own = folder / peer
    python = own / "bin" / "python"
    if is_there(peer, folder):
        return str(python)
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PINNED[peer]]
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(own)],
        install,
        [str(python), "-c", f"import {peer}"],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            raise NotAvailableError(f"its environment can't be made: {last[:200]}")
    (own / "ready").write_text("\n".join(PINNED[peer]), encoding="utf-8")
    return str(python)
