"""The settings of ``leads``, ``exports`` and ``publish``: how pages and files name leads, and where they go."""

from __future__ import annotations

import re
from collections.abc import Callable
from os.path import normpath
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator, Field, model_validator

from pipeline.settings.types import Column, Name, Strict, Variable

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


PAGE = "{page}"
"""What stands for a page in an address."""


def _mail_address(text: str) -> str:
    if not re.fullmatch(r"[!-~]+@[!-~]+", text) or re.search(r"[<>,;:\"()\\\[\]]", text):
        raise ValueError(f"{text!r} is no mail address; write it as in marketing@example.com")
    return text


MailAddress = Annotated[str, AfterValidator(_mail_address)]


class Mail(Strict):
    """Who gets the digest, and which server takes it: what the first page says in short, and no lead."""

    server: Name
    """The mail server, as in smtp.example.com; or $NAME of the environment variable that holds its name."""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    """Its port; servers that encrypt from the first byte on (encryption: tls) mostly have 465."""
    encryption: Literal["starttls", "tls", "none"] = "starttls"
    """starttls begins in the open and is encrypted before anything is said; none is for a server on this machine."""
    user: Name | None = None
    """As whom to log in, or $NAME of the variable that holds it; without it, nobody does."""
    password: Variable | None = None
    """$NAME of the variable that holds the password."""
    sender: Annotated[MailAddress, Field(alias="from")]
    """Who sends it."""
    to: Annotated[tuple[MailAddress, ...], Field(min_length=1)]
    """Who gets it; they see each other."""
    link: Annotated[Name, AfterValidator(address_with(PAGE))] | None = None
    """Where they open the pages of publish.folder, as in https://intranet.example.com/leads/{page}; without it the mail
    has no link."""

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("user and password belong together; give both, or neither")
        if self.encryption == "none" and self.password is not None:
            raise ValueError("encryption: none would send the password in the open; take starttls, or tls")
        return self

    def address(self, page: str) -> str | None:
        """Give the address of a page; None where no link is given."""
        return None if self.link is None else self.link.replace(PAGE, page)


class Publish(Strict):
    """Where leadcast publish copies to: pages that name no lead, lists that do, and the digest by mail. Only that
    command reads it.
    """  # noqa: D205 - two halves of one sentence

    folder: Name | None = None
    """A folder that is there, for the pages without leads and the KPIs as a workbook."""
    lists: Name | None = None
    """A folder that is there, for the champion's list of the morning, as a whole and of each who works on it: they
    name leads. It is another than folder, and neither lies within the other, for other people may open it."""
    mail: Mail | None = None
    """Who gets the digest."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.folder is None and self.lists is None and self.mail is None:
            raise ValueError("says not where to; give a folder, lists or mail, or leave the section out")
        if self.folder is None or self.lists is None:
            return self
        pages, lists = Path(normpath(self.folder)), Path(normpath(self.lists))
        if pages == lists or pages in lists.parents or lists in pages.parents:
            raise ValueError(
                "lists name leads, and folder is for everyone: whoever opens the one would find the other; give lists "
                "a folder beside it, with rights of its own"
            )
        return self
