"""Broken and odd raw files, through the command line: one message and an exit code, or quarantine; all rows counted."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from command_line import WIDE
from raw_logs import LEADS, LINKS, source_of
from small_project import AS_SOMEBODY, EVENTS, LEADCAST, PEOPLE, SmallProject

from pipeline.settings.run import Run

SOUND = [("A", "visit"), ("A", "won"), ("B", "visit"), ("B", "visit")]
"""The log of EVENTS."""


@pytest.fixture
def project(tmp_path: Path) -> SmallProject:
    """Make a sound project, for the test to break."""
    return SmallProject(tmp_path / "project")


@pytest.fixture
def project_of_each(tmp_path: Path, executor: Run) -> SmallProject:
    """Make one whose log is sorted by each executor."""
    return SmallProject(tmp_path / "project", executor)


def ingest_side_by_side(
    project: SmallProject, files: Mapping[str, bytes], columns: Mapping[str, dict[str, Any]] | None = None
) -> dict[str, str]:
    """Ingest files as sources of their own, a source a case, at once; gives the source of each case."""
    names = {case: f"log{number}" for number, case in enumerate(files)}
    project.write(**{f"{names[case]}_csv": content for case, content in files.items()})
    own = columns or {}
    project.set({name: source_of(f"{name}.csv", columns=own.get(case)) for case, name in names.items()})
    assert project.ingest().code == 0
    return names


def test_the_project_is_sound_before_it_is_broken(project_of_each: SmallProject) -> None:
    outcome = project_of_each.ingest()
    assert outcome.code == 0
    assert "warning" not in outcome.text
    assert project_of_each.log() == SOUND


REFUSED: dict[str, tuple[dict[str, str | bytes], str]] = {
    "an empty file": ({"log_csv": b""}, "log.csv is empty; export it again, or take it away"),
    "blank lines alone": ({"log_csv": "\n\n"}, "log.csv: the first line is empty; it must name the columns"),
    "a header alone": ({"log_csv": "lead,at,what\n"}, "no row could be used, so the log is empty"),
    "a column named twice": ({"log_csv": "lead,at,what,at\nA,2026-01-01,visit,x\n"}, "names 'at' twice; rename one"),
    "another name of a column": (
        {"log_csv": EVENTS.replace("lead,", "leed,")},
        "ingest.sources.log: log.csv has no column 'lead' (did you mean 'leed'?); change it under columns",
    ),
    "a header of NUL bytes": ({"log_csv": b"lead,a\0t,what\n"}, "looks like UTF-16 without a mark; set encoding"),
    "bytes that are no text": ({"log_csv": b"\x89\xfe\xca\xff\n" * 9}, "log.csv is not UTF-8; set encoding, as in"),
    "a quote in the header that never closes": ({"log_csv": '"lead,at,what\n'}, "check its quotes and line ends"),
    "a file cut in the middle of a row": ({"log_csv": EVENTS + "B,2026"}, "ends in the middle of line 6; copy or"),
    "a lead column that is empty throughout": (
        {"log_csv": "lead,at,what\n,2026-01-01,visit\n,2026-01-02,visit\n"},
        "no row could be used, so the log is empty; check the mapping and the ids of the leads (2 missing lead_id)",
    ),
    "a table without leads": ({"leads_csv": "lead,created\n"}, "check the mapping and the ids of the leads (4 unknown"),
    "leads of which none is in the log": ({"leads_csv": "lead,created\nZ,2026-01-01\n"}, "(4 unknown lead)"),
}


@pytest.mark.parametrize(("files", "words"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_can_not_be_used_is_refused(
    project_of_each: SmallProject, files: dict[str, str | bytes], words: str
) -> None:
    outcome = project_of_each.write(**files).ingest()
    assert outcome.code == 4
    assert words in outcome.text


def test_a_missing_file_names_the_nearest(project: SmallProject) -> None:
    (project.raw / "log.csv").rename(project.raw / "logs.csv")
    outcome = project.ingest()
    assert outcome.code == 4
    assert "ingest.sources.log: no file matches 'log.csv' in raw; did you mean 'logs.csv'?" in outcome.text


def test_all_tables_that_lack_a_file_or_a_column_are_told_at_once(project: SmallProject) -> None:
    (project.raw / "log.csv").unlink()
    outcome = project.write(leads_csv="lead,creatd\nA,2026-01-01\n").ingest()
    assert outcome.code == 4
    assert "no file matches 'log.csv'" in outcome.text
    assert "leads.csv has no column 'created' (did you mean 'creatd'?)" in outcome.text


def test_a_folder_where_a_file_should_be_is_called_one(project: SmallProject) -> None:
    (project.raw / "log.csv").unlink()
    (project.raw / "log.csv").mkdir()
    outcome = project.ingest()
    assert outcome.code == 4
    assert "raw/log.csv is a folder; name its files, as in log.csv/*.csv" in outcome.text


def test_a_file_that_may_not_be_read_is_named(project: SmallProject) -> None:
    (project.raw / "log.csv").chmod(0)
    as_somebody = AS_SOMEBODY if os.geteuid() == 0 else []
    ran = subprocess.run(
        [*as_somebody, LEADCAST, "ingest"], cwd=project.root, env=os.environ | WIDE, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ran.returncode == 4, ran.stderr
    assert "Permission denied (raw/log.csv)" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (project.root / "data/ingest.json").exists()


_OBJECT = b'{"lead": "A", "at": "2026-01-01", "what": "visit"}\n'


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("log.csv.gz", gzip.compress(EVENTS.encode() * 1000)[:-20], "ends in the middle; copy or export it again"),
        ("log.csv.gz", EVENTS.encode(), "is damaged"),
        ("log.csv.gz", b"", "is empty"),
        ("log.jsonl", _OBJECT + b'{"lead"', "ends in the middle of its last line; copy or export it again"),
    ],
    ids=["cut short", "not compressed at all", "empty", "objects cut short"],
)
def test_a_broken_file_of_another_kind_stops_the_run(
    project_of_each: SmallProject, name: str, content: bytes, words: str
) -> None:
    (project_of_each.raw / name).write_bytes(content)
    outcome = project_of_each.set({"log": source_of(name)}).ingest()
    assert outcome.code == 4
    assert f"{name} {words}" in outcome.text


def test_a_broken_share_above_the_limit_stops_the_run_and_lists_the_rows(project_of_each: SmallProject) -> None:
    project = project_of_each
    outcome = project.write(log_csv=EVENTS + "A,2026-01-10,\n").set(maximum_broken=0.1).run("ingest")
    assert outcome.code == 4
    assert "log: missing event_type: 1 rows, the first in log.csv, line 6" in outcome.text
    assert "mend the files or the mapping, or raise the share" in outcome.text
    assert project.set_aside() == [(6, "missing event_type")]


SET_ASIDE: dict[str, tuple[str, list[tuple[int, str]]]] = {
    "unparsable times": (
        "A,soon,visit\nA,2026-13-45,visit\nA,2026-02-30,visit\nA,12:30,visit\n",
        [(line, "unreadable occurred_at") for line in (6, 7, 8, 9)],
    ),
    "times out of range": (
        "A,1066-10-14,visit\nA,0001-01-01,visit\nA,2150-01-01,visit\nA,99999-01-01,visit\n",
        [(6, "occurred_at before 1970"), (7, "occurred_at before 1970"), (8, "occurred_at after 2100"),
         (9, "unreadable occurred_at")],
    ),
    "a time in the future": ("A,2099-01-01,visit\n", [(6, "known_at in the future")]),
    "no lead": (',2026-01-01,visit\n"",2026-01-01,visit\n', [(6, "missing lead_id"), (7, "missing lead_id")]),
    "a lead of spaces": ("   ,2026-01-01,visit\n", [(6, "unknown lead")]),
    "an unknown lead": ("Z,2026-01-01,visit\n", [(6, "unknown lead")]),
    "a lead that differs in case": ("a,2026-01-01,visit\n", [(6, "unknown lead")]),
    "NUL bytes in a lead": ("A\0,2026-01-01,visit\n", [(6, "NUL bytes")]),
    "NUL bytes in an event type": ("A,2026-01-01,vi\0sit\n", [(6, "NUL bytes")]),
    "a lead of a megabyte": ("x" * 1_000_000 + ",2026-01-01,visit\n", [(6, "unknown lead")]),
    "too many columns and too few": (
        "A,2026-01-01,visit,\nA,2026-01-01\n", [(6, "4 columns instead of 3"), (7, "2 columns instead of 3")]
    ),
    "a quote that never closes": ('A,2026-01-01,"visit\nB,2026-01-05 13:04,visit\n', [
        (6, "broken quotes or line end"), (7, "duplicate")]),
    "the same row again": ("A,2026-01-02 10:01,visit\n", [(6, "duplicate")]),
}  # fmt: skip


def test_rows_that_can_not_be_used_are_set_aside_and_the_others_stay(project_of_each: SmallProject) -> None:
    project = project_of_each
    names = ingest_side_by_side(project, {case: (EVENTS + rows).encode() for case, (rows, _) in SET_ASIDE.items()})
    for case, name in names.items():
        assert project.set_aside(name) == SET_ASIDE[case][1], case
        assert project.log(of=name) == SOUND, case


def test_a_megabyte_of_id_counts_as_the_lead_it_names(project: SmallProject) -> None:
    lead = "x" * 1_000_000
    assert project.write(log_csv=f"lead,at,what\n{lead},2026-01-02 10:00,visit\n").set(leads=None).ingest().code == 0
    assert project.log() == [(lead, "visit")]


NUMBERS: dict[str, tuple[str, str, str | None]] = {
    "NaN": ("value", "nan", "value is not finite"),
    "infinity": ("value", "-inf", "value is not finite"),
    "a number beyond all": ("value", "1e999", "value is not finite"),
    "a word": ("value", "much", "unreadable value"),
    "a negative quantity": ("quantity", "-2", "quantity below 1"),
    "a quantity of nothing": ("quantity", "0", "quantity below 1"),
    "half a quantity": ("quantity", "1.5", "quantity is not a whole number"),
    "a huge quantity in quotes": ("quantity", '"99999999999999999999999999999999"', "quantity is too large"),
    "the first whole number that would change": ("quantity", '"9007199254740993"', "quantity is too large"),
    "the last whole number that stays": ("quantity", '"9007199254740991"', None),
}


def test_numbers_are_read_as_they_stand_or_set_aside(project_of_each: SmallProject) -> None:
    project = project_of_each
    files = {
        case: f"lead,at,what,n\nA,2026-01-02 10:00,visit,{written}\nB,2026-01-02 10:00,visit,3\n".encode()
        for case, (_, written, _) in NUMBERS.items()
    }
    names = ingest_side_by_side(project, files, {case: {field: "n"} for case, (field, *_) in NUMBERS.items()})
    for case, (field, written, reason) in NUMBERS.items():
        read = [] if reason else [("A", int(written.strip('"')))]
        assert project.set_aside(names[case]) == ([(2, reason)] if reason else []), case
        assert project.log(f"lead_id, {field}", of=names[case]) == [*read, ("B", 3)], case


def test_attributes_that_are_no_finite_numbers_are_missing_and_counted(project: SmallProject) -> None:
    project.write(leads_csv="lead,created,size\nA,2026-01-01,nan\nB,2026-01-01,inf\nC,2026-01-01,7\n")
    outcome = project.set(leads=LEADS | {"attributes": {"size": "number"}}).ingest()
    assert outcome.code == 0
    accounts = project.accounts()["leads"]
    assert (accounts["rows"], accounts["used"], accounts["unreadable_attributes"]) == (3, 3, {"size": 2})
    assert project.leads("lead_id, size") == [("A", None), ("B", None), ("C", 7.0)]
    assert "2 of 3 values of 'size' are no numbers" in outcome.text


def test_events_before_the_creation_of_their_lead_stay_and_are_told(project: SmallProject) -> None:
    outcome = project.write(log_csv=EVENTS + "A,2025-06-01 10:00,visit\n").ingest()
    assert outcome.code == 0
    assert "events before the creation of their lead: 1 of log; they count as its past" in outcome.text
    assert project.log() == [("A", "visit"), *SOUND]


def test_leads_without_events_stay(project: SmallProject) -> None:
    assert project.write(leads_csv=PEOPLE + "C,2026-01-01\n").ingest().code == 0
    assert project.leads("lead_id") == [("A",), ("B",), ("C",)]
    assert project.log() == SOUND


def test_an_outcome_without_a_lead_is_set_aside(project_of_each: SmallProject) -> None:
    project = project_of_each
    project.write(outcomes_csv="lead,at,what\nZ,2026-01-09,won\nB,2026-01-20 10:00,won\n")
    project.set({"log": source_of(), "outcomes": source_of("outcomes.csv")})
    outcome = project.ingest()
    assert outcome.code == 0
    assert project.set_aside("outcomes") == [(2, "unknown lead")]
    assert project.log() == [*SOUND, ("B", "won")]
    assert "outcomes: 1 of 2 rows (50%) are of leads that the table of leads does not hold" in outcome.text


def test_of_duplicate_leads_the_first_counts_and_it_is_told(project: SmallProject) -> None:
    outcome = project.write(leads_csv=PEOPLE + "A,2020-01-01\n").ingest()
    assert outcome.code == 0
    assert project.set_aside("leads") == [(4, "duplicate")]
    assert project.leads("lead_id, created_at::VARCHAR") == [("A", "2026-01-01 00:00:00"), ("B", "2026-01-01 00:00:00")]
    assert "leads: 1 of 3 rows (33%) repeat a lead_id; the first counts" in outcome.text


def test_an_alias_that_two_leads_claim_is_neithers(project_of_each: SmallProject) -> None:
    project = project_of_each
    project.write(
        links_csv="alias,lead,at\ncookie,A,2026-01-01\ncookie,B,2026-01-01\n",
        log_csv=EVENTS + "cookie,2026-01-04,visit\n",
    )
    assert project.set(identities=LINKS).ingest().code == 0
    assert project.set_aside("identities") == [(2, "alias claimed by two leads"), (3, "alias claimed by two leads")]
    assert project.set_aside() == [(6, "unknown lead")]
    assert project.log() == SOUND


ODD_FILES: dict[str, bytes] = {
    "Windows line ends and a mark": b"\xef\xbb\xbf" + EVENTS.replace("\n", "\r\n").encode(),
    "UTF-16": EVENTS.encode("utf-16"),
    "200 columns": "".join(
        line + "".join(f",{'c' if number == 0 else 'x'}{column}" for column in range(197)) + "\n"
        for number, line in enumerate(EVENTS.splitlines())
    ).encode(),
    "a field of 10 MB": EVENTS.replace("what\n", "what,note\n").replace("visit\n", "visit,short\n")
    .replace("won\n", f"won,{'long ' * 2_000_000}\n").encode(),
    "a note over several lines": EVENTS.replace("what\n", "what,note\n")
    .replace("visit\n", 'visit,"one, ""two""\n\nthree"\n').replace("won\n", "won,\n").encode(),
    "blank lines between the rows": EVENTS.replace("\n", "\n\n").encode(),
}  # fmt: skip


def test_odd_files_are_read_whole(project_of_each: SmallProject) -> None:
    project = project_of_each
    for case, name in ingest_side_by_side(project, ODD_FILES).items():
        assert project.set_aside(name) == [], case
        assert project.log(of=name) == SOUND, case


def test_names_of_leads_and_events_may_be_anything(project_of_each: SmallProject) -> None:
    project = project_of_each
    names = ['the "best"', "two\nlines", "é🙂", "=cmd()", "'; DROP TABLE lead; --", "a,b;c\td", "{{ 7 * 7 }}", "-1"]
    quoted = ['"' + name.replace('"', '""') + '"' for name in names]
    project.write(
        log_csv="lead,at,what\n" + "".join(f"{name},2026-01-02 10:00,{name}\n" for name in quoted),
        leads_csv="lead,created\n" + "".join(f"{name},2026-01-01\n" for name in quoted),
    )
    assert project.ingest().code == 0
    assert project.log() == [(name, name) for name in sorted(names, key=str.encode)]


def test_columns_may_be_named_anything(project_of_each: SmallProject) -> None:
    project = project_of_each
    columns = ['what "now"', "so\tit is", "🙂", "select", "it's", "a.b[0]", "; DROP TABLE lead"]
    quoted = {column: '"' + column.replace('"', '""') + '"' for column in columns}
    files = {column: EVENTS.replace("what", name).encode() for column, name in quoted.items()}
    for column, name in ingest_side_by_side(project, files, {name: {"event_type": name} for name in columns}).items():
        assert project.log(of=name) == SOUND, column


def test_leads_that_were_all_created_in_one_second_are_told(project: SmallProject) -> None:
    project.write(
        leads_csv="lead,created\n" + "".join(f"L{number},2026-01-01 10:00:00.{number:03}\n" for number in range(30)),
        log_csv="lead,at,what\n" + "".join(f"L{number},2026-01-02 10:{number:02},visit\n" for number in range(30)),
    )
    outcome = project.ingest()
    assert outcome.code == 0
    assert "leads: 30 of 30 rows (100%) were created in the same second, as by an import" in outcome.text


def test_days_without_a_time_are_told_unless_they_are_known_a_day_later(project: SmallProject) -> None:
    project.write(log_csv="lead,at,what\nA,2026-01-02,visit\nB,2026-01-03,visit\n")
    words = "its times have no hour"
    assert words in project.ingest().text
    assert words not in project.set({"log": source_of(known_at={"delay": "1d"})}).ingest().text


def test_a_file_that_links_lead_to_again_and_again_is_read_once(project: SmallProject) -> None:
    (project.raw / "again").symlink_to(project.raw)
    (project.raw / "other.csv").symlink_to(project.raw / "log.csv")
    (project.raw / "itself.csv").symlink_to("itself.csv")
    source = source_of("**/[oi]*.csv")
    assert project.set({"log": source_of(), "other": source}).ingest().code == 0
    sources: dict[str, dict[str, Any]] = project.accounts()["sources"]
    assert {name: (source["rows"], source["used"]) for name, source in sources.items()} == {
        "log": (4, 4),
        "other": (4, 4),
    }


def test_too_little_memory_is_told_with_the_remedy(project: SmallProject) -> None:
    outcome = project.set(memory_limit="1MB").ingest()
    assert outcome.code == 1
    assert "Out of Memory" in outcome.text
    assert "raise run.memory_limit" in outcome.text
