"""The settings as a file that people read: every line says what it sets and why it is so."""

from __future__ import annotations

import textwrap
import typing
from collections.abc import Mapping
from functools import lru_cache

import yaml

from pipeline.settings.parameters import Parameters
from pipeline.settings.types import AnySection, fields_of, meanings_of, sections_in

_WIDTH = 118
_COMMENT_COLUMN = 40
_LONGEST_MEANING = 90
_LONGEST_ENTRY = 150
_ENTRY_A_LINE = ("decision", "facts")
"""Where each entry is a line, for they are read beside each other."""


def write_settings(content: Mapping[str, object], comments: Mapping[str, str], head: str) -> str:
    """Write settings as YAML with a comment on each line: the one given for its place (``ingest.sources.web``), or what
    the setting means.
    """  # noqa: D205 - one sentence
    lines = [f"# {line}".rstrip() for line in head.splitlines()]
    for key, value in content.items():
        lines += [""] if isinstance(value, dict) else []
        lines += _lines(key, value, (key,), comments)
    return "\n".join(lines) + "\n"


def _lines(key: str, value: object, place: tuple[str, ...], comments: Mapping[str, str], indent: str = "") -> list[str]:
    name = f"{indent}{_scalar(key)}:"
    comment = comments.get(".".join(place)) or _meaning(place)
    if isinstance(value, Mapping) and value:
        inner = [
            line
            for name_, part in value.items()
            for line in _lines(str(name_), part, (*place, str(name_)), comments, indent + "  ")
        ]
        flow = f"{name} {_flow(value)}"
        if place[:-1] == _ENTRY_A_LINE and len(flow) <= _LONGEST_ENTRY:
            return _commented(flow, comment)
        if len(place) > 2 and len(flow) <= 70 and not any(isinstance(part, Mapping | list) for part in value.values()):  # noqa: PLR2004 - sections stay open
            return _commented(flow, comment)
        return [*_commented(name, comment), *inner]
    if isinstance(value, str) and "\n" in value:
        return [*_commented(f"{name} |-", comment), *(f"{indent}  {line}" for line in value.split("\n"))]
    if isinstance(value, list) and (len(_flow(value)) > 70 or any(isinstance(part, Mapping) for part in value)):  # noqa: PLR2004 - a line
        return [*_commented(name, comment), *(f"{indent}  - {_flow(part)}" for part in value)]
    return _commented(f"{name} {_flow(value)}", comment)


def _commented(line: str, comment: str | None) -> list[str]:
    """Write a comment beside its line or, where it is long, above it."""
    if not comment:
        return [line]
    comment = " ".join("".join(sign if sign.isprintable() else " " for sign in comment).split())
    beside = f"{line:<{_COMMENT_COLUMN}} # {comment}"
    if len(beside) <= _WIDTH:
        return [beside]
    indent = line[: len(line) - len(line.lstrip())]
    return [*(f"{indent}# {part}" for part in textwrap.wrap(comment, _WIDTH - len(indent) - 2)), line]


def _flow(value: object) -> str:
    """Write a value on one line; within brackets and braces a text must be told apart from what stands around it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_inside(str(key))}: {_within(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_within(part) for part in value) + "]"
    return _scalar(value)


def _within(value: object) -> str:
    return _flow(value) if isinstance(value, Mapping | list) else _inside(value)


@lru_cache(typed=True)  # names come again and again, and YAML is slow to read; 1 is not True
def _inside(value: object) -> str:
    """Write a scalar that stands inside brackets or braces: as alone, or in quotes where that would be read otherwise.

    >>> [_inside(text) for text in ("won", "case:concept", "Demo, online", "it: {a}", "1")]
    ['won', 'case:concept', '"Demo, online"', "'it: {a}'", "'1'"]
    """
    alone = _scalar(value)
    for around, meant in ((f"[{alone}, x]", [value, "x"]), (f"{{{alone}: {alone}}}", {value: value})):
        try:
            is_meant = "\n" not in alone and yaml.safe_load(around) == meant
        except yaml.YAMLError:
            is_meant = False
        if not is_meant:
            return _quoted(value)
    return alone


def _quoted(value: object) -> str:
    text: str = yaml.safe_dump(value, default_style='"', allow_unicode=True, width=10_000)
    return text.strip()


@lru_cache(typed=True)
def _scalar(value: object) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...").strip()


def _meaning(place: tuple[str, ...]) -> str | None:
    """Give the first sentence of what the configuration classes say about a setting; none for a name of the user's."""
    models: list[AnySection] = [Parameters]
    free = False
    text: str | None = None
    for step in place:
        found = [
            (field, meanings_of(model).get(name))
            for model in models
            for name, field in fields_of(model).items()
            if step in (field.alias or name, name)
        ]
        if free or not found:  # of a source, a column, a milestone
            free, text = False, None
            continue
        fields = [field for field, _ in found]
        text = next((meaning for _, meaning in found if meaning), None)
        models = [model for field in fields for model in sections_in(field.annotation)]
        text = text or next((model.__doc__ for model in models if model.__doc__), None)
        parts = [part for field in fields for part in (field.annotation, *typing.get_args(field.annotation))]
        free = any(typing.get_origin(part) is dict for part in parts)  # a mapping whose keys the user names
    if text is None:
        return None
    sentence = " ".join(text.split())
    for end in (". ", ": ", "; ", ", as in "):
        if len(sentence) > _LONGEST_MEANING:
            sentence = sentence.split(end)[0]
    return sentence.rstrip(".")
