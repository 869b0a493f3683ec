"""The generated pages say what the code does, and their examples are settings that the loader takes."""

from __future__ import annotations

import dataclasses
import doctest
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal

import pytest
import typer
import typer.main
import yaml
from house import PACKAGES, ROOT, SOURCES
from pydantic import Field

from docs.build import markdown, words
from docs.build.__main__ import main
from docs.build.commands import commands_page
from docs.build.examples import EXAMPLE, PUSH_EXAMPLES
from docs.build.features import CONDITIONS, features_page
from docs.build.features import EXAMPLES as EXAMPLES_OF_MEASURES
from docs.build.markdown import anchor, paragraphs, table
from docs.build.pages import PAGES
from docs.build.settings import Section, find_sections, settings_page
from docs.build.words import as_written, in_words
from features.core import schema
from features.core.errors import LeadcastError
from features.core.recommendation import HISTORY, OTHER_HORIZON, RECOMMENDATION
from features.core.section import SettingsSection
from features.core.time import DAY, Duration
from features.language.catalogue import CONTEXT
from features.language.filters import Filter
from features.language.words import describe
from pipeline.commands.app import app
from pipeline.settings.features import DeclaredFeature
from pipeline.settings.file import load_parameters
from pipeline.settings.parameters import Parameters
from pipeline.settings.types import AnySection, Column, Name, Strict, fields_of, meanings_of

