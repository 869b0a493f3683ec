"""What events of the sample world are about: pages, keywords, papers, buttons and webinars, some of which matter."""

from __future__ import annotations

import numpy as np

from pipeline.sample.chain import Floats, Integers

# Of each kind: its contents, and their shares by level (unaware, curious, interested, ready, bot). Where all shares of
# people are the same, or in the same proportion, the content says nothing.
_KINDS: dict[str, dict[str, tuple[float, float, float, float, float]]] = {
    "page": {
        "home": (0.34, 0.30, 0.24, 0.20, 0.125),
        "blog": (0.28, 0.26, 0.16, 0.08, 0.125),
        "product": (0.12, 0.18, 0.26, 0.28, 0.125),
        "case-study": (0.03, 0.06, 0.12, 0.12, 0.125),
        "integrations": (0.01, 0.03, 0.09, 0.18, 0.125),
        "about": (0.08, 0.08, 0.08, 0.08, 0.125),
        "support": (0.04, 0.05, 0.04, 0.05, 0.125),
        "careers": (0.10, 0.04, 0.01, 0.01, 0.125),
    },
    # What people who came through a search advertisement had typed.
    "keyword": {
        "lead scoring": (0.35, 0.35, 0.32, 0.25, 0.25),
        "lead scoring template": (0.45, 0.33, 0.16, 0.05, 0.25),
        "lead scoring price": (0.05, 0.12, 0.27, 0.40, 0.25),
        "lead scoring comparison": (0.15, 0.20, 0.25, 0.30, 0.25),
    },
    "paper": {
        "glossary": (0.30, 0.24, 0.15, 0.10, 0.17),
        "trends-2025": (0.25, 0.21, 0.15, 0.10, 0.17),
        "checklist": (0.20, 0.20, 0.20, 0.20, 0.17),
        "data-sheet": (0.15, 0.15, 0.15, 0.15, 0.17),
        "buying-guide": (0.05, 0.12, 0.22, 0.25, 0.16),
        "return-on-investment": (0.05, 0.08, 0.13, 0.20, 0.16),
    },
    "button": {
        "newsletter": (0.70, 0.50, 0.25, 0.10, 0.34),
        "contact": (0.25, 0.35, 0.40, 0.40, 0.33),
        "demo": (0.05, 0.15, 0.35, 0.50, 0.33),
    },
    "webinar": {
        "introduction": (0.50, 0.45, 0.30, 0.20, 0.25),
        "best-practices": (0.25, 0.25, 0.25, 0.25, 0.25),
        "customer-stories": (0.20, 0.20, 0.20, 0.20, 0.25),
        "live-demo": (0.05, 0.10, 0.25, 0.35, 0.25),
    },
}
_KIND_NAMES = tuple(_KINDS)
CONTENTS = tuple(name for contents in _KINDS.values() for name in contents)
CONTENT_SHARES = np.array([shares for contents in _KINDS.values() for shares in contents.values()]).T
"""Probability of each content within its kind, shape (levels, contents)."""
HOME = CONTENTS.index("home")
NO_CONTENT = -1
_FIRST = np.cumsum([0, *map(len, _KINDS.values())])[:-1]
_KIND_OF = {
    "page_view": "page",
    "pricing_view": None,
    "download": "paper",
    "form": "button",
    "webinar_attended": "webinar",
}


def _line() -> Floats:
    """Cumulative shares of all levels and kinds on one line, a unit each, shape (levels x kinds, longest kind)."""
    longest = max(map(len, _KINDS.values()))
    line = np.ones((CONTENT_SHARES.shape[0], len(_KINDS), longest))
    for kind, contents in enumerate(_KINDS.values()):
        cumulative = CONTENT_SHARES[:, _FIRST[kind] : _FIRST[kind] + len(contents)].cumsum(axis=1)
        line[:, kind, : len(contents) - 1] = cumulative[:, :-1]
    return np.asarray(line.reshape(-1, longest) + np.arange(line.shape[0] * line.shape[1])[:, None])


_LINE = _line()


def kinds_of(type_names: tuple[str, ...]) -> Integers:
    """Return the kind of the contents of each type of event, -1 for those that are about nothing."""
    kinds = [_KIND_OF.get(name) for name in type_names]
    return np.array([-1 if kind is None else _KIND_NAMES.index(kind) for kind in kinds], dtype=np.int8)


KEYWORD = _KIND_NAMES.index("keyword")
PAGE = _KIND_NAMES.index("page")


def draw_contents(generator: np.random.Generator, kind: Integers, level: Integers) -> Integers:
    """Draw what events are about, given the kind of their contents (-1 for none) and the level of their leads."""
    content = np.full(len(kind), NO_CONTENT, dtype=np.int8)
    rows = np.nonzero(kind >= 0)[0]
    place = level[rows].astype(np.int64) * len(_KINDS) + kind[rows]
    position = np.searchsorted(_LINE.ravel(), place + generator.random(len(rows)), side="right")
    content[rows] = position - place * _LINE.shape[1] + _FIRST[kind[rows]]
    return content
