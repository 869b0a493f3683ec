"""What vendors write around the rows of a report: titles above, remarks below, and a total among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from cases import empty_project, propose
from raw_logs import source_of
from small_project import SmallProject
from vendor_files import COSTS, HEADER, SPEND, log_csv, settings_of, spent

from pipeline.settings.run import Run

TITLED = {
    "Google": 'Campaign report\n"January 1, 2026 - January 2, 2026"\n' + HEADER + COSTS,
    "unquoted commas": "Campaign report\nJanuary 1, 2026 - January 2, 2026\n" + HEADER + COSTS,
    "comments": "# ------\n# Costs, by day, of all\n# ------\n\n" + HEADER + COSTS,
    "LinkedIn": (
        "Campaign Performance Report (in UTC)\nReport Start: January 1, 2026, 12:00 AM\nReport End: January 2\n"
        "Date Generated: January 3, 2026\n\n" + HEADER + COSTS
    ).replace(",", "\t"),
    "padded": "Costs;;;\n;;;\n" + (HEADER + COSTS).replace(",", ";"),
    "titles of values": "Account;4711;Costs;\nFrom;2026-01-01;To;\n" + (HEADER + COSTS).replace(",", ";"),
    "remarks below": "Costs\n" + HEADER + COSTS + "\nExported by the marketing department\n# all is well\n",
}  # fmt: skip


@pytest.mark.parametrize("text", TITLED.values(), ids=TITLED)
def test_titles_above_and_remarks_below_a_table_are_set_aside(text: str, tmp_path: Path) -> None:
    project = empty_project(tmp_path)
    project.write(visits_csv=log_csv(), spend_csv=text.encode("utf-16") if "\t" in text else text)
    told = propose(project, "raw", "--conversion", "signed").text
    lines = text.split("\n")
    header = next(number for number, line in enumerate(lines, 1) if line.startswith("Day"))
    rows = settings_of(project)["spend"]
    assert (rows["header_line"], rows.get("footer_lines", 0)) == (header, 2 if "Exported" in text else 0)
    assert "above its header" in told
    assert spent(project) == 101.1
    outside = [
        (number, "line above the header" if number < header else "line below the table")
        for number, line in enumerate(lines, 1)
        if line.strip() and (number < header or number > header + 4)
    ]
    assert project.set_aside("spend") == outside
    assert project.accounts()["spend"]["rows"] == 4 + len(outside)


def test_without_the_setting_the_line_that_looks_like_the_header_is_named(tmp_path: Path) -> None:
    project = SmallProject(tmp_path).write(spend_csv=TITLED["Google"]).set(spend=SPEND)
    assert "line 3 of spend.csv looks like the header: set header_line: 3" in project.ingest().text
    project.write(spend_csv="\n\n" + HEADER + COSTS)
    assert "line 3 looks like the header: set header_line: 3" in project.ingest().text
    project.set(spend=SPEND | {"header_line": 3})
    assert project.ingest().code == 0
    assert spent(project) == 101.1


def test_rows_below_titles_keep_their_lines_and_a_spreadsheet_s_first_line_names_the_delimiter(tmp_path: Path) -> None:
    text = "\ufeffsep=;\n" + (HEADER + COSTS + "2026-01-03;A;much;1\n").replace(",", ";")
    project = SmallProject(tmp_path).write(spend_csv=text).set(spend=SPEND)
    assert project.ingest().code == 0
    assert project.set_aside("spend") == [(1, "line above the header"), (7, "unreadable cost")]


def test_a_first_line_that_fits_its_rows_is_the_header(tmp_path: Path) -> None:
    # One cell fewer than its rows: what is wrong is the header, and no row is taken for one.
    project = SmallProject(tmp_path).write(log_csv="lead,at,what\nA,2026-01-02,visit,\nA,2026-01-03,visit,\n")
    assert project.ingest().code == 4 or project.set_aside() == [
        (2, "4 columns instead of 3"), (3, "4 columns instead of 3"),
    ]  # fmt: skip


TOTALS: Mapping[str, tuple[str, Sequence[int]]] = {
    "below, empty": (COSTS + "2026-01-01,,101.10,10\n", [6]),
    "above, with dashes": ("Total,--,101.10,10\n" + COSTS, [2]),
    "Google's": (COSTS + "Total: Account,,101.10,10\nTotal: Search,--,101.10,10\n", [6, 7]),
    "German": (COSTS + "Gesamt,,101.10,10\n", [6]),
    "of days": (COSTS + "2026-01-01,Total,30.33,3\n2026-01-02,Total,70.77,7\n", [6, 7]),
    "of campaigns and all": (COSTS + ",A,40.44,4\n,B,60.66,6\nGrand total,,101.10,10\n", [6, 7, 8]),
    "of campaigns by a spreadsheet": (
        COSTS + "2026-01-01,A Total,40.44,4\n2026-01-01,B Ergebnis,60.66,6\n2026-01-01,Grand total,101.10,10\n",
        [6, 7, 8],
    ),
    "of rounded costs": (COSTS + "Summe,,101.12,10\n", [6]),
    "clicks alone are no proof": (COSTS + "2026-01-02,,5.00,10\n", []),
    "a campaign of that name": (COSTS + "2026-01-02,Total Recall,5.00,2\n", []),
    "a campaign that ends so": (COSTS + "2026-01-02,Recall Total,5.00,2\n2026-01-02,Recall,6.00,2\n", []),
    "of more than the file shows": (COSTS + "2026-01-01,,105.00,11\n", []),
    "a day's cost that is the sum by chance": (
        "".join(
            f"2026-01-0{day},{name},{cost}.00,{day}\n"
            for day in (1, 2, 3)
            for name, cost in (("A", day * 10), ("B", day + 20), ("C", 30), ("", 61 if day == 1 else 45 + day))
        ),
        [],
    ),
    "a day's cost without a campaign": (COSTS + "2026-01-02,,5.00,2\nTotal,,106.10,12\n", [7]),
}


@pytest.mark.parametrize(("rows", "totals"), TOTALS.values(), ids=TOTALS)
def test_a_row_is_a_total_if_it_is_called_so_and_is_the_sum_of_the_others(
    rows: str, totals: Sequence[int], tmp_path: Path
) -> None:
    project = SmallProject(tmp_path).write(spend_csv=HEADER + rows).set(spend=SPEND)
    told = project.ingest().text
    assert project.set_aside("spend") == [(line, "total of the others") for line in totals]
    lines = rows.splitlines()
    rest = sum(float(line.split(",")[2]) for number, line in enumerate(lines, 2) if number not in totals)
    assert spent(project) == round(rest, 2)
    assert ("the sum of other rows, set aside" in told) == bool(totals)
    assert ("looks like a total of other rows" in told) == ("Recall" in rows or "105.00" in rows)


def test_each_file_has_its_own_total_and_daily_counts_have_one_too(tmp_path: Path, executor: Run) -> None:
    project = SmallProject(tmp_path, executor)
    for month in (1, 2):
        text = HEADER + COSTS.replace("2026-01", f"2026-{month:02}") + f"Total,,{101.1:.2f},10\n"
        (project.raw / f"spend_{month}.csv").write_text(text)
    counted = "lead,at,visits,forms\nA,2026-01-02,3,0\nB,2026-01-02,4,1\nA,2026-01-03,5,0\nTotal,,12,1\n"
    columns = {"lead_id": "lead", "occurred_at": "at", "counts": {"visits": "visit", "forms": "form"}}
    source = source_of("counts.csv") | {"columns": columns, "known_at": {"delay": "1d"}}
    project.write(counts_csv=counted).set({"counts": source}, spend=SPEND | {"path": "spend_*.csv"}, leads=None)
    assert project.ingest().code == 0
    assert spent(project) == 202.2
    assert {line for line, _ in project.set_aside("counts")} == {5}
    assert sum(quantity for (quantity,) in project.log("quantity")) == 13
