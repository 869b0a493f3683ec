"""The champion, as scoring and pages ask for it; refused where it is wrong, or was made it behind everybody's back."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from features.core.errors import RegistryError, VerdictError
from models.core.model import Model
from pipeline.core.project import Places
from pipeline.registry.approvals import decided
from pipeline.registry.mlflow import connected, tracking_uri
from pipeline.registry.refusals import without_secrets
from pipeline.registry.runs import WRONG
from pipeline.registry.versions import CHAMPION, MODEL_VERSION, alias_of, fetch
from pipeline.settings.learning import Evaluate


class Champion(NamedTuple):
    """The model in use, the run that it is from, its version in the registry, and who approved it (or nobody)."""

    model: Model
    run_id: str
    version: str
    approved_by: str


def load_champion(places: Places, settings: Evaluate) -> Champion:
    """Fetch the champion from the registry.

    Raises RegistryError where there is none, or where nobody has decided that it is; VerdictError where it is wrong.
    """
    with connected(places) as client:
        version = alias_of(client, settings.model_name, CHAMPION)
        if version is None:
            raise _no_champion(client, settings, without_secrets(tracking_uri(places)))
        found = client.get_model_version(settings.model_name, version)
        refuse_wrong(found, settings, f"the champion of {settings.model_name!r}, version {version},")
        model = fetch(found)
        by = decided(client, settings.model_name, found, model.version)
        return Champion(model, str(found.run_id), version, by)


def told_of_nobody(champion: Champion) -> str:
    """Say that nobody has approved the champion, and what to do."""
    return (
        f"the champion, version {champion.version}, is the first model and was approved by nobody; look at it "
        f"(leadcast ui), then: leadcast promote {champion.version}"
    )


def find_model(places: Places, settings: Evaluate, model_version: str) -> Model | None:
    """Fetch a model from the registry by its ``model_version``, whatever its role; None where it or a file is gone."""
    with connected(places) as client:
        for found in client.search_model_versions(f"name = '{settings.model_name}'"):
            if found.tags.get(MODEL_VERSION) == model_version:
                try:
                    return fetch(found)
                except RegistryError:
                    continue
    return None


def champion_version(places: Places, settings: Evaluate) -> str | None:
    """Give the model_version of the champion in the registry, or None where there is none."""
    with connected(places) as client:
        version = alias_of(client, settings.model_name, CHAMPION)
        return version and str(client.get_model_version(settings.model_name, version).tags.get(MODEL_VERSION))


def standing_verdicts(version: Any, settings: Evaluate) -> list[str]:  # noqa: ANN401 - MLflow's own
    """Name the verdicts on a version that say wrong, and that the settings don't acquit."""
    names = json.loads(version.tags.get(WRONG, "[]"))
    return [name for name in names if not {name, name.partition(":")[0]} & settings.acquitted.keys()]


def refuse_wrong(version: Any, settings: Evaluate, whose: str) -> None:  # noqa: ANN401 - MLflow's own
    """Raise VerdictError where verdicts on a version say wrong, and the settings don't acquit them."""
    standing = standing_verdicts(version, settings)
    if standing:
        raise VerdictError(
            f"{whose} is wrong by its own figures: {', '.join(standing)}; what was seen and what to do stands in its "
            "run (leadcast ui), and of the model just trained in reports/summary.txt. What you know to be harmless is "
            "acquitted under evaluate.acquitted, with a reason; then run leadcast evaluate"
        )


def _no_champion(client: Any, settings: Evaluate, uri: str) -> RegistryError:  # noqa: ANN401 - MLflow's own
    """Say what makes a champion where there is none; raises VerdictError where the newest version is wrong."""
    versions = client.search_model_versions(f"name = '{settings.model_name}'")
    whose = f"no champion of {settings.model_name!r} in {uri}"
    if not versions:
        return RegistryError(
            f"{whose}; train and register one: make run. Where the model is there, and the store is new: leadcast "
            "register"
        )
    newest = max(versions, key=lambda version: int(version.version))
    refuse_wrong(newest, settings, f"there is no champion of {settings.model_name!r}: version {newest.version}")
    if json.loads(newest.tags.get(WRONG, "[]")):
        return RegistryError(
            f"{whose}: what was wrong with version {newest.version} is acquitted now; judge it anew: leadcast "
            f"evaluate; where there are others, then decide: leadcast promote {newest.version}"
        )
    return RegistryError(f"{whose}, but version {newest.version}; decide it: leadcast promote {newest.version}")
