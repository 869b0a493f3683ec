"""The digest: what the first page says in short, as a mail of text and HTML. It holds no lead."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from functools import partial
from textwrap import fill
from typing import Any

from pipeline.report.rendering import render
from pipeline.settings.leads import Mail
from pipeline.wording.texts import page_text

_WIDTH = 76


def as_text(digest: Mapping[str, Any], link: str | None) -> str:
    """Write the digest as plain text, in its own language; ``link`` is where the page is."""
    return "\n".join(_lines(digest, link)) + "\n"


def message(digest: Mapping[str, Any], mail: Mail) -> EmailMessage:
    """Make the mail: plain text, and the same as HTML."""
    link = mail.address("index.html")
    made = EmailMessage()
    made["Subject"] = _say(digest, "digest.subject", day=digest["as_of"])
    made["From"], made["To"] = mail.sender, ", ".join(mail.to)
    made["Date"], made["Message-ID"] = localtime(), make_msgid(domain=mail.sender.rpartition("@")[2])
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(as_text(digest, link))
    made.add_alternative(render("digest.html.jinja", t=partial(_say, digest), digest=digest, link=link), subtype="html")
    return made


def _say(digest: Mapping[str, Any], name: str, number: int | None = None, /, **filled: object) -> str:
    return page_text(name, digest["language"], number, **filled)


def _lines(digest: Mapping[str, Any], link: str | None) -> Iterator[str]:
    t = partial(_say, digest)
    yield t("money.heading")
    yield fill(t("digest.opening", day=digest["as_of"]), _WIDTH)
    yield ""
    if digest["standing"]:
        yield fill(f"{t('money.standing')}. {t('wrong', verdicts='; '.join(digest['standing']))}", _WIDTH)
        yield ""
    yield fill(digest["expected"], _WIDTH)
    yield ""
    tiles = digest["tiles"]
    if tiles:
        yield digest["month"]
        wide = {part: max(len(tile[part]) for tile in tiles) for part in ("label", "figure", "before")}
        for tile in tiles:
            yield "  ".join(
                [
                    "",
                    tile["label"].ljust(wide["label"]),
                    tile["figure"].rjust(wide["figure"]),
                    tile["before"].ljust(wide["before"]),
                    tile["objective"],
                ]
            )
        yield ""
        # What an earlier version wrote says nothing of it.
        for line in digest.get("lacking", ()):
            yield fill(line, _WIDTH)
            yield ""
        yield t("moved.heading")
        for line in digest["moved"]:
            yield fill(line, _WIDTH, initial_indent="- ", subsequent_indent="  ")
        yield ""
    yield fill(digest["trust"], _WIDTH)
    yield ""
    yield t("digest.called", digest["called"])
    if link:
        yield ""
        yield f"{t('digest.pages')}: {link}"
