"""MLflow: where its store is, and a client on it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.core.project import Places
from pipeline.registry.refusals import check_experiment, refusal
from pipeline.registry.store import make_store


def tracking_uri(places: Places) -> str:
    """Give the address of the tracking store: MLFLOW_TRACKING_URI, or SQLite in the project's own folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{places.store.resolve()}"


@contextmanager
def connected(places: Places) -> Iterator[Any]:
    """Give MLflow's client on the project's store, without its chatter and its telemetry."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    # MLflow's own patience is seven tries of two minutes each: a server that is not there is told within one minute.
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    import mlflow  # noqa: PLC0415 - takes seconds
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    uri = tracking_uri(places)
    # MLflow keeps what it is told in the environment, where the next project would find it.
    tracking_before, registry_before = (os.environ.get(f"MLFLOW_{name}_URI") for name in ("TRACKING", "REGISTRY"))
    try:
        make_store(uri)
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        yield mlflow.MlflowClient(uri)
    except (mlflow.MlflowException, SQLAlchemyError) as error:
        raise refusal(error, uri) from None
    finally:
        mlflow.set_tracking_uri(tracking_before)
        mlflow.set_registry_uri(registry_before)
        if registry_before is None:
            os.environ.pop("MLFLOW_REGISTRY_URI", None)  # which MLflow leaves there


def experiment_id(client: Any, places: Places, name: str) -> str:  # noqa: ANN401 - MLflow's own
    """Find the experiment, or make it with its artefacts in the project's ``mlruns``.

    Raises RegistryError where it can't be written to.
    """
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        check_experiment(experiment, tracking_uri(places))
        return str(experiment.experiment_id)
    local = tracking_uri(places).startswith("sqlite:")
    return str(client.create_experiment(name, places.artefacts.resolve().as_uri() if local else None))
