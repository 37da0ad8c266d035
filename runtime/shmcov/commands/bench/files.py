# SPDX-License-Identifier: Apache-2.0
"""What came of it, as a file of pyperf and as a plot. Each needs a package of shmcov[bench]."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shmcov.commands.bench import show
from shmcov.commands.bench.session import Results, Variant
from shmcov.commands.bench.tools import BARE

COLORS = {"cpu": "#2f6fd0", "wall": "#a7adb5"}
LABELS = {"cpu": "CPU time", "wall": "wall time"}


def lacking(module: str) -> str:
    """What to say if it is not there."""
    if importlib.util.find_spec(module) is None:
        return f"{module} is not installed; pip install 'shmcov[bench]' has it"
    return ""


# -- pyperf --


def write_json(results: Results, path: Path) -> None:
    """One benchmark for each tool, mode and kind of time; a run of it is one round."""
    import pyperf

    made = [
        pyperf.Benchmark(list(_runs(results, variant, what)))
        for variant, samples in results.complete().items()
        for what in LABELS
        if samples
    ]
    if made:
        pyperf.BenchmarkSuite(made).dump(str(path), replace=True)


def _runs(results: Results, variant: Variant, what: str) -> Iterator[Any]:
    import pyperf

    seen = results.seen[variant]
    for sample in results.complete()[variant]:
        metadata: dict[str, object] = {
            "name": f"{variant}: {LABELS[what]}",
            "unit": "second",
            "loops": 1,
            "command": str(results.program),
            "tool": variant.tool.version or variant.tool.title,
            "mem_max_rss": seen.memory,
            "shmcov_bench_processes": seen.processes,
            "shmcov_bench_files": seen.files,
            "shmcov_bench_start_cpu_ms": round(seen.start_cpu, 3),
            "shmcov_bench_start_wall_ms": round(seen.start_wall, 3),
            "shmcov_bench_combine_s": round(getattr(sample, f"combine_{what}"), 6),
        }
        if sample.written is not None:
            metadata["shmcov_bench_written"] = sample.written
        yield pyperf.Run([getattr(sample, what)], metadata=metadata, collect_metadata=True)


# -- matplotlib --


def write_plot(results: Results, path: Path) -> None:
    """The ratios to bare, with their intervals."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    both = {what: show.ratios(results, what) for what in LABELS}
    variants = list(both["cpu"])
    figure, axis = pyplot.subplots(figsize=(8, 1.4 + 0.5 * len(variants)))
    for shift, (what, found) in zip((-0.19, 0.19), both.items(), strict=True):
        middles = [found[variant].middle for variant in variants]
        spread = [
            [found[variant].middle - found[variant].low for variant in variants],
            [found[variant].high - found[variant].middle for variant in variants],
        ]
        places = [number + shift for number in range(len(variants))]
        axis.barh(places, middles, 0.36, color=COLORS[what], label=LABELS[what])
        axis.errorbar(middles, places, xerr=spread, fmt="none", ecolor="#15191e", capsize=2)
    axis.axvline(1, color="#15191e", linestyle=":")
    axis.set_yticks(range(len(variants)), [str(variant) for variant in variants])
    axis.invert_yaxis()
    axis.set_xlabel(f"times {BARE.title}")
    command = str(results.program)
    axis.set_title(command if len(command) < 70 else command[:67] + "…", fontsize=10)
    axis.legend()
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)
