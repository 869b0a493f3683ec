"""Ids that are no ids: words of programs, and numbers that a spreadsheet has rounded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cases import case, empty_project, propose
from raw_logs import LEADS, LINKS, source_of
from small_project import SmallProject

HEAD = "lead,at,what\n"


def _events(ids: list[str], each: int = 3) -> str:
    return HEAD + "".join(
        f"{one},2026-01-{1 + n % 27:02} {10 + step}:00,visit\n" for n, one in enumerate(ids) for step in range(each)
    )


def _project(root: Path, log: str, **settings: Any) -> SmallProject:  # noqa: ANN401
    return SmallProject(root).write(log_csv=log).set({"log": source_of(**settings)}, leads=None)


def test_the_case_of_ids_that_are_words(tmp_path: Path) -> None:
    project = case("ids-that-are-words", tmp_path)
    propose(project, "data/exports", "--conversion", "signed")
    leads = {lead for (lead,) in project.leads("lead_id")}
    assert not leads & {"undefined", "null"}
    assert sum(project.accounts()["sources"]["visits"]["set_aside"].values()) == 156
    (warning,) = [told for told in project.accounts()["warnings"] if told.startswith("visits: 156")]
    assert warning.startswith("visits: 156 of 2,059 rows (7.6%) name nobody but a word")


def test_the_case_of_ids_that_a_spreadsheet_rounded(tmp_path: Path) -> None:
    project = case("ids-rounded", tmp_path)
    outcome = project.run("ingest")
    assert outcome.code == 4
    assert "visits: lead_id of 2,258 of 2,258 rows is a number that a spreadsheet has shortened" in outcome.text
    assert "export the column as text" in outcome.text
    proposed = project.run("init", "data/exports", "--yes", "--conversion", "signed", "--output", "p2.yaml")
    assert proposed.code == 4
    assert "the file is damaged: export the column as text" in proposed.text


@pytest.mark.parametrize(
    "word",
    ["null", "NULL", " undefined ", "None", "NaN", "(not set)", "[object Object]", "n/a", "-", r"\N", "nil",
     "00000000-0000-0000-0000-000000000000", "FFFFFFFF-ffff-FFFF-FFFF-FFFFFFFFFFFF", "0" * 32],
)  # fmt: skip
def test_a_word_is_nobody_s_id_in_any_table(word: str, tmp_path: Path) -> None:
    project = _project(tmp_path, _events(["A", word, "B", f"cookie{word}x"]))
    project.write(
        leads_csv=f"lead,created\nA,2026-01-01\nB,2026-01-01\n{word},2026-01-01\n",
        links_csv=f"alias,lead,at\n{word},A,2026-01-01\ncookie{word}x,A,2026-01-01\nc,{word},2026-01-01\n",
    )
    project.set({"log": source_of()}, leads=LEADS, identities=LINKS)
    assert project.ingest().code == 0
    assert project.set_aside() == [(line, "lead_id is a word, and no id") for line in (5, 6, 7)]
    assert project.set_aside("leads") == [(4, "lead_id is a word, and no id")]
    of_links = [(2, "alias_id is a word, and no id"), (4, "lead_id is a word, and no id")]
    assert project.set_aside("identities") == of_links
    assert project.leads("lead_id") == [("A",), ("B",)]


@pytest.mark.parametrize("name", ["0", "unknown", "guest", "-1", "NA", "Nullmeier", "none of your business", "1e5"])
def test_what_may_be_an_id_is_one(name: str, tmp_path: Path) -> None:
    project = _project(tmp_path, _events(["A", name]))
    assert project.ingest().code == 0
    assert {lead for (lead,) in project.leads("lead_id")} == {"A", name}


@pytest.mark.parametrize(("name", "said"), [("guest", "one id ('guest') has 40 of"), ("L17x", "one id has 40 of")])
def test_one_id_that_has_far_more_rows_than_others_is_told(name: str, said: str, tmp_path: Path) -> None:
    ids = [f"L{n:03}" for n in range(100)]
    visits = _events(ids) + "".join(f"{name},2026-02-01 10:{n:02},visit\n" for n in range(40))
    project = _project(tmp_path, visits)
    assert project.ingest().code == 0
    (warning,) = [told for told in project.accounts()["warnings"] if "one id" in told]
    assert said in warning
    assert "L17x" not in warning


def test_an_event_without_an_id_repeats_no_other(tmp_path: Path) -> None:
    rows = "A,2026-01-01,visit,null\nA,2026-01-02,visit,null\nB,2026-01-02,visit,null\nA,2026-01-02,visit,7\n"
    project = _project(tmp_path, "lead,at,what,id\n" + rows, columns={"event_id": "id"})
    assert project.ingest().code == 0
    assert project.log("event_id") == [(None,), ("7",), (None,), (None,)] or project.set_aside() == []


def test_an_account_that_is_a_word_is_none(tmp_path: Path) -> None:
    project = SmallProject(tmp_path).write(
        leads_csv="lead,created,firm\nA,2026-01-01,null\nB,2026-01-01,undefined\nC,2026-01-01,acme\n"
    )
    project.set(leads=LEADS | {"columns": LEADS["columns"] | {"account_id": "firm"}})
    assert project.ingest().code == 0
    assert project.leads("account_id") == [(None,), (None,), ("acme",)]
    assert any("account_id of 2 of 3 leads is a word" in told for told in project.accounts()["warnings"])


DAMAGED: dict[str, list[str]] = {
    "as a spreadsheet shows it": [f"1.{n:05}E+11" for n in range(30)],
    "with a decimal comma": [f'"1,{n:05}E+11"' for n in range(30)],
    "in small letters": [f"1.{n:05}e+11" for n in range(30)],
    "without a fraction": [f"{n + 1}E+11" for n in range(30)],
    "rounded, and then written out": [f"{100_000 + n}000000" for n in range(30)],
    "cut after fifteen digits": [f"{10**14 + n * 7919}{'0' * (n % 3 + 1)}" for n in range(30)],
}


@pytest.mark.parametrize("ids", DAMAGED.values(), ids=DAMAGED)
@pytest.mark.parametrize("column", ["lead_id", "event_id", "alias_id", "account_id"])
def test_a_column_of_ids_that_was_rounded_is_refused(ids: list[str], column: str, tmp_path: Path) -> None:
    sound = [f"S{n:02}" for n in range(30)]
    log = ids if column == "lead_id" else sound
    events = "lead,at,what,id\n" + "".join(f"{a},2026-01-0{n % 9 + 1} 10:{n:02},visit,{b}\n" for n, (a, b) in enumerate(
        zip(log, ids if column == "event_id" else sound, strict=True)))  # fmt: skip
    leads = "lead,created,firm\n" + "".join(f"{a},2026-01-01,{b}\n" for a, b in zip(
        sound, ids if column == "account_id" else sound, strict=True))  # fmt: skip
    links = "alias,lead,at\n" + "".join(f"{b},{a},2026-01-01\n" for a, b in zip(
        sound, ids if column == "alias_id" else [f"c{n}" for n in range(30)], strict=True))  # fmt: skip
    project = SmallProject(tmp_path).write(log_csv=events, leads_csv=leads, links_csv=links)
    people = LEADS | {"columns": LEADS["columns"] | {"account_id": "firm"}}
    project.set({"log": source_of(columns={"event_id": "id"})}, leads=people, identities=LINKS)
    outcome = project.ingest()
    assert outcome.code == 4
    assert f": {column} " in outcome.text
    assert "the file is damaged: export the column as text" in outcome.text


def test_ids_that_were_rounded_to_a_few_are_seen_by_init(tmp_path: Path) -> None:
    rows = "".join(
        f"{1 + n % 9}.0E+05,2026-01-{1 + n % 27:02} 10:00,{('visit', 'signed')[n % 7 == 0]}\n" for n in range(300)
    )
    project = empty_project(tmp_path).write(log_csv="visitor_id,time,event\n" + rows)
    refused = project.run("init", "raw", "--yes", "--conversion", "signed")
    assert refused.code == 4
    assert "log.visitor_id holds numbers that a spreadsheet has shortened, as in 1.0E+05: 9 are left" in refused.text
    assert "export the column as text" in refused.text


def test_few_rounded_ids_are_set_aside(tmp_path: Path) -> None:
    project = _project(tmp_path, _events([f"10017429{n:04}" for n in range(200)], 1) + "1.00174E+11,2026-01-01,visit\n")
    assert project.ingest().code == 0
    assert project.set_aside() == [(202, "lead_id is rounded")]


def test_long_numbers_that_are_whole_are_no_damage(tmp_path: Path) -> None:
    numbers = [str(7_919_000_000_000_003 * (n + 3)) for n in range(100)] + [f"{n}00000" for n in range(1, 30)]
    project = _project(tmp_path, _events(numbers))
    assert project.ingest().code == 0


def test_ids_that_never_meet_are_told(tmp_path: Path) -> None:
    whole = [f"{n}" for n in range(1000, 1040)]
    project = _project(tmp_path, _events([f"{one}.0" for one in whole]))
    project.write(leads_csv="lead,created\n" + "".join(f"{one},2026-01-01\n" for one in whole))
    columns = {"alias_id": "lead", "lead_id": "lead", "linked_at": "created"}
    project.set({"log": source_of(), "other": source_of("other.csv")}, leads=None)
    project.write(other_csv=_events(whole))
    assert columns
    assert project.ingest().code == 0
    assert any(told.startswith("log: lead_id is written as numbers with .0") for told in project.accounts()["warnings"])


def test_zeros_that_a_spreadsheet_dropped_are_told(tmp_path: Path) -> None:
    padded = [f"{n * 37:06}" for n in range(100, 200)]
    project = _project(tmp_path, _events([one.lstrip("0") for one in padded]))
    project.write(other_csv=_events(padded))
    project.set({"log": source_of(), "other": source_of("other.csv")}, leads=None)
    assert project.ingest().code == 0
    assert any(told.startswith("log: lead_id has up to 4 digits") for told in project.accounts()["warnings"])


def test_one_address_in_capitals_and_in_small_letters_is_told(tmp_path: Path) -> None:
    ids = [f"lead{number}@example.org" for number in range(30)] + [f"Lead{number}@example.org" for number in range(9)]
    project = _project(tmp_path, _events(ids))
    project.run("ingest")
    (warning,) = [told for told in project.accounts()["warnings"] if "address" in told]
    assert warning.startswith("9 of 39 leads that are named by an address differ from another one only in capital")
