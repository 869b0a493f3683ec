"""The page of MLflow on which a reviewer lands, as a real browser shows it, and the command that opens it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from browser import running_browser
from command_line import call
from house import ROOT
from playwright.sync_api import Page
from tracking_stores import NAME
from world import Project

from pipeline.review.promotion import decide_reviews


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def project(tracked_once: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    return tracked_once.copy_to(tmp_path_factory.mktemp("viewed") / "project", with_store=True)


def test_a_reviewer_lands_on_champion_and_baselines_and_decides_without_a_shell(
    project: Project, tmp_path: Path
) -> None:
    port = free_port()
    with (
        (tmp_path / "said.txt").open("w+") as said,
        subprocess.Popen(
            [sys.executable, "-m", "pipeline.commands.app", "ui", "--port", str(port)],
            cwd=project.root, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=said, stderr=said,
        ) as command,
    ):  # fmt: skip
        try:
            address = wait_for_the_address(tmp_path / "said.txt", command)
            assert address.startswith(f"http://127.0.0.1:{port}/#/experiments/")
            with running_browser() as browser:
                page = browser.page
                page.set_viewport_size({"width": 1600, "height": 1000})
                page.goto(address.replace("compareRunsMode=CHART", "compareRunsMode=TABLE"))
                page.get_by_text("baseline: naive Bayes").first.wait_for(timeout=60_000)
                shown = page.inner_text("body")
                headings = ("role", "verdict/log_loss", "ranking/roc_auc", "calibration/erro")
                for text in ("Champion, challenger and basel", "Model registry", "first model", *headings):
                    assert text in shown, text
                losses = [float(one) for one in re.findall(r"^0\.1\d{2,3}$", shown, re.MULTILINE)]
                assert len(losses) >= 6
                assert losses == sorted(losses)
                page.goto("about:blank")
                page.set_viewport_size({"width": 1280, "height": 900})
                page.goto(address)
                page.get_by_text("verdict/log_loss").first.wait_for(timeout=60_000)
                charts = page.inner_text("body")
                assert "You're viewing a shared view" in charts
                server = address.partition("#")[0]
                told = decide_in_the_browser(project, browser.page, f"{server}#/models/{NAME}/versions/1")
                assert told.startswith("version 1, approved by Grace: version 1 (")
                page.set_viewport_size({"width": 1280, "height": 900})
                page.reload()
                page.get_by_text("it is what we have: it is the champion").first.wait_for(timeout=60_000)
                assert re.search(r"Promoted on \S+ by Grace: it is what we have", page.inner_text("body"))
                page.goto(address.replace("compareRunsMode=CHART", "compareRunsMode=TABLE"))
                page.get_by_text("The champion's card").first.wait_for(timeout=60_000, state="attached")
                link = page.get_by_text("The champion's card").first.get_attribute("href")
                assert link == f"#/models/{NAME}/versions/1"
                assert not [one for one in browser.complaints if "Uncaught" in one]
        finally:
            command.send_signal(signal.SIGTERM)
    assert not answers(port), "the server ends with the command"


def decide_in_the_browser(project: Project, page: Page, version: str) -> str:
    """Say on the page of a version, as a reviewer does, that it is approved; gives what the schedule makes of it."""
    page.set_viewport_size({"width": 1600, "height": 1000})
    page.goto(version)
    page.get_by_placeholder("Name").wait_for(timeout=60_000)
    shown = page.inner_text("body")
    for text in ("Will this lead convert within 30d?", "It must not be used to", "approved by nobody"):
        assert text in shown, text
    tags = (("review", "approved"), ("review_reason", "it is what we have"), ("reviewer", "Grace"))
    for name, value in tags:
        page.get_by_placeholder("Name").fill(name)
        page.get_by_placeholder("Value").fill(value)
        page.get_by_role("button", name="Add", exact=True).click()
        page.get_by_role("cell", name=value, exact=True).wait_for(timeout=60_000)
    generous = project.with_settings({"review": {"gates": {"calibration": 10.0}}})
    (told,) = decide_reviews(generous, None, project.told.append)
    return told


def wait_for_the_address(said: Path, command: subprocess.Popen[bytes]) -> str:
    """Give the address that the command tells, which it does once the server answers."""
    for _ in range(1200):
        found = re.search(r"open (http://\S+)", said.read_text())
        if found:
            return found[1]
        if command.poll() is not None:
            break
        time.sleep(0.1)
    pytest.fail(said.read_text())


def answers(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


def test_a_port_that_is_taken_is_a_message_before_a_server_is_started(
    least: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(least.root)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        code, text = call("ui", "--port", str(port))
    assert code == 8
    assert f"port {port} cannot be had (Address already in use)" in text
    free = re.search(r"leadcast ui --port (\d+)", text)
    assert free is not None
    assert not answers(int(free[1]))
    assert "starting MLflow's server" not in text
