"""``leadcast lead``: who a lead is, how it stands and what happened to it, as known today or at a moment."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb

from features.core.errors import InputError
from features.core.recommendation import LIST_CHANGES, TIER_CHANGES
from features.core.schema import GUESSES
from features.core.time import format_duration
from features.language.labels import Labels
from models.core.horizons import PROBABILITY, column_of
from pipeline.core.project import HERE, Places, Project, read_json, require
from pipeline.core.sql import open_reader
from pipeline.inspection.found_lead import FoundLead, find_lead
from pipeline.inspection.lifeline import Entry, Score, draw, read_events
from pipeline.log.history import episodes_at
from pipeline.log.people import read_consents, read_decisions
from pipeline.settings.parameters import Parameters
from pipeline.settings.types import read_moment
from pipeline.wording.todays_list import told_of_the_moves

_FOLDER = "as_of=%Y-%m-%dT%H-%M-%S.%f"
_NAME, _DECIDED = "recommendations.parquet", "decided.json"
_PLAIN = "hive_partitioning = false"
"""A folder's name says the moment, too, but as a text."""
_WIDTH = 24
_CAUSES = ("data", "time", "behaviour", "model")
"""What may move a probability, by the columns change_data and so on."""
_VERSION = 12
"""Letters of a model's version by which people tell it."""


@dataclass(frozen=True)
class Standing:
    """How a lead stood at a moment (UTC), or why nothing is said of it."""

    source: str | None
    """The file that says so."""
    as_of: datetime | None
    row: Mapping[str, Any] | None
    """The lead's recommendation; None where it has none there."""
    missing: str | None
    """Why there is none."""
    since_last: Mapping[str, Any] | None = None
    """How many leads moved since the list before, and why; None where that was not noted, or there was none."""


@dataclass(frozen=True)
class Portrait:
    """All that there is to say of a lead; times in UTC."""

    lead: FoundLead
    moment: datetime | None
    """Nothing that became known at or after it is in here; None where all is that is known today."""
    episode: Mapping[str, Any]
    """Its number, since when, and how and when it ended."""
    standing: Standing
    timeline: Sequence[Entry]
    """The newest first."""

    def to_json(self) -> dict[str, Any]:
        """Give all of it as JSON holds it, with the same keys for every lead; times end in Z."""
        content = asdict(self) | {"lead": asdict(self.lead) | {"attributes": dict(self.lead.attributes)}}
        written: dict[str, Any] = _as_json(content)
        return written


def show_lead(project: Project[Parameters], asked: str, at: str | None) -> Portrait:
    """Show a lead, asked for by its id or an alias, as all is known today, or as it was ``at`` a date or time (UTC).

    Raises InputError where the lead or the moment is none, or the lead was not known by then.
    """
    places, parameters = project, project.parameters
    require(places.interactions, places.leads, places.aliases, places.former_creations)
    require(places.decisions, places.consents)
    moment = _moment(at)
    with open_reader() as connection:
        lead = find_lead(connection, places, asked, moment)
        if moment is not None and lead.known_at >= moment:
            raise InputError(
                f"--at: nobody knew of lead {asked!r} before {lead.known_at:%Y-%m-%d %H:%M:%S} UTC; name a later moment"
            )
        standing = _kept(connection, project, lead.lead_id, moment) if moment else _newest(connection, project, lead)
        events = read_events(connection, places, lead.lead_id, moment)
        words = read_decisions(connection, places, lead.lead_id, moment)
        consents = read_consents(connection, places, lead.lead_id, moment)
        scores = _read_scores(connection, project, lead.lead_id, moment)
    known = [event.known_at + timedelta(microseconds=1) for event in events]
    until = moment or max([lead.created_at, *known, *([standing.as_of] if standing.as_of else [])])
    episodes = episodes_at(places, parameters.episodes, lead.lead_id, lead.created_at, until)
    return Portrait(
        lead,
        moment,
        {name: _native(value) for name, value in episodes.iloc[-1].items() if name != "lead_id"},
        standing,
        draw(events, scores, words, consents, parameters.decision, parameters.episodes, parameters.words.labels, until),
    )


def _moment(at: str | None) -> datetime | None:
    try:
        return None if at is None else read_moment(at)
    except ValueError as error:
        raise InputError(f"--at: {error}") from None


