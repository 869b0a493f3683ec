"""Processes that tests start and kill: copies of one that has loaded everything and begun nothing."""

from __future__ import annotations

import multiprocessing

from pipeline.commands.app import STAGES, module_of

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["pipeline.delivery.push", "pipeline.sinks.connect", *map(module_of, STAGES)])
