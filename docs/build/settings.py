"""The page of the settings, from the configuration classes."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from docs.build.examples import example_of
from docs.build.markdown import link, page, paragraphs, table
from docs.build.words import as_written, in_words
from models.learning.parameters import DEFAULTS, TUNABLE
from pipeline.settings.features import DeclaredFeature
from pipeline.settings.learning import Train
from pipeline.settings.parameters import Parameters
from pipeline.settings.types import AnySection, Column, Constant, fields_of, is_section, meanings_of

_INTRODUCTION = """\
# Settings

All settings stand in `params.yaml`, in the project's folder. Every section but `run`, `push`, `exports` and `publish` must be there; `{{}}` takes its defaults. A key
that is not on this page is an error, and so is a value that can't be: all mistakes are told at once, each with its
place. NAME stands for a name that you choose. The examples are parts of [parameters.yaml](parameters.yaml), which holds
every setting but those of `push`, for which [examples/push](../examples/push) has a file for each system; [params.yaml](../params.yaml) has those of the sample.

| written as | means |
|---|---|
| length of time | a whole number and `m`, `h`, `d` or `w`: `90m`, `6h`, `30d`, `2w` |
| quoted date | `"2026-06-29"` or `"2026-06-29T08:00:00"`; UTC where it names no offset, as in `+02:00` |
| column | the name of a column of the table; or a list of columns, whose texts are joined by a space; or `{{constant: email}}`, {constant} |
| pairs | `{{first: one, second: another}}`, or each on a line of its own |
"""  # noqa: E501 - rows of a table


@dataclass(frozen=True)
class Section:
    """A class of settings, and where in the file it stands first."""

    model: AnySection
    place: str
    depth: int
    is_alternative: bool
    """Whether something else may stand in its place."""

    @property
    def heading(self) -> str:
        """The words of its heading."""
        if not self.place:
            return "The whole file"
        kind = fields_of(self.model).get("kind")
        if kind is not None:  # one of several that tell by this setting which they are
            return f"`{self.place}` with `kind: {typing.get_args(kind.annotation)[0]}`"
        return f"`{self.place}`" + (f" with `{next(iter(fields_of(self.model)))}`" if self.is_alternative else "")


def settings_page() -> str:
    """Give the text of ``docs/parameters.md``."""
    sections = {section.model: section for section in find_sections()}
    constant = paragraphs(Constant.__doc__)[0].removesuffix(".")
    parts = [_INTRODUCTION.format(constant=constant[0].lower() + constant[1:])]
    for section in sections.values():
        parts.append(f"{'##' if section.depth <= 1 else '###'} {section.heading}")
        if section.depth:
            parts += paragraphs(section.model.__doc__)
        parts.append(_fields(section, sections))
        inherited = next((base for base in section.model.__mro__[1:] if base in sections), None)
        if inherited is not None:
            names = ", ".join(f"`{name}`" for name in fields_of(inherited))
            parts.append(f"And the settings of {link(sections[inherited].heading)}: {names}.")
        small = {
            name for name, annotation in annotations_of(section.model).items() if not list(_models(annotation, ""))
        }
        parts.append(f"```yaml\n{example_of(section.model, small)}```")
        if section.model in _MORE:
            parts.append(_MORE[section.model]())
    return page("the configuration classes in pipeline/", *parts)


def find_sections() -> list[Section]:
    """List the classes of settings in the order of the file, each where it stands first."""
    found: dict[AnySection, Section] = {}
    for section in _walk(Section(Parameters, "", 0, is_alternative=False)):
        found.setdefault(section.model, section)
    return list(found.values())


def _walk(section: Section) -> Iterator[Section]:
    yield section
    for name, annotation in annotations_of(section.model).items():
        place = f"{section.place}.{name}".lstrip(".")
        alternatives = list(_models(annotation, place))
        is_alternative = len(alternatives) > 1 or _has_other_values(annotation)
        for model, where in alternatives:
            yield from _walk(Section(model, where, section.depth + 1, is_alternative))


def annotations_of(model: AnySection) -> dict[str, Any]:
    """Give the annotation of each setting of a class by its name in the file, its own before those it inherits."""
    hints = typing.get_type_hints(model, include_extras=True)
    fields = sorted(fields_of(model).items(), key=lambda item: item[0] not in model.__annotations__)
    return {field.alias or name: hints[name] for name, field in fields}


def _models(annotation: object, place: str) -> Iterator[tuple[AnySection, str]]:
    """Find the classes of settings that may stand at a place."""
    if annotation is Column:
        return
    if is_section(annotation):
        yield annotation, place
    below = f"{place}.NAME" if typing.get_origin(annotation) is dict else place
    for argument in typing.get_args(annotation):
        yield from _models(argument, below)


def _has_other_values(annotation: object) -> bool:
    """Tell whether a text may stand where a section may."""
    arguments = typing.get_args(annotation)
    return any(typing.get_origin(part) is typing.Literal or _has_other_values(part) for part in arguments) and (
        typing.get_origin(annotation) is not dict
    )


def _fields(section: Section, sections: dict[AnySection, Section]) -> str:
    def name_of(model: AnySection) -> str:
        return link(sections[model].heading)

    model = section.model
    inherited = {name for base in model.__mro__[1:] if base in sections for name in fields_of(base)}
    own = {field.alias or name: name for name, field in fields_of(model).items() if name not in inherited}
    rows = []
    for name, annotation in annotations_of(model).items():
        if name not in own:
            continue
        meaning = " ".join(paragraphs(meanings_of(model).get(own[name])))
        rows.append([f"`{name}`", in_words(annotation, name_of), _default(fields_of(model)[own[name]]), meaning])
    return table(["setting", "what may stand there", "default", "meaning"], rows)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True, validated_data={})
    return "its own defaults" if is_section(type(value)) else as_written(value)


def _measures() -> str:
    return "[Features](features.md#measures) lists the measures, what each takes, and an example of each."


def _learner() -> str:
    adapted = "min_data_in_leaf and num_leaves follow the number of rows where they are not given."
    rows = [[f"`{name}`", f"`{value}`"] for name, value in DEFAULTS.items()]
    others = ", ".join(f"`{name}`" for name in sorted(TUNABLE - DEFAULTS.keys()))
    return (
        table(["LightGBM parameter", "default"], rows)
        + f"\n\n{adapted} These may be given, too: {others}. Their meaning is LightGBM's own."
    )


_MORE = {DeclaredFeature: _measures, Train: _learner}
"""What belongs below a section beside its settings."""
