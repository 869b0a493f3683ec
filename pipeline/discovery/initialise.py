"""``leadcast init``: from a folder of exports to settings that run, each line with its reason.

The mapping is proposed from the tables alone; then the log is ingested, for a try, into a temporary folder, and what
only a log can tell is told by it: which events are conversions and losses, which columns know the outcome, how far
ahead the model can look.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import yaml
from pydantic import ValidationError

from features.core.errors import InputError, LeadcastError, nearest
from features.core.time import format_duration
from pipeline.core.project import Places, Progress, Project
from pipeline.core.sql import open_reader
from pipeline.discovery.assumed import said_of_later
from pipeline.discovery.attributes import settle_numbers
from pipeline.discovery.currencies import propose_groups, propose_revenue
from pipeline.discovery.judging import (
    accuse_events,
    acquittals,
    ask_about,
    judge_attributes,
    said_of_last_steps,
    to_measure,
    vouched_for,
)
from pipeline.discovery.owners import settle_owners
from pipeline.discovery.people import withdraw_broken
from pipeline.discovery.proposal import Proposal, propose
from pipeline.discovery.silences import declare_ends
from pipeline.discovery.sizing import Size, find_size
from pipeline.discovery.telling import comments_on_decision, comments_on_findings, head, said_of_strangers, told
from pipeline.discovery.writing import write_settings
from pipeline.ingest import stage as ingest
from pipeline.ingest.summary import IngestSummary
from pipeline.log.learnable import table_of
from pipeline.log.named import named_channels
from pipeline.profiling.damaged import refuse_damaged
from pipeline.profiling.events import type_holding
from pipeline.profiling.known_words import words_for
from pipeline.profiling.machines import FoundMachines, find_machines
from pipeline.profiling.outcomes import (
    EventType,
    Outcomes,
    decision_for,
    find_outcomes,
    find_own_work,
    read_event_types,
    said_in_short,
    said_of_returns,
)
from pipeline.profiling.profile import Profile, profiles
from pipeline.profiling.spelled import spell_out
from pipeline.profiling.stamps import set_stamps_apart
from pipeline.profiling.tables import opened
from pipeline.profiling.times import Ask, judge_recorded, settle_orders
from pipeline.profiling.words import CHANNEL, has, plain
from pipeline.settings.ingest import OWN_TABLES, Ingest
from pipeline.settings.parameters import Parameters

_OURS_TOO = 0.5


@dataclass(frozen=True)
class Options:
    """What the user has said beforehand; what is None, or empty, is found out."""

    database: str | None = None
    leads: str | None = None
    lead_id: str | None = None
    event_type: str | None = None
    conversion: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    outcome: str | None = None
    horizon: timedelta | None = None
    date_order: str | None = None
    attributes: tuple[str, ...] = ()
    """Columns that the user vouches for: they never change after creation."""
    leave_out: tuple[str, ...] = ()
    """Tables or files that are not to be used."""
    survivor: str | None = None
    """Of a table of merges, the column of the record that is left."""


@dataclass(frozen=True)
class Found:
    """What ``init`` gives: the text of the settings, and what to tell the user, line by line."""

    settings: str
    told: list[str]
    learnable: list[tuple[str, str, str, str, str]]


def initialise(folder: Path, options: Options, ask: Ask | None, progress: Progress, here: Path) -> Found:
    """Look at the exports in ``folder`` and propose settings for a project in ``here``.

    Raises InputError where something can't be found out and has to be said, with the option that says it.
    """
    with opened(folder, options.database, options.leave_out, progress) as tables:
        progress("looking at the columns")
        seen = profiles(tables)
        refuse_damaged(tables, seen)
        settled = settle_orders(seen, options.date_order, ask)
        known, no_events = set_stamps_apart(tables, settled)
        known = spell_out(tables, judge_recorded(tables, known), options.event_type, options.conversion)
        proposal = propose(
            tables,
            known,
            leads=options.leads,
            lead_id=options.lead_id,
            event_type=options.event_type or type_holding(known, options.conversion),
            outcome=options.outcome,
            horizon=options.horizon,
            survivor=options.survivor,
            ask=ask,
            said_ends=(*options.conversion, *options.lost),
        )
        proposal.notes += no_events
        if not proposal.ingest["sources"]:
            raise InputError(
                f"{folder} holds leads, but nothing that happened to them: no events that a column ties to a lead, no "
                "dates of theirs and no column that says who converted; name one: --outcome COLUMN, or add a table of "
                f"events{_below(proposal.notes)}"
            )
        content = _content(folder, here, proposal, options)
        vouched = vouched_for(proposal.attributes, options.attributes)
        leads = content["ingest"].get("leads", {})  # a log may say nothing of its leads: then this is not kept
        _take_attributes(leads, to_measure(vouched), proposal, known)
        with TemporaryDirectory(prefix="leadcast-") as temporary:
            places = Places(Path(temporary))
            progress("reading everything for a try")
            summary = ingest.run(Project(places.root, _checked(_for_trial(content, folder))), progress)
            withdraw_broken(content, summary, proposal.people)
            log, looks = places.interactions, proposal.looks
            with open_reader() as connection:
                types, ours = _settle_actors(content, read_event_types(connection, log, places.leads), proposal)
                outcomes = _choose_outcomes(connection, log, types, options, ask, proposal.notes)
                ends = {*outcomes.conversion, *outcomes.lost}
                _propose_machines(content, find_machines(connection, log, types, ends), proposal)
                if not looks:
                    proposal.notes += said_of_last_steps(connection, log, outcomes)
                proposal.notes += [
                    *said_of_returns(connection, log, types, outcomes),
                    *accuse_events(connection, log, types, outcomes, content["ingest"]["sources"]),
                ]
                judged = judge_attributes(
                    connection, places, vouched, outcomes, types, summary, assumed=looks is not None
                )
                attributes = ask_about(vouched_for(judged, options.attributes), ask)
                if looks:
                    proposal.notes += said_of_later(connection, log, places.leads, ends, looks)
                territory = settle_owners(connection, places, attributes, content, proposal.people)
                _take_attributes(leads, {one.name: one.kind for one in attributes if not one.refused}, proposal, known)
                if harmless := acquittals(attributes):
                    content["evaluate"] = {**content.get("evaluate", {}), "acquitted": harmless}
                content |= {
                    "episodes": _episodes(outcomes),
                    "decision": decision_for(types, outcomes) | territory,
                    "kpi": propose_revenue(connection, log, outcomes.conversion) | propose_groups(connection, places),
                    "words": _words(places, types, list(leads["attributes"]), outcomes),
                }
            _allow_missing(content["ingest"], summary, proposal)
            proposal.notes += [*said_of_strangers(proposal, summary), *proposal.people.notes]
            declare_ends(content["ingest"], summary, proposal, log, types, ends, _actors(ours))
            progress("measuring how long leads take")
            horizon = options.horizon or (looks.horizon if looks else None)
            size = find_size(_for_trial(content, folder), places, horizon, assumed=looks.ages if looks else ())
    comments = (
        _size(content, size, ours, said=options.horizon is not None or looks is not None)
        | proposal.comments
        | proposal.people.comments
        | comments_on_findings(outcomes, attributes, types)
        | comments_on_decision(content["decision"], types)
        | ({"kpi.groups": "a channel on which money is spent is paid"} if "groups" in content["kpi"] else {})
    )
    settings = write_settings(content, comments, head(folder, summary))
    if yaml.safe_load(settings) != content:
        raise LeadcastError("the proposed settings can't be written as YAML; this is a mistake in leadcast: report it")
    _checked(content)
    return Found(settings, told(tables, proposal, outcomes, types, attributes, size, summary), table_of(size.rows))


def _take_attributes(
    leads: dict[str, Any], attributes: Mapping[str, str], proposal: Proposal, profiles: Mapping[str, Profile]
) -> None:
    """Map attributes; how numbers are written is said for those alone that are among them."""
    leads["attributes"] = dict(attributes)
    if proposal.roles.lead_table:
        numbers = [name for name, kind in attributes.items() if kind == "number"]
        settle_numbers(leads, profiles[proposal.roles.lead_table.table], numbers)


def _content(folder: Path, here: Path, proposal: Proposal, options: Options) -> dict[str, Any]:
    root = os.path.relpath(folder, here)
    if options.database:
        for table in (*proposal.ingest.get("tables", {}).values(), *proposal.ingest["sources"].values()):
            if table.get("database"):
                table["database"] = options.database
    return {
        "data_root": str(folder.resolve()) if root.startswith("..") else root,
        "ingest": proposal.ingest,
        "validate": {},
        "episodes": {"conversion": ["?"]},
        "snapshots": {"horizon": "30d", "policies": [{"ages": ["1d"]}]},
        "features": {},
        "train": {},
        "evaluate": {"model_name": re.sub(r"[^a-z0-9]+", "-", plain(folder.resolve().name)) or "leads"},
        "decision": {"territory": "?"} if "owners" in proposal.ingest else {},
        "recommend": {},
        "kpi": {},
        "leads": {},
        "words": {},
    }


def _checked(content: Mapping[str, Any]) -> Parameters:
    """Check what was proposed; raises LeadcastError where it makes no sense, which is our mistake."""
    try:
        return Parameters.model_validate(content)
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, part['loc']))}: {part['msg']}" for part in error.errors())
        raise LeadcastError(
            f"the proposed settings make no sense ({told}); this is a mistake in leadcast: report it"
        ) from None


def _for_trial(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Give the settings for a try: rows are set aside however many they are, for that is told, too."""
    return {
        **content,
        "data_root": str(folder.resolve()),
        "ingest": {**content["ingest"], "maximum_broken": 1.0},
    }


