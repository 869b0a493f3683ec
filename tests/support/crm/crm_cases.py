"""A CRM under test: what the conformance suite asks of each, so that every sink makes the same promises."""

from __future__ import annotations

from typing import Any, Protocol

from crm_servers import Faults


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
        """The section ``push`` of the parameters, with short limits of time."""
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
