"""Tables and plots of a comparison.

A figure is the median of the turns, with the least and the greatest behind it.
A ratio is the median of the ratios of each turn, which saw the same machine.
"""

import json
import os
import statistics
import sys

LEVELS = {
    "fsync": "flushed to disk before the acknowledgement",
    "os": "in the operating system's cache before the acknowledgement, flushed later",
    "memory": "in the server's memory before the acknowledgement, written within 0.6 s (synchronous_commit = off)",
}
CELLS = {
    "a1": "(a) one record per acknowledged request, 1 producer",
    "a16": "(a) one record per acknowledged request, 16 producers",
    "a64": "(a) one record per acknowledged request, 64 producers",
    "b": "(b) batches of 1,000, each acknowledged, 1 producer",
    "bp": "(b) Kafka's own perf tool, batches not waited for",
    "c": "(c) consume from the start, 1 consumer",
    "cs": "(c) read inside the server: count(*) over fetch(), over get_batch_events()",
    "cb": "(c) record batches of fetch_batches(), decoded by a Go client",
    "cl": "(c) through libpq: rows of fetch(), read by pgbench in text format, 10,000 a call",
    "cp": "(c) Kafka's own perf tool",
    "d-own": "(d) end-to-end latency at half of the side's own rate of (a) with 16 producers",
    "d-common": "(d) end-to-end latency at a common rate, 16 producers",
    "e": "(e) five groups read everything, all together",
    "f": "(f) steady load with a transaction held open",
    "g": "(g) log bytes of one-record requests, 16 producers",
}
ORDER = list(CELLS)

# cell, value of ours ("rate", a latency, ...), our side, the other side, aim,
# and which way: the ratio is ours to theirs, or theirs to ours where less is better
TARGETS = [
    ("b-100", "rate", "kstream/fsync", "pgq/fsync", 8, "(b) against PgQ, insert_event()"),
    ("b-100", "rate", "kstream/fsync", "pgq-copy/fsync", 8, "(b) against PgQ, COPY into its event table"),
    ("c-100", "rate", "kstream/fsync", "pgq/fsync", 20, "(c) against PgQ, rows to a Go client"),
    ("cs-100", "rate", "kstream/fsync", "pgq/fsync", 20, "(c) against PgQ, both inside the server"),
    ("cb-100/c-100", "rate", "kstream/fsync", "pgq/fsync", 20, "(c) batches to a Go client, against PgQ's rows to one"),
    ("d-common-100", "p50", "kstream/fsync", "pgq/fsync", 50, "(d) median latency against PgQ"),
    ("b-100", "rate", "kstream/fsync", "outbox/fsync", 10, "(b) against the outbox table"),
    ("c-100", "rate", "kstream/fsync", "outbox/fsync", 10, "(c) against the outbox table"),
    ("a1-100", "rate", "kstream/fsync", "kafka/fsync", 1, "(a) 1 producer against Kafka that flushes"),
    ("a16-100", "rate", "kstream/fsync", "kafka/fsync", 1, "(a) 16 producers against Kafka that flushes"),
    ("a64-100", "rate", "kstream/fsync", "kafka/fsync", 1, "(a) 64 producers against Kafka that flushes"),
    ("b-100", "rate", "kstream/fsync", "kafka/fsync", 1, "(b) against Kafka that flushes"),
    ("b-1024", "rate", "kstream/fsync", "kafka/fsync", 1, "(b) 1 KiB against Kafka that flushes"),
    ("b-100", "rate", "kstream/memory", "kafka/os", 0.8, "(b) not flushed, against Kafka's default"),
    ("b-1024", "rate", "kstream/memory", "kafka/os", 0.8, "(b) 1 KiB not flushed, against Kafka's default"),
    ("c-100", "rate", "kstream/fsync", "kafka/os", None, "(c) rows to a Go client, against Kafka"),
    ("cb-100/c-100", "rate", "kstream/fsync", "kafka/os", None, "(c) batches to a Go client, against Kafka"),
    ("cb-1024/c-1024", "rate", "kstream/fsync", "kafka/os", None, "(c) 1 KiB, batches to a Go client, against Kafka"),
    ("cl-100/c-100", "rate", "kstream/fsync", "kafka/os", None, "(c) rows through libpq, against Kafka's client"),
    ("cs-100/c-100", "rate", "kstream/fsync", "kafka/os", None, "(c) inside the server, against Kafka's client"),
    ("d-own-100", "p99", "kstream/memory", "kafka/os", 1, "(d) p99 at half load, not flushed, against Kafka's default"),
    ("d-common-100", "p99", "kstream/memory", "kafka/os", 1, "(d) p99 at a common rate, not flushed, against Kafka's default"),
    ("b-100", "disk_per_record", "kstream/fsync", "kafka/os", 1 / 1.1, "(g) log bytes per record against Kafka, no codec"),
    ("b-100-lz4", "disk_per_record", "kstream/fsync", "kafka/os", 1 / 1.1, "(g) log bytes per record against Kafka, lz4"),
    ("b-1024", "disk_per_record", "kstream/fsync", "kafka/os", 1 / 1.1, "(g) 1 KiB, log bytes per record against Kafka, no codec"),
    ("g-100", "log_per_record", "kstream/memory", "kafka/os", 1 / 1.1, "(g) single records after merging, no codec"),
    ("g-100-lz4", "log_per_record", "kstream/memory", "kafka/os", 1 / 1.1, "(g) single records after merging, lz4"),
    ("g-1024", "log_per_record", "kstream/memory", "kafka/os", 1 / 1.1, "(g) single records of 1 KiB after merging, no codec"),
]


