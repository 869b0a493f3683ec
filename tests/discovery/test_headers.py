"""What init makes of headers in other tongues, and of columns whose values say what their names don't."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from exports import BEGINNING, write_table
from proposals import count, ingest, notes, propose, read, told

ENGLISH = {
    "contacts": ("contact_id", "created_at", "source", "owner", "last_activity", "status"),
    "activities": ("activity_id", "contact_id", "type", "date", "subject", "recorded_at"),
    "opportunities": ("opportunity_id", "contact_id", "created_at", "amount", "closed_at", "outcome"),
    "quotes": ("quote_id", "opportunity_id", "quote_date", "total_net"),
}
GERMAN = {
    "Kontakte": ("Kontakt-Nr.", "Angelegt am", "Herkunft", "Zuständig", "Letzte Aktivität", "Status"),
    "Aktivitäten": ("Aktivität-Nr.", "Kontakt-Nr.", "Art", "Datum", "Betreff", "Erfasst am"),
    "Verkaufschancen": ("Chance-Nr.", "Kontakt-Nr.", "Angelegt am", "Betrag (€)", "Abgeschlossen am", "Ergebnis"),
    "Angebote": ("Angebot-Nr.", "Chance-Nr.", "Angebotsdatum", "Summe netto"),
}
FRENCH = {
    "contacts": ("N° contact", "Créé le", "Origine", "Responsable", "Dernière activité", "Statut"),
    "activités": ("N° activité", "N° contact", "Genre", "Date", "Objet", "Saisi le"),
    "opportunités": ("N° opportunité", "N° contact", "Créée le", "Montant", "Clôturée le", "Résultat"),
    "devis": ("N° devis", "N° opportunité", "Date du devis", "Total net"),
}
SPANISH = {
    "contactos": ("Nº contacto", "Creado el", "Origen", "Responsable", "Última actividad", "Estado"),
    "actividades": ("Nº actividad", "Nº contacto", "Tipo", "Fecha", "Asunto", "Registrado el"),
    "oportunidades": ("Nº oportunidad", "Nº contacto", "Creada el", "Importe", "Cerrada el", "Resultado"),
    "presupuestos": ("Nº presupuesto", "Nº oportunidad", "Fecha del presupuesto", "Total neto"),
}
NAMELESS = ENGLISH | {
    "contacts": ("contact_id", "created_at", "source", "owner", "zuletztx", "status"),
    "activities": ("activity_id", "contact_id", "type", "date", "subject", "spalte7"),
}
"""What names tell nothing of must be told by the values: the stamp of the last activity, and the time of recording."""
ENDS = {
    "english": ("won", "lost"),
    "german": ("gewonnen", "verloren"),
    "french": ("gagnée", "perdue"),
    "spanish": ("ganada", "perdida"),
    "nameless": ("won", "lost"),
}
TONGUES = {"english": ENGLISH, "german": GERMAN, "french": FRENCH, "spanish": SPANISH, "nameless": NAMELESS}
UNTIL = BEGINNING + timedelta(days=400)


def stamp(moment: datetime) -> str:
    return f"{moment:%d.%m.%Y %H:%M}"


def day(moment: datetime) -> str:
    return f"{moment:%d.%m.%Y}"


def write_crm(folder: Path, tongue: str, leads: int = 700) -> dict[str, int]:
    """Write contacts with what happened to them, their deals and quotes; gives how many deals were won, and all."""
    rng = np.random.default_rng(5)
    contacts: list[Sequence[object]] = []
    acts: list[Sequence[object]] = []
    deals: list[Sequence[object]] = []
    quotes: list[Sequence[object]] = []
    won_word, lost_word = ENDS[tongue]
    won = 0
    for number in range(leads):
        created = BEGINNING + timedelta(minutes=int(rng.integers(390 * 1440)))
        name, last = f"K-{number:05d}", created
        for _ in range(int(rng.integers(1, 9))):
            at = min(created + timedelta(hours=float(rng.gamma(1, 300))), UNTIL)
            recorded = at + timedelta(minutes=int(rng.integers(0, 900)))
            last = max(last, at)
            kind = ["E-Mail", "Anruf", "Formular"][int(rng.integers(3))]
            acts.append((f"A{len(acts)}", name, kind, stamp(at), "xyz"[number % 3] * 3, stamp(recorded)))
        if rng.random() < 0.5:
            begun, deal = created + timedelta(days=float(rng.gamma(2, 5))), f"V{number:05d}"
            closed = begun + timedelta(days=float(rng.gamma(2, 12)))
            is_won = rng.random() < 0.5
            result = (won_word if is_won else lost_word) if closed < UNTIL else ""
            won += result == won_word
            money = f"{int(rng.integers(1, 9))}.{int(rng.integers(100, 999))},{int(rng.integers(10, 99))}"
            deals.append((deal, name, stamp(begun), money, day(closed) if result else "", result))
            quotes.append((f"AN{number:05d}", deal, day(begun + timedelta(days=2)), money))
        status = ["Neu", "Aktiv"][number % 2]
        contacts.append((name, stamp(created), ["Web", "Messe"][number % 2], ["Groß", "Weiß"][number % 2],
                         day(last), status))  # fmt: skip
    for (table, header), rows in zip(TONGUES[tongue].items(), (contacts, acts, deals, quotes), strict=True):
        write_table(folder / f"{table}.csv", header, rows, delimiter=";")
    return {"won": won, "acts": len(acts), "deals": len(deals)}


def sources_of(settings: dict[str, Any], word: str) -> dict[str, Any]:
    return {name: source for name, source in settings["ingest"]["sources"].items() if word in name}


class Proposed(NamedTuple):
    """A CRM whose settings were proposed, and whose log was read by them."""

    root: Path
    headers: list[tuple[str, ...]]
    written: dict[str, int]
    settings: dict[str, Any]


@pytest.fixture(scope="module", params=TONGUES)
def crm(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Proposed:
    root = tmp_path_factory.mktemp("crm")
    written = write_crm(root / "raw", request.param)
    settings = propose(root / "raw", root)
    ingest(root)
    return Proposed(root, list(TONGUES[request.param].values()), written, settings)


def test_the_last_activity_of_a_lead_is_no_event(crm: Proposed) -> None:
    last = crm.headers[0][4]
    assert f"{last}" not in repr(crm.settings["ingest"]["sources"])
    assert f".{last} is no event" in told(crm.root)


def test_the_time_of_recording_is_when_an_event_was_known_and_a_type_is_one(crm: Proposed) -> None:
    settings, header = crm.settings, crm.headers[1]
    (source,) = (one for one in settings["ingest"]["sources"].values() if one["columns"].get("event_id") == header[0])
    assert source["known_at"] == {"column": header[5]}
    assert (source["columns"]["occurred_at"], source["columns"]["event_type"]) == (header[3], header[2])
    counts = count(crm.root)
    acts = {("E-Mail", "lead"), ("Anruf", "us"), ("Formular", "lead")}
    assert sum(counts[act] for act in acts) == crm.written["acts"]


def test_deals_are_begun_and_end_and_their_quotes_have_a_value(crm: Proposed) -> None:
    settings, written = crm.settings, crm.written
    counts = {kind: number for (kind, _), number in count(crm.root).items()}
    conversion, lost = settings["episodes"]["conversion"], settings["episodes"]["lost"]
    assert [counts[name] for name in conversion] == [written["won"]]
    assert len(lost) == 1
    created = [kind for kind in counts if kind.endswith("_created")]
    assert [counts[kind] for kind in created] == [written["deals"]]
    assert settings["episodes"]["milestones"] == {"opportunity": created}
    (quotes,) = (one for one in settings["ingest"]["sources"].values() if one["columns"].get("value") in _AMOUNTS)
    assert quotes["columns"]["value"] == crm.headers[3][3]
    owner = crm.headers[0][3]
    assert owner not in settings["ingest"]["leads"]["attributes"]


_AMOUNTS = {header["quotes" if "quotes" in header else next(reversed(header))][3] for header in TONGUES.values()}


def write_shop(folder: Path) -> None:
    """Write a web log with two pages in the same second, a row that is there twice, and orders of three kinds."""
    rng = np.random.default_rng(3)
    hits: list[Sequence[object]] = []
    orders: list[Sequence[object]] = []
    for number in range(600):
        visitor, at = f"{rng.integers(16**12):012x}", BEGINNING + timedelta(minutes=int(rng.integers(300 * 1440)))
        for page in range(int(rng.integers(2, 8))):
            moment = f"{at + timedelta(hours=6 * page):%Y-%m-%d %H:%M:%S}"
            hits.append((moment, visitor, ["/", "/cart", "/offer"][page % 3], "GET", 200, "-"))
        if number < 50:
            hits.append((hits[-1][0], visitor, "/about", "GET", 200, "-"))
            hits.append((hits[-1][0], visitor, "/about", "POST", 200, "-"))
        if number < 10:
            hits.append(hits[-1])
        status = {0: "paid", 1: "paid", 2: "cancelled", 3: "on hold"}.get(number % 8)
        if status:
            ordered = f"{at + timedelta(days=3):%Y-%m-%d %H:%M:%S}"
            orders.append((f"O{number}", visitor, ordered, f"{rng.gamma(2, 30):.2f}", status))
    write_table(folder / "access.csv", ("time", "visitor", "path", "method", "status", "referrer"), hits)
    write_table(folder / "orders.csv", ("order_id", "visitor", "order_date", "total", "status"), orders)


def test_only_rows_alike_in_all_columns_are_duplicates_of_a_log_without_ids(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["ingest"]["sources"]["access"]["columns"]["event_type"] == "path"
    ingest(tmp_path)
    assert count(tmp_path)["/about", "lead"] == 100
    assert read(tmp_path, "data/ingest.json")["sources"]["access"]["set_aside"] == {"duplicate": 10}
    assert "50 rows differ from another one only in method" in told(tmp_path)


def test_orders_that_are_neither_won_nor_lost_are_told_and_a_status_that_says_lost_is_a_loss(tmp_path: Path) -> None:
    write_shop(tmp_path / "raw")
    settings = propose(tmp_path / "raw", tmp_path)
    assert settings["episodes"]["lost"] == ["order_lost"]
    assert "75 of the 300 rows of orders are not used" in told(tmp_path)
    assert "(75 on hold)" in told(tmp_path)


def test_an_id_is_no_time_and_a_column_that_is_mostly_empty_is_said_to_be(tmp_path: Path) -> None:
    write_crm(tmp_path / "raw", "english")
    path = tmp_path / "raw" / "contacts.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    noted = [row + (";calls back" if number % 20 == 0 else ";") for number, row in enumerate(rows)]
    path.write_text("\n".join([header + ";remark", *noted]), encoding="utf-8")
    said = notes(tmp_path / "raw")
    assert "activity_id is called a time" not in said
    assert "left out: remark, empty in 95% of the rows, else always the same" in said
