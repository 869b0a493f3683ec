"""``leadcast publish``: pages and lists to their folders, then the digest by mail."""

from __future__ import annotations

from collections.abc import Iterator

from features.core.errors import SettingsError
from pipeline.core.project import Progress, Project, sole
from pipeline.publishing.chosen import NO_LISTS, Chosen, choose
from pipeline.publishing.digest import as_text, message
from pipeline.publishing.folder import Delivery, Parcel, deliver, plan
from pipeline.publishing.mail import check, send
from pipeline.settings.parameters import Parameters


def publish(project: Project[Parameters], progress: Progress, *, dry_run: bool) -> str:
    """Publish what there is, and give the digest as text; a ``dry_run`` looks at all, and changes nothing.

    Folders come first, so that the mail leads to what is there. Raises SettingsError where nobody says where to,
    InputError where nothing was written yet, a folder can't be used, or another leadcast is at work, DeliveryError
    where the mail is not taken.
    """
    settings = project.parameters.publish
    if settings is None:
        raise SettingsError(
            "nobody says where to publish; add publish: {folder: /srv/share/leads}, or mail: docs/publish.md"
        )
    with sole(project):
        chosen = choose(project)
        for line in chosen.told:
            progress(line)
        if settings.lists is not None and not chosen.lists:
            progress(NO_LISTS)
        planned = [(parcel, plan(project, parcel)) for parcel in _parcels(project, chosen)]
        if settings.mail is not None:
            check(settings.mail)
        for parcel, delivery in planned:
            if not dry_run:
                deliver(parcel, delivery)
            progress(_told(parcel, delivery, dry_run=dry_run))
        if settings.mail is not None and not dry_run:
            send(settings.mail, message(chosen.digest, settings.mail))
            number = len(settings.mail.to)
            progress(f"mailed the digest to {number} address{'' if number == 1 else 'es'}")
    return as_text(chosen.digest, settings.mail.address("index.html") if settings.mail else None)


def _parcels(project: Project[Parameters], chosen: Chosen) -> Iterator[Parcel]:
    settings, owner = project.parameters.publish, project.parameters.evaluate.model_name
    assert settings is not None  # noqa: S101 - seen before
    if settings.folder is not None:
        yield Parcel("publish.folder", project.root / settings.folder, chosen.pages, owner)
    if settings.lists is not None and chosen.lists:
        yield Parcel("publish.lists", project.root / settings.lists, chosen.lists, owner)


def _told(parcel: Parcel, delivery: Delivery, *, dry_run: bool) -> str:
    """Say what was done, or would be, in numbers: a file may be called like a person."""
    same, stale, altered = len(delivery.unchanged), len(delivery.stale), len(delivery.altered)
    parts = [f"{'would write' if dry_run else 'wrote'} {len(delivery.contents) - same} files to {parcel.folder}"]
    if same:
        parts.append(f"{same} are there as they are")
    if stale:
        parts.append(f"{'would remove' if dry_run else 'removed'} {stale} that are published no more")
    if altered:
        parts.append(f"{altered} that are published no more stay, for somebody has changed them")
    return "; ".join(parts)