def value_of(result, key):
    if key in ("p50", "p99", "p999", "max"):
        return (result.get("latency_us") or {}).get(key) or None
    return result.get(key)


def values(figures, cell, side, key):
    found = [value_of(result, key) for result in figures.get(cell, {}).get(side, [])]
    return [value for value in found if value is not None]


def short(number):
    if number is None:
        return "-"
    if number >= 1e6:
        return f"{number / 1e6:.2f} M"
    if number >= 1e4:
        return f"{number / 1e3:.0f} k"
    if number >= 100:
        return f"{number:.0f}"
    return f"{number:.3g}"


def spread(found, scale=1.0):
    if not found:
        return "-"
    found = [value * scale for value in found]
    if len(found) == 1:
        return short(found[0])
    return f"{short(statistics.median(found))} ({short(min(found))} to {short(max(found))})"


def ratios(figures, cell, key, ours, theirs):
    """Of each turn that has both; above 1 ours is the better."""
    mine, _, other = cell.partition("/")
    left, right = values(figures, mine, ours, key), values(figures, other or mine, theirs, key)
    pairs = [(a, b) for a, b in zip(left, right) if a and b]
    return [a / b if key == "rate" else b / a for a, b in pairs]


def twins(side):
    """Our sides to compare one with: of the same durability, or those next to it."""
    level = side.split("/")[1]
    return {"fsync": ("kstream/fsync",), "os": ("kstream/memory", "kstream/fsync"), "memory": ("kstream/memory",)}[level]


def table(head, rows):
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


def cell_key(cell):
    letter = next((name for name in sorted(ORDER, key=len, reverse=True) if cell.startswith(name + "-")), cell)
    return ORDER.index(letter) if letter in ORDER else 99, letter, cell


def cell_title(cell):
    _, letter, _ = cell_key(cell)
    rest = cell[len(letter) + 1:].split("-")
    return CELLS.get(letter, letter) + f", values of {rest[0]} B" + (f", {rest[1]}" if len(rest) > 1 else "")


def cell_table(figures, cell):
    letter = cell_key(cell)[1]
    rows = []
    for side, results in figures[cell].items():
        name, level = side.split("/")
        per_million = [1e6 * result["server_cpu"] / result["records"] for result in results
                       if result.get("records") and "server_cpu" in result]
        client = [1e6 * result["client_cpu"] / result["records"] for result in results
                  if result.get("records") and "client_cpu" in result]
        key = "p50" if letter.startswith("d") else "log_per_record" if letter == "g" else "rate"
        against = []
        for ours in twins(side):
            found = ratios(figures, cell, key, ours, side)
            if found and name != "kstream":
                against.append(f"{ours.split('/')[1]}: {spread(found)}")
        row = [name, level, spread(values(figures, cell, side, "rate"))]
        if letter.startswith(("a", "d")):
            row += [spread(values(figures, cell, side, key), 1e-3) for key in ("p50", "p99", "p999")]
        if letter == "g":
            row = [name, spread(values(figures, cell, side, "single_per_record")), spread(values(figures, cell, side, key))]
            rows.append(row + ["; ".join(spread(found) for found in [ratios(figures, cell, key, "kstream/memory", side)]
                                         if found and name != "kstream") or "-"])
            continue
        if letter == "b":
            row += [spread(values(figures, cell, side, key)) for key in ("disk_per_record", "wal_per_record")]
        if letter.startswith("d"):
            row += [spread([result["missing"] for result in results])]
        rows.append(row + [spread(per_million), spread(client), "; ".join(against) or "-"])
    head = ["side", "durability", "records/s"]
    if letter.startswith(("a", "d")):
        head += ["median ms", "p99 ms", "p99.9 ms"]
    if letter == "b":
        head += ["disk B/record", "WAL B/record"]
    if letter.startswith("d"):
        head += ["not delivered"]
    head += ["server CPU s/M", "client CPU s/M", "kstream is better by, at its level"]
    if letter == "g":
        head = ["side", "log B/record as it was written", "after maintenance has merged small batches (kstream)",
                "kstream is better by"]
    return [f"## {cell_title(cell)}", ""] + list(table(head, rows))


