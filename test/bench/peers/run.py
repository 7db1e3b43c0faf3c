#!/usr/bin/python3
"""The same work on kstream and on its peers, one after the other on one machine.

make bench-peers calls it in the private copy of PostgreSQL; README.md tells what
each cell measures and how to read the results.  From the environment:

    PEERS           quick, short or full (the default), or with PEERS_MINUTES neither
    PEERS_MINUTES   a budget: as many turns of the most telling cells as fit
    PEERS_ONLY      sides to run, for instance "kstream kafka/os"
    PEERS_CELLS     letters of the cells to run, for instance "ab"
    PEERS_SECONDS   of each timed cell
    PEERS_TURNS     how often every side has its turn
    PEERS_HELD_MINUTES  of cell (f), whose sides run at the same time
    PEERS_RATE      records a second of (d) at a common rate
    PEERS_HELD_RATE     records a second of (f)

Writes peers.json, peers.md and plots to $STAGE/out/peers, anew after every turn,
so that a run that is stopped leaves what it had.
"""

import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time

import report
import servers

STAGE = os.environ["STAGE"]
OUT = os.path.join(STAGE, "out", "peers")
WORK = os.path.join(STAGE, "peers-run")
LOAD = os.path.join(servers.PEERS, "bin", "load")
SCALES = {
    # seconds of a cell, turns, minutes of (f), records of (e), of (g), value sizes of (a) (d) (e), of (b) (c)
    "quick": (0.4, 1, 0.5, 10000, 2000, (100,), (100,)),
    "minutes": (1.5, 99, 1.5, 200000, 20000, (100,), (100, 1024)),
    "short": (2, 3, 30, 300000, 50000, (100, 1024), (100, 1024)),
    "full": (8, 5, 30, 1000000, 50000, (100, 1024), (100, 1024)),
}
# With "short", no turn begins that would end after so many minutes.
SHORT_MINUTES = 38
# With "short", these have their cells for half as long: no aim is about them.
BESIDE = ("table", "redis", "nats", "rabbitmq")

# What is done to the topic of each side, and on which server; "level" is what
# an acknowledgement promises (report.LEVELS).
SIDES = [
    # name, server, peer, level, variant, cells
    ("kstream/fsync", "postgres", "kstream", "fsync", "", "abcdef"),
    ("kstream/memory", "postgres", "kstream", "memory", "", "abcdeg"),
    ("outbox/fsync", "postgres", "outbox", "fsync", "", "abcdef"),
    ("pgq/fsync", "postgres", "pgq", "fsync", "", "abcdef"),
    ("pgq-copy/fsync", "postgres", "pgq", "fsync", "copy", "b"),
    ("table/fsync", "postgres", "table", "fsync", "", "abc"),
    ("table/memory", "postgres", "table", "memory", "", "ab"),
    ("kafka/os", "kafka", "kafka", "os", "", "abcdeg"),
    ("kafka/fsync", "kafka", "kafka", "fsync", "", "abcde"),
    ("redis/os", "redis-os", "redis", "os", "", "abcde"),
    ("redis/fsync", "redis-fsync", "redis", "fsync", "", "abcde"),
    ("nats/os", "nats-os", "nats", "os", "", "abcde"),
    ("nats/fsync", "nats-fsync", "nats", "fsync", "", "abcde"),
    ("rabbitmq/os", "rabbitmq", "rabbitmq", "os", "", "abcde"),
]


def make_server(name, number=0):
    """Each on ports of its own, since a closed port lingers."""
    where = os.path.join(WORK, name + (str(number) if number else ""))
    return {
        "postgres": lambda: servers.Postgres(where, 27500 + number),
        "kafka": lambda: servers.Kafka(where, 27510),
        "redis-os": lambda: servers.Redis(where, 27520, "everysec"),
        "redis-fsync": lambda: servers.Redis(where, 27521, "always"),
        "nats-os": lambda: servers.Nats(where, 27530, ""),
        "nats-fsync": lambda: servers.Nats(where, 27531, "always"),
        "rabbitmq": lambda: servers.Rabbit(where, 27540),
    }[name]()


