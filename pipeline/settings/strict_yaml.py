"""YAML as settings are written in it: a key once, no more of it than a person writes, and no number without bounds."""

from __future__ import annotations

import math
from collections.abc import Hashable
from pathlib import Path
from typing import IO

import yaml
from yaml.loader import SafeLoader

from features.core.errors import SettingsError

_MOST_BYTES = 10_000_000
_MOST_NODES = 200_000
"""Keys and values, those that an alias repeats included: nine aliases of ten can stand for a billion."""
_NESTING = "[{-?:"
"""Whatever lies within something else comes after one of them."""
_MOST_NESTED = 5_000
_LARGEST = 2**53
"""Beyond it not every whole number is one for all that reads it."""


class _CarefulLoader(SafeLoader):
    """YAML as usual, but a key that is given twice is an error, and not silently the last one's value."""


class _QuickLoader(yaml.CSafeLoader):
    """The same by libyaml, in a tenth of the time: every command reads settings first.

    What nests too deeply would end the process.
    """


_Loader = _CarefulLoader | _QuickLoader


def _construct_mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, object]:
    loader.flatten_mapping(node)
    mapping: dict[Hashable, object] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, Hashable):
            raise SettingsError(f"{_place(key_node)}: a list or a section is no name of a setting")
        if key in mapping:
            raise SettingsError(f"{_place(key_node)}: {key!r} is given twice; keep one of them")
        mapping[key] = loader.construct_object(value_node, deep=True)
    return mapping


def _construct_number(loader: _Loader, node: yaml.ScalarNode) -> float:
    """Read a whole number or a fraction; what is neither finite nor within bounds is no setting."""
    whole = node.tag.endswith(":int")
    try:
        number = loader.construct_yaml_int(node) if whole else loader.construct_yaml_float(node)
    except (ValueError, OverflowError):
        number = math.inf
    if not abs(number) <= _LARGEST:  # as of what is no number
        raise SettingsError(
            f"{_place(node)}: {_shown(node)} is too large for a setting, or no number; write one below {_LARGEST:,}"
        )
    return number


def _construct_date(loader: _Loader, node: yaml.ScalarNode) -> object:
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError:
        raise SettingsError(
            f"{_place(node)}: {_shown(node)} is no date; where it is a text, put it in quotes"
        ) from None


for _loader in (_CarefulLoader, _QuickLoader):
    _loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)
    _loader.add_constructor("tag:yaml.org,2002:int", _construct_number)
    _loader.add_constructor("tag:yaml.org,2002:float", _construct_number)
    _loader.add_constructor("tag:yaml.org,2002:timestamp", _construct_date)


def read_yaml(path: Path) -> object:
    """Read a YAML file; raises SettingsError where it is none or too much of it, OSError where there is no file."""
    if path.is_file() and path.stat().st_size > _MOST_BYTES:
        raise SettingsError(f"{path} holds {path.stat().st_size:,} bytes, which are no settings; name another file")
    try:
        with path.open(encoding="utf-8") as stream:
            return _load(stream)
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not UTF-8 (byte {error.start + 1}); save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path} can't be read as YAML: {error}") from None
    except RecursionError:
        raise SettingsError(f"{path} is nested too deeply to be settings; write it by docs/parameters.md") from None


def _load(stream: IO[str]) -> object:
    text = stream.read()
    stream.seek(0)
    if sum(map(text.count, _NESTING)) <= _MOST_NESTED:
        try:
            return _read(_QuickLoader(stream))
        except yaml.YAMLError:
            stream.seek(0)  # the other one shows the line, and says what is wrong with it
    return _read(_CarefulLoader(stream))


def _read(loader: _Loader) -> object:
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        _refuse_bomb(node)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _refuse_bomb(root: yaml.Node) -> None:
    """Count what the settings hold once all aliases are written out; an alias within its own anchor has no end."""
    sizes: dict[int, float] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node) -> float:
        if id(node) in open_nodes:
            return math.inf
        if id(node) not in sizes:
            open_nodes.add(id(node))
            inner = node.value if isinstance(node, yaml.CollectionNode) else []
            parts = [part for one in inner for part in (one if isinstance(one, tuple) else (one,))]
            sizes[id(node)] = 1 + sum(map(size, parts))
            open_nodes.discard(id(node))
        return sizes[id(node)]

    if size(root) > _MOST_NODES:
        raise SettingsError(
            f"{root.start_mark.name} holds more than {_MOST_NODES:,} keys and values once its aliases (*name) are "
            "written out; settings need no aliases: write it by docs/parameters.md"
        )


def _place(node: yaml.Node) -> str:
    return f"{node.start_mark.name}, line {node.start_mark.line + 1}"


def _shown(node: yaml.ScalarNode) -> str:
    text = str(node.value)
    return text if len(text) <= 40 else f"{text[:20]}... ({len(text):,} signs)"  # noqa: PLR2004 - what a line shows well
