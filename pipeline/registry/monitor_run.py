"""A run of MLflow for each day that the champion was watched, below the champion's own: figures by week, no lead."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pipeline.core.project import Places
from pipeline.registry.mlflow import connected
from pipeline.registry.versions import logged_model

_WATCHED = "monitored_model_version"


def log_monitor(places: Places, run_id: str, model_name: str, told: Mapping[str, Any]) -> str:
    """Log what ``reports/monitor.json`` and its page hold in the run of that day, or in a new one; gives its id.

    ``run_id`` is the champion's. Each week is a step: what was promised, what happened, and the bets against it.
    """
    day = datetime.fromisoformat(told["as_of"]).date().isoformat()
    name, version = f"monitor {day}", told["model_version"]
    with connected(places) as client:
        from mlflow.entities import Metric  # noqa: PLC0415 - takes seconds

        experiment = client.get_run(run_id).info.experiment_id
        known = client.search_runs([experiment], f"tags.{_WATCHED} = '{version}' and tags.monitored_on = '{day}'")
        tags = {"mlflow.parentRunId": run_id, _WATCHED: version, "monitored_on": day}
        run = known[0] if known else client.create_run(experiment, run_name=name, tags=tags)
        own = run.info.run_id
        versions = client.search_model_versions(f"name = '{model_name}'")
        model_id = next((logged_model(one) for one in versions if one.tags.get("model_version") == version), None)
        now = int(datetime.now(UTC).timestamp() * 1000)
        metrics = [
            Metric(f"promised/{name}", float(week[key]), now, step, model_id)
            for step, week in enumerate(told["weeks"])
            for name, key in (("expected", "expected"), ("happened", "happened"), ("evidence", "evidence"))
            if week[key] is not None
        ]
        alarms = sum(one["is_alarm"] for one in told["verdicts"])
        moved = sum(one["code"] == "column_moved" for one in told["verdicts"])
        figures = {"alarms": alarms, "suspended": len(told["suspended"]), "drift/notes": moved}
        metrics += [Metric(name, float(value), now, 0, model_id) for name, value in figures.items()]
        client.log_batch(own, metrics=[one for one in metrics if math.isfinite(one.value)])
        for path in (places.monitored, places.monitor_page):
            client.log_artifact(own, str(path))
        client.set_tag(own, "mlflow.note.content", _note(told))
        client.set_terminated(own)
    return str(own)


def _note(told: Mapping[str, Any]) -> str:
    alarms = [one for one in told["verdicts"] if one["is_alarm"]]
    lines = [f"- **{one['title']}** {one['subject'] or ''}: {one['evidence']}. {one['remedy']}." for one in alarms]
    return "\n".join(lines) or "No alarm: no promise is known to be broken, no source that is needed is missing."
