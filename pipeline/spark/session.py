"""The session with Spark: the one that is there already, or a new one where the settings, or Spark's own, say it is."""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from features.core.errors import LeadcastError, SettingsError
from pipeline.spark.failures import explained
from pipeline.spark.shipping import ship_code

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_TRIES = 4
"""How often a task is tried in ``local`` mode; on a cluster Spark itself does so."""
_SETTINGS = {
    "spark.ui.showConsoleProgress": "false",  # progress is told by the stage
    "spark.sql.session.timeZone": "UTC",
}
_OF_ONE_MACHINE = {
    "spark.log.level": "FATAL",  # what went wrong is told once, by us; a cluster's people read its log
    "spark.driver.bindAddress": "127.0.0.1",  # nobody else has to reach it
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
}
_PORTS = {"spark": 7077, "sc": 15002}
_PATIENCE_SECONDS = 5.0


def open_session(master: str | None) -> SparkSession:
    """Give a session with the master (as ``run.master`` names it) whose executors have this project's code.

    Without a master: the session that the process has, as in a notebook, which is left as it is; else the one that
    SPARK_REMOTE names; else ``local[*]``. Raises SettingsError where the process has a session with another master, and
    LeadcastError where pyspark or Java is missing, or the master does not answer.
    """
    _require_pyspark()
    logging.getLogger("py4j").setLevel(logging.CRITICAL)  # what fails is told once, by us
    # Rows pass as Arrow: none of the features that the warning means is used.
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    from pyspark.sql import SparkSession  # noqa: PLC0415 - who computes locally need not have it

    session = _active(SparkSession, master)
    if session is None:
        # SPARK_REMOTE=local[2] is Spark's own way to have a server of Spark Connect started.
        remote = os.environ.get("SPARK_REMOTE") if master is None else None
        session = _connect(remote) if remote else _start(master or "local[*]")
    ship_code(session)
    return session


def require_installed(master: str | None) -> None:
    """Raise LeadcastError where what a session with the master needs on this machine is missing."""
    _require_pyspark()
    if not (master or os.environ.get("SPARK_REMOTE", "")).startswith("sc://"):
        _require_java()


def _require_pyspark() -> None:
    if find_spec("pyspark") is None:
        raise LeadcastError("run.executor: spark needs pyspark, which is not installed; make spark")


def _active(sessions: type[SparkSession], master: str | None) -> SparkSession | None:
    """Give the session of this process, where there is one; it must be with the master that is asked for."""
    session = sessions.getActiveSession()
    if session is None or master is None or master.startswith("sc://"):
        return session
    present = session.sparkContext.master
    if present not in {master, _with_tries(master)}:
        raise SettingsError(
            f"run.master is {master}, and this process has a session with {present} already; stop that one, or leave "
            "run.master out to use it"
        )
    return session


def _connect(remote: str) -> SparkSession:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - see open_session

    _require_answer(remote)
    with explained(f"Spark Connect gave no session at {remote}"):
        return SparkSession.builder.appName("leadcast").remote(remote).getOrCreate()


def _start(master: str) -> SparkSession:
    from pyspark.sql import SparkSession  # noqa: PLC0415 - see open_session

    if master.startswith("sc://"):
        return _connect(master)
    _require_java()
    _require_answer(master)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("leadcast")
    settings = _SETTINGS | (_OF_ONE_MACHINE if master.startswith("local") else {})
    for name, value in settings.items():
        builder = builder.config(name, value)
    with explained(f"Spark did not start with the master {master}"):
        return builder.master(_with_tries(master)).getOrCreate()


def _with_tries(master: str) -> str:
    """Let ``local`` try a task again whose worker has died, as a cluster does.

    >>> [_with_tries(master) for master in ("local", "local[2]", "local[*,1]", "yarn")]
    ['local[1,4]', 'local[2,4]', 'local[*,1]', 'yarn']
    """
    found = re.fullmatch(r"local(?:\[([^,]+)\])?", master)
    return f"local[{found[1] or 1},{_TRIES}]" if found else master


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    if not (Path(home, "bin", "java").is_file() if home else shutil.which("java")):
        raise LeadcastError(
            f"Spark needs Java 17, and there is no java {f'below JAVA_HOME={home}' if home else 'on the path'}; "
            "apt-get install openjdk-17-jre-headless, or let JAVA_HOME name the folder where it is"
        )


def _require_answer(master: str) -> None:
    """Raise LeadcastError where nobody takes connections there: Spark itself would try for minutes."""
    places = re.match(r"(spark|sc)://([^/;]+)", master)
    if not places:
        return
    reasons = []
    for place in places[2].split(","):
        host, _, port = place.partition(":")
        try:
            with socket.create_connection((host, int(port or _PORTS[places[1]])), _PATIENCE_SECONDS):
                return
        except (OSError, ValueError) as error:
            reasons.append(f"{place}: {error}")
    raise LeadcastError(f"Spark at {master} does not answer ({'; '.join(reasons)}); start it, or correct run.master")
