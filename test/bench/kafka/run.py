#!/usr/bin/python3
"""Kafka's own clients against a kstream database and against Apache Kafka, in one run.

make bench-kafka calls it in the private copy of PostgreSQL; ../README.md tells what
the cells are.  From the environment:

    BENCH_KAFKA         quick (the default, some three minutes on a quiet machine) or full
    BENCH_KAFKA_CELLS   words; only cells whose name (with _ for each blank) has one of them
    BENCH_KAFKA_ROUNDS  how often each side has its turn in a cell
    BENCH_KAFKA_SIDES   of: kstream flushed default; and "other", which is a second
                        kstream, whose PostgreSQL's programs are in BENCH_KAFKA_OTHER

Both servers run all the time, and the sides take turns within each cell, so that what
else the machine does falls on all of them.  Prints a table, and writes it to
$STAGE/out/bench-kafka/kafka.md after each cell.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "peers"))
import servers  # noqa: E402

STAGE = os.environ["STAGE"]
OUT = os.path.join(STAGE, "out", "bench-kafka")
WORK = os.path.join(STAGE, "bench-kafka")
LOAD = os.path.join(servers.PEERS, "bin", "load")
RDKAFKA = os.path.join(WORK, "rdkafka")
FULL = os.environ.get("BENCH_KAFKA") == "full"
ROUNDS = int(os.environ.get("BENCH_KAFKA_ROUNDS") or (5 if FULL else 2))
NAMES = {"kstream": "kstream", "flushed": "Kafka, flush.messages=1", "default": "Kafka", "other": "kstream, other build"}


class Kstream(servers.Server):
    """A server whose database Kafka's clients see, as role "app"."""

    name = "kstream"
    options = {
        "shared_preload_libraries": "kstream", "listen_addresses": "", "shared_buffers": "1GB",
        "max_wal_size": "8GB", "min_wal_size": "2GB", "checkpoint_timeout": "1h", "jit": "off",
        "max_worker_processes": "220", "kstream.kafka_listen_addresses": "127.0.0.1",
        "kstream.kafka_max_connections": "150",
    }
    login = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "SCRAM-SHA-256"}

    def __init__(self, where, port, programs):
        super().__init__(where, port)
        self.programs = programs

    def launch(self):
        servers.run(f"{self.programs}/initdb", "-D", self.data, "-U", "bench", "-A", "trust", "--no-locale", "-E", "UTF8")
        with open(f"{self.data}/postgresql.conf", "a") as conf:
            for name, value in self.options.items():
                conf.write(f"{name} = '{value}'\n")
            conf.write(f"unix_socket_directories = '{self.where}'\nkstream.kafka_port = {self.port}\n")
        with open(f"{self.data}/pg_hba.conf") as rules:
            others = rules.read()
        with open(f"{self.data}/pg_hba.conf", "w") as rules:
            rules.write("host all app 127.0.0.1/32 scram-sha-256\n" + others)
        self.spawn(f"{self.programs}/postgres", "-D", self.data)
        for _ in range(300):
            if subprocess.run([f"{self.programs}/pg_isready", "-q", "-h", self.where]).returncode == 0:
                break
            time.sleep(0.1)
        self.sql("CREATE EXTENSION kstream; CREATE ROLE app LOGIN PASSWORD 'secret'; GRANT CREATE ON SCHEMA kstream_topic TO app")
        self.wait_for_port()
        self.version = f"PostgreSQL {self.sql('SHOW server_version').split()[0]}, kstream {self.sql('SELECT kstream.version()')}"

    def sql(self, text):
        return servers.run(f"{self.programs}/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.where, "-U", "bench",
                           "-d", "postgres", "-c", text)

    def stop(self):
        # SIGTERM waits for sessions
        if self.processes and self.processes[0].poll() is None:
            self.processes[0].send_signal(signal.SIGINT)
            self.processes[0].wait(60)
        super().stop()


# ---------- clients: each gives (records a second, records, more) ----------

def rdkafka_login(server):
    if not isinstance(server, Kstream):
        return ()
    return *(f"{name}={value}" for name, value in server.login.items()), "sasl.username=app", "sasl.password=secret"


def java_login(server):
    """A file, since the tools take no property on the command line whose value has an equals sign."""
    if not isinstance(server, Kstream):
        return ()
    name = os.path.join(server.where, "app.properties")
    with open(name, "w") as text:
        for property_, value in server.login.items():
            text.write(f"{property_}={value}\n")
        text.write('sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required '
                   'username="app" password="secret";\n')
    return "--command-config", name


