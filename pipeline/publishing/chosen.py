"""What is published: what the champion has written, for people act on that; and pages about the same model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.project import Places, read_json, require

_SCORE = "leadcast score --as-of now writes what the champion says"
NO_LISTS = f"no list is published: there are those of the model just trained alone, which nobody has chosen; {_SCORE}"


@dataclass(frozen=True)
class Chosen:
    """Which file goes where below the folder of pages, and below that of lists; what the mail says; what is told."""

    pages: Mapping[str, Path]
    lists: Mapping[str, Path]
    digest: Mapping[str, Any]
    told: list[str] = field(default_factory=list)


def choose(places: Places) -> Chosen:
    """Choose what is published; raises InputError where neither the champion has scored nor the stages have run.

    Lists are the champion's or none: nobody has chosen the model just trained. Pages without leads may be of that one.
    """
    is_live = places.live_page.exists()
    page, workbook, digest_file = (
        (places.live_page, places.live_kpi_workbook, places.live_digest)
        if is_live
        else (places.page, places.kpi_workbook, places.digest)
    )
    require(page, workbook, digest_file)
    digest = read_json(digest_file)
    told = [f"the pages are those of {digest['as_of']}"]
    if not is_live:
        told.append(f"the pages rest on the model just trained, for the champion has written none here: {_SCORE}")
    pages = {"index.html": page, "kpi.xlsx": workbook, **_about_the_model(places, digest["model_version"], told)}
    return Chosen(pages, _lists_of_the_champion(places), digest, told)


def _about_the_model(places: Places, version: str, told: list[str]) -> dict[str, Path]:
    about = {path.name: path for path in (places.model_page, places.cut_offs_page) if path.exists()}
    if not about:
        return {}
    if not places.training.exists() or read_json(places.training)["model_version"] != version:
        told.append(f"{' and '.join(about)} are left out: they are about the model just trained, not the champion")
        return {}
    return about


def _lists_of_the_champion(places: Places) -> dict[str, Path]:
    page, lists = places.live_leads_page, places.live_lead_lists
    if not page.exists():
        return {}
    of_each = sorted(path for path in lists.glob("*") if path.is_file())
    return {page.name: page} | {f"{lists.name}/{path.name}": path for path in of_each}
