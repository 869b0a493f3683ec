"""The stage ``features``: the catalogue from the training log, and the matrix of the labelled snapshots."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features import own
from features.catalogue import Catalogue, Kind, build_catalogue
from features.schema import CALIBRATION, EARLY_STOPPING, FIT, LEAD, TEST
from features.vocabulary import SEEN_COLUMNS, see
from pipeline.artefacts import (
    CATALOGUE,
    FEATURES,
    INTERACTIONS,
    LEADS,
    SNAPSHOTS,
    Progress,
    require,
    write_json,
    written_whole,
)
from pipeline.batches import size_batches, whole_groups
from pipeline.configuration import Parameters
from pipeline.matrix import read_log, stream_matrix, write_matrix
from pipeline.setting_types import in_bytes
from pipeline.snapshots import read_event_types, require_event_types
from pipeline.sql import connect, fetch_row, file_literal, literal

_SPILL = Path("data/.tmp/features")


def run(parameters: Parameters, root: Path, progress: Progress) -> None:
    """Build the catalogue and compute the matrix; the gap and what has no label are left out."""
    interactions, leads, snapshots = root / INTERACTIONS, root / LEADS, root / SNAPSHOTS
    require(interactions, leads, snapshots)
    fitted = pq.read_table(snapshots, columns=["as_of"], filters=[("part", "==", FIT)])["as_of"]
    catalogue = grow_catalogue(parameters, interactions, leads, pc.max(fitted).as_py())
    (root / FEATURES).unlink(missing_ok=True)  # no matrix stands beside a catalogue that is not its own
    write_json(root / CATALOGUE, catalogue.to_json())
    parts = ", ".join(map(literal, (FIT, EARLY_STOPPING, CALIBRATION, TEST)))
    labelled = f"SELECT * FROM read_parquet({file_literal(snapshots)}) WHERE part IN ({parts})"
    limit = parameters.features.memory_limit
    with connect(limit, root / _SPILL) as connection, written_whole(root / FEATURES) as temporary:
        rows = fetch_row(connection, f"SELECT count(*) FROM ({labelled})")[0]
        progress(f"computing {len(catalogue.columns)} features of {rows:,} snapshots")
        batches = stream_matrix(
            connection,
            labelled,
            interactions,
            leads,
            catalogue,
            keep=("part", "label"),
            memory_limit=in_bytes(limit),
        )
        for done in write_matrix(batches, temporary):
            progress(f"computed features of {done:,} of {rows:,} snapshots")


def grow_catalogue(parameters: Parameters, interactions: Path, leads: Path, until: datetime) -> Catalogue:
    """Build the catalogue from the events that were known before ``until``, the last as_of of the fit part."""
    settings = parameters.features
    seen = read_event_types(interactions)
    require_event_types(seen, "features.exclude_types", settings.exclude_types)
    declared = [feature.feature(settings.actors) for feature in settings.declared]
    for place, features in (("features.declared", declared), ("features/own.py", own.FEATURES)):
        named = (name for feature in features for name in (feature.filter.event_type, feature.than))
        require_event_types(seen, place, [name for name in named if isinstance(name, str)])
    size = size_batches(in_bytes(settings.memory_limit), len(SEEN_COLUMNS)).events
    parts = whole_groups(read_log(interactions, SEEN_COLUMNS, size), "lead_id")
    log = see(parts, until, settings.actors)
    outcomes = (*parameters.episodes.conversion, *parameters.episodes.lost)
    return build_catalogue(
        log.event_type_table(),
        log.table("channel"),
        log.table("campaign"),
        actors=settings.actors,
        windows=settings.windows,
        half_life=settings.half_life,
        minimum_leads=settings.minimum_leads,
        maximum_types=settings.maximum_types,
        ignored_types=(*outcomes, *settings.exclude_types),
        declared=[*own.FEATURES, *declared],
        attributes=attributes_of(leads),
    )


def attributes_of(leads: Path) -> dict[str, Kind]:
    """Give the attributes that the table of leads has beside the fields of every lead, with their kinds."""
    fields = {field.name for field in LEAD}
    return {
        column.name: "number" if pa.types.is_floating(column.type) else "category"
        for column in pq.read_schema(leads)
        if column.name not in fields
    }
