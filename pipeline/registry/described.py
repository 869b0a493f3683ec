"""What a run was made with, and in which settings it differs from another: as parameters, and in a few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from models.core.model import Model
from pipeline.core.project import Project, read_json
from pipeline.settings.features import Features
from pipeline.settings.ingest import Ingest
from pipeline.settings.learning import Evaluate, Train
from pipeline.settings.run import Run
from pipeline.settings.timeline import Episodes, Snapshots

_MADE_BY = ("episodes", "snapshots", "features", "train")
"""The sections that a model depends on whole; of ``ingest``, what is said and not left as it is."""
_LONGEST_PARAMETER = 6000
_SOURCES, _OWN, _EVENTS = "ingest.sources", "features.of_your_own", "events"
LISTS = (_SOURCES, _OWN, _EVENTS)
"""Parameters that list names: of these a change is what came and what went."""
_DERIVED = ("learner.", f"{_SOURCES}.", "features.declared")
"""Beginnings of parameters that follow from others, or whose names are listed: they make no name of a run."""
_MOST_IN_NAME = 3


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    episodes: Episodes
    evaluate: Evaluate
    features: Features
    ingest: Ingest
    run: Run
    snapshots: Snapshots
    train: Train


def parameters_of(project: Project[Sections], model: Model) -> dict[str, str]:
    """Give all that the model depends on, by its place in the settings; sources, event types and features by name."""
    settings = project.parameters
    sections = {name: getattr(settings, name).model_dump(mode="json", by_alias=True) for name in _MADE_BY}
    del sections["episodes"]["milestones"]  # they are shown, and not learned from
    sections["ingest"] = settings.ingest.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    said = _flat(sections) | {f"learner.{name}": value for name, value in model.manifest["parameters"].items()}
    catalogue = read_json(project.catalogue)
    listed = {
        _SOURCES: settings.ingest.sources,
        _OWN: catalogue["own"],
        _EVENTS: catalogue["vocabulary"]["event_types"],
    }
    said |= {name: " ".join(sorted(names)) for name, names in listed.items()}
    return {name: str(value)[:_LONGEST_PARAMETER] for name, value in sorted(said.items())}


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Give the parameters in which two runs differ, each with both values; what one lacks is not set.

    >>> changes({"train.seed": "7"}, {"train.seed": "8", "train.members": "3"})
    {'train.members': ('not set', '3'), 'train.seed': ('7', '8')}
    """
    return {
        name: (before.get(name, "not set"), after.get(name, "not set"))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    }


def name_of(changed: Mapping[str, tuple[str, str]]) -> str:
    """Say in a few words what was changed; nothing where only what follows from other settings did.

    >>> name_of({"features.windows": ("['P1D']", "['P1D', 'P7D']"), "ingest.sources": ("crm email web", "crm web")})
    'windows 1d 7d · without email'
    """
    said: list[str] = []
    for name, (before, after) in changed.items():
        if name in LISTS:
            gone, new = (sorted(set(one.split()) - set(other.split())) for one, other in
                         ((before, after), (after, before)))  # fmt: skip
            said += [f"without {one}" for one in gone] + [f"with {one}" for one in new]
        elif not name.startswith(_DERIVED):
            said.append(f"{name.rpartition('.')[2].replace('_', ' ')} {_short(after)}")
    rest = len(said) - _MOST_IN_NAME
    return " · ".join(said[:_MOST_IN_NAME] + ([f"{rest} more"] if rest > 0 else []))


def _short(value: str) -> str:
    """Write a value as people do in ``params.yaml``: without brackets, and durations as 7d.

    >>> _short("['P1D', 'PT6H']"), _short("None")
    ('1d 6h', 'not set')
    """
    words = [word.strip("'\"") for word in value.strip("[]()").split(", ")]
    words = [
        word.removeprefix("P").removeprefix("T").lower() if word[:1] == "P" and word[1:].strip("TDHWM0123456789") == ""
        else word
        for word in words
    ]  # fmt: skip
    text = " ".join(words)
    return "not set" if text in ("None", "") else text[:40]


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Name nested settings by their place: ``train.seed``."""
    flat: dict[str, Any] = {}
    for name, value in content.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