def _newest(connection: duckdb.DuckDBPyConnection, project: Project[Parameters], lead: FoundLead) -> Standing:
    """Read what is recommended of it by the newest model."""
    if not project.recommendations.exists():
        return Standing(None, None, None, f"nothing is recommended yet: {HERE.recommendations} comes with dvc repro")
    return _read_standing(connection, project, project.recommendations, lead.lead_id)


def _kept(
    connection: duckdb.DuckDBPyConnection, project: Project[Parameters], lead_id: str, moment: datetime
) -> Standing:
    """Read what the history has kept of it at the moment or, where that was not kept, last before it."""
    kept = _history(project, moment)
    if not kept:
        return Standing(
            None,
            None,
            None,
            f"{HERE.scores} has kept nothing of {moment:%Y-%m-%d %H:%M} UTC or before; 'leadcast score' keeps what it "
            f"decides, with --backfill of a moment that is past",
        )
    newest = [path for as_of, path in kept if as_of == kept[-1][0]]
    if len(newest) > 1:  # of several models at the same moment, what was computed last
        (path,) = connection.execute(
            f"SELECT arg_max(filename, scored_at) FROM read_parquet($files, filename = true, {_PLAIN})",
            {"files": [str(path) for path in newest]},
        ).fetchone() or (newest[-1],)
        newest = [Path(path)]
    return _read_standing(connection, project, newest[0], lead_id)


def _history(project: Project[Parameters], moment: datetime | None) -> list[tuple[datetime, Path]]:
    """List what was kept, up to and with the moment, the oldest first."""
    files = sorted(project.scores.glob(f"as_of=*/model=*/{_NAME}"))
    kept = [(datetime.strptime(path.parts[-3], _FOLDER), path) for path in files]  # noqa: DTZ007 - in UTC
    return [one for one in kept if moment is None or one[0] <= moment]


def _read_standing(
    connection: duckdb.DuckDBPyConnection, project: Project[Parameters], path: Path, lead_id: str
) -> Standing:
    answer = connection.execute(f"SELECT * FROM read_parquet(?, {_PLAIN}) WHERE lead_id = ?", [str(path), lead_id])
    names = [column[0] for column in answer.description or ()]
    row = answer.fetchone()
    (as_of,) = connection.execute(f"SELECT min(as_of) FROM read_parquet(?, {_PLAIN})", [str(path)]).fetchone() or (
        None,
    )
    source = str(path.relative_to(project.root))
    if row is None:
        return Standing(source, as_of, None, f"it is not among the leads that were open at {as_of:%Y-%m-%d %H:%M} UTC")
    return Standing(source, as_of, dict(zip(names, row, strict=True)), None, _since_last(project, path))


def _since_last(places: Places, path: Path) -> Mapping[str, Any] | None:
    """Read what was noted of all leads beside recommendations."""
    beside = places.scoring if path == places.recommendations else path.with_name(_DECIDED)
    noted: Mapping[str, Any] | None = _as_json(read_json(beside).get("since_last")) if beside.exists() else None
    return noted


def _read_scores(
    connection: duckdb.DuckDBPyConnection, project: Project[Parameters], lead_id: str, moment: datetime | None
) -> list[Score]:
    """Read what the lead was given in the history, the oldest first."""
    files = [str(path) for _, path in _history(project, moment)]
    if not files:
        return []
    rows = connection.execute(
        f"SELECT as_of, {PROBABILITY}, tier, model_version FROM read_parquet($files, {_PLAIN}, "
        "union_by_name = true) WHERE lead_id = $lead ORDER BY as_of, scored_at",
        {"files": files, "lead": lead_id},
    ).fetchall()
    return [Score(*row) for row in rows]


