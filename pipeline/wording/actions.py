"""In words: what to do next with a lead, and through which channel."""

from __future__ import annotations

from datetime import date

from models.decision.actions import ACTIONS
from pipeline.wording.locales import Writing
from pipeline.wording.texts import text


def say_action(code: str, channel: str | None, on: date | None, language: str) -> str:
    """Say an action by its code; ``on`` is the day to come back. A code of one's own is shown as words.

    >>> say_action("wait_until", None, date(2026, 9, 1), "en"), say_action("call_today", "telephone", None, "fr")
    ('wait until 1 September 2026', "appeler aujourd'hui, par téléphone")
    >>> say_action("send_price_list", "mail", None, "en")
    'send price list, by mail'
    """
    day = "" if on is None else Writing(language).day(on)
    what = text(f"action.{code}", language, day=day) if code in ACTIONS else code.replace("_", " ")
    return what if channel is None else text(f"through.{channel}", language, what=what)
