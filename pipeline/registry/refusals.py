"""Why MLflow's store refuses, in words, and what to do: each refusal that a person can mend has its own remedy."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse
from urllib.request import url2pathname

from features.core.errors import RegistryError

_REMEDIES = {
    r"out-of-date database schema|can't locate revision": (
        "another version of MLflow wrote it: copy it, then run: mlflow db upgrade {uri} (where that fails, it is newer "
        "than the MLflow that is installed here: install that one)"
    ),
    r"database is locked": "another program is writing to it: wait until it is done, or end it, and run this again",
    r"readonly database|permission denied": (
        "it may not be written to: give yourself the right to write to the file and its folder"
    ),
    r"unable to open database file": (
        "its folder is not there, or may not be read: make it, or set MLFLOW_TRACKING_URI"
    ),
    r"file is not a database|disk image is malformed|table \S+ already exists|no such (table|column)": (
        "the file is damaged, half made, or no database: put a copy of it back, or move it away; the next run makes a "
        "new one, with a champion of its own"
    ),
}


def without_secrets(text: str) -> str:
    """Leave out the user and the password that an address may hold."""
    return re.sub(r"//[^/@]*@", "//", text)


def refusal(error: Exception, uri: str) -> RegistryError:
    """Put into words what the store at ``uri`` refused."""
    said, address = without_secrets(str(error).replace(uri, without_secrets(uri))), without_secrets(uri)
    lines = [line.strip() for line in said.splitlines() if line.strip()] or [type(error).__name__]
    for pattern, remedy in _REMEDIES.items():
        if re.search(pattern, said, re.IGNORECASE):
            told = remedy.format(uri=shlex.quote(address))
            telling = next((line for line in lines if re.search(pattern, line, re.IGNORECASE)), lines[0])
            return RegistryError(f"MLflow at {address} refuses: {telling.split('. ')[0][:300]}; {told}")
    return RegistryError(f"MLflow at {address} refuses: {lines[0][:300]}; check that it runs, and MLFLOW_TRACKING_URI")


def check_experiment(experiment: Any, uri: str) -> None:  # noqa: ANN401 - MLflow's own
    """Raise RegistryError where nothing can be written to an experiment: it is deleted, or its files have no place."""
    name, address = experiment.name, without_secrets(uri)
    if experiment.lifecycle_stage == "deleted":
        raise RegistryError(
            f"MLflow's experiment {name!r} at {address} is deleted; restore it: "
            f"MLFLOW_TRACKING_URI={shlex.quote(address)} mlflow experiments restore "
            f"--experiment-id {experiment.experiment_id}; or name another one under evaluate.experiment"
        )
    place = urlparse(experiment.artifact_location)
    if place.scheme == "file" and not place.netloc:
        folder = Path(url2pathname(unquote(place.path)))
        if not folder.exists() and not folder.parent.is_dir():
            raise RegistryError(
                f"MLflow's experiment {name!r} at {address} keeps its files in {folder}, which is not there: has the "
                "project's folder been moved? Move it back, or name another one under evaluate.experiment"
            )
