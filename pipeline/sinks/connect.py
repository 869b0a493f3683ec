"""The sink that the settings name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.settings import push as settings
from pipeline.sinks.protocol import Sink


def connect(push: settings.Push, root: Path) -> Sink:
    """Make the sink of the parameters, and load what it needs; nothing is called yet.

    Raises SettingsError where a secret is not in the environment, InputError where a driver is not installed.
    """
    of, mapping = push.sink, push.mapping
    return _connect(of, mapping, root)


def _connect(of: settings.AnySink, mapping: Mapping[str, str], root: Path) -> Sink:
    # Each imports its own client.
    match of:
        case settings.Files():
            from pipeline.sinks.files import FilesSink  # noqa: PLC0415

            return FilesSink(of, mapping, root)
        case settings.Sql():
            from pipeline.sinks.sql import SqlSink  # noqa: PLC0415

            return SqlSink(of, mapping, root)
        case settings.Odoo():
            from pipeline.sinks.odoo import OdooSink  # noqa: PLC0415

            return OdooSink(of, mapping, root)
        case settings.HubSpot():
            from pipeline.sinks.hubspot import HubSpotSink  # noqa: PLC0415

            return HubSpotSink(of, mapping, root)
        case settings.Salesforce():
            from pipeline.sinks.salesforce import SalesforceSink  # noqa: PLC0415

            return SalesforceSink(of, mapping, root)
        case settings.Rest():
            from pipeline.sinks.rest import RestSink  # noqa: PLC0415

            return RestSink(of, mapping, root)
