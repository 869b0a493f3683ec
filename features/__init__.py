"""What was known of a lead, and when. Pure: no files, clock, MLflow or CRM.

The names below are for notebooks. Each is fetched when it is asked for, or whoever imports one file would import all.
"""

from __future__ import annotations

from importlib import import_module

_HOMES = {
    "FIT": "features.core.schema",
    "PARTS": "features.core.schema",
    "TEST": "features.core.schema",
    "Catalogue": "features.language.catalogue",
    "Feature": "features.language.feature",
    "Filter": "features.language.filters",
    "assign_labels": "features.timeline.labels",
    "compute_matrix": "features.engines.compiled",
    "find_episodes": "features.timeline.snapshots",
}
__all__ = list(_HOMES)


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