def flush_time():
    """What it takes to write 8 KiB over old ones and flush them, in ms: the median of 200 times."""
    times = []
    os.makedirs(WORK, exist_ok=True)
    name = os.path.join(WORK, "flush")
    with open(name, "w+b") as file:
        file.write(bytes(200 * 8192))
        os.fsync(file.fileno())
        for number in range(200):
            began = time.perf_counter()
            os.pwrite(file.fileno(), bytes(8192), number * 8192)
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - began)
    os.unlink(name)
    return 1000 * statistics.median(times)


class Comparison:
    def __init__(self):
        minutes = float(os.environ.get("PEERS_MINUTES") or 0)
        self.scale = "minutes" if minutes else os.environ.get("PEERS") or "full"
        if self.scale not in SCALES or self.scale == "minutes" and not minutes:
            sys.exit(f"run.py: PEERS is quick or full, not \"{self.scale}\"")
        seconds, turns, held, self.fan_records, self.merge_records, self.sizes, self.batch_sizes = SCALES[self.scale]
        self.seconds_of_all = float(os.environ.get("PEERS_SECONDS") or seconds)
        self.turns = int(os.environ.get("PEERS_TURNS") or turns)
        self.held_minutes = float(os.environ.get("PEERS_HELD_MINUTES") or held)
        self.cells = os.environ.get("PEERS_CELLS") or "abcdefg"
        self.rate = float(os.environ.get("PEERS_RATE") or 1000)
        self.held_rate = float(os.environ.get("PEERS_HELD_RATE") or 500)
        only = os.environ.get("PEERS_ONLY", "").split()
        self.sides = [side for side in SIDES
                      if not only or side[0] in only or side[0].split("/")[0] in only]
        self.started = time.monotonic()
        self.budget = minutes * 60 or None
        self.figures = {}   # cell -> side -> list of results, one a turn
        self.failed = {}    # side or side and cell -> why
        self.versions = {}
        self.settings = {}
        self.done = 0
        self.topics = 0
        self.reserved = 0   # seconds for (f)
        self.beside = False  # the side in work is one of BESIDE

    @property
    def seconds(self):
        """Of a timed cell of the side in work."""
        return self.seconds_of_all / 2 if self.scale == "short" and self.beside else self.seconds_of_all

    def say(self, text):
        print(f"[{time.monotonic() - self.started:6.0f} s] {text}", flush=True)

    def load(self, side, server, **arguments):
        """One run of the load generator."""
        _, _, peer, level, variant, _ = side
        arguments = {"peer": peer, "level": level, "mode": variant, "address": server.address,
                     "pids": server.pids, "seconds": 0} | arguments
        command = [LOAD] + [f"-{name}={str(value).lower() if isinstance(value, bool) else value}"
                            for name, value in arguments.items()]
        patience = 60 + 10 * self.seconds + 2 * float(arguments["seconds"])
        done = subprocess.run(command, capture_output=True, text=True, timeout=patience)
        if done.returncode:
            raise RuntimeError((done.stderr.strip().splitlines() or ["no word"])[-1][:300])
        return json.loads(done.stdout)

    def topic(self):
        self.topics += 1
        return f"t{self.topics}"

    def note(self, cell, side, result):
        self.figures.setdefault(cell, {}).setdefault(side[0], []).append(result)
        latency = result.get("latency_us") or {}
        self.say(f"{side[0]:16} {cell:12} {result['rate']:12,.0f}/s"
                 + (f"  p50 {latency['p50']} us  p99 {latency['p99']} us" if latency.get("p50") else ""))

    def attempt(self, cell, side, work):
        """A cell that fails is told; the others go on."""
        try:
            return work()
        except (RuntimeError, subprocess.TimeoutExpired, OSError, ValueError, KeyError, IndexError) as problem:
            reason = "took too long" if isinstance(problem, subprocess.TimeoutExpired) else str(problem)
            self.failed[f"{side[0]} {cell}"] = reason
            self.say(f"{side[0]:16} {cell:12} failed: {reason}")
            return None

    # The cells.

    def single(self, side, server, size):
        """(a) a record per acknowledged request"""
        rates = {}
        for producers in (1, 16, 64):
            def work():
                topic = self.topic()
                server.settle()
                result = self.load(side, server, cell="produce", create=True, topic=topic,
                                   producers=producers, size=size, seconds=self.seconds)
                self.note(f"a{producers}-{size}", side, result)
                rates[producers] = result["rate"]
            self.attempt(f"a{producers}-{size}", side, work)
        return rates.get(16)

    def batches(self, side, server, size, codec="none"):
        """(b) batches of 1,000, then (c) all of it from the start; (g) on the way"""
        topic = self.topic()
        suffix = f"{size}" + ("" if codec == "none" else f"-{codec}")

        def produce():
            # made beforehand, so that what an empty topic takes does not count
            self.load(side, server, cell="produce", create=True, topic=topic, size=size, batch=1000,
                      records=1000, codec=codec)
            server.settle()
            disk, wal = server.disk(), server.wal()
            result = self.load(side, server, cell="produce", topic=topic, size=size, batch=1000,
                               seconds=self.seconds, codec=codec)
            if wal is not None:
                result["wal_per_record"] = (server.wal() - wal) / result["records"]
            # what is left to write is part of the work
            spent = servers.cpu(server.pids)
            server.settle()
            result["server_cpu"] += servers.cpu(server.pids) - spent
            result["disk_per_record"] = (server.disk() - disk) / result["records"]
            self.note(f"b-{suffix}", side, result)
            return result["records"] + 1000

        records = self.attempt(f"b-{suffix}", side, produce)
        if not records or "c" not in side[5]:
            return

        def consume(cell, **more):
            self.note(cell, side, self.load(side, server, cell="consume", groups=-1, topic=topic,
                                            records=records, **more))

        if "c" in self.cells:
            self.attempt(f"c-{suffix}", side, lambda: consume(f"c-{suffix}"))
            if side[0] in ("kstream/fsync", "pgq/fsync"):
                self.attempt(f"cs-{suffix}", side, lambda: consume(f"cs-{suffix}", mode="server"))
            if side[0] == "kstream/fsync":
                if codec == "none":
                    self.attempt(f"cb-{suffix}", side, lambda: consume(f"cb-{suffix}", mode="batches"))
                self.attempt(f"cl-{suffix}", side, lambda: self.note(
                    f"cl-{suffix}", side, {"rate": server.libpq_rows(topic, records)}))
        if side[0] == "kafka/os" and codec == "none":
            self.attempt(f"bp-{suffix}", side, lambda: self.note(
                f"bp-{suffix}", side, {"rate": server.perf_produce(
                    self.made(side, server), records if self.scale == "quick" else max(records, 400000), size)}))
            if "c" in self.cells:
                self.attempt(f"cp-{suffix}", side, lambda: self.note(
                    f"cp-{suffix}", side, {"rate": server.perf_consume(topic, records)}))

    def merged(self, side, server, size, codec):
        """(g) of (a): what single records take, and for us once maintenance has merged their batches"""
        suffix = f"{size}" + ("" if codec == "none" else f"-{codec}")

        def work():
            topic = self.topic()
            result = self.load(side, server, cell="produce", create=True, topic=topic, size=size,
                               producers=16, records=self.merge_records, codec=codec)
            server.settle()
            result["single_per_record"] = server.topic_bytes(topic) / result["records"]
            if side[2] == "kstream":
                server.merge(topic)
            result["log_per_record"] = server.topic_bytes(topic) / result["records"]
            self.note(f"g-{suffix}", side, result)
        self.attempt(f"g-{suffix}", side, work)

    def made(self, side, server):
        topic = self.topic()
        self.load(side, server, cell="produce", create=True, topic=topic, records=1)
        return topic

    def latency(self, side, server, size, own):
        """(d) produce and consume at once at a steady rate"""
        for cell, rate in (("own", own / 2 if own else None), ("common", self.rate)):
            if rate is None:
                continue

            def work():
                server.settle()
                result = self.load(side, server, cell="both", create=True, topic=self.topic(), size=size,
                                   producers=16, rate=round(rate),
                                   seconds=(1.5 if self.scale == "short" else 2) * self.seconds)
                self.note(f"d-{cell}-{size}", side, result)
            self.attempt(f"d-{cell}-{size}", side, work)

    def fan_out(self, side, server, size):
        """(e) five groups read everything"""
        def work():
            topic = self.topic()
            # fewer where they would take too long to load
            made = self.load(side, server, cell="produce", create=True, topic=topic, groups=5, size=size,
                             batch=1000, records=self.fan_records, seconds=4 * self.seconds)
            server.settle()
            self.note(f"e-{size}", side, self.load(side, server, cell="consume", topic=topic, groups=5,
                                                   records=made["records"]))
        self.attempt(f"e-{size}", side, work)

    def warm_up(self, side, server):
        """What a server that runs for long has behind it: above all Java's compiler"""
        seconds = self.seconds if self.scale == "quick" else 4 if server.cold and side[1] == "kafka" else 1
        server.cold = False
        topic = self.topic()
        for batch in (1000, 1):
            self.load(side, server, cell="produce", create=batch == 1000, topic=topic, producers=4,
                      batch=batch, seconds=seconds)
        if "d" in side[5]:
            self.load(side, server, cell="both", create=True, topic=self.topic(), producers=4, rate=200,
                      seconds=min(seconds, 1))

    def out_of_time(self):
        return self.budget and time.monotonic() - self.started + self.reserved > self.budget

    def work(self, side, server):
        """All cells of a side but (f)."""
        cells = [cell for cell in self.cells if cell in side[5]]
        self.beside = side[2] in BESIDE
        if self.attempt("warm-up", side, lambda: self.warm_up(side, server) or True) is None:
            return
        for size in self.sizes:
            own = None
            if "a" in cells or "d" in cells:
                own = self.single(side, server, size)
            if "d" in cells:
                self.latency(side, server, size, own)
            if "e" in cells:
                self.fan_out(side, server, size)
        if "b" in cells:
            for size in self.batch_sizes:
                self.batches(side, server, size)
            if self.scale in ("short", "full") and side[2] in ("kstream", "kafka"):
                self.batches(side, server, self.batch_sizes[0], "lz4")
        if "g" in cells:
            for size in self.sizes:
                for codec in ("none", "lz4"):
                    self.merged(side, server, size, codec)

    # The course of the whole.

    def on_server(self, name, sides, work):
        """Start a server, have sides do their work on it, stop it."""
        if work == self.work and self.out_of_time():
            self.say(f"{name} left out, time is up")
            return
        try:
            server = make_server(name)
            server.ticker = any(side[2] == "pgq" for side in sides)
            server.warm = self.scale != "quick"
            try:
                server.start()
                self.versions[name] = server.version
                self.settings[name] = server.settings
                for side in sides:
                    if side[2] == "pgq" and server.pgq is None:
                        with open(os.path.join(servers.PEERS, "absent", "pgq")) as reason:
                            self.failed[side[0]] = "cannot be had here: " + reason.read().strip()
                        continue
                    work(side, server)
            finally:
                server.stop()
        except servers.Absent as reason:
            for side in sides:
                self.failed[side[0]] = f"cannot be had here: {reason}"
            self.say(f"{name} cannot be had here: {reason}")
        except (RuntimeError, subprocess.TimeoutExpired, OSError) as problem:
            for side in sides:
                self.failed[side[0]] = str(problem)
            self.say(f"{name} failed: {problem}")

    def turn(self, number):
        names = list(dict.fromkeys(side[1] for side in self.sides))
        # there and back, so that nobody always follows the same neighbour
        for name in names if number % 2 == 0 else reversed(names):
            sides = [side for side in self.sides if side[1] == name]
            if name == "postgres":
                # on an empty cluster each, or one's tables are another's checkpoints
                groups = [[side for side in sides if side[2] == peer]
                          for peer in dict.fromkeys(side[2] for side in sides)]
            else:
                groups = [sides]
            for group in groups if number % 2 == 0 else reversed(groups):
                self.on_server(name, group if number % 2 == 0 else group[::-1], self.work)

    def held(self):
        """(f) a steady load with a transaction held open; all sides at once, each on a server of its own"""
        sides = [side for side in self.sides if "f" in side[5] and side[0] not in self.failed]
        # what drifts although nothing is held open is not due to what is held
        sides += [("kstream, not held/fsync",) + side[1:] for side in sides if side[2] == "kstream"]
        running = {}
        try:
            for number, side in enumerate(sides, 1):
                server = make_server(side[1], number)
                running[side] = server
                server.ticker, server.warm = side[2] == "pgq", False
                server.start()
                self.versions[side[1]], self.settings[side[1]] = server.version, server.settings

            def work(side):
                result = self.load(side, running[side], cell="held", create=True, topic="held", size=100, producers=4,
                                   rate=self.held_rate, seconds=self.held_minutes * 60, hold="not held" not in side[0])
                self.note("f-100", side, result)

            self.say(f"(f): {', '.join(side[0] for side in sides)}, {self.held_minutes:g} minutes")
            threads = [threading.Thread(target=self.attempt, args=("f-100", side, lambda side=side: work(side)))
                       for side in sides]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        except (RuntimeError, subprocess.TimeoutExpired, OSError) as problem:
            self.failed["(f)"] = str(problem)
            self.say(f"(f) failed: {problem}")
        finally:
            for server in running.values():
                server.stop()

    def write(self):
        with open("/proc/cpuinfo") as info:
            model = re.search(r"model name\s*: (.*)", info.read())
        with open("/proc/loadavg") as info:
            load = info.read().split()[:3]
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "load", "go.mod")) as text:
            clients = re.findall(r"^\t(\S+) (\S+)$", text.read(), re.MULTILINE)
        facts = {
            "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
            "machine": f"{os.cpu_count()} processors ({model.group(1) if model else 'unknown'}), "
                       f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') >> 30} GiB, "
                       f"Linux {os.uname().release.split('-')[0]}; 8 KiB written and flushed in {self.flush_time:.2f} ms; "
                       f"load at the end {' '.join(load)}",
            "scale": f"{self.scale}: {self.done} turns, {self.seconds_of_all:g} s a timed cell"
                     + (f" ({self.seconds_of_all / 2:g} s of {', '.join(BESIDE)})" if self.scale == "short" else "")
                     + f", (d) {1.5 if self.scale == 'short' else 2:g} times as long, common rate {self.rate:g} records/s, "
                     f"(e) {self.fan_records:,} records, (f) {self.held_minutes:g} minutes at {self.held_rate:g} records/s, "
                     f"all its sides at once, (g) of single records {self.merge_records:,} records",
            "load_at_start": self.load_at_start,
            "clients": [f"{path} {version}" for path, version in clients],
            "versions": self.versions, "settings": self.settings,
            "failed": self.failed, "figures": self.figures,
        }
        os.makedirs(OUT, exist_ok=True)
        with open(os.path.join(OUT, "peers.json"), "w") as out:
            json.dump(facts, out, indent=1)
        report.write(facts, OUT)

    def run(self):
        shutil.rmtree(OUT, ignore_errors=True)
        with open("/proc/loadavg") as info:
            self.load_at_start = " ".join(info.read().split()[:3])
        self.flush_time = flush_time()
        if "f" in self.cells:
            self.reserved = self.held_minutes * 60 + 60
        while self.done < self.turns and set(self.cells) - {"f"}:
            before = time.monotonic()
            self.turn(self.done)
            self.done += 1
            self.write()
            now = time.monotonic()
            if self.out_of_time() or self.scale == "short" and now - self.started + now - before > 60 * SHORT_MINUTES:
                break
        if "f" in self.cells:
            self.held()
        self.write()
        shutil.rmtree(WORK, ignore_errors=True)
        print(open(os.path.join(OUT, "peers.md")).read())
        self.say(f"results in {OUT}")


if __name__ == "__main__":
    # so that the server in work is stopped
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    Comparison().run()
