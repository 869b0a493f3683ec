"""How we learn and decide. Pure: frames in, frames and figures out.

The names below are for notebooks. Each is fetched when it is asked for, or whoever imports one file would import all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.core.model import Model
    from models.evaluation.curves import calibration_curve, conversion_curve, gains_curve, importance
    from models.evaluation.metrics import compare, evaluate
    from models.learning.backtest import backtest
    from models.learning.learner import Recipe, learn
    from models.learning.origins import choose_origins

__all__ = [
    "Model",
    "Recipe",
    "backtest",
    "calibration_curve",
    "choose_origins",
    "compare",
    "conversion_curve",
    "evaluate",
    "gains_curve",
    "importance",
    "learn",
]
_HOMES = {
    "Model": "models.core.model",
    "Recipe": "models.learning.learner",
    "backtest": "models.learning.backtest",
    "calibration_curve": "models.evaluation.curves",
    "choose_origins": "models.learning.origins",
    "compare": "models.evaluation.metrics",
    "conversion_curve": "models.evaluation.curves",
    "evaluate": "models.evaluation.metrics",
    "gains_curve": "models.evaluation.curves",
    "importance": "models.evaluation.curves",
    "learn": "models.learning.learner",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
