"""New tracking stores, made once: MLflow takes two seconds to bring an empty database to its present schema."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from typing import Any

_STORES = "mlflow.store.db.utils"


def copy_what_a_new_store_holds() -> None:
    """Let every new SQLite store of this process begin as a copy of the first, once MLflow has been imported."""
    stores = sys.modules.get(_STORES)
    if stores is None or hasattr(stores, "first_store"):
        return
    upgrade = stores._upgrade_db  # noqa: SLF001 - there is no other way in
    first = stores.first_store = sqlite3.connect(":memory:", check_same_thread=False)  # type: ignore[attr-defined]

    def upgrade_or_copy(engine: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        if engine.dialect.name != "sqlite" or _is_versioned(engine.url.database):
            upgrade(engine)
        elif _is_empty(first):
            upgrade(engine)
            with closing(sqlite3.connect(engine.url.database)) as made:
                made.backup(first)
        else:
            with closing(sqlite3.connect(engine.url.database)) as new:
                first.backup(new)

    stores._upgrade_db = upgrade_or_copy  # type: ignore[attr-defined]  # noqa: SLF001


def _is_empty(store: sqlite3.Connection) -> bool:
    return store.execute("SELECT name FROM sqlite_master").fetchone() is None


def _is_versioned(path: str) -> bool:
    """Say whether a store has a schema, be it an old one."""
    with closing(sqlite3.connect(path)) as store:
        return store.execute("SELECT name FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is not None
