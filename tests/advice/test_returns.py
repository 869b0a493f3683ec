"""Who was lost or fell silent, and who came back, as the log told it at a moment: logs worked out by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from standings import standing_of
from timelines import table

from features.timeline.history import History
from models.decision.recontact import RecontactPolicy
from pipeline.core.project import Places
from pipeline.log.history import read_history
from pipeline.log.returns import losses_known, silences_known
from pipeline.scoring.recontact import Recontact
from pipeline.settings.decision import DecisionPolicy
from pipeline.settings.timeline import Episodes

JULY = datetime(2026, 7, 1)
DAY = timedelta(days=1)
EPISODES = Episodes(conversion=("won",), lost=("lost",), reopen_on=("form",), reopen_after=30 * DAY)
LOSSES = """
A | 2026-01-10 | lost | no budget
A | 2026-03-01 | form
A | 2026-03-20 | won
B | 2026-01-10 | lost | no budget
B | 2026-01-20 | form
C | 2026-02-01 | lost | competitor
C | 2026-04-01 | form
C | 2026-05-01 | lost
D | 2026-06-01 | lost | no budget | 2026-07-02
E | 2026-01-10 | lost | no budget
E | 2026-01-20 | won
"""


def written(root: Path, log: str) -> tuple[Places, History]:
    """Write lines of ``lead | occurred_at | type | content | known_at``; all leads came to be with the year."""
    rows = [[*(cell.strip() for cell in line.split("|")), "", ""][:5] for line in log.strip().splitlines()]
    times = [pd.Timestamp(row[1]) for row in rows]
    places = Places(root)
    places.interactions.parent.mkdir(parents=True)
    content = {
        "lead_id": [row[0] for row in rows],
        "occurred_at": pa.array(times, pa.timestamp("us")),
        "known_at": pa.array([pd.Timestamp(row[4] or row[1]) for row in rows], pa.timestamp("us")),
        "event_type": [row[2] for row in rows],
        "actor": ["lead" if row[2] in {"form", "visit"} else "us" for row in rows],
        "content": pa.array([row[3] or None for row in rows], pa.string()),
        "source": ["crm"] * len(rows),
        "sequence": range(len(rows)),
    }
    pq.write_table(pa.table(content), places.interactions)
    ids = sorted({row[0] for row in rows})
    created = pa.array([datetime(2026, 1, 1)] * len(ids), pa.timestamp("us"))
    pq.write_table(pa.table({"lead_id": ids, "created_at": created, "known_at": created}), places.leads)
    none = pa.array([], pa.timestamp("us"))
    former = {"lead_id": pa.array([], pa.string()), "created_at": none, "until": none}
    pq.write_table(pa.table(former), places.former_creations)
    return places, read_history(places, EPISODES)


def test_a_loss_has_its_reason_and_what_became_of_it_by_what_was_known(tmp_path: Path) -> None:
    places, history = written(tmp_path, LOSSES)
    with duckdb.connect() as connection:

        def told(as_of: datetime) -> str:
            found = losses_known(places, connection, EPISODES.lost, history, as_of)
            return table(found, "lead_id", "since", "reason", "returned", "converted", "is_last")

        # B came back within the pause, which is no return; E was overruled by a sale; of D nobody knew.
        assert told(JULY) == (
            "A | 01-10 00:00 | no budget | 03-01 00:00 | 03-20 00:00 | False\n"
            "B | 01-10 00:00 | no budget | - | - | True\n"
            "C | 02-01 00:00 | competitor | 04-01 00:00 | - | False\n"
            "C | 05-01 00:00 |  | - | - | True"
        )
        assert told(datetime(2026, 3, 10)) == (
            "A | 01-10 00:00 | no budget | 03-01 00:00 | - | False\n"
            "B | 01-10 00:00 | no budget | - | - | True\n"
            "C | 02-01 00:00 | competitor | - | - | True"
        )


SILENCES = """
A | 2026-01-02 | visit
A | 2026-01-20 | visit
A | 2026-04-01 | visit
A | 2026-06-30 | visit
A | 2026-06-20 | visit | | 2026-07-02
B | 2026-01-02 | visit
B | 2026-04-01 | lost
C | 2026-01-02 | visit
C | 2026-01-20 | lost
D | 2026-01-02 | visit
D | 2026-04-01 | won
E | 2026-01-02 | visit
E | 2026-04-01 | visit
E | 2026-04-09 | won
"""


def test_a_silence_ends_with_an_act_or_a_sale_and_a_loss_breaks_it_off(tmp_path: Path) -> None:
    places, history = written(tmp_path, SILENCES)
    with duckdb.connect() as connection:
        found = silences_known(places, connection, history, JULY, 60 * DAY)
    # C was lost before it had been silent for long.
    assert table(found, "lead_id", "since", "until", "returned", "converted") == (
        "A | 01-20 00:00 | 07-01 00:00 | 04-01 00:00 | -\n"
        "A | 04-01 00:00 | 07-01 00:00 | 06-30 00:00 | -\n"
        "B | 01-02 00:00 | 04-01 00:00 | - | -\n"
        "D | 01-02 00:00 | 07-01 00:00 | 04-01 00:00 | 04-01 00:00\n"
        "E | 01-02 00:00 | 07-01 00:00 | 04-01 00:00 | 04-09 00:00"
    )


@pytest.mark.parametrize("log", ["A | 2026-01-02 | won", "A | 2026-06-30 | visit", "A | 2026-01-02 | lost"])
def test_a_log_without_losses_or_silences_has_none(tmp_path: Path, log: str) -> None:
    places, history = written(tmp_path, log)
    with duckdb.connect() as connection:
        assert len(losses_known(places, connection, EPISODES.lost, history, JULY)) == ("lost" in log)
        assert silences_known(places, connection, history, JULY, 60 * DAY).empty


def learned(root: Path, *, language: str = "en", reopen_on: tuple[str, ...] = ("form",)) -> Recontact:
    """Of forty leads lost a year before for want of budget 32 came back in the fourth month, half of them bought."""
    log = []
    for number in range(40):
        lead = f"L{number:02}"
        log.append(f"{lead} | 2025-07-01 | lost | no budget")
        if number < 32:
            log.append(f"{lead} | 2025-10-05 | form")
        if number < 16:
            log.append(f"{lead} | 2025-10-10 | won")
    log += ["NEW | 2026-06-10 | lost | no budget", "ODD | 2026-06-20 | lost"]
    log += [f"O{number:03} | 2025-07-01 | lost | outside the target" for number in range(300)]
    places, _ = written(root, "\n".join(sorted(log)))
    episodes = EPISODES.model_copy(update={"reopen_on": reopen_on})
    sections = SimpleNamespace(
        decision=DecisionPolicy(time_zone="Europe/Paris", recontact=RecontactPolicy(pause=180 * DAY)),
        episodes=episodes,
        snapshots=SimpleNamespace(horizon=30 * DAY),
        words=SimpleNamespace(language=language),
    )
    created = pq.read_table(places.leads)
    earlier = pa.array([datetime(2025, 1, 1)] * len(created), pa.timestamp("us"))
    pq.write_table(created.set_column(1, "created_at", earlier).set_column(2, "known_at", earlier), places.leads)
    with duckdb.connect() as connection:
        return Recontact.learn(places, sections, connection, read_history(places, episodes), JULY, JULY)


def test_a_lost_lead_is_told_when_to_come_back_and_on_what_that_rests(tmp_path: Path) -> None:
    recontact = learned(tmp_path)
    told = recontact.of_lost(["NEW", "ODD", "O001", "L00", "NEW"], np.array([False, False, False, False, True]))
    days = told["recontact_on"].to_pylist()
    assert [day and f"{day}" for day in days] == ["2026-09-08", "2026-12-17", None, None, None]
    known, few, close, *nobody = told["recontact_why"].to_pylist()
    assert known == (
        "Contact again from 8 September 2026 on: lost in June 2026 (reason: “no budget”). Of 41 leads lost for it, 80% "
        "came back within 120 days, half of these after 90 days or more"
    )
    assert few == (
        "Contact again from 17 December 2026 on: lost in June 2026. That is the pause of the settings (180 days), for "
        "of 1 leads that were lost too few have come back as late (0)"
    )
    assert close == (
        "Close: lost in July 2025 (reason: “outside the target”). Of 300 leads lost for it, waited for during 3,300 "
        "months in all, 0 came back"
    )
    # Who has converted, and who is closed, is told nothing.
    assert nobody == [None, None]


def test_it_is_told_in_french(tmp_path: Path) -> None:
    (told,) = learned(tmp_path, language="fr").of_lost(["NEW"], np.array([False]))["recontact_why"].to_pylist()
    assert told.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ") == (
        "À relancer à partir du 8 septembre 2026 : perdu en juin 2026 (motif : « no budget »). Sur 41 leads perdus "
        "pour ce motif, 80 % sont revenus en 120 jours, la moitié d'entre eux après 90 jours ou plus"
    )


def test_where_no_act_opens_an_episode_again_nobody_is_closed(tmp_path: Path) -> None:
    recontact = learned(tmp_path, reopen_on=())
    told, over = recontact.of_lost(["NEW", "O001"], np.array([False, False]))["recontact_why"].to_pylist()
    assert told == (
        "Contact again from 7 December 2026 on: lost in June 2026 (reason: “no budget”). That is the pause of the "
        "settings (180 days), for nothing is known of such leads that came back"
    )
    # That of who was lost in July 2025 was 28 December, and is over since 27 January: for 155 days.
    assert over is None
    assert "O001" not in recontact.awaited(154 * DAY)
    assert "O001" in recontact.awaited(156 * DAY)


def test_of_open_leads_the_quiet_are_told_whom_nobody_works_on(tmp_path: Path) -> None:
    # Of forty silences 32 ended in the fourth month, half of them with a sale; eight went on.
    log = [f"L{number:02} | 2025-07-01 | visit" for number in range(40)]
    log += [f"L{number:02} | 2025-10-05 | visit" for number in range(32)]
    log += [f"L{number:02} | 2025-10-10 | won" for number in range(16)]
    places, _ = written(tmp_path, "\n".join(sorted(log)))
    leads = pq.read_table(places.leads)
    earlier = pa.array([datetime(2025, 1, 1)] * len(leads), pa.timestamp("us"))
    pq.write_table(leads.set_column(1, "created_at", earlier).set_column(2, "known_at", earlier), places.leads)
    sections = SimpleNamespace(
        decision=DecisionPolicy(),
        episodes=EPISODES,
        snapshots=SimpleNamespace(horizon=30 * DAY),
        words=SimpleNamespace(language="en"),
    )
    as_of = datetime(2025, 12, 31)
    with duckdb.connect() as connection:
        recontact = Recontact.learn(places, sections, connection, read_history(places, EPISODES), as_of, as_of)
    acted = ["2025-10-01", "2025-10-03", None, *["2025-10-01"] * 3]
    taken = [None, None, None, "2025-12-01", None, None]
    standing = standing_of(6, as_of, acted=acted, taken=taken)
    tiers = np.array(["MQL", "MQL", "MQL", "MQL", "SQL", "IQL"])
    lists = np.array(["marketing", "none", "none", "none", "none", "sales"])
    told = recontact.of_open(standing, tiers, lists)
    # The second was quiet for no more than ninety days, the third did nothing ever; the others are in good hands.
    assert [day and f"{day}" for day in told["recontact_on"].to_pylist()] == ["2025-12-30", *[None] * 5]
    assert told["recontact_why"].to_pylist()[1:] == [None] * 5
    assert told["recontact_why"][0].as_py() == (
        "Contact again from 30 December 2025 on: no act since 1 October 2025. Of 40 silences as long (90 days or "
        "more), 80% came back within 120 days, half of these after 90 days or more"
    )
