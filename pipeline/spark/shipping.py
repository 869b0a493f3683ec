"""The code that executors need: this project's own, as it is here; what it is built on they must have already.

A task of a cluster is named by its place in the project's packages, which the executor's Python must find. They are
sent along with each session, so that code and settings are never of two versions.
"""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import features
import pipeline

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_PACKAGES = (features, pipeline)
"""Models don't travel: they learn and judge where the session is."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_archives: dict[str, tempfile.TemporaryDirectory[str]] = {}
"""What each session was given, by its id: executors that come later ask for it, too."""


def ship_code(session: SparkSession) -> None:
    """Give the executors of a session this project's packages, once; those of this process have them already."""
    is_connected = not hasattr(session, "sparkContext")
    if not is_connected and session.sparkContext.master.startswith("local"):
        return
    identity = session.session_id if is_connected else session.sparkContext.applicationId
    if identity in _archives:
        return
    _archives[identity] = tempfile.TemporaryDirectory(prefix="leadcast-")
    archive = str(pack_code(Path(_archives[identity].name)))
    if is_connected:
        session.addArtifacts(archive, pyfile=True)
    else:
        session.sparkContext.addPyFile(archive)


def pack_code(folder: Path) -> Path:
    """Write the packages into an archive that Python imports from; equal code gives equal bytes."""
    target = folder / "leadcast.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in _PACKAGES:
            root = Path(package.__path__[0])
            for path in sorted(root.rglob("*.py")):
                entry = zipfile.ZipInfo(str(Path(root.name) / path.relative_to(root)), _EPOCH)
                archive.writestr(entry, path.read_bytes())
    return target
