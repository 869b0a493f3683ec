"""An Odoo under test: leads, stages and fields behind JSON-RPC and JSON-2, in the shapes that real ones answer in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, Literal

from crm_servers import PATIENT, Answer, CrmServer, Request

DATABASE, LOGIN, USER = "production", "scoring@example.com", 7
ADMINISTRATOR, ADMINISTRATORS_ID = ("admin@example.com", "s3cret-key-of-the-administrator"), 2
"""Login and key of whoever may make fields, where the scoring user may not."""
TYPES = {
    "id": "integer", "name": "char", "active": "boolean", "stage_id": "many2one", "user_id": "many2one",
    "probability": "float", "automated_probability": "float", "priority": "selection", "x_lead_number": "char",
}  # fmt: skip
OURS = {
    "x_leadcast_tier": "char", "x_leadcast_probability": "float", "x_leadcast_reason_1": "char",
    "x_leadcast_reason_2": "char", "x_leadcast_action": "char", "x_leadcast_date": "date",
}  # fmt: skip
EMPTY = {"float": 0.0, "integer": 0}
NEW, WON = [1, "New"], [4, "Won"]
LOCKED = "The operation is not allowed: the lead is locked"


def _error(place: int, message: str, **more: str) -> dict[str, Any]:
    """Give what load says of a row."""
    return {"type": "error", "record": place, "rows": {"from": place, "to": place}, "message": message} | more


class OdooError(Exception):
    """What Odoo raises: its class, and its message."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class OdooServer(CrmServer):
    """A server with one database; which methods there are depends on its version."""

    def __init__(self, version: int = 19) -> None:
        super().__init__()
        self.version = version
        self.types = TYPES | OURS
        self.refused: set[int] = set()
        """Leads that a rule of the business logic refuses to have changed."""
        self.triggered: set[int] = set()
        """Leads that a trigger of the database refuses to have changed."""
        self.contended: set[int] = set()
        """Leads that somebody else is writing to."""
        self.row_writes = 0
        """How often a row was written, be it taken back or not: what a load costs."""
        self.selections: dict[str, list[list[str]]] = {"priority": [["0", "Low"], ["1", "Medium"]]}
        """Of selection fields: the keys, each with its label."""
        self.lengths: dict[str, int] = {}
        """How many letters a text takes, where that is limited."""
        self.is_administrator = True
        self.own_documents_only = False
        """Whether the rule Personal Leads hides from the user what is somebody else's."""
        self.exhausted = False
        self.rows: dict[int, dict[str, Any]] = {}

    def answer(self, request: Request) -> Answer:
        """Answer either interface."""
        if self.exhausted:
            return Answer({"name": "odoo.exceptions.AccessDenied", "message": "Your subscription has expired"}, 403)
        if request.path == "/jsonrpc":
            return self._answer_rpc(request)
        found = re.fullmatch(r"/json/2/([\w.]+)/(\w+)", request.path)
        if not found or self.version < 19:
            return Answer("<html>Not found</html>", 404)
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("authorization") != f"bearer {self.token}":
            return Answer({"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey"}, 401)
        if headers.get("x-odoo-database") != DATABASE:
            return Answer({"name": "werkzeug.exceptions.NotFound", "message": "no such database"}, 404)
        try:
            return Answer(self._call(found[1], found[2], request.json()))
        except OdooError as error:
            status = {"odoo.exceptions.AccessError": 403, "odoo.exceptions.MissingError": 404}.get(
                error.name, 422 if error.name.startswith("odoo.exceptions.") else 500
            )
            return Answer({"name": error.name, "message": str(error), "arguments": [str(error)], "context": {}}, status)

    def _answer_rpc(self, request: Request) -> Answer:
        """Answer 200 to everything; a result that is None is left out."""
        content = request.json()
        parameters = content["params"]
        reply: dict[str, Any] = {"jsonrpc": "2.0", "id": content["id"]}
        try:
            result = self._serve(parameters["service"], parameters["method"], parameters["args"])
        except OdooError as error:
            data = {"name": error.name, "message": str(error), "debug": "Traceback ...", "arguments": [str(error)]}
            return Answer(reply | {"error": {"code": 200, "message": "Odoo Server Error", "data": data}})
        return Answer(reply | ({} if result is None else {"result": result}))

    def _serve(self, service: str, method: str, arguments: list[Any]) -> Any:  # noqa: ANN401 - as methods give it
        if arguments[0] != DATABASE:
            raise OdooError("psycopg2.OperationalError", f'database "{arguments[0]}" does not exist')
        if (service, method) == ("common", "authenticate"):
            known = {(LOGIN, self.token): USER, ADMINISTRATOR: ADMINISTRATORS_ID}
            return known.get((arguments[1], arguments[2]), False)
        assert (service, method) == ("object", "execute_kw")
        _, user, key, model, called, positional, named = arguments
        if (user, key) == (ADMINISTRATORS_ID, ADMINISTRATOR[1]):
            self.is_administrator = True
        elif (user, key) != (USER, self.token):
            raise OdooError("odoo.exceptions.AccessDenied", "Access Denied")
        order = {"create": ["vals_list"], "has_access": ["ids"], "has_group": ["ids"]}.get(called, [])
        return self._call(model, called, dict(zip(order, positional, strict=False)) | named)

    def _call(self, model: str, method: str, named: dict[str, Any]) -> Any:  # noqa: ANN401 - as methods give it
        known: dict[tuple[str, str], Callable[..., Any]] = {
            ("crm.lead", "search_read"): self._search,
            ("crm.lead", "load"): self._load,
            ("crm.lead", "fields_get"): self._fields_get,
            ("res.users", "has_group"): self._has_group,
            ("res.users", "context_get"): lambda: {"lang": "en_US", "tz": False, "uid": USER},
            ("crm.stage", "search_read"): lambda **_: [{"id": WON[0]}],
            ("ir.model", "search_read"): lambda **_: [{"id": 311}],
            ("ir.model.fields", "create"): self._create_fields,
        }
        name = "check_access_rights" if self.version < 18 else "has_access"
        if (model, method) == ("crm.lead", name):
            return True
        if (model, method) not in known:
            raise OdooError("builtins.AttributeError", f"The method '{model}.{method}' does not exist"[:60])
        return known[model, method](**named)

    def _search(self, domain: list[Any], fields: list[str], context: dict[str, Any]) -> list[dict[str, Any]]:
        ((field, operator, wanted),) = domain
        assert (operator, context) == ("in", {"active_test": False})
        unknown = set(fields) - set(self.types)
        if unknown:
            raise OdooError("builtins.ValueError", f"Invalid field {min(unknown)!r} on model 'crm.lead'")
        if field == "id":
            assert all(isinstance(key, int) for key in wanted), "PostgreSQL compares no integer with a text"
        chosen = set(wanted)
        rows = [row for row in self.rows.values() if row[field] in chosen and self._is_seen(row)]
        return [{"id": row["id"]} | {name: self._shown(name, row) for name in fields} for row in rows]

    def _is_seen(self, row: dict[str, Any]) -> bool:
        return not self.own_documents_only or not row["user_id"] or row["user_id"][0] == USER

    def _has_group(self, group_ext_id: str, ids: list[int] | None = None) -> bool:
        if self.version < 18:
            if ids is not None:
                raise OdooError("builtins.TypeError", "has_group() got multiple values for argument 'group_ext_id'")
        elif ids != [USER]:
            raise OdooError("builtins.ValueError", "Expected singleton: res.users()")
        return {
            "sales_team.group_sale_salesman": True,
            "sales_team.group_sale_salesman_all_leads": not self.own_documents_only,
        }[group_ext_id]

    def _shown(self, name: str, row: dict[str, Any]) -> Any:  # noqa: ANN401 - a value of any field
        return row.get(name, EMPTY.get(self.types[name], False))

    def _load(self, fields: list[str], data: list[list[str]]) -> dict[str, Any]:
        """Write all rows, or none and name bad ones: as ``BaseModel.load`` does, with what that costs."""
        assert fields[0] == ".id", "any other would make leads"
        assert all(isinstance(value, str) for row in data for value in row)
        messages = [fault for place, row in enumerate(data) for fault in self._not_converted(place, fields, row)]
        self._save(data, messages)
        if any(message["type"] == "error" for message in messages):
            return {"ids": False, "messages": messages, "nextrow": 0}
        for row in data:
            lead = self.rows[int(row[0])]
            lead |= {name: self._read(name, text) for name, text in zip(fields[1:], row[1:], strict=True)}
        return {"ids": [int(row[0]) for row in data], "messages": [], "nextrow": 0}

    def _is_open(self, row: list[str]) -> bool:
        lead = self.rows.get(int(row[0]))
        return lead is not None and lead["active"] and self._is_seen(lead)

    def _not_converted(self, place: int, fields: list[str], row: list[str]) -> Iterator[dict[str, Any]]:
        """Say which values are none, and which leads are unknown: to load, archived ones are."""
        if not self._is_open(row):
            yield _error(place, f"Unknown database identifier '{row[0]}'", field=".id")
        for name, text in zip(fields[1:], row[1:], strict=True):
            try:
                self._read(name, text)
            except ValueError:
                yield _error(place, f"'{text}' does not seem to be a valid value for field '{name}'", field=name)

    def _save(self, data: list[list[str]], messages: list[dict[str, Any]]) -> None:
        """Save the rows together; where that fails, one by one from the first, and take all back with each that fails.

        What the business logic said of all is told of the first row, be it good or bad.
        """
        told = None
        for row in data:
            self.row_writes += 1
            if self._is_open(row) and int(row[0]) in self.refused:
                told = _error(0, LOCKED)
                break
        if told is None and any(int(row[0]) in self.triggered for row in data):
            # A trigger's exception breaks the transaction: no row is tried by itself.
            if not messages:
                messages.append(_error(0, f"Unknown database error: '{LOCKED}\n'"))
            return
        if told is None and not any(self._faults(row) for row in data):
            return
        errors = 0
        for place, row in enumerate(data):
            self.row_writes += 1
            faults = self._faults(row)
            messages += [_error(place, **fault) for fault in faults]
            errors += len(faults)
            if errors >= 10 and errors >= (place + 1) / 10:
                messages.append({"type": "warning", "message": "Found more than 10 errors, interrupted"})
                break
        if errors and told and told not in messages:
            messages.insert(0, told)

    def _faults(self, row: list[str]) -> list[dict[str, str]]:
        """Say why a row can't be saved by itself."""
        if not self._is_open(row):  # without an id, it is a new lead, and one without a name
            return [{"message": "Missing required value for the field 'Opportunity' (name)", "field": "name"}]
        if int(row[0]) in self.refused | self.triggered:
            return [{"message": LOCKED}]
        contended = int(row[0]) in self.contended
        return [{"message": "could not serialize access due to concurrent update\n"}] if contended else []

    def _read(self, name: str, text: str) -> Any:  # noqa: ANN401 - a value of any field
        kind = self.types[name]
        if text == "":
            return EMPTY.get(kind, False)
        if kind in {"float", "integer"}:
            return float(text) if kind == "float" else int(text)
        if kind == "selection":  # by the key or the label, whatever the capitals
            for key, label in self.selections[name]:
                if text.lower() in {key.lower(), label.lower()}:
                    return key
            raise ValueError(text)
        if kind == "char":
            return text[: self.lengths.get(name)]
        return date.fromisoformat(text).isoformat() if kind == "date" else text

    def _fields_get(self, allfields: list[str], attributes: list[str]) -> dict[str, dict[str, Any]]:
        assert attributes == ["type", "selection", "size"]
        told: dict[str, dict[str, Any]] = {name: {"type": self.types[name]} for name in allfields if name in self.types}
        for name, attribute in told.items():
            if attribute["type"] == "selection":
                attribute["selection"] = self.selections[name]
            elif attribute["type"] == "char":
                attribute["size"] = self.lengths.get(name)
        return told

    def _create_fields(self, vals_list: list[dict[str, Any]]) -> list[int]:
        if not self.is_administrator:
            raise OdooError("odoo.exceptions.AccessError", "You are not allowed to create 'Fields' records.")
        for values in vals_list:
            assert values["model_id"] == 311
            assert values["state"] == "manual"
            assert values["name"].startswith("x_")
            assert values["copied"] is False, "a copy of a lead would have the score of another"
            self.types[values["name"]] = values["ttype"]
        return list(range(1, len(vals_list) + 1))


