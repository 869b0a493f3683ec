"""``leadcast monitor`` as it is called: broken promises, too early, nothing yet, MLflow, the webhook."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from browser import running_browser
from command_line import call
from pages import words
from watched import FIRST, PROMISED, write_scores
from world import Project

from models.core.model import Model
from pipeline.core.project import read_json
from pipeline.core.suspensions import Suspension, read_suspensions, write_suspensions
from pipeline.delivery.guard import newest_scores, suspended
from pipeline.log.settled import settled_scores
from pipeline.registry.mlflow import connected

DAY = timedelta(days=1)


def change(project: Project, section: str, **settings: Any) -> None:  # noqa: ANN401 - settings of any kind
    content = yaml.safe_load((project.root / "params.yaml").read_text())
    content[section] = {**(content.get(section) or {}), **settings}
    (project.root / "params.yaml").write_text(yaml.safe_dump(content))


def verdicts(project: Project) -> dict[str, dict[str, Any]]:
    return {one["code"]: one for one in read_json(project.monitored)["verdicts"]}


def newest_day(project: Project) -> str:
    """Give the day that the champion was watched as of."""
    day: str = read_json(project.monitored)["as_of"][:10]
    return day


@contextmanager
def listening(status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Run a server that takes what is posted to it."""
    taken: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook?key=s3cret", taken
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_broken_promise_is_an_alarm_a_suspension_and_a_run(scored: Project) -> None:
    code, text = call("monitor")
    assert code == 11, text
    assert "a promise is broken (promise_broken:all leads)" in text
    told = read_json(scored.monitored)
    whole = told["promises"][0]
    settled = settled_scores(scored, Model.load(scored.model).version, scored.parameters.snapshots.horizon)
    first = settled[settled["as_of"] == FIRST]
    week = told["weeks"][0]
    assert (week["leads"], week["happened"]) == (len(first), int(first["happened"].sum()))
    assert week["expected"] == pytest.approx(first["probability"].sum(), abs=1e-3)
    assert told["weeks"][-1]["happened"] is None  # within the horizon nothing is known, whoever has converted
    assert whole["state"] == "broken"
    assert whole["expected"] > 1.5 * whole["happened"] > 0
    assert whole["highest"] >= whole["threshold"] == pytest.approx(3.6889, abs=1e-4)
    (held,) = read_suspensions(scored)
    assert (held.segment, held.where, held.since) == ("all leads", {}, told["as_of"][:10])
    ids = set(pq.read_table(scored.leads, columns=["lead_id"])["lead_id"].to_pylist())
    for path in (scored.monitored, scored.monitor_page):
        assert not ids & set(words(path.read_text(encoding="utf-8")).replace('"', " ").split())
    with connected(scored) as client:
        (run,) = client.search_runs(["1"], "tags.monitored_on != ''")
        assert run.info.run_name == f"monitor {told['as_of'][:10]}"
        history = client.get_metric_history(run.info.run_id, "promised/expected")
        assert [one.value for one in sorted(history, key=lambda one: one.step)] == [
            one["expected"] for one in told["weeks"]
        ]
        assert {one.path for one in client.list_artifacts(run.info.run_id)} == {"monitor.html", "monitor.json"}
        champion = client.get_run(run.data.tags["mlflow.parentRunId"])
        assert champion.data.tags["model_version"] == told["model_version"]


def test_what_is_broken_is_suspended_until_a_person_lifts_it_with_a_reason(scored: Project) -> None:
    assert call("monitor")[0] == 11
    newest, said = newest_scores(scored, None), list[str]()
    assert len(suspended(scored, newest, said.append)) == newest.leads
    assert said[0].endswith(f"{newest.leads:,} open leads (all leads)")
    assert call("monitor")[0] == 11
    assert len(read_suspensions(scored)) == 1  # it is no second one
    code, text = call("score", "--as-of", "latest")
    assert (code, f"suspended since {newest_day(scored)}: all leads; push sends no probability" in text) == (0, True)
    assert call("monitor", "--lift", "all leads")[0] == 2
    code, text = call("monitor", "--lift", "all lead", "--why", "looked into")
    assert (code, "did you mean 'all leads'" in text) == (4, True)
    assert call("monitor", "--lift", "all leads", "--why", "the sources were mended")[0] == 0
    assert suspended(scored, newest, said.append) == {}
    # What was before is settled: only later scores count, and there are none.
    assert call("monitor")[0] == 0
    assert read_json(scored.monitored)["suspended"] == []
    # Scores of another champion have kept no promise, and broken none.
    held = Suspension({}, "2026-06-30", "all leads", model="f" * 64)
    write_suspensions(scored, [held])
    assert suspended(scored, newest, said.append) == {}


def test_parts_that_are_broken_alone_are_suspended_and_lifted_by_their_names(scored: Project) -> None:
    change(scored, "monitor", tolerance=5.0, tolerance_of_parts=1.0)
    assert call("monitor")[0] == 11
    rows = {one["segment"]: one for one in read_json(scored.monitored)["promises"]}
    broken = {name for name, one in rows.items() if one["state"] == "broken"}
    assert rows["all leads"]["state"] == "kept"
    assert "tier: SQL" in broken
    assert {one.segment for one in read_suspensions(scored)} == broken
    newest, said = newest_scores(scored, None), list[str]()
    sql = pq.read_table(newest.path, partitioning=None, filters=[("tier", "=", "SQL")])["lead_id"].to_pylist()
    assert set(sql) <= set(suspended(scored, newest, said.append))
    assert call("monitor", "--lift", "tier: SQL", "--why", "looked into")[0] == 0
    call("monitor")
    rows = {one["segment"]: one for one in read_json(scored.monitored)["promises"]}
    assert "tier: SQL" not in {one["segment"] for one in read_json(scored.monitored)["suspended"]}
    assert {name for name, one in rows.items() if one["state"] == "broken"} == broken - {"tier: SQL"}


