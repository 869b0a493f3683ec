"""A simulated company: logs like those of real ones, and the truth behind them."""

from pipeline.sample.files import SampleCounts, write_sample
from pipeline.sample.scenario import Scenario

__all__ = ["SampleCounts", "Scenario", "write_sample"]
