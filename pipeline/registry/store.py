"""MLflow's store as a file of SQLite, made whole or not at all.

MLflow makes it in a hundred steps, each by itself. Killed between two of them it leaves a store that it can neither use
nor complete, and so would every later run be refused.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.core.project import written_whole


def make_store(uri: str) -> None:
    """Make the store, where it is to be a file that is not there yet and whose folder is."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore  # noqa: PLC0415 - takes seconds
    from sqlalchemy.engine import make_url  # noqa: PLC0415

    database = make_url(uri).database if uri.startswith("sqlite:") else None
    if not database or Path(database).exists() or not Path(database).parent.is_dir():
        return
    with written_whole(Path(database)) as temporary:
        SqlAlchemyStore(f"sqlite:///{temporary}", (temporary.parent / "mlruns").resolve().as_uri()).engine.dispose()
