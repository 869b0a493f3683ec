"""``leadcast push`` and ``leadcast crm`` as they are called: the guard, the rehearsal, and one push at a time."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from command_line import call
from filelock import FileLock
from pushing import OLD, recommendations

from pipeline.core.project import Places


def change(root: Path, **push: Any) -> None:  # noqa: ANN401 - settings of any kind
    """Change settings of the section push; None leaves it out."""
    content = yaml.safe_load((root / "params.yaml").read_text())
    content["push"] = {"sink": {"kind": "files"}} | push
    (root / "params.yaml").write_text(yaml.safe_dump(content))


def written(root: Path) -> list[dict[str, str]]:
    """Read the files that were written, in their order."""
    rows = []
    for path in sorted((root / "data/push/files").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows += list(csv.DictReader(file))
    return rows


def test_a_push_writes_every_lead_once_and_the_next_one_none(project: Path) -> None:
    scores = recommendations(project)
    code, text = call("push", *OLD)
    assert code == 0, text
    assert f"{len(scores):,} leads: {len(scores):,} written" in text
    rows = written(project)
    assert [row["lead_id"] for row in rows] == [row["lead_id"] for row in scores]
    said = [row["leadcast_probability"] for row in rows]
    assert [float(one) if one else None for one in said] == [
        row["probability"] if row["probability"] is None else round(row["probability"], 4) for row in scores
    ]
    # What is open to a lead, and when to come back, may say something else than its tier.
    others = {"SQL": {"wait"}, "recycled": {"wait"}, "MQL": {"wait"}, "disqualified": {"close"}}
    usual = {"SQL": "keep nurturing", "recycled": "take up again", "MQL": "keep nurturing", "IQL": "wait"}
    without_an_hour = {"in work": "leave to its owner", "capacity": "wait for a place"}
    for row, score in zip(rows, scores, strict=True):
        tier, action = row["leadcast_tier"], row["leadcast_action"]
        if score["list"] == "sales":  # whatever its tier
            assert action == "call today"
        elif score["list_reason"] in without_an_hour:
            assert action == without_an_hour[score["list_reason"]]
        elif score["recontact_on"] is None:
            assert action == usual.get(tier, "none") or action in others[tier]
        else:
            assert action in {f"wait until {score['recontact_on']}", "take up again", "wait"}
    assert {row["leadcast_action"] for row in rows} >= {*usual.values(), "none"}
    ended = {row["leadcast_tier"] for row in rows if not row["leadcast_probability"]}
    assert ended == {"customer", "disqualified", "recycled"}
    code, text = call("push", *OLD)
    assert (code, f"{len(scores):,} leads: {len(scores):,} unchanged" in text) == (0, True)
    assert written(project) == rows


def test_the_rehearsal_writes_nothing(project: Path) -> None:
    code, text = call("push", "--dry-run")
    assert code == 0, text
    assert "a rehearsal: nothing is written to files" in text
    assert "would be refused: the newest scores are of 2026-06-30" in text
    assert f"to write {len(recommendations(project)):,}" in text
    assert "leadcast_tier (empty) SQL" in text
    assert recommendations(project)[0]["lead_id"] in text
    assert "no undo recalls" in text
    assert not list((project / "data/push").glob("files/*"))
    assert call("crm", "status")[1].count("nothing was pushed") == 1


def test_scores_that_are_old_are_refused_unless_there_is_a_reason_which_is_kept(project: Path) -> None:
    code, text = call("push")
    assert code == 7
    assert "the newest scores are of 2026-06-30" in text
    assert "--force 'why'" in text
    assert written(project) == []
    assert call("push", "--force", " ")[0] == 2
    assert call("push", *OLD, "--first", "1")[0] == 0
    assert "forced: the log of the test ends in June" in call("crm", "status")[1]


def test_scores_by_another_model_than_the_champion_are_refused(project: Path) -> None:
    change(project, maximum_age="5000d")
    (folder,) = project.glob("data/scores/*/*")
    table = pq.read_table(folder / "recommendations.parquet")
    other = project / "data/scores/as_of=2026-07-01T00-00-00.000000/model=ffffffffffffffff"
    other.mkdir(parents=True)
    place = table.column_names.index("model_version")
    pq.write_table(
        table.set_column(place, "model_version", [["f" * 64] * len(table)]), other / "recommendations.parquet"
    )
    try:
        code, text = call("push")
    finally:
        shutil.rmtree(other.parent)
    assert code == 8
    assert "by the model ffffffffffffffff, but the champion is" in text
    assert written(project) == []
    assert call("push", "--first", "1")[0] == 0


def test_scores_of_data_that_failed_validation_are_refused(project: Path) -> None:
    change(project, maximum_age="5000d")
    validation = json.loads((project / "data/validation.json").read_text())
    broken = next(one for one in validation["expectations"] if one["severity"] == "critical")
    broken["success"] = False
    (project / "data/validation.json").write_text(json.dumps(validation))
    code, text = call("push")
    assert code == 5
    assert broken["meaning"] in text
    assert written(project) == []


def test_scores_that_are_none_are_refused(project: Path) -> None:
    change(project, maximum_age="5000d")
    (path,) = project.glob("data/scores/*/*/recommendations.parquet")
    whole = path.read_bytes()
    table = pq.read_table(path)
    place = table.column_names.index("probability")
    pq.write_table(table.set_column(place, "probability", [[1.5] * len(table)]), path)
    try:
        code, text = call("push")
    finally:
        path.write_bytes(whole)
    assert code == 5
    assert "probability" in text


def test_a_suspended_segment_keeps_its_tier_and_facts_and_says_since_when(project: Path) -> None:
    ours = ("tier", "probability", "reason_1", "facts", "date", "suspended_since")
    change(project, fields={name: f"leadcast_{name}" for name in ours})
    (project / "data/suspensions.json").write_text('[{"where": {"tier": "SQL"}, "since": "2026-06-01"}]')
    assert call("push", *OLD)[0] == 0
    tiers = {row["lead_id"]: row["tier"] for row in recommendations(project)}
    for row in written(project):
        if tiers[row["lead_id"]] == "SQL":
            assert (row["leadcast_probability"], row["leadcast_reason_1"]) == ("", "")
            assert row["leadcast_suspended_since"] == "2026-06-01"
        else:
            assert row["leadcast_suspended_since"] == ""
        assert row["leadcast_tier"] == tiers[row["lead_id"]]
        assert row["leadcast_date"] > "2026-06-01"
    assert any(row["leadcast_facts"] and row["leadcast_suspended_since"] for row in written(project))


def test_stages_of_a_roll_out(project: Path) -> None:
    scores = recommendations(project)
    sales = [row["lead_id"] for row in scores if row["tier"] == "SQL"]
    assert call("push", *OLD, "--only", "tier=SQL", "--first", "2")[0] == 0
    assert [row["lead_id"] for row in written(project)] == sales[:2]
    assert call("push", *OLD, "--only", "tier=SQL")[0] == 0
    assert [row["lead_id"] for row in written(project)] == sales
    for wrong in (["--share", "10"], ["--share", "0%"], ["--share", "101%"], ["--first", "0"]):
        assert call("push", *wrong)[0] == 2
    code, text = call("push", *OLD, "--only", "stage=won")
    assert (code, "did you mean" in text or "known are" in text) == (4, True)


def test_undo_by_its_name_and_what_is_wrong_with_another(project: Path) -> None:
    assert call("push", *OLD, "--first", "3")[0] == 0
    code, text = call("crm", "undo", "yesterday")
    assert (code, "there is no run 'yesterday'" in text) == (4, True)
    run = next(word for word in call("crm", "status")[1].split() if word.startswith("20") and word.endswith("Z"))
    code, text = call("crm", "undo", run)
    assert code == 0, text
    rows = written(project)
    assert len(rows) == 6
    assert {row["leadcast_tier"] for row in rows[3:]} == {""}
    status = call("crm", "status")[1]
    assert f"undo of {run}" in status


def test_what_writes_waits_for_no_other_that_does(project: Path) -> None:
    lock = Places(project).lock
    lock.parent.mkdir(parents=True, exist_ok=True)
    commands = (
        ["push", *OLD], ["push", "--dry-run"], ["crm", "undo", "x"], ["crm", "status", "--retry"],
        ["crm", "release", "--lead", "x"], ["score", "--as-of", "latest"], ["recommend"],
    )  # fmt: skip
    with FileLock(lock):
        for command in commands:
            code, text = call(*command)
            assert (code, "another leadcast is at work in this folder" in text) == (4, True), text
    assert call("push", *OLD, "--first", "1")[0] == 0


def test_without_the_section_the_way_to_it_is_told(project: Path) -> None:
    content = yaml.safe_load((project / "params.yaml").read_text())
    del content["push"]
    (project / "params.yaml").write_text(yaml.safe_dump(content))
    code, text = call("push")
    assert (code, "params.yaml has no section 'push:'" in text) == (3, True)


def test_without_scores_the_way_to_them_is_told(project: Path, tmp_path: Path) -> None:
    (project / "data/scores").rename(tmp_path / "scores")
    try:
        code, text = call("push")
    finally:
        (tmp_path / "scores").rename(project / "data/scores")
    assert (code, "leadcast score --as-of latest" in text) == (4, True)


@pytest.mark.parametrize(
    ("push", "words"),
    [
        ({"sink": {"kind": "odo"}}, "push.sink: kind 'odo' is none of them; did you mean 'odoo'?"),
        ({"sink": {"kind": "odoo", "databse": "x"}}, "push.sink.databse: unknown key; did you mean 'database'?"),
        ({"sink": {"kind": "hubspot", "token": "pat-na1-secret"}}, "push.sink.token"),
        ({"fields": {"teir": "x"}}, "push.fields"),
        ({"fields": {"tier": "x", "action": "x"}}, "fields writes ['x'] twice"),
        ({"actions": {"SQL": "call", "wait": "x"}}, "'SQL' is a tier, and actions have codes now: {call_today: call"),
        ({"fields": {"tier": "lead_id"}}, "fields would overwrite lead_id"),
    ],
)
def test_wrong_settings_are_told(project: Path, push: dict[str, Any], words: str) -> None:
    change(project, **push)
    code, text = call("crm", "check")
    assert code == 3
    assert words in text
    assert "pat-na1-secret" not in text


@pytest.mark.usefixtures("project")
def test_check_and_setup_of_files() -> None:
    assert call("crm", "check")[0] == 0
    assert call("crm", "setup")[0] == 0
