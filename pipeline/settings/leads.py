"""The settings of ``leads``: by what people know a lead on the pages that name leads, and where it is found."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator

from pipeline.settings.types import Column, Name, Strict

PLACE = "{lead_id}"
"""What stands for the lead in an address."""


def _web_address(link: str) -> str:
    before, place, after = link.partition(PLACE)
    address = urlsplit(before)
    if not place or PLACE in after:
        raise ValueError(f"{link!r} must hold {PLACE} once, as in https://crm.example.com/lead/{PLACE}")
    if address.scheme not in {"http", "https"} or not address.hostname or before.endswith(address.netloc):
        raise ValueError(
            f"{link!r} must begin with https:// or http:// and a host, and {PLACE} come behind it, as in "
            f"https://crm.example.com/lead/{PLACE}"
        )
    if not link.isprintable() or " " in link:
        raise ValueError(f"{link!r} is no address: it holds a space, or what can't be shown")
    return link


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


class LeadPages(Strict):
    """How pages name leads: by their ids where nothing is said. It changes no model and no recommendation."""

    shown: Shown = Shown()
    """Which columns of the table of leads people know them by."""
    link: Annotated[Name, AfterValidator(_web_address)] | None = None
    """Where a lead is found, as in https://crm.example.com/lead/{lead_id}; without it pages have no links to leads."""

    def address(self, lead_id: str) -> str | None:
        """Give the address of a lead, its id quoted as a part of a path; None where no link is given.

        >>> LeadPages(link="https://crm.example.com/lead/{lead_id}").address("a/b &c")
        'https://crm.example.com/lead/a%2Fb%20%26c'
        """
        return None if self.link is None else self.link.replace(PLACE, quote(lead_id, safe=""))
