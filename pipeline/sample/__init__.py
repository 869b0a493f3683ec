"""A simulated company: logs like those of real ones, and the truth behind them."""

from pipeline.sample.files import SampleCounts, write_sample

__all__ = ["SampleCounts", "write_sample"]
