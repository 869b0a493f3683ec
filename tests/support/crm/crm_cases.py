"""A CRM under test: what the conformance suite asks of each, so that every sink makes the same promises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
from crm_servers import Faults
from pushing import Lead

from pipeline.settings.push import Push
from pipeline.sinks.connect import connect
from pipeline.sinks.protocol import Sink


class Crm(Protocol):
    """A CRM that runs, the settings that reach it, and hands that do in it what people do.

    Keys are our lead ids. ``ours`` is one of our names (tier, probability ...), whatever field it is mapped to.
    """

    environment: dict[str, str]
    """Its secrets."""
    faults: Faults
    """What goes wrong on the way; files and databases ignore it."""
    has_calls: bool
    """Whether it is reached over HTTP, so that calls are counted and faults happen."""

    @property
    def settings(self) -> dict[str, Any]:
        """The section ``push`` of the parameters."""
        ...

    @property
    def calls(self) -> int:
        """How many calls have come."""
        ...

    def sync(self) -> None:
        """Do what happens between two pushes: where files are brought to and fro, import and export."""
        ...

    def add(self, key: str, *, closed: bool = False) -> None:
        """Make a lead, with the native fields that such a CRM has (stage, owner ...) and nothing in ours."""
        ...

    def lead(self, key: str) -> dict[str, Any] | None:
        """Give all fields of a lead by the CRM's names, ours and native ones; None where there is none."""
        ...

    def keys(self) -> set[str]:
        """List the leads."""
        ...

    def edit(self, key: str, ours: str, value: str | float | None) -> None:
        """Change a field of ours, as a person does."""
        ...

    def refuse(self, key: str, *, refused: bool = True) -> None:
        """Have the CRM refuse all that is written to a lead, with a reason that holds the words "not allowed"."""
        ...

    def exhaust(self) -> None:
        """Use up the quota of the day: every call is refused from now on, in the words of such a CRM."""
        ...


KEYS = ["L1", "L2", "L3"]
HOT, WARM, COLD = Lead("SQL", 0.31, ("asked for a quote 1 day ago",)), Lead("MQL", 0.12), Lead("IQL", 0.01)


_Crm = TypeVar("_Crm", bound=Crm)


@contextmanager
def reachable(crm: AbstractContextManager[_Crm], monkeypatch: pytest.MonkeyPatch) -> Iterator[_Crm]:
    """Run a CRM, with its address and its secrets in the environment."""
    with crm as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


def ours(crm: Crm, key: str) -> dict[str, Any]:
    """Give what a lead holds in our fields, by our names."""
    lead = crm.lead(key)
    assert lead is not None
    return {name: lead.get(field) for name, field in Push.model_validate(crm.settings).mapping.items()}


def natives(crm: Crm, key: str) -> dict[str, Any]:
    """Give what a lead holds in all other fields."""
    lead = crm.lead(key)
    assert lead is not None
    mapped = set(Push.model_validate(crm.settings).mapping.values())
    return {name: value for name, value in lead.items() if name not in mapped}


def holds(crm: Crm, key: str, lead: Lead) -> bool:
    """Tell whether an open lead holds what it shall: its tier, and its probability or score."""
    assert lead.probability is not None
    held = ours(crm, key)
    numbers = [
        held[name] not in {None, ""} and abs(float(held[name]) - number) <= slack
        for name, number, slack in (
            ("probability", lead.probability, 1e-6),
            ("score", 100 * lead.probability, 0.5),  # some systems take whole numbers
        )
        if name in held
    ]
    return held["tier"] == lead.tier and all(numbers)


def numbers(crm: Crm, key: str) -> dict[str, Any]:
    """Give what a lead holds in our fields of numbers."""
    return {name: value for name, value in ours(crm, key).items() if name in {"probability", "score", "model"}}


def is_empty(crm: Crm, key: str) -> bool:
    """Tell whether a lead holds nothing in our fields."""
    return all(value in {None, "", False} for value in ours(crm, key).values())


def sink_of(crm: Crm, root: Path, fields: dict[str, str] | None = None, **sink: Any) -> Sink:  # noqa: ANN401 - settings
    """Make the sink of a CRM under test, with other fields and other settings of its own."""
    settings: dict[str, Any] = {"sink": crm.settings["sink"] | sink} | ({"fields": fields} if fields else {})
    return connect(Push.model_validate(settings), root)
