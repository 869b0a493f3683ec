"""The page on which a reviewer lands: champion, challenger and baselines, and of them the columns that matter.

MLflow keeps such a view as a tag of the experiment. It is not documented: what is written here is what 3.17 reads, and
a test in a real browser holds it.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

from pipeline.registry.versions import CHAMPION, alias_of

COMPARED = "compared"
"""The tag of the run of a comparison: the model_version of both, A and B. Runs of models have no such tag."""
_KEY = "leadcast"
_TAG = f"mlflow.sharedViewState.{_KEY}"
_COLUMNS = (
    "tags.`role`",
    "metrics.`verdict/log_loss`",
    "metrics.`verdict/gain_over_base_rate`",
    "metrics.`ranking/roc_auc`",
    "metrics.`calibration/error`",
    "metrics.`calibration/slope`",
)
_SECTIONS = {
    "verdict": ("verdict/log_loss", "verdict/gain_over_base_rate", "newest/log_loss"),
    "ranking": ("ranking/roc_auc", "ranking/lift_at_10", "ranking/average_precision"),
    "calibration": ("calibration/error", "calibration/error_by_chance", "calibration/slope"),
}
_NOTE, _BEGINS = "mlflow.note.content", "Does a lead convert?"
_LEARNING, _PICTURES = "learning", "pictures"
_CREATED = 0
"""The view has no time of its own: it is the same whenever it is written."""


def page_of(experiment: str, mode: str = "CHART") -> str:
    """Give the address of the page, behind that of the server; ``mode``: CHART, or TABLE for the columns alone."""
    asked = f"viewStateShareKey={_KEY}&workflowType=machine_learning&compareRunsMode={mode}"
    return f"/#/experiments/{experiment}/runs?{asked}"


def describe_experiment(client: Any, experiment: str, model_name: str) -> None:  # noqa: ANN401 - MLflow's own
    """Write the view of an experiment, and its description with the links that hold now."""
    state = base64.b64encode(zlib.compress(json.dumps(_state(), sort_keys=True).encode())).decode()
    view = {"name": "Champion, challenger and baselines", "createdAt": _CREATED, "updatedAt": _CREATED}
    client.set_experiment_tag(experiment, _TAG, json.dumps({**view, "state": f"deflate;{state}"}))
    former = client.get_experiment(experiment).tags.get(_NOTE, _BEGINS)
    latest = _tell_champion(client, model_name) + _tell_comparison(client, experiment)
    about = f"""{_BEGINS} One run for each model, and one for each baseline.

- Champion, challenger and baselines side by side: [charts]({page_of(experiment)[1:]}),
  [table]({page_of(experiment, "TABLE")[1:]})
- [The versions, with the card of each](#/models/{model_name})
{latest}- How to review: docs/reviewing.md. In short: `leadcast compare champion challenger`, then on the version the
  tag `review` (approved or refused) with `review_reason`, or `leadcast promote VERSION`.
"""
    if former.startswith(_BEGINS):  # what a person has written stays
        client.set_experiment_tag(experiment, _NOTE, about)
    client.set_experiment_tag(experiment, "mlflow.experimentKind", "custom_model_development")


def _tell_champion(client: Any, model_name: str) -> str:  # noqa: ANN401 - MLflow's own
    number = alias_of(client, model_name, CHAMPION)
    return f"- [The champion's card](#/models/{model_name}/versions/{number}), version {number}\n" if number else ""


def _tell_comparison(client: Any, experiment: str) -> str:  # noqa: ANN401 - MLflow's own
    runs = client.search_runs([experiment], f"tags.{COMPARED} != ''", max_results=1, order_by=["start_time DESC"])
    return "".join(
        f"- [The last comparison](#/experiments/{experiment}/runs/{run.info.run_id}/artifacts), {run.info.run_name}\n"
        for run in runs
    )


def _state() -> dict[str, Any]:
    sections = [*_SECTIONS, _LEARNING, _PICTURES]
    charts: list[dict[str, Any]] = [
        {**_card("BAR", section, metric), "metricKey": metric, "runsCountToCompare": 10}
        for section, metrics in _SECTIONS.items()
        for metric in metrics
    ]
    learning = "learning/log_loss"
    charts.append(
        {
            **_card("LINE", _LEARNING, learning), "metricKey": learning, "selectedMetricKeys": [learning],
            "xAxisKey": "step", "scaleType": "linear", "xAxisScaleType": "linear", "lineSmoothness": 0,
            "selectedXAxisMetricKey": "", "useGlobalXaxisKey": False, "useGlobalLineSmoothing": False,
            "range": {"xMin": None, "xMax": None, "yMin": None, "yMax": None}, "displayPoints": True,
        }
    )  # fmt: skip
    charts += [
        {**_card("IMAGE", _PICTURES, name), "imageKeys": [name], "step": 0}
        for name in ("calibration", "gains", "precision_recall")
    ]
    return {
        "searchFilter": "tags.`role` LIKE '%'",
        "orderByKey": "metrics.`verdict/log_loss`",
        "orderByAsc": True,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "modelVersionFilter": "All Runs",
        "datasetsFilter": [],
        "selectedColumns": list(_COLUMNS),
        "columnOrder": list(_COLUMNS),
        "columnWidths": {},
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "FIRST_20_RUNS",
        "compareRunCharts": charts,
        "compareRunSections": [
            {
                "uuid": name,
                "name": name,
                "display": True,
                "isReordered": True,
                "deleted": False,
                "isGenerated": False,
                "columns": 2,
                "cardHeight": 300,
            }
            for name in sections
        ],
        "viewMaximized": False,
        "runListHidden": False,
        "isAccordionReordered": True,
        "useGroupedValuesInCharts": True,
        "hideEmptyCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
        "autoRefreshEnabled": False,
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
    }


def _card(kind: str, section: str, name: str) -> dict[str, Any]:
    return {
        "type": kind, "uuid": f"{section}-{name}", "metricSectionId": section, "isGenerated": False, "deleted": False,
        "displayName": name.rpartition("/")[2].replace("_", " "),
    }  # fmt: skip