def held_ends(result):
    """Of (f): the second step, before the transaction opens, and the last that it is open in."""
    steps = result["steps"]
    # where nothing is held, the same steps
    return steps[1], steps[-2]


def held_lines(figures):
    rows = []
    for side, results in figures.get("f-100", {}).items():
        for result in results:
            before, after = held_ends(result)

            def change(of):
                return " -> ".join(short(of(step)) for step in (before, after))

            def cpu(step):
                records = step["rate"] * (step["at"] - max([other["at"] for other in result["steps"] if other["at"] < step["at"]]))
                return 1e6 * step["server_cpu"] / records if records else None
            rows.append([*side.split("/"), change(lambda step: step["rate"]),
                         change(lambda step: step["latency_us"]["p50"] / 1000),
                         change(lambda step: step["latency_us"]["p99"] / 1000),
                         change(lambda step: step["latency_us"]["p999"] / 1000),
                         change(cpu), change(lambda step: step["bytes"] / 1e6), change(lambda step: step["dead"]),
                         short(result["missing"])])
    if not rows:
        return []
    return ["## (f) steady load with a transaction held open, values of 100 B", "",
            "All of them at the same time, each on a server of its own. Before the transaction opens -> at the end of the time "
            "that it is open. An outbox is meant to be empty; kstream keeps four minutes here, and PgQ what it has until its "
            "tables are rotated. \"Not held\" is kstream without such a transaction: what drifts there too is the machine, "
            "of which the others take their share. All steps are in peers.json and in the plot.", ""] + list(
        table(["side", "durability", "records/s", "median ms", "p99 ms", "p99.9 ms", "server CPU s/M", "MB of tables", "dead rows",
               "not delivered"], rows))


def target_lines(figures):
    rows = []
    for cell, key, ours, theirs, aim, what in TARGETS:
        found = ratios(figures, cell, key, ours, theirs)
        verdict = "-" if aim is None or not found else "yes" if statistics.median(found) >= aim else "no"
        rows.append([what, f"{ours.split('/')[1]} / {theirs.split('/')[1]}",
                     f"{aim:.2g}" if aim else "-", spread(found), verdict])
    for result in figures.get("f-100", {}).get("kstream/fsync", []):
        before, after = held_ends(result)
        free = figures["f-100"].get("kstream, not held/fsync")
        for what, left, right in (("median latency before / with the transaction open", before, after),
                                  ("rate with the transaction open / before", after, before),
                                  ("median latency without / with the transaction, at the end", free and held_ends(free[0])[1], after)):
            if left:
                key = "rate" if what.startswith("rate") else "p50"
                left, right = value_of(left, key), value_of(right, key)
                if left and right:
                    rows.append([f"(f) flat: {what}", "fsync", "0.8", short(left / right), "yes" if left / right >= 0.8 else "no"])
    return ["## Aims", "", "Above 1 kstream is the better: rates are ours to theirs, latencies and bytes theirs to ours.", ""] + list(
        table(["what", "durability, ours / theirs", "aim", "measured", "met"], rows))


def write(facts, out):
    figures = facts["figures"]
    lines = ["# kstream and its peers", "",
             "Written by `make bench-peers`; [how it is measured](../peers/README.md).", "",
             f"- {facts['date']}; {facts['machine']}; load at the start {facts['load_at_start']}",
             f"- {facts['scale']}"]
    for name, version in facts["versions"].items():
        lines.append(f"- {name}: {version}; {facts['settings'][name]}")
    lines.append("- clients: " + ", ".join(facts["clients"]))
    lines += [f"- {level}: {meaning}" for level, meaning in LEVELS.items()]
    lines += ["", "A figure is the median of the turns (least to greatest); CPU is seconds per million records.", ""]
    if facts["failed"]:
        lines += ["Failed or absent:", ""] + [f"- {what}: {why}" for what, why in facts["failed"].items()] + [""]
    lines += target_lines(figures)
    for cell in sorted(figures, key=cell_key):
        if not cell.startswith("f-"):
            lines += cell_table(figures, cell)
    lines += held_lines(figures)
    names = plots(figures, out)
    lines += [f"![{name}]({name}.svg)" for name in names]
    with open(os.path.join(out, "peers.md"), "w") as text:
        text.write("\n".join(lines).rstrip() + "\n")


