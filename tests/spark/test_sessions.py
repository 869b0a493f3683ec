"""How a session comes about, and what is said where it does not; each in a process of its own, as commands are."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from house import ROOT
from sparks import LOCAL, free_port, require_spark

from features.core.errors import LeadcastError
from pipeline.spark import session
from pipeline.spark.failures import explain
from pipeline.spark.shipping import pack_code

_OPEN = """
from features.core.errors import LeadcastError
from pipeline.spark.session import open_session
for master in {masters!r}:
    try:
        print("session", open_session(master).range(3).count())
    except LeadcastError as error:
        print(type(error).__name__, error)
"""


def opened(*masters: str | None, before: str = "", **environment: str) -> list[str]:
    """Open sessions, one after the other, in a process of its own and count to three; gives what it prints of each."""
    done = subprocess.run(
        [sys.executable, "-c", before + _OPEN.format(masters=masters)],
        cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-len(masters) :]


def test_pyspark_that_is_missing_is_told_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "find_spec", lambda _: None)
    with pytest.raises(LeadcastError, match=r"needs pyspark, which is not installed; make spark"):
        session.open_session(LOCAL)


def test_java_that_is_missing_is_told_with_how_to_get_it(tmp_path: Path) -> None:
    require_spark()
    [told] = opened(LOCAL, JAVA_HOME=str(tmp_path))
    assert told.startswith(
        f"LeadcastError Spark needs Java 17, and there is no java below JAVA_HOME={tmp_path}; apt-get"
    )
    assert "there is no java on the path" in opened(LOCAL, JAVA_HOME="", PATH=str(tmp_path))[0]


@pytest.mark.parametrize("kind", ["spark", "sc"])
def test_a_master_that_does_not_answer_is_told_at_once(kind: str) -> None:
    require_spark()
    place = f"127.0.0.1:{free_port()}"
    [told] = opened(f"{kind}://{place}")
    assert told.startswith(f"LeadcastError Spark at {kind}://{place} does not answer ({place}: [Errno 111]")
    assert told.endswith("start it, or correct run.master")


_HANDED_OVER = "from pyspark.sql import SparkSession; SparkSession.builder.master('local[1]').getOrCreate()\n"


def test_a_session_that_the_process_has_is_used_unless_the_settings_name_another() -> None:
    require_spark()
    *used, told = opened(None, "local[1]", "local[2]", before=_HANDED_OVER)
    assert used == ["session 3", "session 3"]
    assert told.startswith(
        "SettingsError run.master is local[2], and this process has a session with local[1] already;"
    )


def test_the_session_that_spark_remote_names_is_used() -> None:
    require_spark()
    assert opened(None, SPARK_REMOTE="local[1]") == ["session 3"]


def test_the_code_that_is_sent_along_has_the_same_bytes_and_is_imported_from_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    archive = pack_code(tmp_path / "a")
    assert archive.read_bytes() == pack_code(tmp_path / "b").read_bytes()
    assert {"features/__init__.py", "pipeline/matrix/tasks.py"} <= set(zipfile.ZipFile(archive).namelist())
    packages = [place for place in sys.path if place.endswith("site-packages")]
    ask = "import pipeline.matrix.tasks as tasks, pipeline.snapshots.looking; print(tasks.__file__)"
    where = subprocess.run(
        [sys.executable, "-S", "-c", ask],
        cwd=tmp_path, env={"PYTHONPATH": os.pathsep.join([str(archive), *packages])},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.strip() == str(archive / "pipeline/matrix/tasks.py")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "Job aborted\nTraceback:\nfeatures.core.errors.InputError: a lead has too many\n SQLSTATE: 38000",
            "InputError: a lead has too many",
        ),
        (
            "Traceback\nModuleNotFoundError: No module named 'numba'\n",
            "LeadcastError: nothing: the Python of Spark's executors lacks 'numba'; give them",
        ),
        (
            "An error occurred\n\tat org.apache\nCaused by: java.io.IOException: No space left on device\n\t... 3 more",
            "LeadcastError: nothing: java.io.IOException: No space left on device",
        ),
        ("", "LeadcastError: nothing: it gave no reason"),
    ],
)
def test_what_spark_says_becomes_one_line(text: str, told: str) -> None:
    error = explain(text, "nothing")
    assert f"{type(error).__name__}: {error}".startswith(told)
    assert "\n" not in str(error)
