"""The plots, from the JSON of a run. On white, so that they read the same on a dark page."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

_INK, _GRID, _OURS, _FLOOR = "#24292f", "#d0d7de", "#cf222e", "#57606a"
_OTHERS = ("#0969da", "#1a7f37", "#9a6700", "#8250df", "#bc4c00", "#1b7c83", "#a475f9", "#6e7781", "#bf3989")
_MARKS = "sD^v<>Ph*X"
_DASHES = ("-", (0, (4, 2)))  # by turns, so that of two equal lines both are seen
_STYLE = {
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.edgecolor": _GRID,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "font.size": 10,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "svg.hashsalt": "g4fsdk",  # equal figures give equal files
}
_CUTS = {"an event a chunk": "one event", "37 bytes": "37 bytes", "1,460 bytes": "1,460 bytes"}
_CUTS["16,384 bytes"] = "16 KiB"


def draw(found: dict[str, Any], folder: Path) -> None:
    """Write the plots of a run into *folder*, as SVG."""
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = import_module("matplotlib.pyplot")
    folder.mkdir(parents=True, exist_ok=True)
    tables = {table["name"]: table for table in found["tables"]}
    under = f"{found['machine']['python']}, {found['machine']['cores']} cores; {found['command']}"
    with matplotlib.rc_context(_STYLE):
        for name, plot in _PLOTS.items():
            figure, axes = pyplot.subplots(figsize=(8.4, 4.4))
            if plot(axes, tables, found["series"]):
                figure.text(0.01, 0.01, under, fontsize=7.5, color=_FLOOR)
                figure.tight_layout(rect=(0, 0.03, 1, 1))
                figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
            pyplot.close(figure)


def _median(table: dict[str, Any], name: str) -> float:
    samples = sorted(table["samples"][name])
    return float(samples[len(samples) // 2])


def _looks(names: list[str]) -> dict[str, dict[str, Any]]:
    """Return how to draw the line of each: ours red and thick, the floor grey, others by their place."""
    others = [name for name in names if not name.startswith(("g4fsdk", "msgspec"))]
    look: dict[str, dict[str, Any]] = {
        name: {
            "color": _OTHERS[at % len(_OTHERS)],
            "marker": _MARKS[at % len(_MARKS)],
            "linestyle": _DASHES[at % 2],
            "linewidth": 1.4,
        }
        for at, name in enumerate(others)
    }
    for name in names:
        if name.startswith("g4fsdk"):
            look[name] = {"color": _OURS, "marker": "o", "linewidth": 2.6, "zorder": 3}
        elif name.startswith("msgspec"):
            look[name] = {"color": _FLOOR, "linestyle": ":", "linewidth": 1.6}
    return look


def _events_per_second(axes: Any, tables: dict[str, Any], _: Any) -> bool:
    cuts = {label: f"SSE chat, constant, {cut}" for cut, label in _CUTS.items()}
    if not tables.keys() >= {*cuts.values()}:
        return False
    found = {label: tables[name] for label, name in cuts.items()}
    names = [name for name in next(iter(found.values()))["samples"] if "plain path" not in name]
    rates = {
        name: [table["units"] / _median(table, name) for table in found.values()]
        for name in names
        if all(name in table["samples"] for table in found.values())
    }
    looks = _looks(names)
    for name, rate in sorted(rates.items(), key=lambda item: -item[1][0]):
        axes.plot([*found], rate, markersize=5, label=name, **looks[name])
    axes.set_yscale("log")
    axes.set_ylabel("events a second")
    axes.set_xlabel("size of a chunk")
    axes.set_title("SSE chat chunks: events a second, higher is better")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    return True


def _growth(axes: Any, _: Any, series: dict[str, Any]) -> bool:
    found = next((value for name, value in series.items() if name.startswith("hostile: one line in")), None)
    if not found:
        return False
    looks = _looks([*found])
    for name, points in sorted(found.items(), key=lambda item: -item[1][-1][1] / item[1][-1][0]):
        axes.plot(*zip(*points, strict=True), markersize=5, label=name, **looks[name])
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted({size for points in found.values() for size, _ in points})
    axes.set_xticks(ticks, [_size(size) for size in ticks])
    axes.minorticks_off()
    axes.set_xlabel("length of one line, which comes in 64-byte pieces")
    axes.set_ylabel("CPU seconds")
    axes.set_title("A long line: time against length, lower is better")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9)
    return True


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"


def _end_to_end(axes: Any, tables: dict[str, Any], _: Any) -> bool:
    one = tables.get("end to end, one event an HTTP chunk, CPU of the client process")
    block = tables.get("end to end, 16 KiB HTTP chunks, CPU of the client process")
    if not one or not block:
        return False
    names = [*one["samples"]][::-1]
    for offset, table, label, mark in (
        (0.17, one, "one event an HTTP chunk", "o"),
        (-0.17, block, "16 KiB HTTP chunks", "D"),
    ):
        values = [_median(table, name) * 20_000 / table["units"] * 1e3 for name in names]
        places = [at + offset for at in range(len(names))]
        # No bars: on a logarithmic axis their length would mean nothing.
        axes.scatter(values, places, s=36, marker=mark, color=_OTHERS[0 if mark == "o" else 4], label=label)
        for value, place in zip(values, places, strict=True):
            axes.annotate(f"{value:,.0f}", (value, place), (7, -3), textcoords="offset points", fontsize=8.5)
    axes.set_yticks(range(len(names)), names)
    for label in axes.get_yticklabels():
        if label.get_text().startswith("g4fsdk"):
            label.set_color(_OURS)
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.set_xlabel("CPU milliseconds of the client process for 20,000 events (log)")
    axes.set_title("From the socket to the caller, lower is better", pad=24)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, frameon=False, fontsize=9)
    return True


def _imports(axes: Any, tables: dict[str, Any], _: Any) -> bool:
    table = tables.get("a process that imports, CPU time")
    if not table:
        return False
    bare = _median(table, "bare interpreter")
    took = {name: (_median(table, name) - bare) * 1e3 for name in table["samples"]}
    del took["bare interpreter"]
    names = sorted(took, key=lambda name: -took[name])
    colours = [_OURS if "g4fsdk" in name else _OTHERS[0] for name in names]
    bars = axes.barh(names, [max(took[name], 0.1) for name in names], 0.6, color=colours)
    axes.bar_label(bars, [f" {max(took[name], 0):,.0f} ms" for name in names], fontsize=9)
    axes.margins(x=0.1)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("milliseconds of CPU time over the bare interpreter")
    axes.set_title("Import time, lower is better")
    return True


_PLOTS = {
    "events-per-second": _events_per_second,
    "line-length": _growth,
    "end-to-end-cpu": _end_to_end,
    "import-time": _imports,
}
