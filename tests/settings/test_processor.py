"""Which instructions libraries compute with: the same ones wherever a model is trained."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.core.processor import use_common_instructions

NAMES = ("OPENBLAS_CORETYPE", "NPY_DISABLE_CPU_FEATURES")
ASKED = """
import pipeline.commands.app, numpy, scipy.linalg, threadpoolctl
from numpy._core._multiarray_umath import __cpu_features__ as has, __cpu_dispatch__ as known
print({one["architecture"] for one in threadpoolctl.threadpool_info() if "architecture" in one})
print([name for name in known if has[name]])
"""


@pytest.fixture
def cleared(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def told(tmp_path: Path, flags: str) -> list[str | None]:
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\nbugs\t\t: none\n")
    use_common_instructions(tmp_path / "cpuinfo")
    return [os.environ.get(name) for name in NAMES]


@pytest.mark.usefixtures("cleared")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="processors of another kind choose for themselves")
def test_a_processor_that_has_more_uses_what_all_have(tmp_path: Path) -> None:
    assert told(tmp_path, "fpu sse4_2 avx avx512f") == [None, None], "it has no AVX2"
    assert told(tmp_path, "fpu avx2 fma avx512f") == ["Haswell", "X86_V4 AVX512_ICL AVX512_SPR"]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="processors of another kind choose for themselves")
def test_what_the_environment_says_stays(cleared: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cleared.setenv("OPENBLAS_CORETYPE", "Zen")
    assert told(tmp_path, "avx2 fma")[0] == "Zen"


@pytest.mark.usefixtures("cleared")
def test_the_command_line_tells_libraries_before_they_are_loaded() -> None:
    cpu = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not cpu.exists() or " avx2 " not in cpu.read_text():
        pytest.skip("this processor chooses for itself")
    said = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["{'Haswell'}", "['X86_V3']"]
