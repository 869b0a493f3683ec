"""``leadcast lead``: who a lead is, how it stands and what happened to it, as known today or at a moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from features.core.errors import InputError
from models.core.horizons import PROBABILITY
from pipeline.core.project import HERE, Project, require
from pipeline.core.sql import open_reader
from pipeline.inspection.found_lead import FoundLead, find_lead
from pipeline.inspection.lifeline import Entry, Score, draw, read_events
from pipeline.log.history import episodes_at
from pipeline.log.people import read_consents, read_decisions
from pipeline.settings.parameters import Parameters
from pipeline.settings.types import read_moment
from pipeline.wording.texts import page_text

_FOLDER = "as_of=%Y-%m-%dT%H-%M-%S.%f"
_NAME = "recommendations.parquet"
_PLAIN = "hive_partitioning = false"
"""A folder's name says the moment, too, but as a text."""


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
        draw(events, scores, words, consents, parameters.decision, parameters.episodes, parameters.words, until),
    )


def _moment(at: str | None) -> datetime | None:
    try:
        return None if at is None else read_moment(at)
    except ValueError as error:
        raise InputError(f"--at: {error}") from None


def _newest(connection: duckdb.DuckDBPyConnection, project: Project[Parameters], lead: FoundLead) -> Standing:
    """Read what is recommended of it by the newest model."""
    if not project.recommendations.exists():
        missing = page_text("lead.nothing_yet", project.parameters.words.language, file=HERE.recommendations)
        return Standing(None, None, None, missing)
    return _read_standing(connection, project, project.recommendations, lead.lead_id)


def _kept(
    connection: duckdb.DuckDBPyConnection, project: Project[Parameters], lead_id: str, moment: datetime
) -> Standing:
    """Read what the history has kept of it at the moment or, where that was not kept, last before it."""
    kept = _history(project, moment)
    if not kept:
        then, language = f"{moment:%Y-%m-%d %H:%M}", project.parameters.words.language
        missing = page_text("lead.nothing_kept", language, folder=HERE.scores, moment=then)
        return Standing(None, None, None, missing)
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
        missing = page_text("lead.not_among", project.parameters.words.language, moment=f"{as_of:%Y-%m-%d %H:%M}")
        return Standing(source, as_of, None, missing)
    return Standing(source, as_of, dict(zip(names, row, strict=True)), None)


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
