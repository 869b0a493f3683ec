"""The stage ``features``: the catalogue from the training log, and the matrix of the labelled snapshots."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features import own
from features.core.errors import NotEnoughDataError, SettingsError, nearest
from features.core.schema import LEAD
from features.engines.census import SEEN_COLUMNS, see
from features.language.catalogue import Catalogue, Kind, build_catalogue
from features.language.feature import Feature
from features.language.measures import TOUCHED
from pipeline.core.project import Progress, Project, require, write_json, written_whole
from pipeline.core.sql import connect, fetch_row, file_literal
from pipeline.log.history import read_event_types, require_event_types
from pipeline.log.known_types import leanest_shares
from pipeline.matrix.batches import size_batches, whole_groups
from pipeline.matrix.executors import executor_of
from pipeline.matrix.local import read_log, write_matrix
from pipeline.settings.features import Features
from pipeline.settings.run import Run
from pipeline.settings.timeline import Episodes
from pipeline.settings.types import halve, in_bytes

_SPILL = Path("data/.tmp/features")


class Sections(Protocol):
    """The sections of the settings that this stage is handed."""

    episodes: Episodes
    features: Features
    run: Run


def run(project: Project[Sections], progress: Progress) -> None:
    """Build the catalogue and compute the matrix; what has no label is left out."""
    interactions, leads, snapshots = project.interactions, project.leads, project.snapshots
    require(interactions, leads, snapshots)
    learned = pq.read_table(snapshots, columns=["as_of"], filters=pc.field("label").is_valid())["as_of"]
    catalogue = grow_catalogue(project.parameters, interactions, leads, pc.max(learned).as_py())
    project.matrix.unlink(missing_ok=True)  # no matrix stands beside a catalogue that is not its own
    labelled = f"SELECT * FROM read_parquet({file_literal(snapshots)}) WHERE label IS NOT NULL"
    of_duckdb, _ = halve(project.parameters.run.memory_limit)
    stream_matrix = executor_of(project.parameters.run)
    with connect(of_duckdb, project.root / _SPILL) as connection, written_whole(project.matrix) as temporary:
        shares = leanest_shares(connection, interactions, catalogue.vocabulary.known_types)
        declared = declared_features(project.parameters.features)
        own_names = [name for name, one in zip(catalogue.names, catalogue.features, strict=True) if one in declared]
        write_json(project.catalogue, catalogue.to_json() | {"known_types": shares, "own": own_names})
        rows = fetch_row(connection, f"SELECT count(*) FROM ({labelled})")[0]
        progress(f"computing {len(catalogue.columns)} features of {rows:,} snapshots")
        batches = stream_matrix(connection, labelled, interactions, leads, catalogue, keep=("label",))
        for done in write_matrix(batches, temporary):
            progress(f"computed features of {done:,} of {rows:,} snapshots")


def grow_catalogue(parameters: Sections, interactions: Path, leads: Path, until: datetime) -> Catalogue:
    """Build the catalogue from the events that were known before ``until``, the last as_of that has a label.

    Those of leads that nobody had heard of by then were nobody's.
    """
    settings = parameters.features
    seen = read_event_types(interactions)
    require_event_types(seen, "features.exclude_types", settings.exclude_types)
    outcomes = (*parameters.episodes.conversion, *parameters.episodes.lost)
    ignored = (*outcomes, *settings.exclude_types)
    declared = [feature.feature(settings.actors) for feature in settings.declared]
    places = {"features.declared": declared, "features/own.py": own.FEATURES}
    for place, features in places.items():
        named = _names(features, "event_type") + [name for one in features if isinstance(name := one.than, str)]
        require_event_types(seen, place, named)
        unseen = sorted({*named} & {*ignored})
        if unseen:
            raise SettingsError(
                f"{place}: no feature may see {unseen[0]!r}, which says the outcome or is among "
                "features.exclude_types; leave the feature out"
            )
    size = size_batches(in_bytes(parameters.run.memory_limit), len(SEEN_COLUMNS)).events
    parts = whole_groups(read_log(interactions, SEEN_COLUMNS, size), "lead_id")
    unheard_of = pq.read_table(leads, columns=["lead_id"], filters=[("known_at", ">=", until)])["lead_id"]
    log = see(parts, until, settings.actors, unheard_of.to_pylist())
    for place, features in places.items():
        for part in TOUCHED[1:]:
            counts = log.of(part)
            absent = [name for name in _names(features, part) if name not in counts]
            if absent:
                raise NotEnoughDataError(
                    f"{place}: before {until:%Y-%m-%d} no event of {', '.join(settings.actors)} has the {part} "
                    f"{absent[0]!r}; {nearest(absent[0], counts) if counts else f'none has a {part} at all'}"
                )
    return build_catalogue(
        log.event_type_table(),
        {part: log.table(part) for part in TOUCHED[1:]},
        log.about_table(),
        actors=settings.actors,
        windows=settings.windows,
        half_life=settings.half_life,
        minimum_leads=settings.minimum_leads,
        maximum_types=settings.maximum_types,
        ignored_types=ignored,
        declared=declared_features(settings),
        attributes=attributes_of(leads),
    )


def _names(features: Iterable[Feature], part: str) -> list[str]:
    """List the texts that features name of event_type, channel, campaign or content."""
    return [name for feature in features if isinstance(name := getattr(feature.filter, part), str)]


def attributes_of(leads: Path) -> dict[str, Kind]:
    """Give the attributes that the table of leads has beside the fields of every lead, with their kinds."""
    fields = {field.name for field in LEAD}
    return {
        column.name: "number" if pa.types.is_floating(column.type) else "category"
        for column in pq.read_schema(leads)
        if column.name not in fields
    }


def declared_features(settings: Features) -> list[Feature]:
    """List the features that people declared, in ``features/own.py`` and in the settings."""
    return [*own.FEATURES, *(feature.feature(settings.actors) for feature in settings.declared)]
