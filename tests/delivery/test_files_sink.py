"""The sink of files: what stands in them, their names, and what is read of an export."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from house import ROOT, SUPPORT
from pushing import Delivery, Lead, ways
from pydantic import ValidationError

from features.core.errors import DeliveryError
from pipeline.settings.push import Push
from pipeline.sinks.connect import connect
from pipeline.sinks.files import LeadsFile
from pipeline.sinks.protocol import LaterError, Outcome, Record, Remote, Sink, Value

EXPORT = "crm.csv"


def _settings(fields: dict[str, str] | None = None, **sink: Any) -> dict[str, Any]:  # noqa: ANN401 - settings of any kind
    fields = fields or {"tier": "x_tier", "probability": "x_probability", "reason_1": "x_reason"}
    return {"sink": {"kind": "files", "folder": "out", **sink}, "fields": fields}


def _sink(root: Path, fields: dict[str, str] | None = None, **sink: Any) -> Sink:  # noqa: ANN401 - settings of any kind
    return connect(Push.model_validate(_settings(fields, **sink)), root)


def _write(sink: Sink, leads: dict[str, dict[str, Value]]) -> list[Outcome]:
    return list(sink.write([Record(key, values) for key, values in leads.items()]))


def _files(root: Path) -> list[Path]:
    """List what an import sees."""
    return sorted(path for path in (root / "out").iterdir() if not path.name.startswith("."))


def test_texts_are_quoted_numbers_are_numbers_and_nothing_is_an_empty_cell(tmp_path: Path) -> None:
    leads: dict[str, dict[str, Value]] = {
        "L1": {"x_tier": "SQL", "x_probability": 0.31, "x_reason": 'asked for "a quote",\ntwice'},
        "Ł2": {"x_tier": None, "x_probability": None, "x_reason": ""},
    }
    assert _write(_sink(tmp_path), leads) == [Outcome(key, "written", remote_id=key) for key in leads]
    header, *rows = _files(tmp_path)[0].read_bytes().decode().split("\n", 1)
    assert header == '"lead_id","x_tier","x_probability","x_reason"'
    assert rows == ['"L1","SQL",0.31,"asked for ""a quote"",\ntwice"\n"Ł2","","",""\n']


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+1", "@sum(a1)", "\t=1", "\r=1"])
def test_no_text_is_a_formula_but_a_negative_number_stays_one(tmp_path: Path, text: str) -> None:
    sink = _sink(tmp_path)
    outcomes = _write(
        sink, {"L1": {"x_reason": text, "x_probability": -0.5}, text: {"x_reason": "a", "x_probability": 0}}
    )
    with _files(tmp_path)[0].open(newline="") as file:
        assert list(csv.DictReader(file)) == [{"lead_id": "L1", "x_reason": f"'{text}", "x_probability": "-0.5"}]
    # An apostrophe before a key would name another lead.
    assert [(one.key, one.status) for one in outcomes] == [(text, "rejected"), ("L1", "written")]
    assert "set format: jsonl" in str(outcomes[0].reason)


def test_json_lines_hold_values_as_they_are(tmp_path: Path) -> None:
    leads: dict[str, dict[str, Value]] = {
        "=L1": {"x_tier": "=é\n", "x_probability": 0.31},
        "L2": {"x_tier": None, "x_probability": None},
    }
    assert {one.status for one in _write(_sink(tmp_path, format="jsonl"), leads)} == {"written"}
    (file,) = _files(tmp_path)
    assert file.suffix == ".jsonl"
    assert file.read_text(encoding="utf-8").splitlines() == [
        '{"lead_id": "=L1", "x_tier": "=é\\n", "x_probability": 0.31}',
        '{"lead_id": "L2", "x_tier": null, "x_probability": null}',
    ]


def test_a_field_that_is_not_to_be_touched_has_no_cell(tmp_path: Path) -> None:
    leads: dict[str, dict[str, Value]] = {
        "L1": {"x_tier": "SQL", "x_reason": "a"},
        "L2": {"x_tier": "MQL"},
        "L3": {"x_tier": "IQL", "x_reason": None},
    }
    assert [one.key for one in _write(_sink(tmp_path), leads)] == ["L1", "L3", "L2"]
    assert [path.read_text() for path in _files(tmp_path)] == [
        '"lead_id","x_tier","x_reason"\n"L1","SQL","a"\n"L3","IQL",""\n',
        '"lead_id","x_tier"\n"L2","MQL"\n',
    ]


def test_names_are_in_order_and_never_used_twice(tmp_path: Path) -> None:
    names = []
    for number in range(12):
        # Another import takes files away, another process has another sink.
        before = datetime.now(UTC).replace(microsecond=0)
        _write(_sink(tmp_path), {"L1": {"x_tier": str(number)}})
        (file,) = _files(tmp_path)
        names.append(file.name)
        file.rename(tmp_path / file.name)
        second = datetime.strptime(file.name, f"leads-%Y%m%dT%H%M%S-{file.stem[-4:]}.csv").replace(tzinfo=UTC)
        assert before <= second <= datetime.now(UTC)
    assert names == sorted(set(names))
    assert all(re.fullmatch(r"leads-\d{8}T\d{6}-\d{4}\.csv", name) for name in names)


def test_a_clock_that_is_set_back_puts_no_file_before_another(tmp_path: Path) -> None:
    tomorrow = f"leads-{datetime.now(UTC) + timedelta(days=1):%Y%m%dT%H%M%S}-0041"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / f"{tomorrow}.csv").write_text("theirs")
    _write(_sink(tmp_path), {"L1": {"x_tier": "SQL"}})
    assert [path.name for path in _files(tmp_path)] == [f"{tomorrow}.csv", f"{tomorrow[:-1]}2.csv"]
    assert _files(tmp_path)[0].read_text() == "theirs"


_WRITER = """
import sys
from pathlib import Path
from test_files_sink import _sink, _write
sink = _sink(Path(sys.argv[1]))
for number in range(25):
    _write(sink, {sys.argv[2]: {"x_tier": str(number)}})
