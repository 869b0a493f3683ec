"""Examples of settings, cut from files that hold every one of them and that the loader takes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from pipeline.settings.file import load_parameters
from pipeline.settings.push import Push
from pipeline.settings.types import AnySection, fields_of, is_section

_ROOT = Path(__file__).parents[2]
EXAMPLE = _ROOT / "docs/parameters.yaml"
PUSH_EXAMPLES = _ROOT / "examples/push"
"""A file for each system that takes scores, with the section ``push`` alone."""
_LONGEST = 55
"""Lines, beyond which an example is cut down to what has no section of its own."""
_SHORT = 60
Steps = tuple[str | int, ...]
"""The keys, and the positions in lists, that lead to a place in the file."""


def example_of(model: AnySection, small: Collection[str]) -> str:
    """Cut from a file the first places of a class that together show each setting that the file gives anywhere.

    It is the file that shows most. Where that is long, only the settings in ``small`` of the first place are shown.
    """
    files: dict[int, list[tuple[dict[str, Any], Steps, type]]] = {}
    for example in _read():
        if example[2] is model:
            files.setdefault(id(example[0]), []).append(example)
    found = max(files.values(), key=lambda one: len({name for content, path, _ in one for name in _at(content, path)}))
    shown: set[str] = set()
    cut: dict[str, Any] = {}
    for content, path, _ in found:
        if not shown.issuperset(_at(content, path)):
            shown.update(_at(content, path))
            _insert(cut, path, _at(content, path))
    text = _dump(cut)
    if len(text.splitlines()) <= _LONGEST:
        return text
    content, path, _ = found[0]
    cut = {}
    _insert(cut, path, {name: value for name, value in _at(content, path).items() if name in small})
    return _dump(cut)


@cache
def _read() -> list[tuple[dict[str, Any], Steps, type]]:
    """Give all sections as the loader reads them, each with its file as YAML, its place there and its class."""
    content = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    examples = list(_instances(content, load_parameters(EXAMPLE), ()))
    for file in sorted(PUSH_EXAMPLES.glob("*.yaml")):
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        push = Push.model_validate(content["push"])
        examples += _instances(content, push, ("push",))
    return examples


def _at(content: Any, path: Steps) -> Any:  # noqa: ANN401 - whatever YAML holds
    for step in path:
        content = content[step]
    return content


def _instances(content: Any, value: object, path: Steps) -> Iterator[tuple[dict[str, Any], Steps, type]]:  # noqa: ANN401 - whatever YAML holds
    """Walk all sections of a file, each with the keys and positions that lead to it there, and its class."""
    if is_section(type(value)):
        yield content, path, type(value)
        keys = {field.alias or name: name for name, field in fields_of(type(value)).items()}
        for key in filter(_at(content, path).__contains__, keys):
            yield from _instances(content, getattr(value, keys[key]), (*path, key))
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _instances(content, part, (*path, key))
    elif isinstance(value, tuple):
        for position, part in enumerate(value):
            yield from _instances(content, part, (*path, position))


def _insert(target: dict[str, Any], path: Steps, value: Any) -> None:  # noqa: ANN401 - whatever YAML holds
    """Put a value at its place; the positions of lists are closed up."""
    if not path:
        target.update(value)
        return
    *steps, last = path
    place: Any = target
    for step, following in zip(steps, path[1:], strict=True):
        empty: Any = [] if isinstance(following, int) else {}
        if isinstance(place, list):
            place.append(empty)
            place = empty
        else:
            place = place.setdefault(step, empty)
    if isinstance(place, list):
        place.append(value)
    else:
        place[last] = value


class _Dumper(yaml.SafeDumper):
    """YAML as a person writes it: short lists and pairs on one line, long texts on lines of their own."""

    def represent(self, data: Any) -> None:  # noqa: ANN401 - as in the base class
        node = self.represent_data(data)
        node.flow_style = False
        self.serialize(node)

    def represent_data(self, data: Any) -> Any:  # noqa: ANN401 - as in the base class
        node = super().represent_data(data)
        if isinstance(node, yaml.CollectionNode) and len(str(data)) <= _SHORT:
            parts = data.values() if isinstance(data, dict) else data
            node.flow_style = all(isinstance(part, str | int | float) for part in parts)
        if isinstance(node, yaml.ScalarNode) and "\n" in node.value:
            node.style = "|"
        return node


def _dump(content: object) -> str:
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=100)