SECTIONS = find_sections()
WHOLE: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
PAGE = settings_page()
BLOCKS = dict(re.findall(r"^##+ (.*?)\n(?:(?!^##).)*?^```yaml\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL))
"""The example of each section of the page, by its heading."""


def configuration_classes(*of: AnySection) -> Iterator[AnySection]:
    for base in of:
        for model in base.__subclasses__():
            # What is read makes passing copies of a class, which may not have been cleared away yet.
            if (
                model.__module__.split(".")[0] in PACKAGES
                and getattr(sys.modules[model.__module__], model.__name__) is model
            ):
                yield model
            yield from configuration_classes(model)


CONFIGURATION = list(configuration_classes(Strict, SettingsSection))


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_as_it_would_be_generated_now(name: str) -> None:
    path = ROOT / name
    assert path.exists(), f"{name} is not there; run: make docs"
    assert path.read_text(encoding="utf-8") == PAGES[name](), f"{name} is not what the code says; run: make docs"


def test_the_pages_are_written_below_the_folder_that_is_named(tmp_path: Path) -> None:
    main(tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")} == set(PAGES)
    assert (tmp_path / "docs/parameters.md").read_text(encoding="utf-8") == PAGE


@pytest.mark.parametrize("model", CONFIGURATION, ids=lambda model: model.__name__)
def test_every_class_and_every_setting_says_what_it_means(model: AnySection) -> None:
    assert paragraphs(model.__doc__), f"{model.__name__} has no docstring"
    lacking = fields_of(model).keys() - {name for name, meaning in meanings_of(model).items() if meaning}
    assert not lacking, f"write a docstring below {lacking} of {model.__name__}; docs/parameters.md quotes it"


def test_every_class_of_settings_that_may_stand_in_the_file_has_a_section() -> None:
    described = {section.model for section in SECTIONS}
    bases = {base for model in described for base in model.__mro__}
    assert {model.__name__ for model in CONFIGURATION} - {model.__name__ for model in bases} == {"Constant"}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.heading)
def test_the_example_of_a_section_shows_each_of_its_settings(section: Section) -> None:
    model = section.model
    places = [other.place.removesuffix(".NAME") for other in SECTIONS]
    absent = []
    for name, field in fields_of(model).items():
        key = field.alias or name
        examples = BLOCKS[section.heading] if name in model.__annotations__ else "".join(BLOCKS.values())
        has_its_own_section = f"{section.place}.{key}".lstrip(".") in places
        if not has_its_own_section and not re.search(rf"\b{key}:", examples):
            absent.append(key)
    assert not absent, f"put {absent} of {section.heading} into docs/parameters.yaml, then run: make docs"


def contained(part: object, whole: object) -> bool:
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and contained(part[key], whole[key]) for key in part)
    if isinstance(part, list):
        return isinstance(whole, list) and all(any(contained(one, other) for other in whole) for one in part)
    return part == whole


@pytest.mark.parametrize("heading", BLOCKS)
def test_an_example_is_a_part_of_settings_that_the_loader_takes(heading: str) -> None:
    wholes = [WHOLE, *(yaml.safe_load(path.read_text(encoding="utf-8")) for path in PUSH_EXAMPLES.glob("*.yaml"))]
    assert any(contained(yaml.safe_load(BLOCKS[heading]), whole) for whole in wholes)
    assert isinstance(load_parameters(EXAMPLE), Parameters)


def test_every_setting_has_its_line_with_its_default() -> None:
    assert "| `maximum_broken` | number from 0 to 1 | `0.05` | Share of a source's rows that may be broken" in PAGE
    assert "| `horizon` | length of time, as in `30d` | **required** | The label" in PAGE
    assert "| `validate` | [`validate`](#validate) | **required** |" in PAGE
    names = [field.alias or name for section in SECTIONS for name, field in fields_of(section.model).items()]
    assert all(f"| `{name}` | " in PAGE for name in names)


def test_an_example_of_a_measure_is_what_its_declaration_says() -> None:
    page = features_page()
    for feature, value in EXAMPLES_OF_MEASURES.values():
        written = re.search(rf"^### `{feature.measure}`\n\n```yaml\n- (.*)\n```\n\n(.*)$", page, flags=re.MULTILINE)
        assert written is not None, feature.measure
        assert DeclaredFeature.model_validate(yaml.safe_load(written[1])).feature(("lead",)) == feature
        assert f"the column `{feature.slug}`; a value of" in written[2]
        assert describe(feature, value) in written[2]


def test_every_condition_of_a_filter_and_every_column_of_the_snapshot_has_its_line() -> None:
    page = features_page()
    assert list(CONDITIONS) == [field.name for field in dataclasses.fields(Filter)]
    assert all(f"| `{name}` | " in page for name in (*CONDITIONS, *CONTEXT))


@pytest.mark.parametrize("field", [*RECOMMENDATION, OTHER_HORIZON, *HISTORY], ids=lambda field: field.name)
def test_every_column_of_the_recommendations_says_what_it_means_and_when_it_is_empty(field: schema.Field) -> None:
    page = PAGES["docs/recommendations.md"]()
    # A row of a table of columns has five cells; one of a value, which may be called like a column, has two.
    (line,) = re.findall(rf"^\| \[?`{field.name}`(?:[^|\n]*\|){{5}}$", page, flags=re.MULTILINE)
    assert field.meaning
    assert field.meaning in line
    assert tuple(field.means) == (field.allowed or ()), "each allowed value has its meaning, in the same order"
    assert all(f"| `{value}` | {meaning} |" in page for value, meaning in field.means.items())
    assert bool(field.empty) == (field.nullable or field.duckdb.endswith("[]"))


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    texts = {other: page() for other, page in PAGES.items()}
    for target in re.findall(r"\]\(([^)]+)\)", texts[name]):
        file, _, place = target.partition("#")
        path = (Path(name).parent / file).as_posix() if file else name
        assert (ROOT / path).exists(), target
        if place:
            headings = re.findall(r"^#+ (.*)$", texts[path], flags=re.MULTILINE)
            assert place in {anchor(heading) for heading in headings}, target


def test_the_page_of_commands_names_every_command_option_and_exit_code() -> None:
    page = commands_page()
    group: Any = typer.main.get_command(app)
    groups = ("crm", "export")
    commands = {name: command for name, command in group.commands.items() if name not in groups}
    for name in groups:
        commands |= {f"{name} {one}": command for one, command in group.commands[name].commands.items()}
    for name, command in commands.items():
        assert f"## `leadcast {name}`" in page
        for parameter in command.params:
            names = parameter.opts if parameter.param_type_name == "option" else [parameter.name.upper()]
            assert all(re.search(rf"^\| .*`\[?{name}\]?(\.\.\.)?`", page, flags=re.MULTILINE) for name in names), names
    failures: list[type[LeadcastError]] = [LeadcastError, *LeadcastError.__subclasses__()]
    codes = {"0", "2", "130"} | {str(failure.exit_code) for failure in failures}
    rows = re.findall(r"^\| (\d+) \| (.+) \| (.+) \|$", page.partition("## Exit codes")[2], flags=re.MULTILINE)
    assert {code for code, _, _ in rows} == codes
    assert all(meaning and advice for _, meaning, advice in rows)


def test_what_may_be_written_is_said_in_plain_words() -> None:
    expected = {
        Duration: "length of time, as in `30d`",
        Duration | None: "length of time, as in `30d`",
        tuple[Name, ...]: "list of texts",
        dict[Name, tuple[Name, ...]]: "pairs of text and list of texts",
        Annotated[int, Field(gt=0)]: "whole number above 0",
        Annotated[float, Field(ge=0, le=1)]: "number from 0 to 1",
        Literal["lead", "us"]: "one of `lead`, `us`",
    }
    for annotation, said in expected.items():
        assert in_words(annotation, lambda model: model.__name__) == said
    assert in_words(Column, lambda model: model.__name__) == "column"
    with pytest.raises(TypeError, match="there are no words for"):
        in_words(complex, lambda model: model.__name__)


def test_a_value_is_written_as_in_the_file() -> None:
    values: list[object] = [None, 7 * DAY, ("lead", "us"), True, "", "2GB", {}, 0.05]
    written = ["none", "`7d`", "`[lead, us]`", "`true`", '`""`', "`2GB`", "`{}`", "`0.05`"]
    assert [as_written(value) for value in values] == written


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert table(["a", "b"], [["x | y", "z"]]).splitlines()[-1] == r"| x \| y | z |"


@pytest.mark.parametrize("module", [markdown, words])
def test_the_examples_in_the_docstrings_hold(module: ModuleType) -> None:
    assert doctest.testmod(module).failed == 0


def test_what_contributing_names_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = set(re.findall(r"`((?:features|models|pipeline|tests|docs)/[\w/-]+\.\w+)`", text))
    paths |= set(re.findall(r"\]\(([^)#]+)", text))
    assert len(paths) > 20
    assert not [path for path in paths if "NAME" not in path and not (ROOT / path).exists()]
    code = "".join(path.read_text(encoding="utf-8") for path in [*ROOT.glob("tests/**/*.py"), *SOURCES])
    named = set(re.findall(r"`(test_\w+|_\w+|MEASURES|STAGES|written_whole|write_json)`", text))
    assert not [name for name in named if not re.search(rf"\b{name}\b( =|:|\()", code)]
