"""What may be written for a setting or an option, in plain words."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from features.core.section import SettingsSection
from features.core.time import Duration, format_duration
from pipeline.settings.types import AnySection, Column, Encoding, Moment, Name, Span, Zone, is_section

_KINDS: tuple[tuple[object, str, str], ...] = (
    (Column, "column", "columns"),
    (Duration, "length of time, as in `30d`", "lengths of time, as in `[1d, 7d]`"),
    (Moment, 'quoted date, as in `"2026-06-29"`', "quoted dates"),
    (Span, "quoted day, or the first and the last of several", "quoted days, or of the first and the last of several"),
    (Zone, "time zone, as in `Europe/Amsterdam`", "time zones"),
    (Encoding, "encoding, as in `cp1252`", "encodings"),
    (Name, "text", "texts"),
    (str, "text", "texts"),
    (bool, "`true` or `false`", "`true` or `false`"),
    (int, "whole number", "whole numbers"),
    (float, "number", "numbers"),
    (datetime, 'quoted date, as in `"2026-06-29"`', "quoted dates"),
    (date, 'quoted day, as in `"2026-06-29"`', "quoted days"),
    (Path, "path", "paths"),
    (Any, "anything", "anything"),
)
"""An annotation, one value of it, several of them."""
_BOUNDS = {"gt": "above", "ge": "from", "lt": "below", "le": "to"}
"""What a constraint names a bound, and what we do."""
Section = Callable[[AnySection], str]
"""Names the section that describes a class of settings."""


def in_words(annotation: object, section: Section, *, several: bool = False) -> str:
    """Say what may be written where ``annotation`` stands; raises TypeError where there are no words for it."""
    for known, one, many in _KINDS:
        if annotation is known:
            return many if several else one
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if is_section(annotation):
        return section(annotation)
    if origin is typing.Annotated:
        bounds = _bounds(arguments[1:])
        inner = in_words(arguments[0], section, several=several)
        return f"{inner} {bounds}" if bounds and arguments[0] in (int, float) else inner
    if origin is typing.Literal:
        choices = ", ".join(as_written(choice) for choice in arguments)
        return f"any of {choices}" if several else choices if len(arguments) == 1 else f"one of {choices}"
    if origin in (typing.Union, types.UnionType):
        options = [in_words(part, section, several=several) for part in arguments if part is not types.NoneType]
        return ", or ".join(options)
    if origin in (tuple, list):
        return f"list of {in_words(arguments[0], section, several=True)}"
    if origin is dict:
        value = in_words(arguments[1], section)
        return f"names, each with {value}" if value.startswith("[") else f"pairs of text and {value}"
    raise TypeError(f"there are no words for {annotation!r}; add them to docs/build/words.py")


def _bounds(constraints: tuple[object, ...]) -> str:
    """Say between which numbers a number must lie."""
    words = [
        f"{word} {getattr(part, attribute):g}"
        for constraint in constraints
        for part in (constraint.metadata if isinstance(constraint, FieldInfo) else [constraint])
        for attribute, word in _BOUNDS.items()
        if hasattr(part, attribute)
    ]
    return " and ".join(words).replace(" and to ", " to ")


def as_written(value: object) -> str:
    """Write a value as it stands in the settings.

    >>> as_written(timedelta(days=7)), as_written(("lead", "us")), as_written(True), as_written("")
    ('`7d`', '`[lead, us]`', '`true`', '`""`')
    """
    return "none" if value is None else f"`{_yaml(value)}`"


def _yaml(value: object) -> str:
    match value:
        case timedelta():
            return format_duration(value)
        case tuple() | list():
            return f"[{', '.join(map(_yaml, value))}]"
        case SettingsSection():
            said = {name: one for name, one in vars(value).items() if one not in (None, ())}
            return f"{{{', '.join(f'{name}: {_yaml(one)}' for name, one in said.items())}}}"
        case "" | "." | "," | "'":
            return f'"{value}"'
        case Path():
            return value.as_posix()
        case _:
            return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("...\n").strip()