class OdooCrm(OdooServer):
    """The server as the conformance suite drives it; leads are named by a field of their own."""

    has_calls = True

    def __init__(self, interface: Literal["jsonrpc", "json2"] = "jsonrpc", version: int = 19) -> None:
        super().__init__(version)
        self.interface = interface
        self.environment = {"ODOO_API_KEY": self.token}

    @property
    def settings(self) -> dict[str, Any]:
        """The section ``push``."""
        sink = {
            "kind": "odoo", "url": self.url, "database": DATABASE, "user": LOGIN, "key": "$ODOO_API_KEY",
            "interface": self.interface, "key_field": "x_lead_number", "timeout_seconds": PATIENT,
        }  # fmt: skip
        return {"sink": sink}

    def _of(self, key: str) -> dict[str, Any] | None:
        return next((row for row in self.rows.values() if row["x_lead_number"] == key), None)

    def add(self, key: str, *, closed: bool = False) -> None:
        """Make a lead; every second closed one is archived instead of won."""
        number = len(self.rows) + 101
        stage, active = (WON, True) if closed and number % 2 else (NEW, not closed)
        self.rows[number] = {
            "id": number, "name": "Somebody", "active": active, "stage_id": stage, "user_id": [3, "Sales"],
            "probability": 12.5, "automated_probability": 12.5, "priority": "1", "x_lead_number": key,
        }  # fmt: skip

    def lead(self, key: str) -> dict[str, Any] | None:
        """Give all fields of a lead."""
        row = self._of(key)
        return row and {name: self._shown(name, row) for name in self.types}

    def keys(self) -> set[str]:
        """List the leads."""
        return {row["x_lead_number"] for row in self.rows.values()}

    def edit(self, key: str, ours: str, value: str | float | None) -> None:
        """Change a field of ours."""
        row = self._of(key)
        assert row
        row[f"x_leadcast_{ours}"] = False if value is None else value

    def refuse(self, key: str, *, refused: bool = True) -> None:
        """Lock a lead, or free it."""
        row = self._of(key)
        assert row
        self.refused ^= {row["id"]} if refused != (row["id"] in self.refused) else set()

    def exhaust(self) -> None:
        """Refuse all calls from now on; Odoo counts none, but a subscription ends."""
        self.exhausted = True


def loads(crm: OdooCrm) -> list[tuple[list[str], list[list[str]]]]:
    """Give the fields and the rows of each load that came."""
    found = []
    for request in crm.requests:
        content = request.json()
        if crm.interface == "json2" and request.path.endswith("/load"):
            found.append((content["fields"], content["data"]))
        elif crm.interface == "jsonrpc" and content["params"]["args"][4:5] == ["load"]:
            named = content["params"]["args"][6]
            found.append((named["fields"], named["data"]))
    return found
