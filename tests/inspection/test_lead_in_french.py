"""The screen of one lead in the language of the settings."""

from __future__ import annotations

import re
import shutil
from datetime import datetime
from pathlib import Path

import yaml
from one_lead import keep
from small_project import SmallProject
from world import Project

from pipeline.inspection.lead import show_lead
from pipeline.inspection.lead_in_words import table_of
from pipeline.settings.file import load_parameters
from pipeline.wording.lead_texts import LEAD_TEXTS

FRENCH_WORDS = {"fr": {"event_types": {"quote": ["demande(s) de devis", "a demandé un devis"]}, "channels": {}}}


def test_french_settings_give_a_french_screen(project: SmallProject, tmp_path: Path) -> None:
    french = SmallProject(tmp_path / "project")
    shutil.copytree(project.root, french.root, dirs_exist_ok=True)
    settings = yaml.safe_load((french.root / "params.yaml").read_text())
    settings["words"] |= FRENCH_WORDS | {"language": "fr"}
    (french.root / "params.yaml").write_text(yaml.safe_dump(settings))
    as_of = datetime(2026, 1, 25)
    changes = {"change_data": 0.0, "change_time": -0.25, "change_behaviour": 1.5, "change_model": 0.125}
    told = {"trend": "improving", "what_changed": "En hausse", "tier_before": "SQL", "tier_changed": "cut-offs"}
    keep(
        french,
        as_of,
        "m",
        as_of,
        list_changed="capacity",
        list_reason="untouched",
        guess="age",
        is_guess=True,
        **changes,
        **told,
    )
    out = french.run("lead", "A", "--at", "2026-01-25").text
    assert (
        "Lead A (heures : Europe/Amsterdam) tel que connu le 2026-01-25 01:00 créé 2026-01-02 00:30 compte acme land "
        "nl épisode 1, depuis le 2026-01-02 00:30 ; ouvert" in out
    )
    assert (
        "qualification proposée MQL liste commerciaux : transmis, pas encore traité (rang 1) depuis la dernière liste "
        "entré sur celle des commerciaux (capacity) : les commerciaux ont plus de temps ce jour-là, ou moins "
        "qualification d'avant SQL (cut-offs) : les seuils ont changé maturité chaud faits aucun chances 20,0 % en 30 "
        "jours, estimation fragile : aucun lead aussi ancien dans l'apprentissage 30,0 % en 60 jours profil et "
        "engagement B2 (profil de A à D, engagement de 1 à 4) ce qui joue en sa faveur 3 visits ce qui freine rien que "
        "les chiffres confirment tendance en progrès ce qui a changé En hausse en log-cotes +1.375 : données +0.000, "
        "temps -0.250, comportement +1.500, modèle +0.125" in out
    )
    assert "ne vaut plus : asked (7 jours sont passés)" in out
    assert "vaut à partir d'ici : in work" in out
    english = {one for name, (one, other) in LEAD_TEXTS.items() if one != other and name.startswith("lead.")}
    assert not {one for one in english if isinstance(one, str) and "{" not in one and f"  {one}  " in out}
    gone = french.run("lead", "A").text
    assert "rien n'en est dit il n'est pas parmi les leads ouverts le 2026-02-10 12:00 UTC" in gone
    assert "issue" in gone


def test_every_text_of_a_lead_has_the_same_gaps_in_both_languages() -> None:
    for name, both in LEAD_TEXTS.items():
        english, french = (sorted(re.findall(r"{\w+}", str(one))) for one in both)
        assert english == french, name


def test_numbers_of_the_line_of_time_are_told_apart_in_every_language(project: SmallProject) -> None:
    parameters = load_parameters(project.root / "params.yaml")
    found = show_lead(Project(project.root, parameters), "A", None)
    table = table_of(found.timeline, parameters)
    assert set(table.headers) - set(table.texts) == {"value"}
    french = parameters.model_copy(update={"words": parameters.words.model_copy(update={"language": "fr"})})
    table = table_of(found.timeline, french)
    assert set(table.headers) - set(table.texts) == {"valeur"}
    assert "900,00" in {cell for row in table.rows for cell in row}
