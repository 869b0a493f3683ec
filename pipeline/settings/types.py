"""What all settings share: strict sections, and the types that are read from text."""

from __future__ import annotations

import ast
import codecs
import difflib
import inspect
import itertools
import re
import sys
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, TypeGuard
from zoneinfo import ZoneInfo, available_timezones

import pydantic.dataclasses
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
)
from pydantic.fields import FieldInfo

from features.core.section import SettingsSection

Share = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(min_length=1)]
Size = Annotated[str, Field(pattern=r"^[1-9]\d{0,6}(MB|GB)$")]
"""An amount of memory, as DuckDB takes it: 500MB, 2GB."""
_COPIES_OF_ZONES = frozenset({"posix", "right", "posixrules"})
"""Where systems keep all zones once more; nobody else knows them by these names."""


def halve(size: str) -> tuple[str, int]:
    """Divide an amount of memory between DuckDB, as it takes it, and our own batches, in bytes.

    >>> halve("1GB")
    ('500MB', 500000000)
    """
    half = in_bytes(size) // 2
    return f"{max(half // 10**6, 1)}MB", half


def in_bytes(size: str) -> int:
    """Give an amount of memory in bytes.

    >>> in_bytes("2GB")
    2000000000
    """
    return int(size[:-2]) * {"MB": 10**6, "GB": 10**9}[size[-2:]]


def read_moment(text: object) -> datetime:
    """Read a quoted date or time; without an offset it is UTC."""
    if not isinstance(text, str):
        raise ValueError(f"{text} must be a quoted date, as in '2026-06-29'")  # noqa: TRY004 - pydantic reports ValueErrors
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no date; write it as '2026-06-29' or '2026-06-29T08:00:00'") from error
    return (moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)).replace(tzinfo=None)


def _read_span(value: object) -> object:
    """Read a quoted day, or a list of the first and the last of several."""
    days = value if isinstance(value, list | tuple) and len(value) == 2 else [value, value]  # noqa: PLR2004 - both ends
    first, last = (day if type(day) is date else _read_day(day) for day in days)
    if last < first:
        raise ValueError(f"{first} to {last} ends before it begins; write the first day first")
    return first, last


def _read_day(text: object) -> date:
    try:
        return date.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        raise ValueError(f"{text!r} is no quoted day, as in '2026-12-25', or ['2026-12-24', '2027-01-01']") from None


def _zone(name: str) -> str:
    if not _is_zone(name):
        known = difflib.get_close_matches(name, sorted(available_timezones()), n=1)
        advice = f"did you mean {known[0]!r}?" if known else "name a place, as in Europe/Paris, or UTC"
        raise ValueError(f"{name!r} is no time zone; {advice}")
    return name


def _is_zone(name: str) -> bool:
    """Tell whether a zone is one of the available ones, without a look into the files of all six hundred."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # there is none, it can be no name, or it is a folder
        return False
    return name.split("/", maxsplit=1)[0] not in _COPIES_OF_ZONES


def _encoding(name: str) -> str:
    try:
        "".encode(name)  # Python knows encodings of other things than letters, too
        return codecs.lookup(name).name
    except LookupError:
        raise ValueError(f"{name!r} is no encoding; write it as in utf-8, utf-16, cp1252 or latin-1") from None


def _as_words(value: object) -> object:
    """Take one text or several; of NULL and false YAML makes something else, so they have to be in quotes."""
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(part, str) for part in values):
        raise ValueError("words must be in quotes, or YAML takes NULL, false, 0 and dates for something else: ['NULL']")
    return values


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Moment = Annotated[datetime, BeforeValidator(read_moment)]
Span = Annotated[tuple[date, date], BeforeValidator(_read_span)]
"""A day, or the first and the last of several."""
Zone = Annotated[str, AfterValidator(_zone)]
Encoding = Annotated[str, AfterValidator(_encoding)]
Words = Annotated[tuple[Name, ...], BeforeValidator(_as_words)]
TimeFormats = Annotated[tuple[Name, ...], Field(min_length=1), BeforeValidator(_as_list)]


def _variable(text: str) -> str:
    # The text may be a secret: it is not repeated.
    if not re.fullmatch(r"\$(\w+|\{\w+\})", text):
        raise ValueError("must name an environment variable that holds it, as in $CRM_TOKEN: secrets stand in no file")
    return text


Variable = Annotated[str, AfterValidator(_variable)]
"""The name of an environment variable, as in $CRM_TOKEN: secrets stand in no file."""


class Strict(BaseModel):
    """A section of the parameters: no unknown keys, no changes after reading.

    What validates it is built where it is read: for most sections, as a part of all that holds them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


AnySection = type[Strict] | type[SettingsSection]
"""A class of settings, or a dataclass of features or models that is one."""


def is_section(kind: object) -> TypeGuard[AnySection]:
    """Tell whether something is a class of settings, or such a dataclass."""
    return isinstance(kind, type) and issubclass(kind, Strict | SettingsSection)


def fields_of(section: AnySection) -> Mapping[str, FieldInfo]:
    """Give the settings of a section by name."""
    if issubclass(section, BaseModel):
        return section.model_fields
    return _fields_of_dataclass(section)  # type: ignore[arg-type] # mypy looks for the hash of an instance


@cache
def _fields_of_dataclass(section: type[SettingsSection]) -> Mapping[str, FieldInfo]:
    return pydantic.dataclasses.dataclass(frozen=True)(section).__pydantic_fields__


def meanings_of(section: AnySection) -> Mapping[str, str]:
    """Give the text below each setting of a section, inherited ones too, where there is one.

    They are read from the source when they are asked for: every command has settings, and few tell what they mean.
    """
    bases = filter(is_section, reversed(section.__mro__))
    return {name: text for base in bases for name, text in _texts_below(base.__module__).get(base.__name__, {}).items()}


@cache
def _texts_below(module: str) -> Mapping[str, Mapping[str, str]]:
    """Read the texts below the attributes of each class of a module."""
    source = inspect.getsource(sys.modules[module])
    classes = [node for node in ast.parse(source).body if isinstance(node, ast.ClassDef)]
    return {one.name: dict(_texts_in(one)) for one in classes}


def _texts_in(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for statement, following in itertools.pairwise(node.body):
        match statement, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, inspect.cleandoc(text)


def sections_in(annotation: object) -> Iterator[AnySection]:
    """Find the sections inside of lists, dictionaries and alternatives."""
    if is_section(annotation):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from sections_in(argument)


class Constant(Strict):
    """The same text for every row of the source."""

    constant: Name
    """The text."""


def by_key(*sections: AnySection, otherwise: str) -> Callable[[object], str]:
    """Choose among alternatives by what was written, so that a mistake is told of the one that was meant.

    A mapping is the section that has the key most like one of its own; anything else is ``otherwise``.
    """

    def likeness(section: AnySection, value: dict[object, object]) -> float:
        pairs = [(str(key), name) for key in value for name in fields_of(section)]
        return max((difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs), default=0.0)

    def choose(value: object) -> str:
        if is_section(type(value)):
            return type(value).__name__
        if isinstance(value, dict):
            return max(sections, key=lambda section: likeness(section, value)).__name__
        return "List" if otherwise == "Text" and isinstance(value, list) else otherwise

    return choose


Column = Annotated[
    Annotated[Name, Tag("Text")] | Annotated[list[Name], Tag("List")] | Annotated[Constant, Tag("Constant")],
    Discriminator(by_key(Constant, otherwise="Text")),
]
"""A column's name, several columns whose texts are joined by a space, or a constant."""
