"""Rules that tell machines are proposed where answers follow sendings faster than people read, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from proposals import propose

LEADS, DAYS = 40, 5


def proposed(root: Path, wait: int, *, seconds: bool = True) -> dict[str, Any]:
    """Write a mail log in which each lead opens so many seconds after the sending, and give the proposed source."""
    folder = root / "raw"
    folder.mkdir()
    lines = ["lead_id,occurred_at,event_type,campaign"]
    people = ["id,created_at,country"]
    for lead in range(LEADS):
        people.append(f"L{lead},2026-01-01 09:{lead:02}:11,NL")
        for day in range(1, DAYS + 1):
            at, moment = f"2026-0{1 + lead % 3}-{day + 9:02}", lead % 60
            second = ":07" if seconds else ""
            opened = f"{8 + wait // 3600:02}:{moment:02}{f':{7 + wait % 3600:02}' if seconds else ''}"
            lines.append(f"L{lead},{at} 08:{moment:02}{second},delivered,issue {day}")
            lines.append(f"L{lead},{at} {opened},opened,issue {day}")
        if lead % 4 == 0:
            lines.append(f"L{lead},2026-04-0{1 + lead % 9} 10:00:09,unsubscribed,")
            lines.append(f"L{lead},2026-04-0{1 + lead % 9} 11:00:09,won,")
    (folder / "leads.csv").write_text("\n".join(people) + "\n")
    (folder / "mails.csv").write_text("\n".join(lines) + "\n")
    propose(folder, root)
    content: dict[str, Any] = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    source: dict[str, Any] = content["ingest"]["sources"]["mails"]
    return source


def test_fast_answers_are_proposed_to_be_machines(tmp_path: Path) -> None:
    machines = proposed(tmp_path, wait=4)["machines"]
    assert machines == {"sent": ["delivered"], "opens": ["opened"], "unsubscribes": ["unsubscribed"]}
    told = " ".join((tmp_path / "params.yaml").read_text(encoding="utf-8").replace("#", " ").split())
    assert f"{LEADS * DAYS} of {LEADS * DAYS} opens and clicks come within 30 seconds of the sending" in told


@pytest.mark.parametrize(("wait", "seconds"), [(3600, True), (0, False)], ids=["an hour later", "whole minutes"])
def test_nothing_is_proposed_of_what_people_do_or_of_times_without_seconds(
    wait: int, seconds: bool, tmp_path: Path
) -> None:
    assert "machines" not in proposed(tmp_path, wait, seconds=seconds)