def java(server, topic, arguments):
    """ProducerPerformance as often as there are producers, at once."""
    records, size, batch, producers = arguments
    command = ["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", os.path.join(servers.PEERS, "kafka", "*"),
               "org.apache.kafka.tools.ProducerPerformance", "--bootstrap-server", server.address, "--topic", topic,
               "--num-records", str(records // producers), "--record-size", str(size), "--throughput", "-1",
               *java_login(server), "--command-property", f"batch.size={batch}", "linger.ms=5", "max.request.size=4194304", "buffer.memory=67108864"]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) for _ in range(producers)]
    rate = 0
    for one in running:
        said = one.communicate(timeout=600)[0]
        line = [line for line in said.splitlines() if "records/sec" in line][-1]
        rate += float(line.split("sent, ")[1].split()[0].replace(",", ""))
    return rate, records, ""


def rdkafka(server, topic, arguments):
    records, size, batch, producers = arguments
    said = servers.run(RDKAFKA, "produce", server.address, topic, str(records), str(size), str(producers),
                       f"batch.size={batch}", "batch.num.messages=1000000", "linger.ms=5", "message.max.bytes=4000000",
                       "queue.buffering.max.messages=1000000", "queue.buffering.max.kbytes=65536", *rdkafka_login(server))
    return float(said), records, ""


def load(server, topic, *more):
    return json.loads(servers.run(LOAD, "-peer", "kafka", "-mode", "scram" if isinstance(server, Kstream) else "",
                                  "-address", server.address, "-topic", topic, *more))


def single(server, topic, arguments):
    producers, seconds = arguments
    said = load(server, topic, "-cell", "produce", "-producers", str(producers), "-seconds", str(seconds))
    return said["rate"], said["records"], f"p50 {said['latency_us']['p50'] / 1000:.2f} ms"


def latency(server, topic, arguments):
    rate, seconds = arguments
    said = load(server, topic, "-cell", "both", "-rate", str(rate), "-seconds", str(seconds), "-producers", "1", "-groups", "-1")
    spread = said["latency_us"]
    # the lower the better: rates of the table are answers a second
    return 1e6 / max(spread["p50"], 1), said["records"], f"p50 {spread['p50'] / 1000:.2f} p99 {spread['p99'] / 1000:.2f} ms"


def consume_go(server, topic, arguments):
    said = load(server, topic, "-cell", "consume", "-groups", "-1", "-seconds", "0", "-records", str(arguments[0]))
    return said["rate"], said["records"], ""


def consume_rdkafka(server, topic, arguments):
    return float(servers.run(RDKAFKA, "consume", server.address, topic, str(arguments[0]), "fetch.message.max.bytes=1048576",
                             *rdkafka_login(server))), arguments[0], ""


def consume_java(server, topic, arguments):
    said = servers.run("java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", os.path.join(servers.PEERS, "kafka", "*"),
                       "org.apache.kafka.tools.ConsumerPerformance", "--topic", topic, "--num-records", str(arguments[0]),
                       "--bootstrap-server", server.address, *java_login(server))
    lines = [line for line in said.splitlines() if "," in line]
    head = [name.strip() for name in lines[-2].split(",")]
    return float(lines[-1].split(",")[head.index("fetch.nMsg.sec")]), arguments[0], ""


# ---------- cells ----------

def cells():
    """name, client, arguments, what to fill the topic with before, once."""
    few = 1 if not FULL else 5
    for size, records in ((100, 200000 * few), (1024, 40000 * few)):
        for batch in (16, 64, 1024):
            for producers in (1, 4):
                if not FULL and (producers == 4 and (batch, size) != (16, 100) or (batch, size) in ((1024, 100), (16, 1024))):
                    continue
                for client in (java, rdkafka):
                    if not FULL and client is java and batch == 1024:
                        continue
                    yield (f"produce {client.__name__} {size} B, {batch} KiB, {producers}", client,
                           (records, size, batch * 1024, producers), None)
    for producers in (1, 16, 64):
        if FULL or producers != 64:
            yield f"one record a request, {producers}", single, (producers, 5 if FULL else 2), None
    for batch in (16, 1024):
        fill = (600000 if FULL else 300000, 100, batch * 1024, 1)
        for client in (consume_go, consume_rdkafka) + ((consume_java,) if FULL else ()):
            if FULL or batch == 16 or client is consume_rdkafka:
                yield f"{client.__name__.replace('_', ' ')} 100 B, {batch} KiB", client, fill, fill
    yield "latency at 200 a second", latency, (200, 10 if FULL else 3), None


