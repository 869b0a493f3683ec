"""Fixtures that several files share."""

# ruff: noqa: E402 - NumPy is loaded once it is known by which instructions it computes, as by the command line
from __future__ import annotations

from pipeline.core.processor import use_common_instructions

use_common_instructions()

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import yaml
from cases import loan_project
from engines import Engine, interpret, on_kernel, on_reference
from postgresql import Server, running_server
from sparks import LOCAL, require_spark
from tracking_stores import copy_what_a_new_store_holds, track_copy
from world import Project, least_project, new_project, shared_project

from pipeline.matrix import spark as matrix
from pipeline.settings.run import Run
from pipeline.sorting import spark as sorting

os.environ["OMP_NUM_THREADS"] = "1"  # on a busy machine LightGBM's threads wait for each other
os.environ.pop("MLFLOW_TRACKING_URI", None)  # the tests' runs are nobody else's

# Thousands of settings are read and written: libyaml takes a tenth of the time.
yaml.SafeLoader, yaml.SafeDumper = yaml.CSafeLoader, yaml.CSafeDumper  # type: ignore[misc, assignment]

# How long a test takes is no property of the code: a busy machine would make it fail.
hypothesis.settings.register_profile("untimed", hypothesis.settings.default, deadline=None)
hypothesis.settings.load_profile("untimed")

LONGEST = ("spark", "whole", "stages", "monitor", "registry", "discovery")
"""The folders whose files take minutes, not seconds, by how long their longest take: they run stages."""

THIRD_PARTY_WARNINGS = (
    "ignore:module 'sre_.*' is deprecated:DeprecationWarning",  # imported by Great Expectations
    "ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning",  # used by MLflow
    "ignore:PySpark does not yet fully support pandas:FutureWarning",  # where it is installed
    "ignore:.*Any type hint is inferred as AnyType:UserWarning",  # of MLflow's own types, as it is imported
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Take two workers more than there are cores: many tests wait, for a server's answer or for a time to pass."""
    return (os.cpu_count() or 1) + 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object | None:
    """Deal out whole files, and to one worker alone what shares a session with Spark."""
    if config.getvalue("dist") != "loadfile":
        return None
    from scheduling import OneSession  # noqa: PLC0415 - who runs a single file need not have pytest-xdist

    return OneSession(config, log)


def pytest_configure(config: pytest.Config) -> None:
    """Let pass what others' packages warn of while they are imported; every other warning is an error."""
    for line in THIRD_PARTY_WARNINGS:
        config.addinivalue_line("filterwarnings", line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: of what is begun last, one would be left to a single worker."""
    places = {folder: place for place, folder in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.parent.name, len(places)))


def pytest_collection_finish() -> None:
    """Let no search for garbage go through eight thousand tests and all that is imported: they stay to the end."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Let what was imported go in order."""
    gc.unfreeze()


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


@pytest.fixture(params=["local", "spark"])
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Name every executor; on Spark parts are so small that each log has several."""
    if request.param == "local":
        return Run()
    require_spark()
    monkeypatch.setattr(matrix, "PART_EVENTS", 4)
    monkeypatch.setattr(sorting, "STRETCH_ROWS", 4)
    return Run(executor="spark", master=LOCAL)


Make = Callable[[Path], Project]


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Make], Project]:
    """Make projects by their names, once for all workers. They are shared: a test that writes makes its own copy."""
    folder = tmp_path_factory.getbasetemp()
    place = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    return lambda name, make: shared_project(place / name, make)


@pytest.fixture(scope="session")
def world(shared: Callable[[str, Make], Project]) -> Project:
    """Run all stages on a small world, of which a model can learn something."""
    return shared("world", new_project)


@pytest.fixture(scope="session")
def least(shared: Callable[[str, Make], Project]) -> Project:
    """Run all stages on a world so small that they may run again in a test that doesn't ask what was learned."""
    return shared("least", least_project)


@pytest.fixture(scope="session")
def loans(shared: Callable[[str, Make], Project]) -> Project:
    """Run the stages on a real log, up to its recommendations; for tests that skip where it is absent."""
    return shared("loans", loan_project)


@pytest.fixture(scope="session")
def tracked_once(world: Project, shared: Callable[[str, Make], Project]) -> Project:
    """Track the world's model in a store of its own: the champion, which nobody has approved. For copies with it."""
    return shared("tracked", lambda root: track_copy(world, root))


@pytest.fixture(scope="session")
def retrained(tracked_once: Project, shared: Callable[[str, Make], Project]) -> Project:
    """Train a second model, which differs by its seed, beside the champion; nothing of it is tracked yet."""

    def train(root: Path) -> Project:
        project = tracked_once.copy_to(root, with_store=True).with_settings({"train.seed": 8})
        project.run("train")
        return project

    return shared("retrained", train)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """Run a PostgreSQL server, once."""
    with running_server() as server:
        yield server