"""


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    paths = os.pathsep.join(map(str, (ROOT, *SUPPORT, Path(__file__).parent)))
    environment = os.environ | {"PYTHONPATH": paths}

    def run(key: str) -> int:
        return subprocess.run(
            [sys.executable, "-c", _WRITER, str(tmp_path), key], env=environment, check=False
        ).returncode

    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(run, ["A", "B", "C"])) == [0, 0, 0]
    rows = [path.read_text().splitlines()[1] for path in _files(tmp_path)]
    for key in "ABC":
        assert [row for row in rows if key in row] == [f'"{key}","{number}"' for number in range(25)]


def test_a_file_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Out of range float"):
        _write(_sink(tmp_path, format="jsonl"), {"L1": {"x_probability": 0.5}, "L2": {"x_probability": float("nan")}})
    assert _files(tmp_path) == []
    (tmp_path / "out/.leads-20260630T000000-0001.csv.tmp").write_text("of a push that was killed")
    _write(_sink(tmp_path), {"L1": {"x_tier": "SQL"}})
    assert [path.name for path in (tmp_path / "out").iterdir() if path.suffix == ".tmp"] == []


def test_another_push_is_waited_for_and_then_told(tmp_path: Path) -> None:
    sink = _sink(tmp_path, timeout_seconds=0.05)
    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out/.lock"), pytest.raises(LaterError, match="another push is writing to out"):
        _write(sink, {"L1": {"x_tier": "SQL"}})
    assert _write(sink, {"L1": {"x_tier": "SQL"}})[0].status == "written"


def _export(root: Path, text: str) -> None:
    (root / EXPORT).write_bytes(text.encode())


@pytest.mark.parametrize(
    ("delimiter", "end", "mark"), [(",", "\n", ""), (";", "\r\n", "\ufeff"), ("\t", "\n", "\ufeff")]
)
def test_an_export_is_read_whatever_its_cells_hold(tmp_path: Path, delimiter: str, end: str, mark: str) -> None:
    rows = [
        ["note", "x_tier", "lead_id", "x_probability", "", "stage", "x_reason"],
        ['"two\nlines, and ""L2"""', "MQL", "L1", "0.25", "", "new", '"it\'s; ""so""\n\nquoted"'],
        ["", '""', "L2", "", "", "won", "'=1+1"],
        ["", "SQL", "L3", "high", "", "open", "'s"],
    ]
    _export(tmp_path, mark + end.join(delimiter.join(row) for row in rows) + end)
    sink = _sink(tmp_path, export=EXPORT, closed={"stage": ["won", "lost"]})
    assert (sink.reads, sink.check()) == (True, [])
    assert sink.read(["L3", "L1", "L2", "L4", "L'); DROP TABLE leads; --"]) == {
        "L1": Remote("L1", {"x_tier": "MQL", "x_probability": 0.25, "x_reason": 'it\'s; "so"\n\nquoted'}),
        "L2": Remote("L2", {"x_tier": None, "x_probability": None, "x_reason": "=1+1"}, closed=True),
        "L3": Remote("L3", {"x_tier": "SQL", "x_probability": "high", "x_reason": "'s"}),
    }


