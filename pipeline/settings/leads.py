"""The settings of ``leads`` and ``exports``: what the table of leads says to pages and files, read as they are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Self
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field, model_validator

from pipeline.settings.types import Column, Name, Strict

PLACE = "{lead_id}"
"""What stands for the lead in an address."""


def address_with(place: str) -> Callable[[str], str]:
    """Make a check that a link is the address of a page of the web, with a ``place`` behind its host."""

    def check(link: str) -> str:
        before, found, after = link.partition(place)
        address = urlsplit(before)
        if not found or place in after:
            raise ValueError(f"{link!r} must hold {place} once, as in https://crm.example.com/lead/{place}")
        if address.scheme not in {"http", "https"} or not address.hostname or before.endswith(address.netloc):
            raise ValueError(
                f"{link!r} must begin with https:// or http:// and a host, and {place} come behind it, as in "
                f"https://crm.example.com/lead/{place}"
            )
        if not link.isprintable() or " " in link:
            raise ValueError(f"{link!r} is no address: it holds a space, or what can't be shown")
        return link

    return check


class Shown(Strict):
    """Which columns of the table of leads people know them by. They are read when a page is made, and go nowhere else:
    not to data/, features, MLflow or logs.
    """  # noqa: D205 - two sentences

    name: Column | None = None
    """Their name, as in full_name or [first_name, last_name]."""
    company: Column | None = None
    """Where they work."""
    telephone: Column | None = None
    """Where they are called."""
    mail: Column | None = None
    """Where they are written to."""

    @property
    def columns(self) -> dict[str, Column]:
        """The fields that are given, in their order."""
        return {name: getattr(self, name) for name in type(self).model_fields if getattr(self, name) is not None}

    @property
    def places(self) -> dict[str, Column]:
        """The same columns, each by its place in the settings."""
        return {f"leads.shown.{name}": column for name, column in self.columns.items()}


class LeadPages(Strict):
    """How pages name leads: by their ids where nothing is said. It changes no model and no recommendation."""

    shown: Shown = Shown()
    """Which columns of the table of leads people know them by."""
    link: Annotated[Name, AfterValidator(address_with(PLACE))] | None = None
    """Where a lead is found, as in https://crm.example.com/lead/{lead_id}; without it pages have no links to leads."""

    def address(self, lead_id: str) -> str | None:
        """Give the address of a lead, its id quoted as a part of a path; None where no link is given.

        >>> LeadPages(link="https://crm.example.com/lead/{lead_id}").address("a/b &c")
        'https://crm.example.com/lead/a%2Fb%20%26c'
        """
        return None if self.link is None else self.link.replace(PLACE, quote(lead_id, safe=""))


class Exports(Strict):
    """What leadcast export writes into files for others: which column holds the click id, and what conversions are
    called there.
    """  # noqa: D205 - two halves of one sentence

    click_id: Name | None = None
    """The column of the table of ingest.leads that holds the click id of an advertising platform, as in gclid. It is
    read when the file is made, and kept nowhere else."""
    names: dict[Name, Name] = Field(default_factory=dict)
    """What event types of episodes.conversion are called on the platform: {won: Purchase}; others keep their names."""
    expected: Name = "expected conversion"
    """What an open lead is called there, whose value is expected. It should be an action of its own: a platform that
    adds it to real conversions counts a sale twice."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.expected in self.names.values():
            raise ValueError(
                f"expected and names both say {self.expected!r}: what is expected would be added to what has happened; "
                "give it a name of its own"
            )
        return self
