"""What is small and unpacks to much, and what has no end, ends in a message, soon and within bounds."""

from __future__ import annotations

import bz2
import gzip
import json
import resource
from pathlib import Path

import pytest
import yaml
from raw_logs import source_of
from small_project import EVENTS, SmallProject

from pipeline.reading import raw_files
from pipeline.reading.raw_files import Block

MILLION = 1_000_000


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@pytest.mark.parametrize("name", ["log.csv.gz", "log.jsonl.gz", "quoted.csv.gz", "spread.csv.gz"])
def test_blank_lines_by_the_million_cost_next_to_nothing(name: str, tmp_path: Path) -> None:
    rows = EVENTS.splitlines(keepends=True)
    if name.endswith("jsonl.gz"):
        rows = [
            "",
            *(
                json.dumps(dict(zip(("lead", "at", "what"), row.strip().split(","), strict=True))) + "\n"
                for row in rows[1:]
            ),
        ]
    if name == "quoted.csv.gz":
        rows[1] = rows[1].replace("visit", '"visit"')
    gap = "\n" * (20 * MILLION)
    text = rows[0] + rows[1] + gap + "".join(rows[2:]) + gap
    if name == "spread.csv.gz":
        text = rows[0] + "".join(row + "\n" * MILLION for row in rows[1:])
    project = SmallProject(tmp_path).set({"log": source_of(name)}, leads=None)
    (project.raw / name).write_bytes(gzip.compress(text.encode(), 1))
    before = _peak_megabytes()
    assert project.ingest().code == 0
    assert project.accounts()["sources"]["log"]["rows"] == 4
    assert _peak_megabytes() < before + 400


def test_lines_keep_their_numbers_beyond_blank_ones(tmp_path: Path) -> None:
    project = SmallProject(tmp_path).set(leads=None)
    head, *rows = EVENTS.splitlines(keepends=True)
    project.write(log_csv=head + "\n" * 5000 + rows[0] + "\r\n" * 3000 + '"B",,visit\n' + "\n" * 2000 + "C,,visit\n")
    assert project.ingest().code == 0
    assert project.set_aside() == [(8003, "missing occurred_at"), (10004, "missing occurred_at")]


def test_a_block_is_cut_only_where_no_record_goes_on() -> None:
    block = Block(5, b"a\n" + b"\n" * 3 + b"b\n" + b"\r\n" * 9 + b"c\nd", last=False)
    assert [(part.first_line, part.data, part.last) for part in block.parts(5)] == [
        (5, b"a\n\n\n\nb\n", True),
        (19, b"c\nd", False),
    ]
    assert list(block.lines()) == [(5, b"a"), (9, b"b"), (19, b"c"), (20, b"d")]


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_a_file_that_unpacks_to_far_more_than_any_log_is_refused(
    pack: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw_files, "_UNPACKED_BYTES", 30 * MILLION)
    name = "log.csv.gz" if pack is gzip.compress else "log.csv.bz2"
    project = SmallProject(tmp_path).set({"log": source_of(name)}, leads=None)
    packed = pack(EVENTS.encode() + b"A,2026-01-01,visit\n" * 2 * MILLION)  # type: ignore[operator]
    (project.raw / name).write_bytes(packed)
    outcome = project.ingest()
    if len(packed) * 500 < 38 * MILLION:
        assert outcome.code == 4
        assert f"{name} unpacks to more than 500 times its {len(packed):,} bytes, as no log does" in outcome.text
    else:
        assert outcome.code == 0


def test_json_that_is_nested_without_end_is_no_object(tmp_path: Path) -> None:
    deep = '{"lead": ' + "[" * 200_000 + "]" * 200_000 + "}\n"
    digits = '{"lead": "A", "at": "2026-01-01", "what": "visit", "size": ' + "1" * 5000 + "}"
    project = SmallProject(tmp_path).set({"log": source_of("log.jsonl")}, leads=None)
    sound = '{"lead": "A", "at": "2026-01-02", "what": "visit"}\n'
    (project.raw / "log.jsonl").write_text(sound + deep + digits)
    assert project.ingest().code == 0
    assert project.accounts()["sources"]["log"]["rows"] == 3
    assert [line for line, _ in project.set_aside()] == [2]