class Comparison:
    def __init__(self):
        wanted = os.environ.get("BENCH_KAFKA_SIDES", "kstream flushed default").split()
        self.sides = {}
        self.servers = []
        if "kstream" in wanted:
            self.sides["kstream"] = self.add(Kstream(os.path.join(WORK, "kstream"), 27600, os.environ["PGBIN"]))
        if "other" in wanted:
            self.sides["other"] = self.add(Kstream(os.path.join(WORK, "other"), 27604, os.environ["BENCH_KAFKA_OTHER"]))
        if "flushed" in wanted or "default" in wanted:
            broker = self.add(servers.Kafka(os.path.join(WORK, "kafka"), 27601))
            self.sides.update({side: broker for side in ("flushed", "default") if side in wanted})
        self.rows = []
        self.topics = 0

    def add(self, server):
        self.servers.append(server)
        return server

    def topic(self, side):
        """A topic of one partition."""
        self.topics += 1
        name = f"bench{self.topics}"
        server = self.sides[side]
        if isinstance(server, Kstream):
            server.sql(f"SET ROLE app; SELECT kstream.create_topic('{name}', 1, '{{\"max_message_bytes\": 4000000}}')")
            return name
        more = ("--config", "flush.messages=1") if side == "flushed" else ()
        servers.run(*server.java, "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", server.address, "--create",
                    "--topic", name, "--partitions", "1", "--config", "max.message.bytes=4000000", *more)
        return name

    def turn(self, side, client, topic, arguments):
        server = self.sides[side]
        before = servers.cpu(server.pids)
        rate, records, more = client(server, topic, arguments)
        time.sleep(0.2)   # the last session has ended
        return rate, (servers.cpu(server.pids) - before) * 1e6 / max(records, 1), more

    def cell(self, name, client, arguments, fill):
        results = {side: [] for side in self.sides}
        topics = {side: self.topic(side) for side in self.sides}
        for side in self.sides if fill else ():
            rdkafka(self.sides[side], topics[side], fill)
        for turn in range(ROUNDS):
            sides = list(self.sides)
            for side in sides if turn % 2 == 0 else reversed(sides):
                results[side].append(self.turn(side, client, topics[side], arguments))
        self.rows.append((name, results))

    def run(self):
        words = os.environ.get("BENCH_KAFKA_CELLS", "").split()
        try:
            for server in self.servers:
                server.start()
            if "default" in self.sides:    # Java's compiler
                rdkafka(self.sides["default"], self.topic("default"), (200000, 100, 16384, 1))
            for name, client, arguments, fill in cells():
                if words and not any(word in name.replace(' ', '_') for word in words):
                    continue
                try:
                    self.cell(name, client, arguments, fill)
                except (RuntimeError, subprocess.TimeoutExpired, IndexError, ValueError) as error:
                    print(f"{name}: {error}", file=sys.stderr)
                    continue
                self.write()
                print(self.text().splitlines()[-1], flush=True)
        finally:
            for server in self.servers:
                server.stop()

    def text(self):
        """The table: of each side best and median rate and CPU; then ratios of the first to the others."""
        sides = list(self.sides)
        first, others = sides[0], sides[1:]
        lines = ["Records a second: best, median of the rounds; then the server's CPU, us a record (mean).  Ratios: "
                 "median of the rounds (best over best), and that of the CPU, in which less is better.", ""]
        heads = ["cell"] + [NAMES[side] for side in sides] + [f"{NAMES[first]} : {NAMES[side]}" for side in others]
        lines += ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
        for name, results in self.rows:
            fields = [name]
            for side in sides:
                rates = [one[0] for one in results[side]]
                fields.append(f"{max(rates):,.0f}, {statistics.median(rates):,.0f}; {self.cpu(results[side]):.2f}"
                              + (f"; {min((one[2] for one in results[side]))}" if results[side][0][2] else ""))
            for side in others:
                ratios = [mine[0] / theirs[0] for mine, theirs in zip(results[first], results[side])]
                best = max(one[0] for one in results[first]) / max(one[0] for one in results[side])
                cpu = self.cpu(results[first]) / max(self.cpu(results[side]), 0.001)
                fields.append(f"{statistics.median(ratios):.2f} ({best:.2f}); CPU {cpu:.2f}")
            lines.append("| " + " | ".join(fields) + " |")
        return "\n".join(lines)

    @staticmethod
    def cpu(results):
        # a clock of 10 ms: the rounds together tell more than one of them
        return statistics.mean(one[1] for one in results)

    def write(self):
        os.makedirs(OUT, exist_ok=True)
        with open(os.path.join(OUT, "kafka.md"), "w") as text:
            text.write(self.text() + "\n")


def main():
    os.makedirs(WORK, exist_ok=True)
    if not os.path.exists(RDKAFKA) or os.path.getmtime(RDKAFKA) < os.path.getmtime(os.path.join(HERE, "rdkafka.c")):
        servers.run("cc", "-O2", "-Wall", "-Wextra", "-o", RDKAFKA, os.path.join(HERE, "rdkafka.c"), "-lrdkafka", "-lpthread")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))   # the servers are stopped on the way
    comparison = Comparison()
    comparison.run()
    print(f"\n{', '.join(server.version for server in comparison.servers)}; {os.cpu_count()} processors, "
          f"load {os.getloadavg()[0]:.1f}; {ROUNDS} rounds")
    print(comparison.text())


main()
