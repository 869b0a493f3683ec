"""What init can't find out by itself: it asks, or it stops and names the option that says it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from command_line import call
from exports import write_entity_log, write_table
from proposals import propose

from features.core.errors import InputError
from pipeline.discovery.initialise import Options, initialise
from pipeline.settings.file import load_parameters


def ambiguous(folder: Path) -> None:
    """Write a log whose dates all fit both orders."""
    rows = [
        (f"L{number}", f"{number % 12 + 1:02d}/{day:02d}/2025", kind)
        for number in range(300)
        for day, kind in ((number % 11 + 1, "visit"), (number % 11 + 2, "won" if number % 4 else "lost"))
    ]
    write_table(folder / "log.csv", ("lead_id", "date", "event"), rows)


def test_dates_that_fit_both_orders_stop_until_one_is_named(tmp_path: Path) -> None:
    ambiguous(tmp_path / "raw")
    with pytest.raises(InputError, match=r"every date of 'date' fits .* alike, as .*/2025 does; .*--date-order day"):
        propose(tmp_path / "raw", tmp_path)
    for order, expected in (("day", "%d/%m/%Y"), ("month", "%m/%d/%Y")):
        settings = propose(tmp_path / "raw", tmp_path / order, date_order=order, horizon=timedelta(days=30))
        assert settings["ingest"]["sources"]["log"]["time_format"] == expected


def test_another_column_of_the_table_may_tell_the_order_but_no_other_table(tmp_path: Path) -> None:
    ambiguous(tmp_path / "raw")
    rows = [(f"L{number}", f"{number % 28 + 1:02d}/{number % 12 + 1:02d}/2024", "NL") for number in range(300)]
    write_table(tmp_path / "raw/leads.csv", ("lead_id", "created_at", "country"), rows)
    with pytest.raises(InputError, match="log: every date of 'date' fits"):
        propose(tmp_path / "raw", tmp_path)
    lines = (tmp_path / "raw/log.csv").read_text().split("\n")
    stamped = [
        f"{line.strip()},{['entered_at', '25/12/2025'][number > 0]}" for number, line in enumerate(lines) if line
    ]
    (tmp_path / "raw/log.csv").write_text("\n".join([*stamped[:-1], stamped[-1].replace("25/12", "26/12")]) + "\n")
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["sources"]["log"]["time_format"] == "%d/%m/%Y"


def test_questions_are_asked_where_somebody_answers(tmp_path: Path) -> None:
    ambiguous(tmp_path / "raw")
    asked: list[tuple[str, str]] = []

    def answer(question: str, choices: Sequence[str], proposed: str) -> str:
        assert choices
        asked.append((question, proposed))
        return "month" if "day or month" in question else "visit" if "converted" in question else "-"

    found = initialise(tmp_path / "raw", Options(), answer, lambda _: None, tmp_path)
    settings = yaml.safe_load(found.settings)
    assert settings["ingest"]["sources"]["log"]["time_format"] == "%m/%d/%Y"
    assert settings["episodes"] == {"conversion": ["visit"]}
    assert [proposed for _, proposed in asked] == ["", "won", "lost"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (
            ("--conversion", "O_Acepted complete"),
            "no event of type 'O_Acepted complete' in the log; did you mean 'O_Accepted",
        ),
        (("--lead-id", "CaseID"), "--lead-id CaseID: no table with times has it; "),
        (("--leads", "applicants"), "--leads applicants: there is no such table; "),
        (("--attribute", "case:LoanGaol"), "--attribute case:LoanGaol: the leads have no such column; did you mean"),
    ],
)
def test_what_is_said_wrong_is_told_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: Sequence[str], expected: str
) -> None:
    write_entity_log(tmp_path / "raw", cases=800)
    monkeypatch.chdir(tmp_path)
    code, text = call("init", "raw", "--yes", *options)
    assert code == 4
    assert expected in text
    assert not (tmp_path / "params.yaml").exists()


def test_settings_are_not_overwritten_unasked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_entity_log(tmp_path / "raw", cases=800)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("mine: 1\n")
    code, text = call("init", "raw", "--yes")
    assert code == 3
    assert "would be overwritten; commit it, name another --output, or say --force" in text
    assert (tmp_path / "params.yaml").read_text() == "mine: 1\n"
    code, text = call("init", "raw", "--yes", "--force")
    assert code == 0
    assert "wrote params.yaml: read it, then leadcast doctor" in text
    load_parameters(tmp_path / "params.yaml")
