"""Which attributes are taken: honest ones however good they are, and none that was written with the outcome."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import yaml
from exports import BEGINNING, write_table
from proposals import propose

from models.evaluation.written import look_at_newest, look_at_order, tell_alone, worth
from pipeline.discovery.initialise import Options, initialise

DAYS = 420.0
HONEST = ("origin", "occupation", "segment", "package", "landing_page_id", "Do Not Email", "employees")
LEAKS = ("badge", "remark", "why_not", "kept", "amount")


def write_world(folder: Path, seed: int, *, leads: int = 2500) -> None:
    """Write leads with honest attributes, some of them very good, and leaks with harmless names.

    A tenth of the leads have a ``package`` of which 95 % convert, and which was chosen when they came in. ``badge`` is
    given with the conversion, ``remark`` with any end, ``why_not`` with a loss; ``kept`` is a flag, ``amount`` nought
    until the sale.
    """
    rng = np.random.default_rng(seed)
    born = np.sort(rng.random(leads)) * DAYS
    origin = rng.choice(["Web", "Fair", "Partner", "Import"], leads, p=[0.5, 0.2, 0.2, 0.1])
    occupation = rng.choice(["clerk", "nurse", "student", ""], leads, p=[0.4, 0.3, 0.2, 0.1])
    segment = rng.choice(["A", "B", "C"], leads)
    package = np.where(rng.random(leads) < 0.1, "premium", "basic")
    page = rng.zipf(1.5, leads) % 400
    refuses = rng.random(leads) < 0.1
    chance = (
        0.12 + 0.15 * (origin == "Partner") + 0.1 * (occupation == "nurse") + 0.1 * (segment == "A") - 0.05 * refuses
    )
    chance = np.where(package == "premium", 0.95, chance)
    wins = rng.random(leads) < chance
    loses = ~wins & (rng.random(leads) < 0.7)
    takes = rng.gamma(2, 9, leads)
    ended = (wins | loses) & (born + takes < DAYS)
    won, lost = wins & ended, loses & ended
    rows: list[Sequence[object]] = []
    events: list[Sequence[object]] = []
    for number in range(leads):
        created = BEGINNING + timedelta(days=float(born[number]))
        own = (
            f"L{number:05d}X", created, origin[number], occupation[number], segment[number], package[number],
            f"{int(page[number]):032x}", "Yes" if refuses[number] else "No", int(rng.integers(1, 500)),
            "gold" if won[number] else "",
            str(rng.choice(["thrilled", "in touch"])) if won[number]
            else str(rng.choice(["no answer", "busy", "wrong number"])) if lost[number] else "",
            str(rng.choice(["price", "time", "other"])) if lost[number] else "",
            int(won[number]), int(rng.integers(100, 900)) if won[number] else 0,
        )  # fmt: skip
        rows.append(own)
        if ended[number]:
            at = created + timedelta(days=float(takes[number]))
            events.append((f"L{number:05d}X", at, "won" if won[number] else "lost"))
        events.append((f"L{number:05d}X", created + timedelta(hours=2), "visit"))
    header = ("lead_id", "created_at", *HONEST, *LEAKS)
    write_table(folder / "leads.csv", header, rows)
    write_table(folder / "events.csv", ("lead_id", "occurred_at", "event"), events)


def test_honest_attributes_are_taken_however_good_and_leaks_are_not(tmp_path: Path) -> None:
    for seed in range(3):
        write_world(tmp_path / f"{seed}/raw", seed)
        used = propose(tmp_path / f"{seed}/raw", tmp_path / f"{seed}")["ingest"]["leads"]["attributes"]
        assert sorted(used) == sorted(HONEST), seed
        assert used["employees"] == "number"


def test_what_nothing_tells_is_left_out_and_asked_about_with_what_it_is_worth(tmp_path: Path) -> None:
    """All leads have had their time: nobody young could tell when the badge was written."""
    rng = np.random.default_rng(4)
    leads, events = [], []
    for number in range(1200):
        created = BEGINNING + timedelta(hours=number * 3)
        wins = rng.random() < 0.3
        leads.append((f"L{number}", created, "gold" if wins and rng.random() < 0.8 else "silver"))
        events.append((f"L{number}", created + timedelta(days=5), "won" if wins else "lost"))
    write_table(tmp_path / "raw/leads.csv", ("lead_id", "created_at", "badge"), leads)
    write_table(tmp_path / "raw/events.csv", ("lead_id", "occurred_at", "event"), events)
    found = initialise(tmp_path / "raw", Options(), None, lambda _: None, tmp_path)
    assert yaml.safe_load(found.settings)["ingest"]["leads"]["attributes"] == {}
    (said,) = [line for line in found.told if line.startswith("left out: badge")]
    assert "alone it has an AUC of 0.88" in said
    assert "(chance: up to 0.5" in said
    assert "with 'gold' 100% convert" in said
    assert "it would raise the AUC of all attributes by 0.375" in said
    assert "--attribute badge" in said
    asked = []

    def answer(question: str, choices: Sequence[str], proposed: str) -> str:
        assert choices
        asked.append(question)
        return "yes" if "badge" in question else proposed

    taken = initialise(tmp_path / "raw", Options(), answer, lambda _: None, tmp_path)
    settings = yaml.safe_load(taken.settings)
    assert settings["ingest"]["leads"]["attributes"] == {"badge": "category"}
    # What is taken knowingly does not end the run that follows with a verdict.
    assert settings["evaluate"]["acquitted"] == {
        "column_knows_outcome:badge": "vouched for: it never changes after creation"
    }
    assert any(question.startswith("Was badge written when a lead came in, and never since?") for question in asked)


def test_a_table_without_times_keeps_its_origins_and_asks_about_what_is_too_good(tmp_path: Path) -> None:
    """As a table of a course's leads has it: a source of which 99 % convert, and tags that sales people write."""
    rng = np.random.default_rng(5)
    rows = []
    for number in range(6000):
        origin = str(rng.choice(["Landing Page", "API", "Add Form"], p=[0.5, 0.42, 0.08]))
        source = "Reference" if origin == "Add Form" else str(rng.choice(["Google", "Direct", "Chat"]))
        job = str(rng.choice(["Unemployed", "Working Professional", "Student", ""], p=[0.6, 0.08, 0.03, 0.29]))
        chance = 0.93 if origin == "Add Form" else 0.92 if job == "Working Professional" else 0.4 if job else 0.15
        won = rng.random() < chance
        note = (
            str(rng.choice(["Will revert", "Closed", ""], p=[0.6, 0.2, 0.2]))
            if won
            else str(rng.choice(["Ringing", "Busy", ""], p=[0.4, 0.2, 0.4]))
        )
        page = f"https://example.org/{int(rng.zipf(1.6)) % 500}?utm=a b&" + "x" * 90
        rows.append((f"{number:07x}-b2", 660_000 - number, origin, source, job, page, "No", note, int(won)))
    header = ("Prospect ID", "Lead Number", "Lead Origin", "Lead Source", "Occupation", "Landing Page", "Do Not Email",
              "Remark", "Converted")  # fmt: skip
    write_table(tmp_path / "raw/Leads.csv", header, rows)
    found = initialise(tmp_path / "raw", Options(), None, lambda _: None, tmp_path)
    used = yaml.safe_load(found.settings)["ingest"]["leads"]["attributes"]
    assert sorted(used) == ["Landing Page", "Lead Origin", "Lead Source", "Occupation"]
    assert any(line.startswith("left out: Remark, ") and "--attribute Remark" in line for line in found.told)