def _choose_outcomes(
    connection: duckdb.DuckDBPyConnection,
    log: Path,
    types: Sequence[EventType],
    options: Options,
    ask: Ask | None,
    notes: Sequence[str],
) -> Outcomes:
    known = [kind.name for kind in types]
    absent = [name for name in (*options.conversion, *options.lost) if name not in known]
    if absent:
        raise InputError(f"no event of type {absent[0]!r} in the log; {nearest(absent[0], known)}")
    found = find_outcomes(connection, log, types, options.conversion, options.lost)
    if ask is not None and not options.conversion:
        said = _ask_types("Which event means that a lead has converted?", known, ", ".join(found.conversion), ask)
        found = find_outcomes(connection, log, types, said, options.lost)
    if not found.conversion:
        top = sorted(types, key=lambda kind: -kind.events)[:12]
        raise InputError(
            "no event type is called a conversion; name the ones that mean it: --conversion TYPE. The log has "
            + ", ".join(f"{kind.name} ({kind.leads:,} leads)" for kind in top)
            + " ...; or a column that says who converted: --outcome COLUMN"
            + _below(notes)
        )
    if ask is not None and not options.lost:
        names = [name for name in known if name not in found.conversion]
        lost = _ask_types("Which events mean that a lead is lost? (none: -)", names, ", ".join(found.lost) or "-", ask)
        found = replace(found, lost=lost)
    return found


