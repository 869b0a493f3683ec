"""What is said where MLflow's store can't be used: each time what, where, and what to do."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from features.core.errors import RegistryError
from pipeline.core.project import Places
from pipeline.registry.mlflow import connected, experiment_id
from pipeline.registry.refusals import refusal

NAME = "leadcast"
STORES = ("mlflow.db", ".mlflow.db.tmp")
"""The store, and what it is called while it is made."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a store with one experiment."""
    root = tmp_path_factory.mktemp("made")
    with connected(Places(root)) as client:
        experiment_id(client, Places(root), NAME)
    return root / "mlflow.db"


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """Copy the store, for a test to spoil."""
    shutil.copy(made, tmp_path / "mlflow.db")
    return tmp_path


def said(root: Path) -> str:
    """Give the message of a store that refuses."""
    with pytest.raises(RegistryError) as error, connected(Places(root)) as client:
        client.create_run(experiment_id(client, Places(root), NAME))
    return str(error.value)


def test_a_deleted_experiment_is_restored_by_the_command_that_is_told(tmp_path: Path) -> None:
    root, name = tmp_path / "my project's", "Vertrieb 2026"
    root.mkdir()
    with connected(Places(root)) as client:
        client.delete_experiment(experiment_id(client, Places(root), name))
    with pytest.raises(RegistryError) as error, connected(Places(root)) as client:
        experiment_id(client, Places(root), name)
    told = str(error.value)
    assert f"MLflow's experiment {name!r} at sqlite:///{root}/mlflow.db is deleted; restore it: " in told
    assert told.endswith("; or name another one under evaluate.experiment")
    assert "check that it runs" not in told
    address, *command = shlex.split(told.partition("restore it: ")[2].partition("; or")[0])
    variable, _, uri = address.partition("=")
    subprocess.run([sys.executable, "-m", *command], env={**os.environ, variable: uri}, check=True, capture_output=True)
    with connected(Places(root)) as client:
        assert client.create_run(experiment_id(client, Places(root), name)).info.run_id


def test_an_experiment_whose_files_have_no_place_says_where_they_were(root: Path) -> None:
    with sqlite3.connect(root / "mlflow.db") as store:
        store.execute("UPDATE experiments SET artifact_location = 'file:///gone%20away/project/mlruns'")
    assert "keeps its files in /gone away/project/mlruns, which is not there: has the project's folder" in said(root)


def test_a_store_of_another_version_of_mlflow_is_upgraded(root: Path) -> None:
    with sqlite3.connect(root / "mlflow.db") as store:
        store.execute("UPDATE alembic_version SET version_num = 'abc'")
    told = said(root)
    assert "out-of-date database schema (found version abc, but expected" in told
    assert f"copy it, then run: mlflow db upgrade sqlite:///{root}/mlflow.db" in told


def test_a_store_that_is_no_database_is_put_aside(root: Path) -> None:
    (root / "mlflow.db").write_bytes(b"nothing of the kind " * 500)
    told = said(root)
    assert "file is not a database; the file is damaged, half made, or no database: put a copy of it back" in told


def is_half_made(path: Path) -> bool:
    """Tell whether some of the store's tables are there; the file may come and go meanwhile."""
    try:
        return path.stat().st_size > 200_000
    except FileNotFoundError:
        return False


def test_a_store_whose_making_was_killed_is_made_by_the_next_run(tmp_path: Path) -> None:
    lines = (
        "from pathlib import Path",
        "from pipeline.core.project import Places",
        "from pipeline.registry.mlflow import *",
        f"with connected(Places(Path({str(tmp_path)!r}))) as client: client.search_experiments()",
    )
    with subprocess.Popen([sys.executable, "-c", "\n".join(lines)]) as process:
        while process.poll() is None and not any(map(is_half_made, (tmp_path / name for name in STORES))):
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    with connected(Places(tmp_path)) as client:
        assert experiment_id(client, Places(tmp_path), NAME)
    assert [path.name for path in tmp_path.iterdir()] == ["mlflow.db"]


@pytest.mark.parametrize("said", ["table guardrails already exists", "no such table: runs", "no such column: runs.x"])
def test_a_store_that_an_earlier_version_left_half_made_is_put_aside(said: str) -> None:
    told = str(refusal(sqlite3.OperationalError(said), "sqlite:///mlflow.db"))
    assert f"{said}; the file is damaged, half made, or no database: put a copy of it back, or move it away" in told


def test_a_locked_store_is_waited_for(root: Path) -> None:
    holder = sqlite3.connect(root / "mlflow.db")
    holder.execute("BEGIN EXCLUSIVE")
    try:
        assert "database is locked; another program is writing to it: wait until it is done" in said(root)
    finally:
        holder.close()


def test_a_store_that_does_not_answer_is_a_message_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nosuch://me:secret@127.0.0.1/x")
    with pytest.raises(RegistryError, match="check that it runs, and MLFLOW_TRACKING_URI") as error:  # noqa: SIM117
        with connected(Places(tmp_path)) as client:
            client.search_experiments()
    assert "secret" not in str(error.value)
