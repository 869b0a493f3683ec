"""What the tests of one lead share."""

from __future__ import annotations

import pytest
from one_lead import project_of_one_lead
from small_project import SmallProject


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> SmallProject:
    """Make a project whose log is of one lead above all."""
    return project_of_one_lead(tmp_path_factory.mktemp("leads"))