def plots(figures, out):
    """The plots that were drawn; none without matplotlib."""
    try:
        import matplotlib
        matplotlib.use("svg")
        import matplotlib.pyplot as plt
    except ImportError:
        return []
    plt.rcParams["svg.hashsalt"] = "peers"
    colours = {"fsync": "#2a6f97", "os": "#e09f3e", "memory": "#9e2a2b"}
    drawn = []

    def save(figure, name):
        figure.tight_layout()
        figure.savefig(os.path.join(out, name + ".svg"), metadata={"Date": None})
        plt.close(figure)
        drawn.append(name)

    def bars(name, title, cells, key, scale, label, log):
        cells = [cell for cell in cells if figures.get(cell)]
        if not cells:
            return
        figure, axes = plt.subplots(1, len(cells), figsize=(1 + 5 * len(cells), 5), squeeze=False)
        for axis, cell in zip(axes[0], cells):
            sides = [side for side in figures[cell] if values(figures, cell, side, key)]
            for row, side in enumerate(reversed(sides)):
                found = [value * scale for value in values(figures, cell, side, key)]
                middle = statistics.median(found)
                axis.barh(row, middle, color=colours[side.split("/")[1]],
                          xerr=[[middle - min(found)], [max(found) - middle]], ecolor="black", capsize=2)
            axis.set_yticks(range(len(sides)), list(reversed(sides)))
            axis.set_title(cell_title(cell), fontsize=8)
            axis.set_xlabel(label)
            if log:
                axis.set_xscale("log")
        figure.suptitle(title)
        save(figure, name)

    bars("produce-single", "One record per acknowledged request", ["a1-100", "a16-100", "a64-100"], "rate", 1, "records/s", False)
    bars("produce-batch", "Batches of 1,000", ["b-100", "b-1024"], "rate", 1, "records/s", False)
    bars("consume", "Consume from the start", ["c-100", "c-1024"], "rate", 1, "records/s", False)
    bars("fan-out", "Five groups", ["e-100"], "rate", 1, "records/s", False)
    bars("latency", "End-to-end latency at a common rate, median", ["d-common-100", "d-own-100"], "p50", 1e-3, "ms", True)
    bars("latency-p99", "End-to-end latency at a common rate, p99", ["d-common-100", "d-own-100"], "p99", 1e-3, "ms", True)
    bars("log-bytes", "Log bytes per record of one-record requests, after merging", ["g-100", "g-100-lz4", "g-1024"],
         "log_per_record", 1, "B", False)
    bars("disk-bytes", "Bytes per record of batches, the WAL not counted", ["b-100", "b-100-lz4", "b-1024"], "disk_per_record", 1, "B", False)
    held = figures.get("f-100", {})
    if held:
        figure, axes = plt.subplots(2, 3, figsize=(16, 9))
        for axis, key, scale, label in zip(
                axes.flat, ("rate", "p50", "p99", "bytes", "dead", "server_cpu"), (1, 1e-3, 1e-3, 1e-6, 1, 1),
                ("records/s", "median latency, ms", "p99 latency, ms", "MB of tables", "dead rows", "server CPU seconds a step")):
            for side, results in held.items():
                steps = results[-1]["steps"]
                axis.plot([step["at"] / 60 for step in steps],
                          [(value_of(step, key) or 0) * scale for step in steps], label=side)
            opened = [step["at"] / 60 for results in held.values() for step in results[-1]["steps"] if step["held"]]
            if opened:
                axis.axvspan(min(opened), max(opened), color="#eeeeee", zorder=0)
            axis.set_xlabel("minutes; a transaction is open where it is grey")
            axis.set_ylabel(label)
            axis.set_yscale("log" if key in ("p50", "p99") else "symlog" if key == "dead" else "linear")
            axis.legend(fontsize=8)
        save(figure, "held")
    return drawn


if __name__ == "__main__":
    # the report of results that are there: report.py peers.json DIRECTORY
    with open(sys.argv[1]) as source:
        write(json.load(source), sys.argv[2])
