"""A project that is tracked, and its store, for each file of tests that asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tracking_stores import Store, track_copy
from world import Project

from pipeline.registry.mlflow import connected


@pytest.fixture(scope="module")
def tracked(world: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return track_copy(world, tmp_path_factory.mktemp("tracked") / "project")


@pytest.fixture
def store(tracked: Project) -> Iterator[Store]:
    with connected(tracked) as client:
        yield Store(client)
