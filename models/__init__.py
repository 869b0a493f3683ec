"""How we learn and decide. Pure: frames in, frames and figures out.

The names below are for notebooks. Each is fetched when it is asked for, or whoever imports one file would import all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.core.artefact import Model
    from models.evaluation.curves import calibration_curve, conversion_curve, gains_curve, importance
    from models.evaluation.metrics import compare, evaluate
    from models.learning.learner import fit

__all__ = ["Model", "calibration_curve", "compare", "conversion_curve", "evaluate", "fit", "gains_curve", "importance"]
_HOMES = {
    "Model": "models.core.artefact",
    "calibration_curve": "models.evaluation.curves",
    "compare": "models.evaluation.metrics",
    "conversion_curve": "models.evaluation.curves",
    "evaluate": "models.evaluation.metrics",
    "fit": "models.learning.learner",
    "gains_curve": "models.evaluation.curves",
    "importance": "models.evaluation.curves",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
