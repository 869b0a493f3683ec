"""The settings of ``words``: what people call the event types, channels, attributes and milestones of their log."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from features.core.schema import Language
from features.language.labels import Labels, WordsByPart
from pipeline.settings.types import Name, Strict


def _one_line(text: str) -> str:
    if not text.isprintable() or not text.strip():
        raise ValueError(f"{text!r} can't be shown on a line of a page or of a CRM; write letters, without line breaks")
    return text


def _noun_and_verb(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) != 2:  # noqa: PLR2004 - a noun and what was done
        raise ValueError(
            f"must be a noun and what was done, as in [quote request(s), asked for a quote]; got {value!r} "
            "(a text that holds a comma stands in quotes)"
        )
    return value


Text = Annotated[Name, AfterValidator(_one_line)]
Act = Annotated[tuple[Text, Text], BeforeValidator(_noun_and_verb)]


class Dictionary(Strict):
    """What the names of the log are called in one language. Pages and reasons show a name that is not here as words:
    pricing view. What a noun has in the plural alone stands in brackets behind its letters: visit(s), entr(y|ies).
    """  # noqa: D205 - two sentences

    event_types: dict[Name, Act] = Field(default_factory=dict)
    """A noun, and what was done: {pricing_view: [look(s) at prices, looked at the prices]}."""
    channels: dict[Name, Text] = Field(default_factory=dict)
    """A noun each."""
    attributes: dict[Name, Text] = Field(default_factory=dict)
    """A noun each, of the columns under ingest.leads.attributes."""
    milestones: dict[Name, Text] = Field(default_factory=dict)
    """A noun each, of the steps under episodes.milestones."""
    features: dict[Name, Text] = Field(default_factory=dict)
    """A noun each, of declared features, by the names of their columns: {share__hours_22_6__28d: visits at night}.
    Without one, English reasons say what is measured, and French ones show the name."""

    @property
    def words(self) -> WordsByPart:
        """Its words as labels hold them."""
        return {
            "event_types": self.event_types,
            "channels": {name: (noun,) for name, noun in self.channels.items()},
            "attributes": {name: (noun,) for name, noun in self.attributes.items()},
            "milestones": {name: (noun,) for name, noun in self.milestones.items()},
            "features": {name: (noun,) for name, noun in self.features.items()},
        }


class Words(Strict):
    """What people call what the log names, so that no page, reason or CRM shows them a code. It changes no model."""

    language: Language = "en"
    """Which of the dictionaries is used; where it lacks a word, the other one's stands in."""
    en: Dictionary = Dictionary()
    """The English words."""
    fr: Dictionary = Dictionary()
    """The French words."""

    @property
    def labels(self) -> Labels:
        """The words in the language that is set."""
        return Labels(self.en.words, self.fr.words) if self.language == "en" else Labels(self.fr.words, self.en.words)
