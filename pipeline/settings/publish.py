"""The settings of ``leadcast publish``: where pages and lists go, and who gets the digest by mail."""

from __future__ import annotations

import re
from os.path import normpath
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from pipeline.settings.leads import address_with
from pipeline.settings.push import Variable
from pipeline.settings.types import Name, Strict

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
