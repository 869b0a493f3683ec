"""Opening a trained model, with a message that says what next where it can't be opened."""

from __future__ import annotations

from pathlib import Path

from features.errors import InputError
from models.artefact import ArtefactError, Model


def open_model(folder: Path) -> Model:
    """Read the three files of a model; raises InputError where one is missing or broken."""
    try:
        return Model.load(folder)
    except ArtefactError as error:
        raise InputError(str(error)) from None
