"""A Salesforce under test: leads behind SOQL, composite calls, bulk jobs and the Tooling API, in their real shapes."""

from __future__ import annotations

import csv
import io
import re
from datetime import date
from typing import Any

from crm_servers import Answer, CrmServer, Request

_NATIVE = {
    "Id": "id", "LastName": "string", "Company": "string", "Status": "picklist", "OwnerId": "reference",
    "IsConverted": "boolean", "Lead_Number__c": "string",
}  # fmt: skip
OURS = {
    "Leadcast_Tier__c": "string", "Leadcast_Probability__c": "double", "Leadcast_Reason_1__c": "string",
    "Leadcast_Reason_2__c": "string", "Leadcast_Action__c": "string", "Leadcast_Date__c": "date",
}  # fmt: skip
_TOOLING = {"Text": "string", "Number": "double", "Date": "date"}
_ROOT = r"/services/data/v[\d.]+"
MOST_COMPOSITE = 200
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
        self.refused: set[str] = set()
        self.locked: set[str] = set()
        self.exhausted = False
        self.scale = 4
        self.may_make_fields = True
        self.jobs: dict[str, dict[str, Any]] = {}
        self.unprocessed = 0
        """How many rows the next job does not come to."""
        self.fails = False
        """Whether jobs fail."""

    def answer(self, request: Request) -> Answer:
        """Answer the paths that the client calls."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        if headers.get("authorization") != f"Bearer {self.token}":
            return Answer([{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}], 401)
        if self.exhausted:
            return Answer([{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}], 403)
        try:
            return self._route(request)
        except RefusedError as error:
            return Answer([{"errorCode": error.code, "message": str(error)}], error.status)

    def _route(self, request: Request) -> Answer:
        path = re.sub(f"^{_ROOT}", "", request.path)
        job = re.fullmatch(r"/jobs/ingest/(\w+)(/\w+)?/?", path)
        match request.method, path:
            case "GET", "/query/":
                return self._query(request.parameters["q"])
            case "PATCH", "/composite/sobjects":
                return self._composite(request.json())
            case "GET", "/sobjects/Lead/describe":
                return Answer({"name": "Lead", "fields": [self._field(name) for name in self.types]})
            case "GET", "/limits/":
                return Answer({"DailyApiRequests": {"Max": 100_000, "Remaining": 99_000}})
            case "POST", "/tooling/sobjects/CustomField":
                return self._make(request.json())
            case "POST", "/jobs/ingest":
                content = request.json()
                assert (content["object"], content["operation"], content["contentType"]) == ("Lead", "update", "CSV")
                number = f"750{len(self.jobs):012}"
                self.jobs[number] = {"id": number, "state": "Open", "rows": [], "failed": [], "left": []}
                return Answer({"id": number, "state": "Open"})
        if job and job[1] in self.jobs:
            return self._job(request, self.jobs[job[1]], job[2] or "")
        raise RefusedError("NOT_FOUND", "The requested resource does not exist", 404)

    def _field(self, name: str) -> dict[str, Any]:
        described = {"name": name, "type": self.types[name], "updateable": name not in self.readonly}
        return described | ({"scale": self.scale} if self.types[name] == "double" else {})

    def _make(self, content: dict[str, Any]) -> Answer:
        if not self.may_make_fields:
            raise RefusedError("INSUFFICIENT_ACCESS", "insufficient access rights on entity: CustomField")
        name = content["FullName"].removeprefix("Lead.")
        metadata = content["Metadata"]
        needed = {"Text": {"length"}, "Number": {"precision", "scale"}, "Date": set()}[metadata["type"]]
        assert set(metadata) == {"label", "type"} | needed
        self.types[name] = _TOOLING[metadata["type"]]
        return Answer({"id": "00N000000000001", "success": True, "errors": []}, 201)

    def _query(self, query: str) -> Answer:
        if len(self.requests[-1].path) + len(query) > _LONGEST_URI:
            raise RefusedError("URI_TOO_LONG", "URI Too Long", 414)
        found = re.fullmatch(r"SELECT (.+) FROM Lead WHERE (\w+) IN \((.*)\)", query)
        assert found, query
        names, field = found[1].split(", "), found[2]
        unknown = [name for name in [*names, field] if name not in self.types]
        if unknown:
            raise RefusedError("INVALID_FIELD", f"No such column '{unknown[0]}' on entity 'Lead'")
        keys = {re.sub(r"\\(.)", r"\1", quoted) for quoted in re.findall(r"'((?:[^'\\]|\\.)*)'", found[3])}
        if field == "Id":
            if any(len(key) not in {15, 18} for key in keys):
                raise RefusedError("INVALID_QUERY_FILTER_OPERATOR", "invalid ID field")
            rows = [lead for lead in self.leads.values() if lead["Id"] in keys or lead["Id"][:15] in keys]
        else:
            folded = {key.casefold() for key in keys}  # a text that is compared knows no capitals
            rows = [lead for lead in self.leads.values() if str(lead.get(field)).casefold() in folded]
        records = [{"attributes": {"type": "Lead"}, **{name: lead.get(name) for name in names}} for lead in rows]
        return Answer({"totalSize": len(records), "done": True, "records": records})

    def _composite(self, content: dict[str, Any]) -> Answer:
        records = content["records"]
        headers = {name.lower(): value for name, value in self.requests[-1].headers.items()}
        if headers.get("sforce-auto-assign", "TRUE").upper() != "FALSE":
            for record in records:
                self.leads.get(record["id"], {})["OwnerId"] = "005000000000009AAA"  # by the rules of assignment
        assert content["allOrNone"] is False
        if len(records) > MOST_COMPOSITE:
            raise RefusedError("EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {MOST_COMPOSITE}")
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
                self.leads[number] |= record
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
            if name not in self.types or name in self.readonly:
                return "INVALID_FIELD_FOR_INSERT_UPDATE", f"Unable to create/update fields: {name}"
            try:
                if value is not None and self.types[name] == "double":
                    float(value)
                if value is not None and self.types[name] == "date":
                    date.fromisoformat(value)
            except ValueError:
                return "JSON_PARSER_ERROR", f"Cannot deserialize instance of {self.types[name]} from {value}"
        return None

    def _job(self, request: Request, job: dict[str, Any], part: str) -> Answer:
        match request.method, part:
            case "PUT", "/batches":
                job["rows"] = list(csv.DictReader(io.StringIO(request.body.decode("utf-8"))))
                return Answer(None, 201)
            case "PATCH", "":
                job["state"] = request.json()["state"]
                return Answer({"id": job["id"], "state": job["state"]})
            case "GET", "":
                if job["state"] == "UploadComplete":
                    job["state"] = "InProgress"
                elif job["state"] == "InProgress":
                    self._run(job)
                return Answer({
                    "id": job["id"], "state": job["state"], "numberRecordsFailed": len(job["failed"]),
                    "numberRecordsProcessed": len(job["rows"]) - len(job["left"]), "errorMessage": "TooManyLockFailure",
                })  # fmt: skip
            case "GET", "/failedResults":
                return Answer(_to_csv(job["failed"], ["sf__Id", "sf__Error", *job["rows"][0]]))
            case "GET", "/unprocessedRecords":
                return Answer(_to_csv(job["left"], list(job["rows"][0])))
        raise RefusedError("NOT_FOUND", "The requested resource does not exist", 404)

    def _run(self, job: dict[str, Any]) -> None:
        if self.fails:
            job["state"] = "Failed"
            return
        done = len(job["rows"]) - self.unprocessed
        self.unprocessed = 0
        job["left"] = job["rows"][done:]
        for row in job["rows"][:done]:
            # An empty cell is ignored, #N/A clears.
            values = {name: None if text == "#N/A" else text for name, text in row.items() if name != "Id" and text}
            error = self._fault(row["Id"], values)
            if error:
                job["failed"].append({"sf__Id": row["Id"], "sf__Error": f"{error[0]}:{error[1]}:--", **row})
            else:
                self.leads[row["Id"]] |= {
                    name: float(value) if value and self.types[name] == "double" else value
                    for name, value in values.items()
                }
        job["state"] = "JobComplete"


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
            "timeout_seconds": 0.5,
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
        self.exhausted = True
