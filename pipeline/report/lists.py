"""Today's list of sales by who works on it: a page and a workbook each, for a person or, without one, a team."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.core.workbook import Sheet, make_workbook
from pipeline.report.leads import wording
from pipeline.report.lines import Lines, Sections
from pipeline.report.looked_up import LookedUp
from pipeline.report.rendering import render
from pipeline.wording.texts import page_text, sentence

_LONGEST = 60
_TAKEN = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
"""What Windows takes for a device, whatever its ending."""


def write_lists(
    folder: Path,
    parameters: Sections,
    scoring: Mapping[str, Any],
    standing: Collection[str],
    called: pa.Table,
    looked_up: LookedUp,
) -> list[tuple[str, str]]:
    """Write into a folder, which is made, a list for each who has leads ``called`` today; gives whose, and the file.

    A lead is its owner's or, without one, its territory's; of what has neither, there is one list. ``standing`` are the
    titles of verdicts that stand: pages say that nobody should act on them then.
    """
    language = parameters.words.language
    lines, nobody_s = Lines(parameters, looked_up), page_text("nobody_s", language)
    owned = zip(called["lead_id"].to_pylist(), called["owner"].to_pylist(), strict=True)
    whose = [owner or looked_up.territories.get(lead) or nobody_s for lead, owner in owned]
    folder.mkdir()
    written = _files(set(whose))
    for one, file in written.items():
        own = lines.of(called.filter(pa.array([owner == one for owner in whose])))
        html = render("list.html.jinja", **wording(parameters, scoring), whose=one, leads=own, standing=list(standing))
        (folder / f"{file}.html").write_text(html, encoding="utf-8")
        (folder / f"{file}.xlsx").write_bytes(make_workbook({one: _sheet(parameters, own)}, language))
    return list(written.items())


def _sheet(parameters: Sections, lines: list[dict[str, Any]]) -> Sheet:
    """Make the table of a list, its headings in the language of the pages."""
    language, known = parameters.words.language, parameters.leads.shown.columns
    rows = [
        {
            "place": line["place"],
            "lead": line["lead_id"],
            **{name: line[name] for name in known},
            "last": line["act"],
            "last_day": line["act_on"],
            "tier": page_text(f"tier.{line['tier']}", language),
            "maturity": page_text(f"maturity.{line['maturity']}", language),
            "chances": line["chances"],
            "step": line["next_step"],
            "marks": "; ".join(mark for _, mark in line["marks"]) or None,
            "owner": line["owner"],
            "for": "\n".join(story for way, story, _ in line["reasons"] if way == "raises") or None,
            "against": "\n".join(story for way, story, _ in line["reasons"] if way == "lowers") or None,
            "link": line["address"],
        }
        for line in lines
    ]
    kinds = {"place": pa.int64(), "last_day": pa.date32(), "chances": pa.float64()}
    order = [
        "place", "lead", *known, "last", "last_day", "tier", "maturity", "chances", "step", "marks", "owner", "for",
        "against", *(["link"] if parameters.leads.link else []),
    ]  # fmt: skip
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in order])
    headings = {name: sentence(page_text(f"line.{name}", language)) for name in order}
    return Sheet(pa.Table.from_pylist(rows, schema), headings, shares=("chances",))


def _files(whose: Iterable[str]) -> dict[str, str]:
    """Name a file for each, safe on every system, and no two alike, whatever the case of their letters.

    >>> _files({"Zoë / Nord", "zoe nord", "../x", "con", "山"})
    {'../x': 'x', 'Zoë / Nord': 'Zoe-Nord', 'con': 'con-1', 'zoe nord': 'zoe-nord-2', '山': 'list'}
    """
    named: dict[str, str] = {}
    for one in sorted(whose):
        letters = unicodedata.normalize("NFKD", one).encode("ascii", "ignore").decode()
        plain = re.sub(r"[^A-Za-z0-9]+", "-", letters).strip("-")[:_LONGEST].strip("-") or "list"
        plain = f"{plain}-1" if _TAKEN.fullmatch(plain) else plain
        file, number = plain, 1
        while file.casefold() in {other.casefold() for other in named.values()}:
            number += 1
            file = f"{plain}-{number}"
        named[one] = file
    return named