def tell_lead(portrait: Portrait, parameters: Parameters) -> Iterator[str]:
    """Say who a lead is and how it stands, line by line; times are in the company's time zone."""
    lead, labels = portrait.lead, parameters.words.labels
    zone = ZoneInfo(parameters.decision.time_zone)
    yield f"Lead {lead.lead_id} (times: {zone.key})"
    if lead.alias:
        told = f"{lead.alias.alias_id}, which is known as this lead's since {say(lead.alias.linked_at, zone)}"
        if lead.alias.contested_at:
            told += f", and is claimed by another lead, too, since {say(lead.alias.contested_at, zone)}"
        yield _line("asked for as", told)
    if portrait.moment:
        yield _line("as known at", say(portrait.moment, zone))
    yield _line("created", say(lead.created_at, zone))
    if lead.account_id is not None:
        yield _line("account", lead.account_id)
    for name, value in lead.attributes.items():
        shown = "unknown" if value is None else f"{value:,g}" if isinstance(value, float) else value
        yield _line(labels.noun("attributes", name), shown)
    episode = portrait.episode
    told = f"{episode['episode']}, since {say(episode['started_at'], zone)}"
    yield _line("episode", told + (f"; {_ended(episode, zone)}" if episode["outcome"] else "; open"))
    yield ""
    yield from _tell_standing(portrait, parameters, labels, zone)


def _tell_tier(row: Mapping[str, Any]) -> Iterator[str]:
    own = row.get("own_tier")
    yield _line("tier", row["tier"] if own is None else f"{row['tier']}, as people said; {own} without their word")
    if row.get("word") is not None:
        yield _line("people's word", row["word"])


def _ended(episode: Mapping[str, Any], zone: ZoneInfo) -> str:
    return f"{episode['outcome']} on {say(episode['outcome_at'], zone)}"


def _tell_probability(row: Mapping[str, Any], horizon: str) -> Iterator[str]:
    if row[PROBABILITY] is None:
        yield _line("probability", "none, for it has ended")
        return
    guess = f", a guess: {GUESSES[row.get('guess') or 'age']}" if row["is_guess"] else ""
    yield _line("probability", f"{row[PROBABILITY]:.1%} within {horizon}{guess}")
    for name, value in row.items():
        if name.startswith(column_of("")):
            yield _line("", f"{value:.1%} within {name.removeprefix(column_of(''))}")


def _tell_standing(portrait: Portrait, parameters: Parameters, labels: Labels, zone: ZoneInfo) -> Iterator[str]:
    standing = portrait.standing
    row = standing.row
    if standing.as_of:
        yield f"As decided for {say(standing.as_of, zone)} ({standing.source})"
    if row is None:
        yield _line("nothing is said" if standing.as_of else "Nothing was decided", standing.missing or "")
        return
    if "scored_at" in row:
        later = portrait.moment is not None and row["scored_at"] > portrait.moment
        yield _line("computed", say(row["scored_at"], zone) + (", after the moment asked for" if later else ""))
    yield _line("model", row["model_version"][:_VERSION])
    yield from _tell_tier(row)
    # What an earlier version has kept says less.
    if "list" in row:
        told = row["list"] if row["list_reason"] is None else f"{row['list']}: {row['list_reason']}"
        yield _line("list", told if row["rank"] is None else f"{told} (rank {row['rank']:,})")
    yield from _tell_moves(row)
    if standing.since_last is not None:
        yield from _lines("of all leads", told_of_the_moves(standing.since_last, parameters.words.language))
    yield _line("maturity", row["maturity"])
    if row.get("stage") is not None:
        yield _line("stage", labels.noun("milestones", row["stage"]))
    if row.get("target") is not None:
        yield _line("target", row["target"])
    yield from _lines("facts", row.get("facts") or ["none"])
    yield from _tell_probability(row, format_duration(parameters.snapshots.horizon))
    if row.get("expected_value") is not None:
        yield _line("expected value", f"{row['expected_value']:,.2f} {parameters.ingest.currency or ''}".rstrip())
    yield from _tell_what_next(row)
    yield from _tell_reasons(row)


def _tell_moves(row: Mapping[str, Any]) -> Iterator[str]:
    if (cause := row.get("list_changed")) is not None:
        moved = "came onto that of sales" if row["list"] == "sales" else "left that of sales"
        yield _line("since the last list", f"{moved} ({cause}): {LIST_CHANGES[cause]}")
    if (cause := row.get("tier_changed")) is not None:
        yield _line("tier before", f"{row['tier_before']} ({cause}): {TIER_CHANGES[cause]}")


