"""Opening a trained model, with a message that says what next where it can't be opened."""

from __future__ import annotations

from pathlib import Path

from features.core.errors import InputError
from models.core.model import Model
from models.core.trees import ArtefactError
from pipeline.core.project import Places, read_json, require


def open_model(folder: Path, version: str) -> Model:
    """Read the files of the model of this version; raises InputError where they are not those."""
    try:
        return Model.load(folder, version)
    except ArtefactError as error:
        raise InputError(str(error)) from None


def open_trained(places: Places) -> Model:
    """Read the model that was trained last; raises InputError where its files are not those that training wrote."""
    require(places.model, places.training)
    return open_model(places.model, read_json(places.training)["model_version"])
