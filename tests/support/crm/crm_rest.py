"""Systems that take JSON over HTTP, one lead a call: Dynamics 365, Pipedrive, and one that finds leads by a search."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import yaml
from crm_servers import PATIENT, Answer, CrmServer, Request

EXAMPLES = Path(__file__).parents[3] / "examples/push"


class DynamicsServer(CrmServer):
    """Leads, and beside each a score."""

    def __init__(self) -> None:
        super().__init__()
        self.scores: dict[str, dict[str, Any]] = {}
        self.frozen: set[str] = set()
        self.exhausted = False

    def limited(self) -> Answer:
        """Answer as its service protection does."""
        return _odata(429, "0x80072322", _TOO_MANY, headers=super().limited().headers)

    def answer(self, request: Request) -> Answer:
        """Read a lead, or change a score."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("authorization") != f"Bearer {self.token}":
            return Answer(None, 401, {"WWW-Authenticate": "Bearer"})
        if self.exhausted:
            return _odata(429, "0x80072322", _TOO_MANY, headers={"Retry-After": "3600"})
        path = unquote(request.path).removeprefix("/api/data/v9.2/")
        if request.method == "GET" and path == "WhoAmI":
            return Answer({"UserId": "00000000-0000-0000-0000-000000000042"})
        lead = re.fullmatch(r"leads\((.*)\)", path, re.DOTALL)
        if request.method == "GET" and lead:
            return self._read(lead[1], request.parameters)
        score = re.fullmatch(
            r"msdyn_predictivescores\(msdyn_entityid='((?:[^']|'')*)',msdyn_entitytype='lead'\)", path, re.DOTALL
        )
        if request.method == "PATCH" and score:
            return self._change(score[1].replace("''", "'"), request.json(), headers.get("if-match"))
        return _odata(404, "0x8006088a", f"Resource not found for the segment '{path}'.")

    def _read(self, key: str, parameters: dict[str, str]) -> Answer:
        if not re.fullmatch(r"[\w-]+", key):
            return _odata(400, "0x80060888", "Bad Request - Error in query syntax.")
        if key not in self.leads:
            return _odata(404, "0x80040217", f"Entity 'lead' With Id = {key} Does Not Exist")
        expanded = re.fullmatch(r"msdyn_PredictiveScoreId\(\$select=([\w,]+)\)", parameters["$expand"])
        assert expanded
        score = self.scores.get(key)
        found = {name: self.leads[key][name] for name in parameters["$select"].split(",")}
        chosen = {name: score[name] for name in expanded[1].split(",")} if score else None
        return Answer({"@odata.etag": 'W/"7"', "leadid": key, **found, "msdyn_PredictiveScoreId": chosen})

    def _change(self, key: str, body: dict[str, Any], if_match: str | None) -> Answer:
        if if_match != "*":
            self.scores.setdefault(key, dict(_NO_SCORE))
        if key not in self.scores:
            return _odata(404, "0x80060891", "A record with the specified key values does not exist in table")
        for name, value in body.items():
            if name not in _NO_SCORE:
                return _odata(400, "0x80048d19", f"Error identified in Payload: Invalid property '{name}' was found")
            kind = {"msdyn_score": int, "new_tier": str}[name]
            if value is not None and type(value) is not kind:
                message = f"Cannot convert the literal '{value}' to the expected type 'Edm.{kind.__name__}'."
                return _odata(400, "0x80048d19", message)
        if not 0 <= (body.get("msdyn_score") or 0) <= 100:
            return _odata(400, "0x80044331", "A validation error occurred. The value is outside of the valid range")
        if key in self.frozen:
            return _odata(400, "0x80040265", "This is not allowed: the record is frozen")
        self.scores[key] |= body
        return Answer(None, 204, {"OData-Version": "4.0"})


_NO_SCORE: dict[str, Any] = {"msdyn_score": None, "new_tier": None}
_TOO_MANY = "Number of requests exceeded the limit of 6000, measured over time window of 300 seconds."