BOMBS: dict[str, tuple[str, str]] = {
    "digits": ("train: {seed: " + "9" * 100_000 + "}\n", "line 1: 99999999999999999999... (100,000 signs) is too"),
    "digits that Python reads": ("train: {seed: " + "9" * 4000 + "}\n", "is too large for a setting, or no number"),
    "digits of a fraction": ("train: {a: " + "9" * 100_000 + ".5}\n", "is too large for a setting, or no number"),
    "digits below zero": ("train: {seed: -" + "9" * 30 + "}\n", "is too large for a setting, or no number"),
    "in other bases": ("train: {seed: 0x" + "f" * 100 + "}\n", "is too large for a setting, or no number"),
    "infinity": ("train: {learning_rate: .inf}\n", "line 1: .inf is too large for a setting, or no number"),
    "no number": ("train: {learning_rate: .nan}\n", "line 1: .nan is too large for a setting, or no number"),
    "beyond all": ("train: {learning_rate: 1.0e+999}\n", "line 1: 1.0e+999 is too large for a setting, or no number"),
    "a day that is none": ("nothing: [0000-00-00]\n", "line 1: 0000-00-00 is no date; where it is a text, put it in"),
    "an alias in itself": ("a: &a [*a]\n", "once its aliases (*name) are written out"),
    "a section in itself": ("a: &a {b: *a}\n", "once its aliases (*name) are written out"),
    "a billion laughs": (
        "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
        + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)),
        "holds more than 200,000 keys and values once its aliases",
    ),
    "brackets": ("a: " + "[" * 100_000 + "]" * 100_000 + "\n", "is nested too deeply to be settings"),
    "dashes": ("a:\n" + "- " * 100_000 + "\n", "is nested too deeply to be settings"),
    "sections": ("".join(" " * n + "a:\n" for n in range(3000)), "is nested too deeply to be settings"),
    "too much": ("# " + "x" * 11 * MILLION + "\n", "bytes, which are no settings; name another file"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), BOMBS.values(), ids=BOMBS)
def test_settings_without_bounds_are_refused_in_one_line(text: str, words: str, tmp_path: Path) -> None:
    project = SmallProject(tmp_path)
    (project.root / "params.yaml").write_text(text)
    outcome = project.run("ingest")
    assert outcome.code == 3
    assert words in outcome.text
    assert len(outcome.text) < 1000


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (("snapshots", "horizon"), "9" * 100_000 + "d", "is longer than a hundred years"),
        (("snapshots", "horizon"), "9" * 4000 + "w", "is longer than a hundred years"),
        (("run", "memory_limit"), "9" * 100_000 + "GB", "should match pattern"),
        (("run", "memory_limit"), "9" * 12 + "GB", "should match pattern"),
        (("recommend", "as_of"), "9" * 100_000, "as_of"),
    ],
)
def test_texts_that_hold_such_numbers_are_refused_too(
    place: tuple[str, str], value: str, words: str, tmp_path: Path
) -> None:
    project = SmallProject(tmp_path)
    content = yaml.safe_load((project.root / "params.yaml").read_text())
    content[place[0]][place[1]] = value
    (project.root / "params.yaml").write_text(yaml.safe_dump(content))
    outcome = project.run("ingest")
    assert outcome.code == 3
    assert words in outcome.text
    assert len(outcome.text) < 3000


@pytest.mark.parametrize("digits", [30, 4000, 100_000])
@pytest.mark.parametrize("option", [("--seed",), ("--leads",)])
def test_options_of_the_command_line_are_bounded(option: tuple[str], digits: int, tmp_path: Path) -> None:
    outcome = SmallProject(tmp_path).run("sample", *option, "9" * digits)
    assert outcome.code == 2
