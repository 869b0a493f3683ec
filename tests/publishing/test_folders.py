"""``leadcast publish`` into folders: what goes where, whole or not at all, and nobody else's file is touched."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml
from command_line import WIDE, call_for_its_output
from mail_server import MailServer, serving
from small_project import AS_SOMEBODY, LEADCAST, SmallProject

from pipeline.publishing.folder import MANIFEST, relinked

DIGEST: dict[str, object] = {
    "language": "en", "model_version": "the champion", "as_of": "1 July 2026", "standing": [], "expected": "About 79.",
    "month": None, "tiles": [], "moved": [], "trust": "Kept.", "called": 3,
}  # fmt: skip
INDEX = (
    '<nav><ul><li><a href="{leads}">Leads of today</a></li><li><a href="{up}model.html">Model</a></li></ul></nav>'
    '<p>Three. <a href="{leads}">Leads of today</a> <a href="{up}model.html#verdicts">Why</a></p>'
)


class Published:
    """A small project with reports, and the two folders that others open."""

    def __init__(self, root: Path) -> None:
        self.small = SmallProject(root / "project")
        self.pages, self.lists = root / "share", root / "sales"
        self.pages.mkdir()
        self.lists.mkdir()
        self.set(folder=str(self.pages), lists=str(self.lists))
        self.write("data/training.json", json.dumps({"model_version": "the champion"}))
        self.write("reports/model.html", "<p>the model</p>")
        self.write("reports/cut-offs.html", '<a href="model.html">the model</a>')

    def set(self, **publish: object) -> None:
        """Write the section of the settings."""
        path = self.small.root / "params.yaml"
        content = yaml.safe_load(path.read_text()) | {"publish": publish}
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def write(self, path: str, text: str) -> None:
        """Write a file of the project."""
        target = self.small.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def trained(self) -> None:
        """Write what the stages write."""
        self.write("reports/index.html", INDEX.format(leads="private/leads.html", up="") + "trained")
        self.write("reports/kpi.xlsx", "cells")
        self.write("reports/digest.json", json.dumps(DIGEST | {"expected": "About 12, by the model just trained."}))
        self.write("reports/private/leads.html", "L-trained")
        self.write("reports/private/lists/S01.html", "L-trained")

    def scored(self, *whose: str, digest: Mapping[str, object] = MappingProxyType(DIGEST)) -> None:
        """Write what scoring with the champion writes: a list for each of those who work today."""
        live = self.small.root / "reports/live"
        for path in live.glob("lists/*"):
            path.unlink()
        self.write("reports/live/index.html", INDEX.format(leads="leads.html", up="../") + "live")
        self.write("reports/live/kpi.xlsx", "live cells")
        self.write("reports/live/digest.json", json.dumps(dict(digest)))
        of_each = "".join(f'<li><a href="lists/{one}.html">{one}</a></li>' for one in whose)
        self.write(
            "reports/live/leads.html", f'<nav><ul><li><a href="index.html">Report</a></li></ul></nav>{of_each}L1'
        )
        for one in whose:
            self.write(f"reports/live/lists/{one}.html", f'<a href="../leads.html">All</a> L-{one}')
            self.write(f"reports/live/lists/{one}.xlsx", f"L-{one}")


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {MANIFEST}


@pytest.fixture
def published(tmp_path: Path) -> Published:
    return Published(tmp_path)


PAGES = {"index.html", "kpi.xlsx", "model.html", "cut-offs.html"}


def test_pages_and_lists_go_each_where_it_belongs_with_links_that_lead_somewhere(published: Published) -> None:
    published.trained()
    published.scored("S01", "S02")
    outcome = published.small.run("publish")
    assert outcome.code == 0, outcome.text
    assert f"wrote 4 files to {published.pages} " in outcome.text
    assert f"wrote 5 files to {published.lists} " in outcome.text
    assert "S01" not in outcome.text, "a list may be called like a person"
    assert files(published.pages) == PAGES
    assert files(published.lists) == {"leads.html", *(f"lists/S0{n}.{end}" for n in "12" for end in ("html", "xlsx"))}
    index = (published.pages / "index.html").read_text()
    assert index.endswith("live"), "people act on what the champion says"
    assert index == (
        '<nav><ul><li><a href="model.html">Model</a></li></ul></nav><p>Three.  '
        '<a href="model.html#verdicts">Why</a></p>live'
    )
    for folder in (published.pages, published.lists):
        for page in folder.rglob("*.html"):
            for link in re.findall(r'<a href="([^"#]+)', page.read_text()):
                assert (page.parent / link).is_file(), (page, link)
    assert "L-" not in "".join(path.read_text() for path in published.pages.rglob("*") if path.is_file())
    assert "<nav" not in (published.lists / "leads.html").read_text(), "nothing is left in it"
    again = published.small.run("publish")
    assert f"wrote 0 files to {published.pages}; 4 are there as they are" in again.text


def test_a_list_of_who_has_gone_goes_and_nobody_else_s_file(published: Published) -> None:
    published.trained()
    published.scored("S01", "S02", "S03")
    assert published.small.run("publish").code == 0
    (published.lists / "lists/notes.txt").write_text("mine")
    (published.lists / "lists/S03.xlsx").write_text("L-S03, and notes of hers")
    published.scored("S01")
    rehearsed = published.small.run("publish", "--dry-run")
    told = "3 that are published no more; 1 that are published no more stay, for somebody has changed them"
    assert f"would remove {told}" in rehearsed.text
    assert "lists/S02.html" in files(published.lists)
    assert f"removed {told}" in published.small.run("publish").text
    left = {"leads.html", "lists/S01.html", "lists/S01.xlsx", "lists/notes.txt", "lists/S03.xlsx"}
    assert files(published.lists) == left
    assert "1 that are published no more stay" in published.small.run("publish").text, "until somebody takes it away"


def test_a_manifest_that_names_what_lies_outside_removes_nothing_there(published: Published) -> None:
    published.scored("S01")
    assert published.small.run("publish").code == 0
    precious = published.lists.parent / "precious.txt"
    precious.write_text("mine")
    elsewhere = published.lists.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file.txt").write_text("mine")
    (published.lists / "linked").symlink_to(elsewhere)
    manifest = json.loads((published.lists / MANIFEST).read_text())
    digest = sha256(b"mine").hexdigest()
    for name in ("../precious.txt", str(precious), "linked/file.txt"):
        manifest["files"][name] = digest
    (published.lists / MANIFEST).write_text(json.dumps(manifest))
    assert published.small.run("publish").code == 0
    assert precious.read_text() == (elsewhere / "file.txt").read_text() == "mine"


def test_a_file_of_somebody_else_under_one_of_our_names_stops_it_before_anything_is_written(
    published: Published,
) -> None:
    published.scored("S01")
    (published.pages / "kpi.xlsx").write_text("mine")
    outcome = published.small.run("publish")
    assert outcome.code == 4
    assert f"publish.folder: {published.pages}/kpi.xlsx is there, and is not ours; take it away" in outcome.text
    assert files(published.pages) == {"kpi.xlsx"}
    assert files(published.lists) == set()
    (published.pages / "kpi.xlsx").unlink()
    (published.lists / "lists").symlink_to(published.pages)
    outcome = published.small.run("publish")
    assert (outcome.code, f"{published.lists}/lists leads out of the folder" in outcome.text) == (4, True)
    assert files(published.pages) == set()


def test_a_folder_that_is_not_there_or_another_project_s_is_told(published: Published) -> None:
    published.scored("S01")
    published.set(folder=str(published.pages / "not" / "there"))
    outcome = published.small.run("publish")
    assert (outcome.code, "not there, or is no folder; make it, or connect the share" in outcome.text) == (4, True)
    assert files(published.pages) == set(), "a share that is not connected must not be made here"
    published.set(folder="reports/live")
    outcome = published.small.run("publish")
    assert (outcome.code, "is where the project keeps its own files" in outcome.text) == (3, True)
    published.set(folder=str(published.pages))
    (published.pages / MANIFEST).write_text('{"of": "another-model", "files": {}}')
    outcome = published.small.run("publish")
    assert (outcome.code, "another project has published (another-model); name another" in outcome.text) == (4, True)
    (published.pages / MANIFEST).write_text("{")
    outcome = published.small.run("publish")
    assert (outcome.code, "nobody knows what is ours there; empty the folder" in outcome.text) == (4, True)


def test_a_folder_that_may_not_be_written_to_is_told_and_nothing_is_half_written(published: Published) -> None:
    published.scored("S01")
    published.pages.chmod(0o555)
    command = [*AS_SOMEBODY, LEADCAST, "publish"]
    outcome = subprocess.run(
        command, cwd=published.small.root, capture_output=True, text=True, check=False, env=os.environ | WIDE
    )
    told = " ".join(outcome.stderr.split())
    assert outcome.returncode == 4, told
    assert f"publish.folder: leadcast may not write to {published.pages}; give it the right to" in told
    assert files(published.pages) == files(published.lists) == set()


def test_what_fails_on_its_way_leaves_the_former_pages(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    published.scored("S01")
    assert published.small.run("publish").code == 0
    before = {path: (published.pages / path).read_bytes() for path in files(published.pages)}
    published.write("reports/live/kpi.xlsx", "other cells")
    published.write("reports/model.html", "<p>another model's page</p>")
    written = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if content == b"other cells":
            raise OSError(28, "No space left on device")
        return written(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
    outcome = published.small.run("publish")
    assert (outcome.code, "can't be written to (No space left on device)" in outcome.text) == (4, True)
    assert {path: (published.pages / path).read_bytes() for path in files(published.pages)} == before
    monkeypatch.undo()
    assert published.small.run("publish").code == 0
    assert (published.pages / "kpi.xlsx").read_text() == "other cells"


def test_without_the_champion_pages_are_those_of_the_model_just_trained_and_lists_are_none(
    published: Published,
) -> None:
    outcome = published.small.run("publish")
    assert (outcome.code, "dvc repro (or make run)" in outcome.text) == (4, True)
    published.trained()
    outcome = published.small.run("publish")
    assert outcome.code == 0
    assert "the pages rest on the model just trained, for the champion has written none here" in outcome.text
    assert "no list is published: there are those of the model just trained alone, which nobody has" in outcome.text
    assert files(published.pages) == PAGES
    assert "private" not in (published.pages / "index.html").read_text()
    assert files(published.lists) == set()


def test_pages_about_another_model_than_the_champion_are_left_out(published: Published) -> None:
    published.trained()
    published.scored(digest=DIGEST | {"model_version": "an older one"})
    outcome = published.small.run("publish")
    assert "model.html and cut-offs.html are left out: they are about the model just trained" in outcome.text
    assert files(published.pages) == {"index.html", "kpi.xlsx"}
    assert "<a" not in (published.pages / "index.html").read_text()


@pytest.fixture
def server() -> Iterator[MailServer]:
    with serving(MailServer()) as listening:
        yield listening


def test_the_mail_follows_the_pages_and_a_rehearsal_sends_nothing(
    published: Published, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    published.scored("S01")
    mail = {
        "server": "localhost",
        "port": server.port,
        "encryption": "none",
        "from": "a@b.example",
        "to": ["c@b.example"],
    }
    published.set(folder=str(published.pages), mail=mail)
    monkeypatch.chdir(published.small.root)
    printed = call_for_its_output("publish", "--dry-run")
    assert printed.splitlines()[0] == "Leads, sales and money"
    assert "3 leads are on the list of sales." in printed
    assert (files(published.pages), server.received) == (set(), [])
    outcome = published.small.run("publish")
    assert (outcome.code, "mailed the digest to 1 address" in outcome.text) == (0, True)
    assert files(published.lists) == set(), "lists go where the settings say so, and nowhere else"
    (received,) = server.received
    (text, _) = (part.get_content() for part in received.iter_parts())
    assert text.replace("\r\n", "\n") == printed
    server.refused["MAIL"] = b"550 not you"
    published.write("reports/live/kpi.xlsx", "other cells")
    outcome = published.small.run("publish")
    assert (outcome.code, "refuses publish.mail.from (550 not you)" in outcome.text) == (9, True)
    assert (published.pages / "kpi.xlsx").read_text() == "other cells", "the pages are there all the same"
    published.set(mail=mail | {"server": "$SMTP_SERVER"}, folder=str(published.pages))
    monkeypatch.delenv("SMTP_SERVER", raising=False)
    published.write("reports/live/kpi.xlsx", "yet others")
    outcome = published.small.run("publish")
    assert (outcome.code, "the environment variable SMTP_SERVER is not set" in outcome.text) == (3, True)
    assert (published.pages / "kpi.xlsx").read_text() == "other cells", "what can be told before is told before"


def test_without_the_section_it_is_said_how_to_write_one(tmp_path: Path) -> None:
    small = SmallProject(tmp_path / "project")
    outcome = small.run("publish")
    assert (outcome.code, "add publish: {folder: /srv/share/leads}, or mail" in outcome.text) == (3, True)


@pytest.mark.parametrize(
    ("publish", "told"),
    [
        ({}, "says not where to"),
        ({"folder": "/srv/share", "lists": "/srv/share/"}, "lists name leads, and folder is for everyone"),
        ({"folder": "/srv/share", "lists": "/srv/share/x/../sales"}, "lists name leads, and folder is for everyone"),
        ({"folder": "/srv/lists/pages", "lists": "/srv/lists"}, "lists name leads, and folder is for everyone"),
        ({"folder": "/srv/share", "list": "/srv/sales"}, "did you mean 'lists'?"),
    ],
)
def test_settings_that_would_show_lists_to_everyone_are_refused(
    published: Published, publish: dict[str, object], told: str
) -> None:
    published.set(**publish)
    outcome = published.small.run("publish")
    assert (outcome.code, told in outcome.text) == (3, True), outcome.text


def test_a_link_is_kept_where_it_leads_out_to_the_web(tmp_path: Path) -> None:
    html = '<a href="https://crm.example.com/lead/1" rel="noreferrer">1</a><li><b><a href="x.html">x</a></b></li>'
    source = tmp_path / "a.html"
    assert relinked(html, source, "a.html", {}) == html.replace('<a href="x.html">x</a>', "")
    placed = {(tmp_path / "x.html").resolve(): "deep/x y.html"}
    assert '<a href="../deep/x y.html">x</a>' in relinked(html, source, "lists/a.html", placed)