def test_what_was_known_then_is_what_is_told_of_then(scored: Project) -> None:
    """A horizon and a day after the first look only that one is known; the day before, nothing."""
    horizon = scored.parameters.snapshots.horizon
    before, after = (f"{FIRST + horizon + days:%Y-%m-%d}" for days in (-DAY, DAY))
    assert call("monitor", "--as-of", before)[0] == 0
    assert verdicts(scored)["promise_unknown"]["evidence"].startswith("no score of the champion is known")
    assert read_json(scored.monitored)["promises"] == []
    call("monitor", "--as-of", after)
    assert [one["happened"] is None for one in read_json(scored.monitored)["weeks"]] == [False, True, True, True, True]
    code, text = call("monitor", "--as-of", "June")
    assert (code, "--as-of 'June' is no date" in text) == (4, True)


def test_below_so_many_expected_it_is_too_early_and_from_when_it_is_not(watched: Project) -> None:
    leads = write_scores(watched, FIRST, 0.01)
    assert leads > 100
    assert call("monitor")[0] == 0
    early = verdicts(watched)["promise_too_early"]["evidence"]
    expected = read_json(watched.monitored)["promises"][0]["expected"]
    assert f"{expected:.1f} conversions were to be expected" in early
    # At a pace of so many a horizon, one horizon and the delay of outcomes after the look that brings the last.
    until = datetime.fromisoformat(read_json(watched.monitored)["too_early_until"])
    horizon = watched.parameters.snapshots.horizon
    promised = read_json(watched.monitored)["weeks"][0]["expected"]
    looks = horizon * (30.0 / promised - 1.0)
    assert timedelta(minutes=-1) < until - (FIRST + looks + horizon) < 3 * DAY
    assert f"from {until:%Y-%m-%d}, at the present pace" in early
    change(watched, "monitor", minimum_expected=1.0)
    assert call("monitor")[0] == 0
    assert "promise_too_early" not in verdicts(watched)


def test_scores_of_what_it_has_learned_from_are_no_promises(watched: Project) -> None:
    for back in (5, 12):
        write_scores(watched, datetime(2026, 2, 23) - back * DAY, PROMISED)
    assert call("monitor")[0] == 0
    told = read_json(watched.monitored)
    assert (told["learned_from"], told["promises"], told["weeks"], told["foreseen"]) == (2, [], [], None)
    assert (
        "2 moments of scores lie in the time that it learned from" in verdicts(watched)["promise_unknown"]["evidence"]
    )
    page = words(watched.monitor_page.read_text(encoding="utf-8"))
    assert "it knew how these leads ended, so they count as no promises" in page
    assert "There are no scores of the champion" in page


def test_alarms_are_posted_and_a_webhook_that_fails_is_told(scored: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    change(scored, "monitor", webhook="$ALARMS_WEBHOOK")
    code, text = call("monitor")
    assert (code, "the environment variable ALARMS_WEBHOOK holds no address" in text) == (3, True)
    with listening() as (address, taken):
        monkeypatch.setenv("ALARMS_WEBHOOK", address)
        code, text = call("monitor")
    assert (code, "alarms posted" in text) == (11, True)
    (body,) = taken
    assert [one["code"] for one in body["alarms"]] == ["promise_broken"] * len(body["alarms"])
    assert body["suspended"][0]["segment"] == "all leads"
    with listening(status=500) as (address, _):
        monkeypatch.setenv("ALARMS_WEBHOOK", address)
        code, text = call("monitor")
    assert (code, "could not be posted to $ALARMS_WEBHOOK: it answered 500" in text) == (11, True)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("ALARMS_WEBHOOK", f"http://127.0.0.1:{nobody.getsockname()[1]}/hook?key=s3cret")
    code, text = call("monitor")
    assert (code, "could not be posted" in text, "s3cret" in text) == (11, True, False)


def test_a_project_without_a_champion_is_told_so(
    least: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = least.copy_to(tmp_path / "project", leave_out=("raw", "reports"))
    monkeypatch.chdir(project.root)
    code, text = call("monitor")
    assert (code, "no champion of 'lead-conversion'" in text) == (8, True)


def test_the_page_says_so_in_a_browser_without_network_and_on_a_telephone(scored: Project) -> None:
    assert call("monitor")[0] == 11
    with running_browser() as browser:
        for width in (1600, 1280, 390):
            browser.open(scored.monitor_page, width=width)
            assert browser.complaints == []
            assert browser.requested == [scored.monitor_page.resolve().as_uri()]
            assert browser.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
            assert "alarm" in browser.page.inner_text("#alarms h2")
            bars = browser.evaluate("[...document.querySelectorAll('svg rect.signed')].length")
            assert bars == sum(one["happened"] is not None for one in read_json(scored.monitored)["weeks"])
        browser.page.emulate_media(color_scheme="dark")
        assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 25, 31)"
