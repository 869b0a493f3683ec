"""A Salesforce under test: leads behind SOQL, composite calls, bulk jobs and the Tooling API, in their real shapes."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from datetime import date
from typing import Any
from urllib.parse import quote_plus

from crm_servers import PATIENT, Answer, CrmServer, Request

_NATIVE = {
    "Id": "id", "LastName": "string", "Company": "string", "Status": "picklist", "OwnerId": "reference",
    "IsConverted": "boolean", "Lead_Number__c": "string",
}  # fmt: skip
OURS = {
    "Leadcast_Tier__c": "string", "Leadcast_Probability__c": "double", "Leadcast_Reason_1__c": "string",
    "Leadcast_Reason_2__c": "string", "Leadcast_Action__c": "string", "Leadcast_Date__c": "date",
}  # fmt: skip
_STATUSES = ("Open", "Working", "Closed - Converted", "Closed - Not Converted")
_TOOLING = {"Text": "string", "Number": "double", "Date": "date"}
_ROOT = r"/services/data/v[\d.]+"
MOST_COMPOSITE, MOST_RETRIEVED = 200, 2_000
_RESULTS = {
    "/successfulResults": ("done", ["sf__Id", "sf__Created"]),
    "/failedResults": ("failed", ["sf__Id", "sf__Error"]),
    "/unprocessedRecords": ("left", []),
}
_UNDER_WAY = {"Open", "UploadComplete", "InProgress"}
_LONGEST_URI = 16_384


class RefusedError(Exception):
    """What the whole call is refused for."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.status = code, status


