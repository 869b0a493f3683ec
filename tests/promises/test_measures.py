"""A measure is whole in three places: its declaration, its reference and its kernel code; all else follows from them.

So it is declared, defined, computed, drawn by the tests, put into words and documented.
"""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from declared import declarations
from engines import CREATED_AT, on_kernel, on_reference
from house import ROOT, SOURCES
from hypothesis import Phase, settings
from hypothesis import given as drawn_from
from visits import EVE, VISITS, VOCABULARY, example_of

from features.engines.plan import STEPS, Plan
from features.engines.reference import compute
from features.language.feature import Feature
from features.language.filters import Filter
from features.language.measures import MEASURES, Measure, Setting
from features.language.words import describe

DAY = timedelta(days=1)


def has_its_reference(measure: str) -> bool:
    try:
        compute(VISITS["eve"], EVE[1], example_of(measure), VOCABULARY, CREATED_AT)
    except ValueError as error:
        assert "the reference does not know the measure" in str(error)
        return False
    return True


def has_its_kernel(measure: str) -> bool:
    """Tell whether the plan maps it, to a code of its own or to a pair of steps, and something comes out of it."""
    plan = Plan((example_of(measure),), VOCABULARY)
    if 0 not in plan.program.steps[:, -1] and not plan.combinations:
        return False
    if measure in STEPS and list(STEPS.values()).count(STEPS[measure]) > 1:
        return False
    computed, defined = (run(VISITS, [EVE], [example_of(measure)], VOCABULARY) for run in (on_kernel, on_reference))
    return computed == defined


def has_its_strategy(measure: str) -> bool:
    """Tell whether tests draw it, with and without each setting that it takes."""
    drawn: list[Feature] = []

    @drawn_from(declarations([measure]))
    @settings(max_examples=60, derandomize=True, database=None, phases=[Phase.generate])
    def draw(feature: Feature) -> None:
        drawn.append(feature)

    draw()
    takes, needs = MEASURES[measure].takes, MEASURES[measure].needs
    given_or_not = {(name, getattr(feature, name) is not None) for feature in drawn for name in takes}
    return given_or_not == {(name, given) for name in takes for given in (True, False) if given or name not in needs}


def has_its_words(measure: str) -> bool:
    """Tell whether a value of it is told as of no other measure, all else being equal."""
    value = "email" if MEASURES[measure].is_category else 2.0
    others = [other.name for other in MEASURES.values() if other.is_category == MEASURES[measure].is_category]
    words = {name: describe(_with_everything(name), value) for name in others}
    return list(words.values()).count(words[measure]) == 1


def _with_everything(measure: str) -> Any:  # noqa: ANN401 - what no measure takes as a whole can't be a Feature
    given: dict[str, object] = dict(vars(Feature("count", Filter("click"), 7 * DAY)))
    given |= {"half_life": DAY, "baseline": 28 * DAY, "of": "channel", "position": 2, "than": "form"}
    given["whole"] = Filter("click")
    return SimpleNamespace(**given | {"measure": measure})


def has_its_line_in_the_docs(measure: str) -> bool:
    page = (ROOT / "docs/features.md").read_text(encoding="utf-8")
    return f"\n| `{measure}` | {MEASURES[measure].meaning} | " in page and f"\n### `{measure}`\n" in page


CHECKS = {
    check.__name__.removeprefix("has_its_"): check
    for check in (has_its_reference, has_its_kernel, has_its_strategy, has_its_words, has_its_line_in_the_docs)
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("measure", MEASURES)
def test_a_measure_has_all_that_belongs_to_it(measure: str, check: str) -> None:
    assert CHECKS[check](measure), f"{measure} lacks its {check}: CONTRIBUTING.md, 'A feature', says where it goes"


def median_gap(unit: str, takes: tuple[Setting, ...] = ("window",)) -> Measure:
    """Declare a measure that is in no other place; its words are those of another."""
    words = MEASURES["last_touch" if unit == "category" else "mean_gap"].words
    return Measure("median_gap", "the median gap", unit, words=words, never=0.0, example=({}, 0.0), takes=takes)


@pytest.mark.parametrize("unit", ["days", "category"])
@pytest.mark.parametrize("check", CHECKS)
def test_a_measure_that_is_declared_alone_is_found_out(monkeypatch: pytest.MonkeyPatch, check: str, unit: str) -> None:
    # Its settings can't be drawn: a baseline is only given where there is a window.
    alone = median_gap(unit, takes=("baseline",))
    monkeypatch.setitem(MEASURES, alone.name, alone)
    assert not CHECKS[check](alone.name)


def test_a_code_of_the_kernel_that_two_measures_share_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MEASURES, "median_gap", median_gap("days"))
    monkeypatch.setitem(STEPS, "median_gap", STEPS["mean_gap"])
    assert not has_its_kernel("median_gap")
    assert not has_its_kernel("mean_gap")


def test_a_kernel_that_computes_something_else_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STEPS, "mean_gap", STEPS["max_gap"])
    monkeypatch.delitem(STEPS, "max_gap")
    assert not has_its_kernel("mean_gap")


def test_every_measure_says_what_it_means_and_what_it_counts_in() -> None:
    assert len({measure.meaning for measure in MEASURES.values()}) == len(MEASURES)
    assert all(measure.unit and set(measure.needs) <= set(measure.takes) for measure in MEASURES.values())
    assert all(name == measure.name for name, measure in MEASURES.items())


def test_what_is_special_to_a_measure_is_asked_of_its_declaration() -> None:
    # Only the reference tells measures apart by their names; the kernel does by its codes.
    assert [path.name for path in SOURCES if MEASURES.keys() & told_apart(path)] == ["reference.py"]


def told_apart(path: Path) -> set[object]:
    """Give the constants that a file compares, matches or looks up in a set."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    choices = [node for node in nodes if isinstance(node, (ast.Compare, ast.MatchValue, ast.Set))]
    return {part.value for node in choices for part in ast.iter_child_nodes(node) if isinstance(part, ast.Constant)}
