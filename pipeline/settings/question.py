"""What a model was asked: the settings that its probabilities depend on, no more and no less.

A champion may only be asked the question it learned to answer. What ends an episode, how far ahead we look, who acted,
when it was known and in which currency it was worth something give a probability its meaning; where files lie, how they
are written, what the funnel counts and where tiers are cut do not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from features.core.time import format_duration
from pipeline.settings.events import ActorByType, KnownColumn, KnownDelay
from pipeline.settings.ingest import Ingest, Source
from pipeline.settings.timeline import AfterConversion, Episodes, Snapshots
from pipeline.settings.types import Constant

Question = Mapping[str, Any]


class Sections(Protocol):
    """The sections of the settings that are asked for here."""

    episodes: Episodes
    ingest: Ingest
    snapshots: Snapshots


def question_of(parameters: Sections) -> dict[str, Any]:
    """Give what a probability depends on, by the places of the settings, as JSON holds it."""
    episodes, ingest = parameters.episodes, parameters.ingest
    sources = ingest.sources.values()
    leads = ingest.leads
    asked: dict[str, Any] = {
        "snapshots.horizon": format_duration(parameters.snapshots.horizon),
        "episodes.conversion": sorted(episodes.conversion),
        "episodes.lost": sorted(episodes.lost),
        "episodes.reopen_on": sorted(episodes.reopen_on),
        "episodes.reopen_after": format_duration(episodes.reopen_after) if episodes.reopen_on else None,
        "episodes.after_conversion": _describe_return(episodes.after_conversion),
        "ingest.currency": ingest.currency if any(source.columns.value for source in sources) else None,
        "ingest.leads": sorted(leads.columns.model_fields_set) if leads else None,
        "ingest.leads.attributes": dict(sorted(leads.attributes.items())) if leads else {},
        "ingest.identities": ingest.identities is not None,
        "ingest.channels": None,
        "ingest.sources": {name: _describe(source) for name, source in sorted(ingest.sources.items())},
    }
    if ingest.channels is not None and any(source.columns.traffic() for source in sources):
        asked["ingest.channels"] = [rule.model_dump(mode="json", exclude_defaults=True) for rule in ingest.channels]
    return asked


def _describe_return(after: AfterConversion | None) -> dict[str, Any] | None:
    """Say what brings a customer back."""
    if after is None:
        return None
    return {"reopen_on": sorted(after.reopen_on), "reopen_after": format_duration(after.reopen_after)}


def _describe(source: Source) -> dict[str, Any]:
    """Say what the events of a source mean, whatever its columns are called."""
    actor, known = source.actor, source.known_at
    who: object = actor
    if isinstance(actor, ActorByType):
        lists = actor.model_dump()
        who = {name: sorted(types) if isinstance(types, tuple) else types for name, types in lists.items()}
    when = format_duration(known.delay) if isinstance(known, KnownDelay) else known
    if isinstance(known, KnownColumn):
        when = "a column"
    columns = {name: getattr(source.columns, name) for name in sorted(source.columns.model_fields_set)}
    says = {
        name: value.constant
        if isinstance(value, Constant)
        else sorted(value.values())
        if isinstance(value, dict)
        else "a column"
        for name, value in columns.items()
        if value
    }
    return {"actor": who, "known_at": when} | {f"columns.{name}": meaning for name, meaning in says.items()}


def differences(asked: Question, now: Question) -> list[str]:
    """Say in words where two questions differ.

    Of the attributes, only those that were asked for count; and a source may be renamed, for no feature asks for its
    name.
    """
    told = []
    for place in sorted(asked.keys() | now.keys()):
        before, after = asked.get(place), now.get(place)
        if place == "ingest.leads.attributes":
            after = {name: kind for name, kind in (after or {}).items() if name in (before or {})}
        if place == "ingest.sources":
            told += _differences_of_sources(before or {}, after or {})
        elif before != after:
            told.append(_difference(place, before, after))
    return told


def _differences_of_sources(before: Question, after: Question) -> list[str]:
    if sorted(map(_shown, before.values())) == sorted(map(_shown, after.values())):
        return []
    told = []
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            told.append(f"ingest.sources.{name} {'is new' if name in after else 'is gone'}")
            continue
        told += [
            _difference(f"ingest.sources.{name}.{field}", before[name].get(field), after[name].get(field))
            for field in sorted(before[name].keys() | after[name].keys())
            if before[name].get(field) != after[name].get(field)
        ]
    return told


def _difference(place: str, before: object, after: object) -> str:
    return f"{place} was {_shown(before)}, and is {_shown(after)}"


def _shown(value: object) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False, sort_keys=True)
