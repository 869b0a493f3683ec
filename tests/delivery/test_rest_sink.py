"""The sink of any interface over HTTP: what is sent, and what answers mean."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from crm_servers import Answer, CrmServer, Request
from pushing import Delivery, Lead, ways
from pydantic import ValidationError

from features.core.errors import DeliveryError, SettingsError
from pipeline.settings.push import Push
from pipeline.sinks.connect import connect
from pipeline.sinks.protocol import LaterError, Outcome, Record, Remote, Sink, Value

FIELDS = {"tier": "cTier", "probability": "cProbability", "reason_1": "cReason"}


class Plain(CrmServer):
    """Leads as any system has them; some keys get an answer that is told beforehand."""

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Answer] = {}

    def answer(self, request: Request) -> Answer:
        """Read a lead or change it; a field that is unknown is taken with a friendly 200."""
        if request.headers.get("X-Api-Key") != self.token:
            return Answer(f"no user for {request.headers.get('X-Api-Key')}", 401)
        path = unquote(request.path)
        if path == "/api/v1/App/user":
            return Answer({"user": "scoring"})
        key = path.removeprefix("/api/v1/Lead/")
        if key in self.answers:
            return self.answers[key]
        if key == path or key not in self.leads:
            return Answer(None, 404)
        if request.method == "PUT":
            self.leads[key] |= {name: value for name, value in request.json().items() if name in self.leads[key]}
        return Answer(self.leads[key])


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plain]:
    with Plain() as made:
        monkeypatch.setenv("CRM_KEY", made.token)
        yield made


def _settings(server: Plain, fields: dict[str, str] | None = None, **sink: Any) -> dict[str, Any]:  # noqa: ANN401 - settings of any kind
    by_default = {
        "kind": "rest", "url": f"{server.url}/api/v1", "method": "PUT", "path": "/Lead/{key}", "secret": "$CRM_KEY",
        "headers": {"X-Api-Key": "{secret}"}, "read": {"path": "/Lead/{key}"}, "closed": {"status": ["Dead"]},
        "check": "/App/user", "timeout_seconds": 1,
    }  # fmt: skip
    return {"sink": by_default | sink, "fields": fields or FIELDS}


def _sink(server: Plain, fields: dict[str, str] | None = None, **sink: Any) -> Sink:  # noqa: ANN401 - settings of any kind
    return connect(Push.model_validate(_settings(server, fields, **sink)), Path("/nowhere"))


def _write(sink: Sink, *keys: str, **values: Value) -> list[Outcome]:
    return list(sink.write([Record(key, values or {"cTier": "SQL"}) for key in keys]))


def test_one_call_a_lead_sends_the_fields_alone(server: Plain) -> None:
    server.leads["L1"] = {"cTier": None, "cProbability": None, "status": "New"}
    sink = _sink(server)
    assert _write(sink, "L1", cTier="SQL", cProbability=0.25, cReason=None) == [
        Outcome("L1", "written", remote_id="L1")
    ]
    (request,) = server.requests
    assert (request.method, request.path, request.headers["Content-Type"]) == (
        "PUT",
        "/api/v1/Lead/L1",
        "application/json",
    )
    assert request.json() == {"cTier": "SQL", "cProbability": 0.25, "cReason": None}
    assert server.leads["L1"] == {"cTier": "SQL", "cProbability": 0.25, "status": "New"}
    assert (sink.calls, sink.leads_a_call, sink.batch_size, sink.batches_at_once) == (1, 1, 20, 12)


def test_a_body_and_headers_are_filled_as_the_settings_say(server: Plain) -> None:
    body = {"data": ["{fields}"], "trigger": [], "ref": "lead {key}!", "deep": {"a": 1, "b": None, "c": "{fields}s"}}
    sink = _sink(server, method="POST", body=body, write_headers={"X-Silent": "yes, {secret}"})
    _write(sink, 'L"1')
    sink.read(["L1"])
    written, read = server.requests
    assert (written.method, written.path) == ("POST", "/api/v1/Lead/L%221")
    assert written.json() == {
        "data": [{"cTier": "SQL"}], "trigger": [], "ref": 'lead L"1!', "deep": {"a": 1, "b": None, "c": "{fields}s"},
    }  # fmt: skip
    assert written.headers["X-Silent"] == f"yes, {server.token}"
    assert "X-Silent" not in read.headers


@pytest.mark.parametrize("key", ["a/b", "../Lead/L2", "é ?x=1#y", "100%", "%2e", "a;b&c", "a\nb"])
def test_whatever_a_key_holds_it_names_one_lead(server: Plain, key: str) -> None:
    server.leads = {key: {"cTier": None}, "L2": {"cTier": None}}
    sink = _sink(server)
    assert set(sink.read([key])) == {key}
    assert _write(sink, key)[0].status == "written"
    assert server.leads == {key: {"cTier": "SQL"}, "L2": {"cTier": None}}


@pytest.mark.parametrize("key", ["", ".", "..", " "])
def test_a_key_that_would_lead_elsewhere_is_not_sent(server: Plain, key: str) -> None:
    sink = _sink(server)
    assert sink.read([key]) == {}
    assert _write(sink, key) == [Outcome(key, "skipped", "no lead can have this key")]
    assert server.calls == 0


def test_what_is_read_are_the_mapped_fields_numbers_perhaps_as_texts(server: Plain) -> None:
    server.leads = {
        "L1": {"cTier": "MQL", "cProbability": "0.25", "cReason": "", "owner": "Ada", "status": "New"},
        "L2": {"cTier": True, "cProbability": 1, "cReason": ["a", "é"], "status": "Dead"},
        "L3": {},
    }
    assert _sink(server).read(["L3", "nobody", "L2", "L1"]) == {
        "L1": Remote("L1", {"cTier": "MQL", "cProbability": "0.25", "cReason": ""}),
        "L2": Remote("L2", {"cTier": "true", "cProbability": 1, "cReason": '["a", "é"]'}, closed=True),
        "L3": Remote("L3", dict.fromkeys(FIELDS.values())),
    }
    assert {request.method for request in server.requests} == {"GET"}


def test_fields_lie_where_the_settings_say_and_what_closes_around_them(server: Plain) -> None:
    server.answers["L1"] = Answer({"status": "Dead", "data": {"state": 3, "custom": {"cTier": "MQL", "status": "x"}}})
    server.answers["L2"] = Answer({"status": "New", "data": {"state": "2", "custom": None}})
    sink = _sink(
        server, {"tier": "cTier"}, read={"path": "/Lead/{key}", "values": "data.custom"}, closed={"status": ["Dead"]}
    )
    assert sink.read(["L1", "L2"]) == {
        "L1": Remote("L1", {"cTier": "MQL"}, closed=True),
        "L2": Remote("L2", {"cTier": None}),
    }
    sink = _sink(
        server, {"tier": "cTier"}, read={"path": "/Lead/{key}", "values": "data.custom"}, closed={"state": [2]}
    )
    assert {key: remote.closed for key, remote in sink.read(["L1", "L2"]).items()} == {"L1": False, "L2": True}


@pytest.mark.parametrize("named", ["status", "lead_obj.status"])
def test_a_closed_lead_is_known_whatever_has_the_same_name_further_out(server: Plain, named: str) -> None:
    choices = [["open", "Open"], ["closed", "Closed"]]
    for key, status in (("L1", "closed"), ("L2", "open")):
        server.answers[key] = Answer({"lead_obj": {"status": status, "custom_fields": {}}, "status": choices})
    read = {"path": "/Lead/{key}", "values": "lead_obj.custom_fields"}
    sink = _sink(server, {"tier": "cTier"}, read=read, closed={named: ["closed", "converted"]})
    assert {key: remote.closed for key, remote in sink.read(["L1", "L2"]).items()} == {"L1": True, "L2": False}


def test_what_closes_may_lie_aside_and_in_a_list(server: Plain) -> None:
    server.answers["L1"] = Answer({"cTier": None, "stage": {"name": "won"}, "flags": [{"on": True}]})
    for closed, told in (({"stage.name": ["won"]}, True), ({"flags.0.on": [True]}, True), ({"stage": ["won"]}, False)):
        (remote,) = _sink(server, {"tier": "cTier"}, closed=closed).read(["L1"]).values()
        assert remote.closed is told


def test_an_example_shows_what_would_never_seem_closed(server: Plain) -> None:
    server.answers["L1"] = Answer({"lead_obj": {"state": "won", "custom": dict.fromkeys(FIELDS.values())}})
    read = {"path": "/Lead/{key}", "values": "lead_obj.custom", "example": "L1"}
    sink = _sink(server, read=read, closed={"status": ["won"], "lead.state": ["won"], "lead_obj.state": ["won"]})
    assert sink.check() == [
        "what is read of lead L1 has no status, did you mean 'state'?; correct push.sink.closed",
        "what is read of lead L1 has no lead.state, did you mean 'state'?; correct push.sink.closed",
    ]


@pytest.mark.parametrize(
    "content", [{"data": {}}, {"data": {"custom": "x"}}, {"data": []}, [], "<html>log in</html>", None]
)
def test_an_answer_that_holds_no_fields_ends_the_push(server: Plain, content: Any) -> None:  # noqa: ANN401 - any JSON
    server.answers["L1"] = Answer(content)
    sink = _sink(server, read={"path": "/Lead/{key}", "values": "data.custom"})
    with pytest.raises(
        DeliveryError, match=r"what GET /Lead/\{key\} answers has no data.custom; correct push.sink.read"
    ):
        sink.read(["L1"])


def test_without_reading_the_ledger_stands_for_the_system(server: Plain, tmp_path: Path) -> None:
    server.leads["L1"] = {"cTier": None}
    delivery = Delivery(tmp_path, _settings(server, {"tier": "cTier"}, read=None, closed={}), {})
    assert ways(delivery.push({"L1": Lead("SQL"), "nobody": Lead("SQL")})) == {"written": 1, "skipped": 1}
    assert [request.method for request in server.requests] == ["PUT", "PUT"]


REFUSALS = {
    "fields": (Answer({"errors": {"cTier": ["bad", "long"], "all": "no"}}, 400), "cTier: bad, long; all: no"),
    "list": (Answer({"errors": [{"code": 7}, "bad"]}, 422), '{"code": 7}, bad'),
    "message": (Answer({"error": {"code": "0x8", "message": "no such\ncolumn"}}, 400), "no such column"),
    "error": (Answer({"success": False, "error": "bad deal"}, 400), "bad deal"),
    "top": (Answer({"message": "taken by another"}, 409), "taken by another"),
    "header": (Answer(None, 400, {"X-Status-Reason": "Field validation failure"}), "Field validation failure"),
    "text": (Answer("x" * 400, 400), "x" * 300),
    "nothing": (Answer(None, 409), ""),
}  # fmt: skip


def test_a_page_for_people_is_no_success(server: Plain) -> None:
    server.answers["L1"] = Answer("<html>Login</html>", headers={"Content-Type": "text/html; charset=utf-8"})
    with pytest.raises(DeliveryError, match="a page answers"):
        _write(_sink(server), "L1")


def test_a_refusal_is_quoted_in_the_systems_own_words(server: Plain) -> None:
    server.answers = {key: answer for key, (answer, _) in REFUSALS.items()}
    server.leads["L1"] = {"cTier": None}
    outcomes = {one.key: one for one in _write(_sink(server), *REFUSALS, "L1")}
    for key, (answer, words) in REFUSALS.items():
        told = f"HTTP {answer.status}" + (f": {words}" if words else "")
        assert outcomes[key] == Outcome(key, "rejected", told)
    assert outcomes["L1"].status == "written"


@pytest.mark.parametrize("status", [404, 410, 412])
def test_a_lead_that_is_not_there_is_skipped(server: Plain, status: int) -> None:
    server.answers["L1"] = Answer({"message": "gone"}, status)
    sink = _sink(server)
    assert sink.read(["L1"]) == {}
    assert _write(sink, "L1") == [Outcome("L1", "skipped", f"HTTP {status}: gone")]


def test_a_key_that_no_lead_can_have_is_unknown_and_stops_nobody(server: Plain) -> None:
    server.answers["x"] = Answer({"error": "id must be a number"}, 400)
    server.leads["7"] = {"cTier": None}
    assert set(_sink(server).read(["x", "7"])) == {"7"}


@pytest.mark.parametrize("status", [301, 402, 405, 413, 415])
def test_what_no_repetition_mends_ends_the_push(server: Plain, status: int) -> None:
    server.answers["L2"] = Answer({"message": "not so"}, status, {"Location": "/elsewhere"})
    server.leads["L1"] = {"cTier": None}
    sink = _sink(server)
    outcomes: list[Outcome] = []
    with pytest.raises(DeliveryError, match=rf"HTTP {status}: not so to PUT /Lead/\{{key\}}; correct push.sink"):
        outcomes.extend(sink.write([Record(key, {"cTier": "SQL"}) for key in ("L1", "L2", "L1")]))
    with pytest.raises(DeliveryError, match=rf"HTTP {status}: not so to GET"):
        sink.read(["L2"])
    assert [(one.key, one.status) for one in outcomes] == [("L1", "written")]
    assert server.leads["L1"] == {"cTier": "SQL"}


def test_an_outcome_is_told_as_soon_as_it_is_known(server: Plain) -> None:
    server.leads = {key: {"cTier": None} for key in ("L1", "L2", "L3")}
    server.faults.planned = {2: "503"}
    server.faults.retry_after = "7"
    outcomes = iter(_sink(server).write([Record(key, {"cTier": "SQL"}) for key in server.leads]))
    assert (next(outcomes).key, server.calls) == ("L1", 1)
    with pytest.raises(LaterError) as caught:
        next(outcomes)
    assert (caught.value.after, server.calls) == (7.0, 2)


def test_what_was_read_before_a_fault_is_not_read_again(server: Plain) -> None:
    keys = [f"L{number}" for number in range(5)]
    server.leads = {key: {"cTier": key} for key in keys}
    server.faults.planned = {3: "503", 4: "429"}
    sink = _sink(server)
    for further in (True, False):
        with pytest.raises(LaterError) as caught:
            sink.read(keys)
        assert caught.value.further is further
    server.leads["L0"]["cTier"] = "later"
    assert [remote.values["cTier"] for remote in sink.read(keys).values()] == keys
    assert server.calls == 5 + 2
    assert sink.read(keys)["L0"].values["cTier"] == "later", "it is kept for the repetition alone"


def test_a_fifth_of_all_calls_may_go_wrong(server: Plain, tmp_path: Path) -> None:
    keys = [f"L{number}" for number in range(300)]
    server.leads = {key: dict.fromkeys(FIELDS.values()) for key in keys}
    server.faults.share, server.faults.late = 0.2, 0.1
    delivery = Delivery(tmp_path, _settings(server, timeout_seconds=0.05, connections=8), {})
    leads = {key: Lead("SQL", round(0.2 + number / 1000, 4)) for number, key in enumerate(keys)}
    assert ways(delivery.push(leads)) == {"written": 300}
    assert [server.leads[key]["cProbability"] for key in keys] == [lead.probability for lead in leads.values()]
    assert min(server.faults.happened.values()) > 5
    server.faults.share = 0.0
    assert ways(delivery.push(leads)) == {"unchanged": 300}


def test_a_quota_of_the_day_is_known_by_its_words(server: Plain) -> None:
    server.answers["L1"] = Answer({"error": "Daily budget of tokens exceeded"}, 429, {"Retry-After": "3"})
    for limit, kind, told in (
        ("daily budget", DeliveryError, "the quota of the day is used up: HTTP 429: .*Daily budget"),
        ("per month", LaterError, "Daily budget"),
        (None, LaterError, "Daily budget"),
    ):
        sink = _sink(server, daily_limit=limit)
        for call in (lambda sink=sink: sink.read(["L1"]), lambda sink=sink: _write(sink, "L1")):
            with pytest.raises(kind, match=told):
                call()
    server.answers["L1"] = Answer({"error": "the daily report is running"}, 503)
    with pytest.raises(LaterError):
        _write(_sink(server, daily_limit="daily"), "L1")


def test_a_check_tells_what_it_can_see_and_nothing_else(server: Plain, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (_sink(server).check(), server.calls) == ([], 1)
    host = server.url.removeprefix("http://")
    assert _sink(server, check="/App/users").check() == [
        "HTTP 404 to GET /App/users; correct push.sink.check, or push.sink.url"
    ]
    assert _sink(server, check=None).check() == [], "any answer is one"
    server.faults.share, server.faults.kinds = 1.0, ("503",)
    assert _sink(server, check=None).check() == []
    assert _sink(server).check() == [f'{host}: HTTP 503: {{"message": "out of order"}}']
    server.faults.share = 0.0
    monkeypatch.setenv("CRM_KEY", "wr0ng-Sesame")
    (problem,) = _sink(server).check()
    assert problem.startswith(f"{host}: the system refuses our key or our rights: HTTP 401: no user for ***; check")
    for asked in ("/App/user", None):
        (problem,) = _sink(server, url="http://127.0.0.1:1", check=asked).check()
        assert problem.startswith("127.0.0.1:1: the connection broke")


def test_an_example_shows_which_fields_are_missing(server: Plain) -> None:
    server.leads["L1"] = {"cTier": None, "cProbabilty": None, "cReason": "a", "status": "New"}
    told = ["lead L1 has no field cProbability, did you mean 'cProbabilty'?; make it, or correct push.fields"]
    for asked in ("/App/user", None):
        sink = _sink(server, check=asked, read={"path": "/Lead/{key}", "example": "L1"})
        assert sink.check() == told
    server.leads["L1"] = dict.fromkeys([*FIELDS.values(), "status"])
    assert sink.check() == []
    assert {request.method for request in server.requests} == {"GET"}


def test_an_example_shows_whether_leads_are_read_where_they_are(server: Plain) -> None:
    server.leads["L1"] = dict.fromkeys(FIELDS.values())
    server.answers["L2"] = Answer({"error": {"message": "no property named 'statecod'"}}, 400)
    server.answers["L3"] = Answer({"data": {}})
    for read, told in (
        ({"path": "/Leads/{key}", "example": "L1"}, "HTTP 404 to GET /Leads/{key} for L1; correct push.sink.read.path"),
        ({"path": "/Lead/{key}", "example": "L2"}, "HTTP 400: no property named 'statecod' to GET /Lead/{key} for L2"),
        ({"path": "/Lead/{key}", "example": "L3", "values": "data.custom"}, "what GET /Lead/{key} answers has no data"),
    ):
        (problem,) = _sink(server, read=read).check()
        assert problem.startswith(told)


def test_fields_are_made_by_hand(server: Plain) -> None:
    with pytest.raises(DeliveryError, match="by hand: cTier, cProbability, cReason"):
        _sink(server).setup()
    assert server.calls == 0


def test_the_name_says_where_without_secrets(server: Plain) -> None:
    assert _sink(server).name == f"rest {server.url.removeprefix('http://')}/api/v1 /Lead/{{key}}"


@pytest.mark.parametrize("key", ["sesame\nX-Evil: 1", "sésame"])
def test_a_key_that_no_header_can_hold_is_not_told(server: Plain, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("CRM_KEY", key)
    with pytest.raises(SettingsError, match=r"\$CRM_KEY holds letters that no header can") as caught:
        _sink(server)
    assert "same" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"path": "/Lead"}, "neither path nor body has {key}"),
        ({"path": "/Lead", "body": {"id": "{key}", "fields": "all {fields}"}}, 'give one of its values as "{fields}"'),
        ({"read": {"path": "/Lead"}}, "read.path has no {key}"),
        ({"read": None}, "closed names fields of what is read, and nothing is"),
        ({"secret": None}, "secret is put where headers say {secret}"),
        ({"headers": {}}, "secret is put where headers say {secret}"),
        ({"url": "crm.example.com"}, "must be an address"),
        ({"url": "https://ada:sesame@crm.example.com"}, "must be an address"),
    ],
)
def test_settings_that_can_not_be_meant_are_refused(server: Plain, change: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Push.model_validate(_settings(server, **change))
    assert told in str(caught.value)


def test_sizes_are_those_of_the_settings(server: Plain) -> None:
    assert _sink(server).sizes() == {}
    sink = _sink(server, sizes={"cReason": 40, "cTier": 3, "cReasons": 40})
    assert sink.sizes() == {"cReason": 40, "cTier": 3, "cReasons": 40}
    assert sink.check() == [
        "push.sink.sizes names cReasons, did you mean 'cReason'?",
        "the field cTier takes 3 letters, and tier needs 12; make it longer, or map tier to another (push.fields)",
    ]