def _below(notes: Sequence[str]) -> str:
    """List below a fault what was seen before it, as it may be the reason."""
    return "".join(f"\n  {note}" for note in notes)


def _ask_types(question: str, names: Sequence[str], proposed: str, ask: Ask) -> tuple[str, ...]:
    """Ask for event types until all of them exist."""
    while True:
        answer = ask(question, names, proposed)
        said = tuple(part.strip() for part in answer.split(",") if part.strip() not in {"", "-"})
        absent = [name for name in said if name not in names]
        if not absent:
            return said
        question = f"There is no {absent[0]!r}; {nearest(absent[0], names)[:200]} Which?"


def _allow_missing(settings: dict[str, Any], summary: IngestSummary, proposal: Proposal) -> None:
    """Allow for the rows in which something is missing, where the run would otherwise stop; not for damaged ones."""
    worst = 0.0
    for name, table in summary.all_tables().items():
        if name in OWN_TABLES and name not in settings:
            continue  # it was taken back
        broken = table.broken
        share = sum(broken.values()) / table.rows if table.rows else 0.0
        if share > Ingest.model_fields["maximum_broken"].default:
            listed = ", ".join(f"{count:,} {reason}" for reason, count in broken.items())
            proposal.notes.append(f"{share:.0%} of the rows of {name} can't be used ({listed})")
            if all(reason.startswith("missing ") for reason in broken):
                worst = max(worst, share)
            else:
                proposal.notes.append(f"a run will stop at {name}: mend it, leave it out, or raise maximum_broken")
    if worst:
        settings["maximum_broken"] = min(1.0, math.ceil(worst * 100 + 1) / 100)
        proposal.comments["ingest.maximum_broken"] = "in more rows something is missing than the usual 5 %: see init"


