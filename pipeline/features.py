"""The stage ``features``: the catalogue from the training log, and the matrix of the labelled snapshots."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.catalogue import Catalogue, Kind, build_catalogue
from features.schema import CALIBRATION, EARLY_STOPPING, FIT, LEAD, TEST
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
from pipeline.configuration import Parameters
from pipeline.matrix import join_leads, stream_matrix
from pipeline.snapshots import read_event_types, require_event_types

_ROW_GROUP = 65_536


def run(parameters: Parameters, root: Path, progress: Progress) -> None:
    """Build the catalogue and compute the matrix; the gap and what has no label are left out."""
    interactions, leads, snapshots = root / INTERACTIONS, root / LEADS, root / SNAPSHOTS
    require(interactions, leads, snapshots)
    taken = pq.read_table(snapshots).to_pandas()
    catalogue = grow_catalogue(parameters, interactions, leads, taken.loc[taken["part"] == FIT, "as_of"].max())
    (root / FEATURES).unlink(missing_ok=True)  # no matrix stands beside a catalogue that is not its own
    write_json(root / CATALOGUE, catalogue.to_json())
    wanted = taken[taken["part"].isin([FIT, EARLY_STOPPING, CALIBRATION, TEST])].reset_index(drop=True)
    progress(f"computing {len(catalogue.columns)} features of {len(wanted):,} snapshots")
    table = join_leads(wanted, leads, catalogue)
    row = 0
    with written_whole(root / FEATURES) as temporary:
        writer: pq.ParquetWriter | None = None
        try:
            for batch in stream_matrix(interactions, table, catalogue):
                part = wanted.iloc[row : row + len(batch)]
                labelled = batch.append_column("part", pa.array(part["part"], pa.string())).append_column(
                    "label", pa.array(part["label"].astype(bool))
                )
                writer = writer or pq.ParquetWriter(temporary, labelled.schema, compression="zstd")
                writer.write_table(labelled, row_group_size=_ROW_GROUP)
                row += len(batch)
                progress(f"computed features of {row:,} of {len(wanted):,} snapshots")
        finally:
            if writer is not None:
                writer.close()


def grow_catalogue(parameters: Parameters, interactions: Path, leads: Path, until: pd.Timestamp) -> Catalogue:
    """Build the catalogue from the events that were known before ``until``, the last as_of of the fit part."""
    settings = parameters.features
    seen = read_event_types(interactions)
    require_event_types(seen, "features.exclude_types", settings.exclude_types)
    named = [feature.event_type for feature in settings.declared if feature.event_type is not None]
    require_event_types(seen, "features.declared", named)
    with duckdb.connect() as connection:
        known = "FROM read_parquet(?) WHERE known_at < ?"
        values = [str(interactions), until]
        event_types = connection.execute(
            "SELECT event_type, actor, count(DISTINCT lead_id) AS leads, count(value) > 0 AS valued "
            f"{known} GROUP BY ALL ORDER BY ALL",
            values,
        ).df()
        channels = connection.execute(
            "SELECT channel, count(DISTINCT lead_id) AS leads "
            f"{known} AND channel IS NOT NULL AND list_contains(?, actor) GROUP BY ALL ORDER BY ALL",
            [*values, list(settings.actors)],
        ).df()
    outcomes = (*parameters.episodes.conversion, *parameters.episodes.lost)
    return build_catalogue(
        event_types,
        channels,
        actors=settings.actors,
        windows=settings.windows,
        half_life=settings.half_life,
        minimum_leads=settings.minimum_leads,
        maximum_types=settings.maximum_types,
        ignored_types=(*outcomes, *settings.exclude_types),
        declared=[feature.feature(settings.actors) for feature in settings.declared],
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
