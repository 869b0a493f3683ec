"""Fixtures that several files share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from engines import Engine, interpret, on_kernel, on_reference
from postgresql import Server, running_server
from tracking_stores import copy_what_a_new_store_holds
from world import Project, new_project

os.environ["OMP_NUM_THREADS"] = "1"  # on a busy machine LightGBM's threads wait for each other
os.environ.pop("MLFLOW_TRACKING_URI", None)  # the tests' runs are nobody else's

THIRD_PARTY_WARNINGS = (
    "ignore:module 'sre_.*' is deprecated:DeprecationWarning",  # imported by Great Expectations
    "ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning",  # used by MLflow
    "ignore:.*Any type hint is inferred as AnyType:UserWarning",  # of MLflow's own types, as it is imported
)


# They go the whole way through code that other tests cover, and to trace it takes up to half as long again.
NOT_TRACED = {
    *("test_cases_whole", "test_late_outcomes", "test_loan_log", "test_recipe_runs", "test_recipes", "test_hindsight"),
    *("test_changed_outputs", "test_interrupted", "test_known_types", "test_sources_that_end", "test_too_little"),
    *("test_headers", "test_looks", "test_merges", "test_outcome_tables", "test_stamps", "test_vendor_exports"),
    *("test_chance", "test_outcome_holes", "test_soak", "test_verdicts"),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out of the measure of coverage what others measure."""
    for item in items:
        if item.path.stem in NOT_TRACED:
            item.add_marker(pytest.mark.no_cover)


def pytest_configure(config: pytest.Config) -> None:
    """Let pass what others' packages warn of while they are imported; every other warning is an error."""
    for line in THIRD_PARTY_WARNINGS:
        config.addinivalue_line("filterwarnings", line)


@pytest.fixture(autouse=True)
def _new_stores() -> None:
    copy_what_a_new_store_holds()


@pytest.fixture(params=["reference", "kernel", "kernel uncompiled"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """Every way there is to compute a feature."""
    if request.param == "reference":
        return on_reference
    if request.param == "kernel uncompiled":
        interpret(monkeypatch)
    return on_kernel


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Run all stages on a small world, once. It is shared: a test that writes makes its own copy."""
    return new_project(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """Run a PostgreSQL server, once."""
    with running_server() as server:
        yield server
