"""What was known of a lead, and when. Pure: no files, clock, MLflow or CRM.

The names below are for notebooks. Each is fetched when it is asked for, or whoever imports one file would import all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from features.engines.compiled import compute_matrix
    from features.language.catalogue import Catalogue
    from features.language.feature import Feature
    from features.language.filters import Filter
    from features.timeline.labels import assign_labels
    from features.timeline.snapshots import find_episodes

__all__ = [
    "Catalogue",
    "Feature",
    "Filter",
    "assign_labels",
    "compute_matrix",
    "find_episodes",
]
_HOMES = {
    "Catalogue": "features.language.catalogue",
    "Feature": "features.language.feature",
    "Filter": "features.language.filters",
    "assign_labels": "features.timeline.labels",
    "compute_matrix": "features.engines.compiled",
    "find_episodes": "features.timeline.snapshots",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