def test_the_newest_leads_show_all_nothing_or_nothing_can_be_told() -> None:
    """Known by construction: an honest value is borne alike, one that comes with the conversion by no open lead."""
    rng = np.random.default_rng(6)
    size, days = 8000, 400.0
    born = rng.random(size) * days
    honest = (rng.random(size) < 0.2).astype(np.int64)
    wins = rng.random(size) < np.where(honest == 1, 0.9, 0.1)
    takes = rng.gamma(2, 10, size)
    seen = wins & (born + takes < days)
    ended = np.where(seen, takes, np.inf)
    late = seen.astype(np.int64)
    shown = look_at_newest(honest, born, ended, seen, days)
    assert shown is not None
    assert 0.7 < shown.share < 1.3
    assert shown.is_honest
    assert not shown.is_late
    hidden = look_at_newest(late, born, ended, seen, days)
    assert hidden is not None
    assert abs(hidden.share) < 0.1
    assert hidden.is_late
    assert look_at_newest(honest, born, np.where(seen, takes, np.inf), seen, days + 300) is None
    assert look_at_order(honest, born, wins) is None  # all have had their time
    in_order = look_at_order(honest, born, seen)
    assert in_order is None or in_order.share > 0.7


def test_honest_columns_are_hardly_ever_accused_and_leaks_nearly_always() -> None:
    accused = caught = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        born = np.sort(rng.random(1500)) * 400
        source = rng.integers(0, 5, 1500)
        # From the last weeks on, most leads come from where none came from before.
        honest = np.where((born > 340) & (rng.random(1500) < 0.6), 5, source)
        wins = rng.random(1500) < 0.1 + 0.1 * source
        takes = rng.gamma(2, 12, 1500)
        seen = wins & (born + takes < 400)
        ended = np.where(seen, takes, np.inf)
        leak = np.where(seen & (rng.random(1500) < 0.9), 1 + rng.integers(0, 2, 1500), 0)
        for levels, is_leak in ((honest, False), (leak, True)):
            shown = look_at_newest(levels.astype(np.int64), born, ended, seen, 400.0)
            assert shown is not None
            accused += shown.is_late and not is_leak
            caught += shown.is_late and is_leak
    assert accused <= 1
    assert caught >= 38


def test_what_a_column_is_worth_is_what_the_others_do_not_say() -> None:
    rng = np.random.default_rng(7)
    one, other = rng.integers(0, 2, 4000), rng.integers(0, 2, 4000)
    labels = rng.random(4000) < 0.1 + 0.4 * one + 0.3 * other
    alone = worth([one], labels)
    both = worth([one, other], labels)
    assert alone is not None
    assert both is not None
    assert both > alone + 0.05
    again = worth([one, one.copy()], labels)
    assert again is not None
    assert abs(again - alone) < 0.005
    told = tell_alone(one, labels)
    # Half of the leads with 0.65, half with 0.25: (1 + 0.722 - 0.318) / 2 of the pairs are in order.
    assert told.auc is not None
    assert abs(told.auc - 0.70) < 0.03
    assert 0.5 < told.chance < 0.56