def _settle_actors(
    content: dict[str, Any], types: list[EventType], proposal: Proposal
) -> tuple[list[EventType], float]:
    """Tell our own work by its life: what is scheduled or started is done by people. Gives its share of all events."""
    for name, source in content["ingest"]["sources"].items():
        if source["actor"] != "lead" or not isinstance(source["columns"].get("event_type"), list):
            continue  # only a log with a column of the life cycle tells work apart
        work = find_own_work(types, name)
        if work:
            source["actor"] = {"default": "lead", "us": said_in_short(work, types, name)}
            proposal.comments[f"ingest.sources.{name}.actor"] = "what is scheduled or started is work of our own people"
            types = [replace(kind, actor="us") if kind.name in work else kind for kind in types]
    ours = sum(kind.events for kind in types if kind.actor == "us")
    return types, ours / max(sum(kind.events for kind in types), 1)


def _propose_machines(content: dict[str, Any], found: Iterable[FoundMachines], proposal: Proposal) -> None:
    """Propose how machines are told in a source of single acts."""
    for one in found:
        source = content["ingest"]["sources"][one.source]
        if not source["columns"].keys() & {"counts", "quantity"}:
            source["machines"] = one.types
            proposal.comments[f"ingest.sources.{one.source}.machines"] = one.why


def _actors(ours: float) -> list[str]:
    """Choose whose acts count; where most of them are ours, the lead's alone say too little."""
    return ["lead", "us", "system"] if ours > _OURS_TOO else ["lead"]


def _episodes(outcomes: Outcomes) -> dict[str, Any]:
    settings: dict[str, Any] = {"conversion": list(outcomes.conversion)}
    if outcomes.lost:
        settings["lost"] = list(outcomes.lost)
    if outcomes.milestones:
        settings["milestones"] = {name: list(types) for name, types in outcomes.milestones.items()}
    if outcomes.reopen_on:
        settings |= {"reopen_on": list(outcomes.reopen_on), "reopen_after": "30d"}
    return settings


def _words(places: Places, types: Sequence[EventType], attributes: Sequence[str], outcomes: Outcomes) -> dict[str, Any]:
    """Propose words for what the log, as it was read for a try, names as most logs do."""
    named: dict[str, Iterable[str]] = {
        "event_types": [kind.name for kind in types],
        "channels": sorted(named_channels(places, [name for name in attributes if has(name, CHANNEL)])),
        "attributes": attributes,
        "milestones": outcomes.milestones,
    }
    return {"language": "en", **words_for(named)}


def _size(content: dict[str, Any], size: Size, ours: float, *, said: bool) -> dict[str, str]:
    """Write what was measured into the settings; gives the comments on it."""
    content["snapshots"] = {"horizon": format_duration(size.horizon), "policies": size.policies}
    content["features"] = {
        "actors": _actors(ours),
        "windows": [format_duration(window) for window in size.windows],
        "half_life": format_duration(size.half_life),
    }
    content["decision"]["multiples"] = {"mql": 1.0, "sql": 2.5}
    if size.last_created:
        content["recommend"] = {"as_of": size.last_created}
    why = (
        "as was said or assumed"
        if said
        else f"four in five that convert do so within {size.late_days:.0f} days of their creation"
    )
    return {
        "snapshots.horizon": f"does it convert within this time? {why}",
        "snapshots.policies": f"when a lead is looked at; {size.why}",
        "features.actors": "most events are our own people's work; compare with [lead], which learns no habits of ours"
        if len(_actors(ours)) > 1
        else "whose events count; what we did follows from whom we believed in",
        "decision.multiples": f"of the odds of the {size.base_rate:.1%} that convert; better is money: what a "
        "conversion is worth, and what effort costs",
        "recommend.as_of": "the last day on which leads came in",
    }
