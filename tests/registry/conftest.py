"""A project that is tracked, and its store, for each file of tests that asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tracking_stores import Store
from world import Project

from pipeline.registry.mlflow import connected


@pytest.fixture(scope="module")
def tracked(tracked_once: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return tracked_once.copy_to(tmp_path_factory.mktemp("tracked") / "project", with_store=True)


@pytest.fixture
def store(tracked: Project) -> Iterator[Store]:
    with connected(tracked) as client:
        yield Store(client)
