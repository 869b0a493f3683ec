"""What ``init`` tells: the lines on the terminal, the head of the settings, and the comments that were measured."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from features.core.time import format_duration
from pipeline.discovery.attributes import Attribute
from pipeline.discovery.proposal import Proposal
from pipeline.discovery.sizing import Size
from pipeline.ingest.summary import IngestSummary, TableSummary
from pipeline.log.learnable import longest_trainable
from pipeline.profiling.joins import LINKED
from pipeline.profiling.outcomes import EventType, Outcomes
from pipeline.profiling.tables import Tables

_MANY_STRANGERS = 0.1
NEARLY_ALL = 0.9
"""Where a larger share converts, it is hardly a conversion."""


def comments_on_findings(
    outcomes: Outcomes, attributes: Sequence[Attribute], types: Sequence[EventType]
) -> dict[str, str]:
    """Write the comments on episodes and attributes, by their places in the settings."""
    comments = {
        f"episodes.{key}": _listed(names, types)
        for key, names in (("conversion", outcomes.conversion), ("lost", outcomes.lost))
    }
    for one in attributes:
        if one.auc is not None and not one.refused:
            comments[f"ingest.leads.attributes.{one.name}"] = f"alone it has an AUC of {one.auc:.2f}"
    refused = [f"{one.name} ({one.refused.split(':')[0]})" for one in attributes if one.refused]
    if refused:
        comments["ingest.leads.attributes"] = "only what never changes after creation; left out: " + ", ".join(refused)
    return comments


def comments_on_decision(decision: Mapping[str, Any], types: Sequence[EventType]) -> dict[str, str]:
    """Write the comments on what was proposed by the names of event types: how many leads have each, in their order."""
    facts: Mapping[str, Any] = decision.get("facts", {})
    named = {f"decision.facts.{name}": fact["events"] for name, fact in facts.items()}
    named |= {f"decision.maturity.{key}": names for key, names in decision.get("maturity", {}).items()}
    if "work" in decision:
        named["decision.work.contacts"] = decision["work"]["contacts"]
    comments = {place: _listed(names, types) for place, names in named.items()}
    comments["decision.facts"] = (
        "by the names of event types: see what each closes, refuses, raises or takes, and how long"
    )
    return comments


def _listed(names: Sequence[str], types: Sequence[EventType]) -> str:
    """Say how many leads have each of some event types."""
    counts = {kind.name: kind for kind in types}
    return ", ".join(f"{counts[name].leads:,} leads ({counts[name].share:.1%})" for name in names)


def said_of_strangers(proposal: Proposal, summary: IngestSummary) -> list[str]:
    """Say where the table of leads seems to hold only some of them: events name others by the very same column."""
    lead = proposal.roles.lead_table
    if lead is None:
        return []
    direct = {
        name: (source.rows, source.unknown_leads)
        for name, source in summary.sources.items()
        if proposal.ingest["sources"][name]["columns"]["lead_id"] != LINKED
    }
    rows, strange = (sum(counts) for counts in zip(*direct.values(), strict=True)) if direct else (0, 0)
    if strange < _MANY_STRANGERS * rows or not strange:
        return []
    listed = ", ".join(f"{unknown:,} of {of:,} of {name}" for name, (of, unknown) in direct.items() if unknown)
    said = (
        f"{strange / rows:.0%} of the events are of leads that {lead.table} does not hold, and are set aside "
        f"({listed}): does it list only those that are open, or left? Bring all of them, or say --without "
        f"{lead.table}: then every id of the log is a lead, without attributes"
    )
    return [said]


def head(folder: Path, summary: IngestSummary) -> str:
    """Write the lines that the settings begin with."""
    return (
        f"Settings for the exports in {folder.name}, proposed by leadcast init: {summary.interactions:,} interactions "
        f"of {summary.lead_count:,} leads.\n"
        "Read each line before you trust a figure. docs/parameters.md lists all settings; leadcast doctor checks these."
    )


def told(
    tables: Tables,
    proposal: Proposal,
    outcomes: Outcomes,
    types: Sequence[EventType],
    attributes: Sequence[Attribute],
    size: Size,
    summary: IngestSummary,
) -> list[str]:
    """Say what was found, and what to look at."""
    roles = proposal.roles
    lead = roles.lead_table
    lines = []
    if lead is not None:
        lines.append(f"leads: {lead.table}, named by {lead.key}, created at {lead.created_at or 'nothing: see below'}")
    elif roles.lead_column is not None:
        more = len(roles.events) - 1
        among = f" and {more} other table{'s' if more > 1 else ''}" if more > 0 else ""
        lines.append(f"leads: each {roles.lead_column.column} of {roles.lead_column.table}{among}")
    lines += [f"{name}: {_become(source, 'interactions')}" for name, source in summary.sources.items()]
    read = summary.all_tables()
    lines += [
        f"{name}: {_become(read[setting], f'rows for ingest.{setting}')}"
        for setting, name in proposal.people.used.items()
    ]
    counts = {kind.name: kind for kind in types}
    lines.append("conversion: " + ", ".join(f"{name} ({counts[name].leads:,} leads)" for name in outcomes.conversion))
    others = [kind for kind in outcomes.candidates if kind.name not in outcomes.conversion][:5]
    if others:
        lines.append("could be, too: " + ", ".join(f"{kind.name} ({kind.leads:,} leads)" for kind in others))
    lines.append(
        "lost: " + (", ".join(f"{name} ({counts[name].leads:,} leads)" for name in outcomes.lost) or "nothing says it")
    )
    if size.base_rate > NEARLY_ALL:
        lines.append(
            f"note: {size.base_rate:.0%} convert, so this is hardly a conversion; name another: --conversion TYPE"
        )
    if roles.lead_column is not None and roles.lead_column.others:
        lines.append(f"the lead could also be: {', '.join(roles.lead_column.others[:3])} (--lead-id)")
    used = [one.name for one in attributes if not one.refused]
    unjudged = [one.name for one in attributes if not one.refused and one.auc is None]
    if unjudged:
        lines.append(f"note: too few convert to see whether these know the outcome: {', '.join(unjudged)}")
    lines.append(f"attributes: {', '.join(used) or 'none'}")
    lines += [f"left out: {one.name}, {one.refused}{_worth(one)}" for one in attributes if one.refused]
    lines += [f"not read: {name} ({reason})" for name, reason in tables.unread]
    lines += [f"note: {note}" for note in [*proposal.notes, *summary.warnings]]
    longest = longest_trainable(size.rows)
    if longest is None:
        lines.append("note: there is too little to train a model yet; the table says what is missing")
    else:
        chosen = format_duration(size.horizon)
        lines.append(f"the longest horizon that can be trained is {format_duration(longest)}; {chosen} is set")
    return lines


def _become(table: TableSummary, what: str) -> str:
    """Say what became of the rows of a table."""
    aside = sum(table.set_aside.values())
    reasons = sorted(table.set_aside.items(), key=lambda item: -item[1])[:3]
    told = ", ".join(f"{count:,} {reason}" for reason, count in reasons)
    return f"{table.used:,} {what}" + (f", {aside:,} set aside ({told})" if aside else "")


def _worth(one: Attribute) -> str:
    """Say what a column that is left out is worth and, where only the user can know, how it is taken in."""
    if one.worth is None or one.auc is None:
        return ""
    alone = "" if one.is_asked or "AUC" in (one.refused or "") else f": alone it has an AUC of {one.auc:.2f}"
    worth = f"{alone}; it would raise the AUC of all attributes by {max(one.worth, 0.0):.3f}"
    return (
        f"{worth}. If it never changes after creation: --attribute {shlex.quote(one.name)}" if one.is_asked else worth
    )
