"""The same bits of a model on whatever processor: libraries take the instructions that all of today's have.

OpenBLAS and NumPy choose their kernels by the processor, and sums in another order have other last bits: a newer
machine would train another model from the same data, and ``dvc.lock`` would never be anybody else's.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

_COMMON = {"avx2", "fma"}
_WIDER = "X86_V4 AVX512_ICL AVX512_SPR"
"""What NumPy would use beyond them, by its own names."""


def use_common_instructions(processor: Path = Path("/proc/cpuinfo")) -> None:
    """Hold OpenBLAS and NumPy to AVX2, where they are not loaded yet; what the environment says of them stays.

    Only Linux on x86-64 tells what it has; elsewhere, and on processors without AVX2, libraries choose for themselves.
    """
    if platform.machine() != "x86_64" or not processor.exists():
        return
    flags = next((line for line in processor.read_text().splitlines() if line.startswith("flags")), "")
    if set(flags.split()) >= _COMMON:
        os.environ.setdefault("OPENBLAS_CORETYPE", "Haswell")
        os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", _WIDER)