def _tell_what_next(row: Mapping[str, Any]) -> Iterator[str]:
    if row.get("next_step") is not None:
        yield _line("next step", f"{row['next_step']} ({row['action']})")
    if row.get("recontact_why") is not None:
        yield _line("when to come back", row["recontact_why"])


def _tell_reasons(row: Mapping[str, Any]) -> Iterator[str]:
    if row.get("grade") is not None:
        yield _line("grade", f"{row['grade']} (who it is, A to D; what it did, 1 to 4)")
    if "reasons_for" not in row:  # of an earlier version
        yield from _lines("reasons", row["reasons"] or ["none were computed"])
        return
    yield from _lines("speaks for it", row["reasons_for"] or ["no reason is computed for its tier, or none is known"])
    yield from _lines("speaks against it", row["reasons_against"] or ["nothing that the figures bear out"])
    yield from _tell_change(row)


def _tell_change(row: Mapping[str, Any]) -> Iterator[str]:
    if row.get("trend") is None:
        return
    yield _line("trend", row["trend"])
    if row["what_changed"] is None:
        return
    yield _line("what changed", row["what_changed"])
    parts = [(cause, row[f"change_{cause}"]) for cause in _CAUSES]
    if row["change_data"] is None:
        parts = [("data and model" if cause == "model" else cause, part) for cause, part in parts[1:]]
    whole = math.fsum(part for _, part in parts)
    told = ", ".join(f"{cause} {part:+.3f}" for cause, part in parts)
    yield _line("", f"in log-odds {whole:+.3f}: {told}")


def table_of(entries: Sequence[Entry], parameters: Parameters) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Give the line of time as a table: its headers, without columns that say nothing, and its rows."""
    zone, labels = ZoneInfo(parameters.decision.time_zone), parameters.words.labels
    rows = [
        {
            "when": say(entry.at, zone),
            "kind": entry.kind,
            "what": _printable(entry.what),
            "who": entry.actor or "",
            "channel": labels.noun("channels", entry.channel) if entry.channel else "",
            "campaign": _printable(entry.campaign),
            "content": _printable(entry.content),
            "value": "" if entry.value is None else f"{entry.value:,.2f}",
            "times": "" if entry.quantity in (None, 1) else f"{entry.quantity:,}",
            "known since": _known_since(entry, zone),
        }
        for entry in entries
    ]
    headers = [name for name in (rows[0] if rows else ()) if any(row[name] for row in rows)]
    return tuple(headers), [tuple(row[name] for name in headers) for row in rows]


def _known_since(entry: Entry, zone: ZoneInfo) -> str:
    told = say(entry.known_at, zone) if entry.known_at else ""
    return "" if told == say(entry.at, zone) else told


def say(moment: datetime, zone: ZoneInfo) -> str:
    """Write a moment in UTC as the clocks of a zone show it.

    >>> say(datetime(2026, 6, 30, 22, 30), ZoneInfo("Europe/Amsterdam"))
    '2026-07-01 00:30'
    """
    return f"{moment.replace(tzinfo=UTC).astimezone(zone):%Y-%m-%d %H:%M}"


def _line(name: str, told: str) -> str:
    return f"  {name:<{_WIDTH}}{_printable(told)}".rstrip()


def _lines(name: str, told: Sequence[str]) -> Iterator[str]:
    yield from (_line(name if number == 0 else "", one) for number, one in enumerate(told))


def _printable(text: str | None) -> str:
    """Give a text as a terminal may print it: with plain spaces, without line breaks and control codes."""
    if text is None:
        return ""
    text = text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")
    return text if text.isprintable() else repr(text)[1:-1]


def _native(value: Any) -> Any:  # noqa: ANN401 - a cell of pandas
    """Give a cell as plain Python has it, None where it is missing."""
    if hasattr(value, "to_pydatetime"):
        value = value.to_pydatetime()
    elif hasattr(value, "item"):
        value = value.item()
    return None if value != value else value  # noqa: PLR0124 - NaN and NaT


def _as_json(value: Any) -> Any:  # noqa: ANN401 - whatever a portrait holds
    match value:
        case datetime():
            return f"{value.isoformat(timespec='microseconds')}Z"
        case date():
            return value.isoformat()
        case dict():
            return {name: _as_json(one) for name, one in value.items()}
        case list() | tuple():
            return [_as_json(one) for one in value]
    return value