def test_a_key_that_stands_twice_is_left_out(tmp_path: Path) -> None:
    _export(tmp_path, "lead_id,x_tier\nL1,a\nL2,b\nL1,c\nL3,\nL3,\n")
    assert set(_sink(tmp_path, {"tier": "x_tier"}, export=EXPORT).read(["L1", "L2", "L3"])) == {"L2"}


def test_cells_of_many_lines_are_read_across_the_parts_of_a_large_file(tmp_path: Path) -> None:
    note = "\n".join(['L7,"" hot', "a,b,c"] * 20)
    with (tmp_path / EXPORT).open("w") as file:
        file.write("lead_id,note,x_tier\n")
        for number in range(30_000):
            file.write(f'L{number},"{note} {number}",T{number % 7}\n')
    keys = [f"L{number}" for number in range(0, 30_000, 11)]
    found = _sink(tmp_path, {"tier": "x_tier"}, export=EXPORT).read(keys)
    assert {key: remote.values["x_tier"] for key, remote in found.items()} == {
        f"L{number}": f"T{number % 7}" for number in range(0, 30_000, 11)
    }


def test_the_time_of_an_export_is_that_of_the_rows_it_gave(tmp_path: Path) -> None:
    file = LeadsFile(tmp_path, EXPORT, "lead_id", ["x_tier"])
    for made, tier in ((1_000_000_000, "MQL"), (2_000_000_000, "SQL")):
        before = file.made
        _export(tmp_path, f"lead_id,x_tier\nL1,{tier}\n")
        os.utime(tmp_path / EXPORT, ns=(made, made))
        assert file.made == before, "a new export counts from when it was read"
        assert (file.rows(["L1"]), file.made) == ({"L1": {"x_tier": tier}}, made)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_was_not_imported_yet_is_no_edit_by_a_person(tmp_path: Path, form: str) -> None:
    _export(tmp_path, "lead_id,x_tier,x_probability,x_reason\nL1,,,\nL2,,,\n")
    delivery = Delivery(tmp_path, _settings(export=EXPORT, format=form), {})
    assert ways(delivery.push({"L1": Lead("MQL", 0.1), "L2": Lead("MQL", 0.1)})) == {"written": 2}
    pushed = delivery.push({"L1": Lead("SQL", 0.4), "L2": Lead("MQL", 0.1)})
    assert (ways(pushed), pushed.tally.edited) == ({"written": 1, "unchanged": 1}, 0)
    # An export made after our files shows what a person has changed since their import.
    _export(tmp_path, "lead_id,x_tier,x_probability,x_reason\nL1,mine,0.4,2 visits in 7 days\nL2,MQL,0.1,\n")
    assert delivery.push({"L1": Lead("IQL", 0.01)}).tally.edited == 1
    cells = [json.loads(path.read_text()) if form == "jsonl" else path.read_text() for path in _files(tmp_path)[-1:]]
    assert cells == [
        '"lead_id","x_probability"\n"L1",0.01\n' if form == "csv" else {"lead_id": "L1", "x_probability": 0.01}
    ]