def _odata(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    return Answer({"error": {"code": code, "message": message}}, status, headers or {})


class PipedriveServer(CrmServer):
    """Deals with custom fields; each call costs tokens of a daily budget."""

    def __init__(self, kinds: dict[str, type]) -> None:
        super().__init__()
        self.kinds = kinds
        """The custom fields: a text, a number, or a day."""
        self.budget = 1_000_000
        self.frozen: set[str] = set()

    def limited(self) -> Answer:
        """Answer as its limit of calls within two seconds does."""
        return Answer(_refusal("request over limit", 429), 429, super().limited().headers)

    def answer(self, request: Request) -> Answer:
        """Read a deal, or change it."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("x-api-token") != self.token:
            return Answer(_refusal("unauthorized access", 401), 401)
        self.budget -= {"GET": 2, "PATCH": 5}.get(request.method, 0)
        if self.budget < 0:
            return Answer(_refusal("Daily API token budget exceeded", 429), 429, {"Retry-After": "3"})
        path = unquote(request.path)
        if request.method == "GET" and path == "/api/v1/users/me":
            return Answer({"success": True, "data": {"id": 42, "name": "Scoring"}})
        key = path.removeprefix("/api/v2/deals/")
        if key == path or request.method not in {"GET", "PATCH"}:
            return Answer(_refusal("Unknown method .", 404), 404)
        if not re.fullmatch(r"\w+", key):
            return Answer(_refusal("Validation failed: id: Expected number, received nan", 400), 400)
        if key not in self.leads:
            return Answer(_refusal("Deal not found", 404), 404)
        deal = self.leads[key]
        if request.method == "PATCH":
            body = request.json()
            reason = self._refuses(key, body)
            if reason:
                return Answer(_refusal(f"Validation failed: {reason}", 400), 400)
            deal["custom_fields"] |= body["custom_fields"]
        return Answer({"success": True, "data": {"id": key, **deal}, "additional_data": {}})

    def _refuses(self, key: str, body: dict[str, Any]) -> str | None:
        if set(body) != {"custom_fields"}:
            return f"Unrecognized key(s) in object: {sorted(body)}"
        for name, value in body["custom_fields"].items():
            kind = self.kinds.get(name)
            if kind is None:
                return f"custom_fields: Unrecognized key(s) in object: '{name}'"
            if kind is date and value is not None:
                date.fromisoformat(value)
            elif value is not None and not isinstance(value, int if kind is float else kind) | isinstance(value, kind):
                return f"custom_fields.{name}: Expected {kind.__name__}"
        return "not allowed: the deal is frozen" if key in self.frozen else None


def _refusal(error: str, code: int) -> dict[str, Any]:
    return {"success": False, "error": error, "errorCode": code, "data": None, "additional_data": None}


class SearchServer(CrmServer):
    """Leads that are written by the server's own id and found by a custom field; answers have a status of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen: set[str] = set()
        self.fuzzy = False
        """Whether a search finds what only begins with the key, in any capitals."""
        self.budget = 1_000_000

    def answer(self, request: Request) -> Answer:
        """Search, or change a lead."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("authorization") != f"Bearer {self.token}":
            return Answer({"status": "error", "message": "who are you?"}, 401)
        self.budget -= 1
        if self.budget < 0:
            return Answer({"status": "error", "message": "no more calls today"}, 429, {"Retry-After": "3"})
        path = unquote(request.path).removeprefix("/api/")
        if request.method == "GET" and path == "me":
            return Answer({"status": "ok", "data": {"id": 42}})
        if request.method == "GET" and path == "leads":
            assert request.parameters["custom"] == "lead_id"
            found = [lead for lead in self.leads.values() if self._has(lead, request.parameters["value"])]
            return Answer({"status": "ok", "data": {"items": found, "total": len(found)}})
        own_id = path.removeprefix("leads/")
        if request.method != "PATCH" or own_id not in self.leads:
            return Answer({"status": "error", "message": "there is no such lead"}, 404)
        fields = request.json()["custom_fields"]
        if own_id in self.frozen or fields.keys() - _CUSTOM.keys():
            return Answer({"status": "error", "errors": {"custom_fields": ["not allowed"]}}, 422)
        self.leads[own_id]["custom_fields"] |= fields
        return Answer({"status": "ok", "data": self.leads[own_id]})

    def _has(self, lead: dict[str, Any], key: str) -> bool:
        held = str(lead["custom_fields"]["lead_id"])
        return held.casefold().startswith(key.casefold()) if self.fuzzy else held == key


_CUSTOM: dict[str, Any] = dict.fromkeys(["lead_id", "tier", "probability", "first_reason", "next_step", "scored_on"])


def example(name: str) -> dict[str, Any]:
    """Give the section of an example, with the limit of time of the tests."""
    push: dict[str, Any] = yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))["push"]
    push["sink"]["timeout_seconds"] = PATIENT
    return push


class _Crm:
    """What they share: the settings are those of the example, but for the address."""

    has_calls = True
    server: DynamicsServer | PipedriveServer | SearchServer

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.faults = self.server.faults
        self.environment = {settings["sink"]["secret"].strip("$"): self.server.token}

    def __enter__(self) -> Self:
        self.server.__enter__()
        sink = self.settings["sink"]
        sink["url"] = self.server.url + urlsplit(sink["url"]).path
        return self

    def __exit__(self, *_: object) -> None:
        self.server.__exit__()

    @property
    def calls(self) -> int:
        """How many calls have come."""
        return self.server.calls

    def sync(self) -> None:
        """Do nothing: what is written is there."""

    def keys(self) -> set[str]:
        """List the leads."""
        return set(self.server.leads)

    def refuse(self, key: str, *, refused: bool = True) -> None:
        """Have a rule of the business refuse what is written to a lead."""
        (self.server.frozen.add if refused else self.server.frozen.discard)(key)


class DynamicsCrm(_Crm):
    """Dynamics 365, by the example."""

    server: DynamicsServer

    def __init__(self) -> None:
        self.server = DynamicsServer()
        super().__init__(example("dynamics.yaml"))

    def add(self, key: str, *, closed: bool = False) -> None:
        """Make a lead that was scored before, so that its score has a row."""
        self.server.leads[key] = {"statecode": 1 if closed else 0, "subject": "A machine", "_ownerid_value": "Ada"}
        self.server.scores[key] = dict(_NO_SCORE)

    def lead(self, key: str) -> dict[str, Any] | None:
        """Give a lead with its score."""
        return {**self.server.leads[key], **self.server.scores[key]} if key in self.server.leads else None

    def keys(self) -> set[str]:
        """List the leads and the scores: none of either is to be made."""
        return set(self.server.leads) | set(self.server.scores)

    def edit(self, key: str, ours: str, value: str | float | None) -> None:
        """Change a field of the score."""
        self.server.scores[key][self.settings["fields"][ours]] = value

    def exhaust(self) -> None:
        """Have its service protection ask for a long wait: it has no quota of the day."""
        self.server.exhausted = True


class PipedriveCrm(_Crm):
    """Pipedrive, by the example."""

    server: PipedriveServer

    def __init__(self) -> None:
        settings = example("pipedrive.yaml")
        kinds: dict[str, type] = {"probability": float, "date": date}
        self.server = PipedriveServer({name: kinds.get(ours, str) for ours, name in settings["fields"].items()})
        super().__init__(settings)

    def add(self, key: str, *, closed: bool = False) -> None:
        """Make a deal."""
        custom = dict.fromkeys(self.server.kinds)
        self.server.leads[key] = {"title": "A machine", "status": "won" if closed else "open", "custom_fields": custom}

    def lead(self, key: str) -> dict[str, Any] | None:
        """Give a deal, its custom fields beside the others."""
        deal = self.server.leads.get(key)
        return {"title": deal["title"], "status": deal["status"], **deal["custom_fields"]} if deal else None

    def edit(self, key: str, ours: str, value: str | float | None) -> None:
        """Change a custom field."""
        self.server.leads[key]["custom_fields"][self.settings["fields"][ours]] = value

    def exhaust(self) -> None:
        """Use up the budget of the day."""
        self.server.budget = 0


class SearchCrm(_Crm):
    """The system with a search, by the example."""

    server: SearchServer

    def __init__(self) -> None:
        self.server = SearchServer()
        settings = example("search.yaml")
        del settings["sink"]["read"]["example"]  # the lead is not here
        super().__init__(settings)

    def add(self, key: str, *, closed: bool = False) -> None:
        """Make a lead; some of its own ids must be encoded."""
        number = len(self.server.leads) + 7000
        own_id = f"{number}/a b" if number % 2 else number
        custom = {**_CUSTOM, "lead_id": key}
        status = "closed" if closed else "open"
        self.server.leads[str(own_id)] = {"id": own_id, "name": "Ada", "status": status, "custom_fields": custom}

    def _of(self, key: str) -> dict[str, Any] | None:
        return next((one for one in self.server.leads.values() if one["custom_fields"]["lead_id"] == key), None)

    def lead(self, key: str) -> dict[str, Any] | None:
        """Give a lead, its custom fields beside the others."""
        lead = self._of(key)
        return lead and {name: lead[name] for name in ("id", "name", "status")} | lead["custom_fields"]

    def keys(self) -> set[str]:
        """List the leads."""
        return {lead["custom_fields"]["lead_id"] for lead in self.server.leads.values()}

    def edit(self, key: str, ours: str, value: str | float | None) -> None:
        """Change a custom field."""
        lead = self._of(key)
        assert lead
        lead["custom_fields"][self.settings["fields"][ours]] = value

    def refuse(self, key: str, *, refused: bool = True) -> None:
        """Have a rule of the business refuse what is written to a lead."""
        lead = self._of(key)
        assert lead
        (self.server.frozen.add if refused else self.server.frozen.discard)(str(lead["id"]))

    def exhaust(self) -> None:
        """Use up the calls of the day."""
        self.server.budget = 0
