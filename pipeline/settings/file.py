"""Reading ``params.yaml``: strict, and with all violations told at once."""

from __future__ import annotations

import difflib
import sys
import typing
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from features.core.errors import SettingsError, nearest
from pipeline.settings.parameters import Parameters
from pipeline.settings.strict_yaml import read_yaml
from pipeline.settings.types import AnySection, fields_of, sections_in

MOVED = {
    "ingest.memory_limit": "run.memory_limit",
    "features.memory_limit": "run.memory_limit",
    "score": "recommend",
    "policy": "decision",
}
"""Settings of earlier versions, and where they are now. A file that has both is wrong."""
RETIRED = {
    "decision.maturity.warm": "how far a lead is follows from what it did, no longer from its probability",
    "decision.maturity.hot": "how far a lead is follows from what it did, no longer from its probability",
}
"""Settings of earlier versions that say nothing any more, and why."""
ADDED = ("kpi", "leads", "words")
"""Sections of stages that earlier versions did not have; they may be empty."""
_UNKNOWN = {"extra_forbidden", "unexpected_keyword_argument"}
_NO_SECTION = {"model_type", "dataclass_type"}
"""What pydantic calls a key that is none, and a value for a section, be it a class of its own or a dataclass."""
_MOST_SHOWN = 200
"""Letters at either end of a long value that tell it apart."""


def load_parameters(path: Path) -> Parameters:
    """Read and check the parameters.

    Raises SettingsError, which names every violation by its place in the file and the nearest valid key.
    """
    try:
        content = read_yaml(path)
    except FileNotFoundError:
        raise SettingsError(
            f"{path} is missing; run the command in the project's folder, or copy examples/loan-leads/params.yaml there"
        ) from None
    except OSError as error:
        raise SettingsError(f"{path} can't be read: {error.strerror}; settings must be a file of your own") from None
    if not isinstance(content, dict):
        held = "is empty" if content is None else f"holds a {type(content).__name__}"
        raise SettingsError(
            f"{path} {held}, and no sections such as 'ingest:' and 'snapshots:'; write it with leadcast init, or by "
            "docs/parameters.md"
        )
    for told in _bring_up_to_date(content):
        sys.stderr.write(f"{path}: {told}\n")
    try:
        return Parameters.model_validate(content)
    except ValidationError as error:
        lines = [f"  {_place(violation['loc'])}: {_message(violation)}" for violation in _telling(error)]
        raise SettingsError(f"{path}: settings that are wrong ({len(lines)}):\n" + "\n".join(lines)) from None


def _bring_up_to_date(content: dict[str, object]) -> list[str]:
    """Put what was written for an earlier version in its place, unless that is taken; gives what moved where."""
    told = []
    for old, new in MOVED.items():
        section, _, name = old.rpartition(".")
        above = content.get(section) if section else content
        target, _, renamed = new.rpartition(".")
        below = content.setdefault(target, {}) if target else content
        if isinstance(above, dict) and isinstance(below, dict) and name in above and renamed not in below:
            below[renamed] = above.pop(name)
            told.append(f"{old} is {new} now: rename it. Here it is read all the same; DVC asks for the new name")
    for old, why in RETIRED.items():
        *sections, name = old.split(".")
        at: object = content
        for section in sections:
            at = at.get(section) if isinstance(at, dict) else None
        if isinstance(at, dict) and name in at:
            del at[name]
            told.append(f"{old} has no effect any more: {why}. Leave it out")
    for section in ADDED:
        if section not in content:
            content[section] = {}
            told.append(f"{section} is not there: add '{section}: {{}}'. Here it is taken as empty; DVC asks for it")
    return told


def _telling(error: ValidationError) -> list[typing.Any]:
    """Leave out what only follows from another violation: of the whole by its part, of a key by its mistyped name."""
    violations = error.errors()
    places = [violation["loc"] for violation in violations]
    mistyped = {
        (*violation["loc"][:-1], name)
        for violation in violations
        if violation["type"] in _UNKNOWN
        for name in difflib.get_close_matches(str(violation["loc"][-1]), _keys_at(violation["loc"][:-1]), n=1)
    }
    return [
        violation
        for violation in violations
        if not (violation["type"] == "missing" and violation["loc"] in mistyped)
        and not any(place[: len(violation["loc"])] == violation["loc"] != place for place in places)
    ]


def _place(location: tuple[int | str, ...]) -> str:
    """Write where a violation stands as it reads in the file, without the names of classes."""
    internal = {"Text", "List", "Literal", *(section.__name__ for section in _sections(Parameters))}
    return ".".join(str(step) for step in location if step not in internal) or "(file)"


def _sections(section: AnySection) -> Iterator[AnySection]:
    yield section
    for field in fields_of(section).values():
        for below in sections_in(field.annotation):
            yield from _sections(below)


def _message(violation: typing.Any) -> str:  # noqa: ANN401 - pydantic's own dictionary
    location, kind = violation["loc"], violation["type"]
    moved = MOVED.get(_place(location))
    if kind in _UNKNOWN and moved:
        return f"is {moved} now"
    if kind in _UNKNOWN:
        return f"unknown key; {nearest(str(location[-1]), _keys_at(location[:-1]))}"
    if kind == "missing":
        return "is missing; it has no default (a section may be empty: {})"
    if kind == "value_error":
        return _shorten(str(violation["ctx"]["error"]))
    if kind == "tuple_type":
        return f"must be a list, as in [{violation['input']}]"
    if kind in _NO_SECTION:
        held = "empty" if violation["input"] is None else f"{_shorten(repr(violation['input']))}, and no section"
        return f"is {held}; indent its settings below it, or write {{}} for its defaults"
    message = violation["msg"]
    return f"{message[0].lower()}{message[1:]}; got {_shorten(repr(violation['input']))}"


def _shorten(text: str) -> str:
    """Leave out the middle of a text that holds a long value."""
    return text if len(text) <= 2 * _MOST_SHOWN else f"{text[:_MOST_SHOWN]} ... {text[-_MOST_SHOWN:]}"


def _keys_at(location: tuple[int | str, ...]) -> list[str]:
    """List the keys that the section at ``location`` may have."""
    candidates: list[AnySection] = [Parameters]
    for step in location:
        named = [section for section in candidates if section.__name__ == step]
        fields = [
            field.annotation
            for section in candidates
            for name, field in fields_of(section).items()
            if step in (name, field.alias)
        ]
        if named:
            candidates = named
        elif fields:
            candidates = [section for annotation in fields for section in sections_in(annotation)]
    return sorted({field.alias or name for section in candidates for name, field in fields_of(section).items()})