def test_without_an_export_the_ledger_stands_for_the_crm(tmp_path: Path) -> None:
    delivery = Delivery(tmp_path, _settings(), {})
    assert not _sink(tmp_path).reads
    assert _sink(tmp_path).read(["L1"]) == {}
    assert ways(delivery.push({"L1": Lead("MQL", 0.1), "L2": Lead("MQL", 0.1)})) == {"written": 2}
    assert ways(delivery.push({"L1": Lead("SQL", 0.4), "L2": Lead("MQL", 0.1)})) == {"written": 1, "unchanged": 1}
    assert [path.read_text().count("\n") for path in _files(tmp_path)] == [3, 2]


def test_the_files_of_a_push_take_all_leads_once(tmp_path: Path) -> None:
    sink = _sink(tmp_path)
    assert (sink.batch_size, sink.leads_a_call, sink.batches_at_once, sink.calls) == (50_000, 0, 1, 0)
    _write(sink, {f"L{number}": {"x_tier": "SQL"} for number in range(50_000)})
    with _files(tmp_path)[0].open(newline="") as file:
        assert [row["lead_id"] for row in csv.DictReader(file)] == [f"L{number}" for number in range(50_000)]


def test_what_is_wrong_is_told_with_its_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert _sink(tmp_path, folder="file/out").check() == [
        f"{tmp_path / 'file'} is no folder; take it away, or name another (push.sink.folder)"
    ]
    with pytest.raises(DeliveryError, match="file/out can't be written to: Not a directory"):
        _write(_sink(tmp_path, folder="file/out"), {"L1": {"x_tier": "SQL"}})
    sink = _sink(tmp_path, {"tier": "x_tier"}, export=EXPORT, closed={"stages": ["won"]})
    assert sink.check() == ["crm.csv can't be read: No such file or directory; export the CRM's leads to it"]
    _export(tmp_path, "")
    assert sink.check() == ["crm.csv is empty; export it again, or take it away"]
    _export(tmp_path, "lead_no,x_tier,stage\nL1,a,won\n")
    told = [
        "crm.csv has no column lead_id, did you mean 'lead_no'?; have the CRM export it",
        "crm.csv has no column stages, did you mean 'stage'?; have the CRM export it",
    ]
    assert sink.check() == told
    with pytest.raises(DeliveryError, match="has no column lead_id.*has no column stages"):
        sink.read(["L1"])
    assert not (tmp_path / "out").exists(), "a check makes nothing"
    assert sink.setup() == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"lead_id,x_tier\nL1,a\nL2,Ada Lovelace,b\n", "line 3 can't be used: "),
        (b"lead_id,x_tier\nL1,a\nL2,\xe9Ada Lovelace\n", "line 3 can't be used: not UTF-8"),
        (b'lead_id,x_tier\nL1,a\nL2,"Ada Lovelace\n', "line 3 can't be used: broken quotes"),
    ],
)
def test_a_broken_export_is_told_without_its_people(tmp_path: Path, text: bytes, told: str) -> None:
    (tmp_path / EXPORT).write_bytes(text)
    with pytest.raises(DeliveryError, match=f"crm.csv.*{told}.*export it again") as caught:
        _sink(tmp_path, {"tier": "x_tier"}, export=EXPORT).read(["L1", "L2"])
    assert "Ada" not in str(caught.value)


def test_closed_leads_can_only_be_seen_in_an_export() -> None:
    with pytest.raises(ValidationError, match="closed names columns of the export, and there is none"):
        Push.model_validate(_settings(closed={"stage": ["won"]}))


def test_names_of_a_push_are_in_the_order_of_its_batches(tmp_path: Path) -> None:
    sink = _sink(tmp_path)
    for number in range(30):
        _write(sink, {f"L{number}": {"x_tier": "SQL"}})
    firsts = [path.read_text().splitlines()[1] for path in _files(tmp_path)]
    assert firsts == [f'"L{number}","SQL"' for number in range(30)]
    times = [path.stat().st_mtime_ns for path in _files(tmp_path)]
    assert all(one <= other for one, other in pairwise(times))