class SalesforceServer(CrmServer):
    """An organisation."""

    def __init__(self) -> None:
        super().__init__()
        self.types = _NATIVE | OURS
        self.readonly: set[str] = {"Id", "IsConverted", "OwnerId"}
        self.unseen: set[str] = set()
        """Fields that are there, but not for the user."""
        self.grants = True
        """Whether the user sees the fields that are made."""
        self.scales = {"Leadcast_Probability__c": 4}
        self.lengths: dict[str, int] = {}
        """Of fields of texts that are not as long as most."""
        self.may_edit = self.may_see_limits = True
        self.remaining = 99_000
        self.refused: set[str] = set()
        self.locked: set[str] = set()
        self.refuses_calls: tuple[str, str] | None = None
        """A code and a message that every call is refused with."""
        self.may_make_fields = True
        self.jobs: dict[str, dict[str, Any]] = {}
        self.unprocessed = 0
        """How many rows the next job does not come to."""
        self.fails: str | None = None
        """What jobs fail for, after half of their rows."""
        self.slow = 0
        """How many looks at a job find it still in progress."""
        self.page = 2_000
        """How many leads an answer to a query holds at most."""
        self._found: list[dict[str, Any]] = []

    def answer(self, request: Request) -> Answer:
        """Answer the paths that the client calls."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("authorization") != f"Bearer {self.token}":
            return Answer([{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}], 401)
        if self.refuses_calls:
            code, message = self.refuses_calls
            return Answer([{"errorCode": code, "message": message}], 403)
        try:
            return self._route(request)
        except RefusedError as error:
            return Answer([{"errorCode": error.code, "message": str(error)}], error.status)

    def _route(self, request: Request) -> Answer:
        path = re.sub(f"^{_ROOT}", "", request.path)
        job = re.fullmatch(r"/jobs/ingest/(\w+)(/\w+)?/?", path)
        match request.method, path:
            case "GET", ("/query/" | "/query/more"):
                return self._query(request.parameters["q"]) if path == "/query/" else self._page()
            case "POST", "/composite/sobjects/Lead":
                return self._retrieve(request.json())
            case "PATCH", "/composite/sobjects":
                headers = {name.lower(): value for name, value in request.headers.items()}
                return self._composite(request.json(), assigned=headers.get("sforce-auto-assign", "TRUE") != "FALSE")
            case "GET", "/sobjects/Lead/describe":
                fields = [self._field(name) for name in self.types if name not in self.unseen]
                return Answer({"name": "Lead", "updateable": self.may_edit, "fields": fields})
            case "GET", "/limits/":
                if not self.may_see_limits:
                    raise RefusedError("FORBIDDEN", "You don't have View Setup and Configuration", 403)
                return Answer({"DailyApiRequests": {"Max": 100_000, "Remaining": self.remaining}})
            case "POST", "/tooling/sobjects/CustomField":
                return self._make(request.json())
            case "POST", "/jobs/ingest":
                content = request.json()
                assert (content["object"], content["operation"], content["contentType"]) == ("Lead", "update", "CSV")
                number = f"750{len(self.jobs):012}"
                self.jobs[number] = {"id": number, "state": "Open", "slow": self.slow} | {
                    name: [] for name in ("rows", "failed", "left", "done")
                }
                return Answer({"id": number, "state": "Open"})
        if job and job[1] in self.jobs:
            return self._job(request, self.jobs[job[1]], job[2] or "")
        raise RefusedError("NOT_FOUND", "The requested resource does not exist", 404)

    def _field(self, name: str) -> dict[str, Any]:
        key = name == "Lead_Number__c"
        return {
            "name": name, "type": self.types[name], "updateable": name not in self.readonly, "externalId": key,
            "idLookup": key or name == "Id", "scale": self.scales.get(name, 0), "length": self._length(name),
            "picklistValues": [
                {"active": True, "defaultValue": False, "label": value, "validFor": None, "value": value}
                for value in (_STATUSES if name == "Status" else ())
            ],
        }  # fmt: skip

    def _length(self, name: str) -> int:
        longest = {"string": 255, "picklist": 255, "id": 18, "reference": 18}
        return self.lengths.get(name, longest.get(self.types[name], 0))

    def _make(self, content: dict[str, Any]) -> Answer:
        if not self.may_make_fields:
            raise RefusedError("INSUFFICIENT_ACCESS", "insufficient access rights on entity: CustomField")
        name = content["FullName"].removeprefix("Lead.")
        metadata = content["Metadata"]
        needed = {"Text": {"length"}, "Number": {"precision", "scale"}, "Date": set()}[metadata["type"]]
        assert set(metadata) == {"label", "type"} | needed
        if name in self.types:
            raise RefusedError("DUPLICATE_DEVELOPER_NAME", f"There is already a field named {name} on Lead.")
        self.types[name] = _TOOLING[metadata["type"]]
        self.scales[name] = metadata.get("scale", 0)
        self.unseen |= set() if self.grants else {name}
        return Answer({"id": "00N000000000001", "success": True, "errors": []}, 201)

    def _query(self, query: str) -> Answer:
        if len(self.requests[-1].path) + len(quote_plus(query)) > _LONGEST_URI:
            raise RefusedError("URI_TOO_LONG", "URI Too Long", 414)
        found = re.fullmatch(r"SELECT (.+) FROM Lead WHERE (\w+) IN \((.*)\)", query)
        assert found, query
        names, field = found[1].split(", "), found[2]
        self._refuse_unknown([*names, field])
        if re.search(r"[\x00-\x1f]", found[3]):
            raise RefusedError("MALFORMED_QUERY", "unexpected token: '\\n'")
        keys = {re.sub(r"\\(.)", _unescaped, quoted) for quoted in re.findall(r"'((?:[^'\\]|\\.)*)'", found[3])}
        folded = {key.casefold() for key in keys}  # a text that is compared knows no capitals, and "" finds nothing
        rows = [lead for lead in self.leads.values() if str(lead.get(field) or "").casefold() in folded]
        self._found = [{"attributes": {"type": "Lead"}, **{name: lead.get(name) for name in names}} for lead in rows]
        return self._page()

    def _page(self) -> Answer:
        """Give the next leads that were found; a real locator says where in the answer it goes on."""
        records, self._found = self._found[: self.page], self._found[self.page :]
        further = {"nextRecordsUrl": "/services/data/v59.0/query/more"} if self._found else {}
        return Answer({"done": not self._found, "records": records, **further})

    def _refuse_unknown(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.types or name in self.unseen:
                raise RefusedError("INVALID_FIELD", f"No such column '{name}' on sobject of type Lead")

    def _retrieve(self, content: dict[str, Any]) -> Answer:
        self._refuse_unknown(content["fields"])
        if len(content["ids"]) > MOST_RETRIEVED:
            raise RefusedError("EXCEEDED_ID_LIMIT", f"cannot retrieve more than {MOST_RETRIEVED}")
        if any(not number.startswith("00Q") for number in content["ids"]):
            raise RefusedError("INVALID_ID_FIELD", "all ids must be of one type")
        short = {number[:15]: lead for number, lead in self.leads.items()}
        leads = [short.get(number[:15]) for number in content["ids"]]
        return Answer([lead and {name: lead.get(name) for name in content["fields"]} for lead in leads])

    def _composite(self, content: dict[str, Any], *, assigned: bool) -> Answer:
        records = content["records"]
        assert content["allOrNone"] is False
        if len(records) > MOST_COMPOSITE:
            raise RefusedError("EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {MOST_COMPOSITE}")
        for record in records:  # what can't be read has the whole call refused
            self._refuse_unknown(record.keys() - {"attributes", "id"})
            for name, value in record.items():
                if not _fits(self.types.get(name), value):
                    told = f"Cannot deserialize instance of {self.types[name]} from VALUE_STRING value {value}"
                    raise RefusedError("JSON_PARSER_ERROR", told)
        results = []
        for record in records:
            assert record.pop("attributes") == {"type": "Lead"}
            number = record.pop("id")
            error = self._fault(number, record)
            if error:
                code, message = error
                errors = [{"statusCode": code, "message": message, "fields": []}]
                results.append({"success": False, "errors": errors})
            else:
                self.leads[number] |= record | ({"OwnerId": "00G000000000001AAA"} if assigned else {})
                results.append({"id": number, "success": True, "errors": []})
        return Answer(results)

    def _fault(self, number: str, values: dict[str, Any]) -> tuple[str, str] | None:
        lead = self.leads.get(number)
        if lead is None:
            return "ENTITY_IS_DELETED", "entity is deleted"
        if lead["IsConverted"]:
            return "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead"
        if number in self.locked:
            return "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record"
        if number in self.refused:
            return "FIELD_CUSTOM_VALIDATION_EXCEPTION", "this change is not allowed"
        for name, value in values.items():
            if name in self.readonly:
                return "INVALID_FIELD_FOR_INSERT_UPDATE", f"Unable to create/update fields: {name}"
            if self.types[name] == "string" and len(str(value)) > self._length(name):
                return "STRING_TOO_LONG", f"{name}: data value too large"
            if not _fits(self.types[name], value):
                return "INVALID_TYPE_ON_FIELD_IN_RECORD", f"{name}: value not of required type: {value}"
        return None

    def _job(self, request: Request, job: dict[str, Any], part: str) -> Answer:
        match request.method, part:
            case "PUT", "/batches":
                if job["rows"] or job["state"] != "Open":
                    raise RefusedError("INVALIDJOBSTATE", "the job takes no more data")
                job["rows"] = list(csv.DictReader(io.StringIO(request.body.decode("utf-8"))))
                return Answer(None, 201)
            case "PATCH", "":
                state = request.json()["state"]
                if job["state"] not in ({"Open"} if state == "UploadComplete" else _UNDER_WAY):
                    raise RefusedError("INVALIDJOBSTATE", f"no transition from {job['state']} to {state}")
                job["state"] = state
                job["left"] = job["rows"] if state == "Aborted" else []
                return Answer({"id": job["id"], "state": job["state"]})
            case "GET", "":
                if job["state"] == "UploadComplete":
                    job["state"] = "InProgress"
                elif job["state"] == "InProgress" and job["slow"]:
                    job["slow"] -= 1
                elif job["state"] == "InProgress":
                    self._run(job)
                return Answer({
                    "id": job["id"], "state": job["state"], "errorMessage": self.fails,
                    "numberRecordsFailed": len(job["failed"]),
                    "numberRecordsProcessed": len(job["failed"]) + len(job["done"]),
                })  # fmt: skip
        if request.method == "GET" and part in _RESULTS:
            rows, more = _RESULTS[part]
            return Answer(_to_csv(job[rows], [*more, *_names(job)]))
        raise RefusedError("NOT_FOUND", "The requested resource does not exist", 404)

    def _run(self, job: dict[str, Any]) -> None:
        unknown = [name for name in _names(job) if name not in self.types or name in self.unseen]
        if unknown:
            self.fails = f"InvalidBatch : Field name not found : {unknown[0]}"
            job["state"] = "Failed"
            return
        count = len(job["rows"]) // 2 if self.fails else len(job["rows"]) - self.unprocessed
        self.unprocessed = 0
        job["left"] = job["rows"][count:]
        for row in job["rows"][:count]:
            # An empty cell is ignored, #N/A clears.
            values = {name: None if text == "#N/A" else text for name, text in row.items() if name != "Id" and text}
            error = self._fault(row["Id"], values)
            if error:
                job["failed"].append({"sf__Id": row["Id"], "sf__Error": f"{error[0]}:{error[1]}:--", **row})
            else:
                job["done"].append({"sf__Id": row["Id"], "sf__Created": "false", **row})
                self.leads[row["Id"]] |= {
                    name: float(value) if value and self.types[name] == "double" else value
                    for name, value in values.items()
                }
        job["state"] = "Failed" if self.fails else "JobComplete"


def _names(job: dict[str, Any]) -> list[str]:
    return list(job["rows"][0]) if job["rows"] else ["Id"]


def _unescaped(found: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}.get(found[1], found[1])


def _fits(kind: str | None, value: object) -> bool:
    """Tell whether a value, or its text in a CSV, can be read as one of a kind."""
    try:
        if value is not None and kind == "double":
            float(str(value))
        if value is not None and kind == "date":
            date.fromisoformat(str(value))
    except ValueError:
        return False
    return True


def _to_csv(rows: list[dict[str, Any]], names: list[str]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, names)
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


class SalesforceCrm(SalesforceServer):
    """The server as the conformance suite drives it; leads are named by an external id."""

    has_calls = True

    def __init__(self) -> None:
        super().__init__()
        self.environment = {"SALESFORCE_TOKEN": self.token}

    @property
    def settings(self) -> dict[str, Any]:
        """The section ``push``."""
        sink = {
            "kind": "salesforce", "url": self.url, "token": "$SALESFORCE_TOKEN", "key_field": "Lead_Number__c",
            "timeout_seconds": PATIENT,
        }  # fmt: skip
        return {"sink": sink}

    def _of(self, key: str) -> dict[str, Any] | None:
        return next((lead for lead in self.leads.values() if lead["Lead_Number__c"] == key), None)

    def add(self, key: str, *, closed: bool = False) -> None:
        """Make a lead."""
        number = f"00Q{len(self.leads):012}AAA"
        self.leads[number] = {
            "Id": number, "LastName": "Byron", "Company": "Engines", "Status": "Open", "OwnerId": "005000000000001AAA",
            "IsConverted": closed, "Lead_Number__c": key,
        }  # fmt: skip

    def lead(self, key: str) -> dict[str, Any] | None:
        """Give all fields of a lead."""
        lead = self._of(key)
        return lead and {name: lead.get(name) for name in self.types}

    def keys(self) -> set[str]:
        """List the leads."""
        return {lead["Lead_Number__c"] for lead in self.leads.values()}

    def edit(self, key: str, ours: str, value: str | float | None) -> None:
        """Change a field of ours."""
        lead = self._of(key)
        assert lead
        lead[f"Leadcast_{ours.title()}__c"] = value

    def refuse(self, key: str, *, refused: bool = True) -> None:
        """Have a validation rule refuse what is written to a lead."""
        lead = self._of(key)
        assert lead
        (self.refused.add if refused else self.refused.discard)(lead["Id"])

    def exhaust(self) -> None:
        """Use up the quota of the day."""
        self.refuses_calls = "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."
