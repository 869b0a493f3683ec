"""Write every generated page: ``python -m docs.build``, in the project's folder."""

from __future__ import annotations

from pathlib import Path

from docs.build.pages import PAGES
from pipeline.core.project import written_whole


def main(root: Path) -> None:
    """Write the pages below ``root``."""
    for name, page in PAGES.items():
        with written_whole(root / name) as temporary:
            temporary.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(Path())
