"""The temporary tables and views of a whole run, by which one step of ``ingest`` hands rows to another."""

from __future__ import annotations

import duckdb

from pipeline.core.sql import Relation

NO_ALIAS = (
    "SELECT NULL::VARCHAR AS alias_id, NULL::VARCHAR AS lead_id, NULL::TIMESTAMP AS linked_at, "
    "NULL::TIMESTAMP AS contested_at WHERE false"
)
"""What the table of aliases holds where no ids are linked."""


class Relations:
    """Each is an attribute, which stands in a statement as its name; those of one table are the table's.

    A step makes what it finds, and later ones read it. The rows of tables come in as ``mapped`` and go out as
    ``judged``; between them lies what is said here of all of them.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.links = Relation(connection, "link")
        """The usable links, each once: sequence, alias_id, target, linked_at, repeat."""
        self.tangled = Relation(connection, "tangled")
        """The sequences of links that are parts of chains, or claim an alias that another one claims, too."""
        self.refused_links = Relation(connection, "refused_link")
        """The links that are set aside: sequence, reason."""
        self.aliases = Relation(connection, "alias")
        """Each alias once: alias_id, lead_id, linked_at, contested_at (none where one lead claims it)."""
        self.leads = Relation(connection, "lead")
        """Each lead once: lead_id, rank in the order of the ids, time_zone; with a table of leads, its fields, too."""
        self.rates = Relation(connection, "rate")
        """What one unit is worth in our currency: day, currency, rate."""
        self.creations = Relation(connection, "creation")
        """When leads came to be, where no table says it: lead_id, created_at, known_at, at_first."""
        self.counts = Relation(connection, "count")
        """What the written log holds of each source and lead: source, lead_id, rows, first and last (when events
        occurred)."""
        self.local_days = Relation(connection, "local_day")
        """How far zones are ahead of UTC: zone, day (in UTC), ahead (microseconds, or null)."""
