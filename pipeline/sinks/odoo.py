"""Scores written to the leads of Odoo, 17 to 19, by JSON-RPC or, from 19 on, JSON-2."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from features.core.errors import DeliveryError
from pipeline.settings.push import Odoo
from pipeline.sinks.calls import BATCHES_A_CONNECTION
from pipeline.sinks.odoo_client import Loader, OdooClient
from pipeline.sinks.odoo_fields import ATTRIBUTES, Described, Fields
from pipeline.sinks.protocol import LaterError, Outcome, Record, Remote, Sink, WholeBatchError

_LEAD = "crm.lead"
_CONNECTIONS = 2
_SEES_OWN, _SEES_ALL = "sales_team.group_sale_salesman", "sales_team.group_sale_salesman_all_leads"


class OdooSink(Sink):
    """The leads of one database of Odoo."""

    reads, creates = True, False
    batches_at_once = BATCHES_A_CONNECTION * _CONNECTIONS

    def __init__(self, settings: Odoo, mapping: Mapping[str, str], _root: Path) -> None:
        self._client, self._fields = OdooClient(settings, _CONNECTIONS), Fields(settings.key_field, mapping)
        self._call = self._client.call
        self._loader = Loader(self._client, _LEAD, settings.batch_size, self._fields.row)
        self._seen: Described = {}
        self._lock = Lock()
        self.name = f"odoo {urlsplit(settings.url).netloc} {settings.database} {_LEAD}"
        self.calls_a_day, self.batch_size = settings.calls_a_day, settings.batch_size
        self.leads_a_call = settings.batch_size

    @property
    def calls(self) -> int:
        """How many calls have been made so far."""
        return self._client.calls

    def read(self, keys: Sequence[str]) -> dict[str, Remote]:
        """Give the leads of the keys, archived ones, too: of several with one key the only one that is active."""
        wanted = self._fields.keys(keys)
        try:
            rows = self._call(
                _LEAD, "search_read", domain=[[self._fields.key, "in", wanted]], fields=self._fields.read(),
                context={"active_test": False},
            )  # fmt: skip
        except WholeBatchError as error:  # no fewer keys would mend it
            raise DeliveryError(f"Odoo does not read its leads: {error}; see leadcast crm check") from None
        found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            found[str(row[self._fields.key])].append(row)
        return {key: self._remote(found[key]) for key in keys if key in found}

    def _remote(self, rows: Sequence[Mapping[str, Any]]) -> Remote:
        """Choose the lead among those of a key."""
        row, *others = [row for row in rows if row["active"]] or rows
        stage = row["stage_id"]
        closed = not row["active"] or bool(stage and stage[0] in self._won)
        refused = f"several leads have this {self._fields.key}" if others else None
        return Remote(str(row["id"]), self._fields.values(row), closed, refused)

    def write(self, batch: Sequence[Record]) -> Iterator[Outcome]:
        """Load the records by the ids that were read: all of one set of fields at once, and those that go through."""
        groups: dict[tuple[str, ...], list[Record]] = defaultdict(list)
        for record in batch:
            groups[tuple(record.values)].append(record)
        if self._fields.may_be_whole:
            self._known()
        met: list[str] = []
        for names, records in groups.items():
            yield from self._loader.load(names, records, met)
        if met:
            raise LaterError(met[-1])

    def check(self) -> list[str]:
        """Log in, look at the rights and the fields."""
        try:
            problems = self._fields.problems(self._described())
            if not self._may_write():
                problems.append("the scoring user may not write leads; give it Sales / User: All Documents")
        except (DeliveryError, LaterError, WholeBatchError) as error:
            return [str(error)]
        return problems

    def missing(self) -> list[str]:
        """List the custom fields that are not there."""
        return [str(one["name"]) for one in self._fields.missing(self._described())]

    def setup(self) -> list[str]:
        """Make the custom fields that are missing; Odoo lets administrators alone do so."""
        missing = self._fields.missing(self._described())
        if not missing:
            return []
        (model,) = self._call("ir.model", "search_read", domain=[["model", "=", _LEAD]], fields=["id"])
        made = [{"model_id": model["id"], "state": "manual", **definition} for definition in missing]
        self._call("ir.model.fields", "create", vals_list=made)
        names = [str(one["name"]) for one in made]
        return [f"field {name} of {_LEAD}; no view shows it yet: docs/push.md has one" for name in names]

    def sizes(self) -> Mapping[str, int | None]:
        """Tell how many letters the text fields take; most have no limit."""
        return self._fields.sizes(self._known())

    def unseen(self) -> str | None:
        """Name the rule by which a salesperson without further rights sees few leads."""
        try:
            if self._is_of(_SEES_ALL) or not self._is_of(_SEES_OWN):
                return None
        except (DeliveryError, LaterError, WholeBatchError):
            return None
        return (
            'by the rule "Personal Leads" the scoring user sees only leads that are its own, or nobody\'s; '
            "give it Sales / User: All Documents"
        )

    def _is_of(self, group: str) -> bool:
        named = {"group_ext_id": group}
        try:
            return bool(self._call("res.users", "has_group", ids=[self._client.user], **named))
        except WholeBatchError:  # Odoo 17 asks it of the caller alone
            return bool(self._call("res.users", "has_group", **named))

    def _known(self) -> Described:
        """Give what was told of the fields, and ask once where nothing was."""
        with self._lock:
            return self._seen or self._described()

    def _described(self) -> Described:
        names = ["id", *self._fields.read()]
        self._seen = self._call(_LEAD, "fields_get", allfields=names, attributes=ATTRIBUTES)
        self._fields.learn(self._seen)
        return self._seen

    def _may_write(self) -> bool:
        try:
            return bool(self._call(_LEAD, "has_access", ids=[], operation="write"))
        except WholeBatchError:  # Odoo 17 has no such method
            return bool(self._call(_LEAD, "check_access_rights", operation="write", raise_exception=False))

    @cached_property
    def _won(self) -> set[int]:
        stages = self._call("crm.stage", "search_read", domain=[["is_won", "=", True]], fields=["id"])
        return {stage["id"] for stage in stages}
