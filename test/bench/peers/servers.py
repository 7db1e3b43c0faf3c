"""The servers of the comparison: how each is set up, started and stopped.

Every one gets an empty directory, listens on the loopback address or a socket
in that directory, and is a child of this process.  Settings other than ports
and directories are in "settings", which the results repeat.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import time

PEERS = os.path.join(os.environ["STAGE"], "peers")
ROOT = os.path.join(PEERS, "root")
PGBIN = os.environ["PGBIN"]
MULTIARCH = os.path.join(ROOT, "usr/lib", os.uname().machine + "-linux-gnu")


class Absent(Exception):
    """This peer cannot be had here."""


def run(*command, **more):
    """What a command printed; its complaint, in an exception, when it failed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **more)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeError(f"{os.path.basename(command[0])}: {said[-1] if said else done.returncode}")
    return done.stdout.strip()


def cpu(pids):
    """CPU seconds of processes (the form of Server.pids), their children and those that ended."""
    roots = {int(pid) for pid in pids.split(",") if pid}
    parents, ticks = {}, {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as stat:
                # the name is in parentheses and may hold anything
                fields = stat.read().rpartition(b")")[2].split()
        except OSError:
            continue
        parents[int(entry)], ticks[int(entry)] = int(fields[1]), sum(map(int, fields[11:15]))
    total = 0
    for pid, spent in ticks.items():
        while pid > 1 and pid not in roots:
            pid = parents.get(pid, 0)
        total += spent if pid in roots else 0
    return total / os.sysconf("SC_CLK_TCK")


class Server:
    """Starts in start(), stops in stop(); "pids" are its processes."""

    name = ""
    settings = ""

    def __init__(self, where, port):
        self.where, self.port = where, port
        self.data = os.path.join(where, "data")
        self.processes = []
        self.cold = True    # nothing has run yet
        self.address = f"127.0.0.1:{port}"

    @property
    def pids(self):
        return ",".join(str(process.pid) for process in self.processes)

    def start(self):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                raise RuntimeError(f"port {self.port} is in use")
        shutil.rmtree(self.where, ignore_errors=True)
        os.makedirs(self.data)
        reason = os.path.join(PEERS, "absent", self.name)
        if os.path.exists(reason):
            with open(reason) as text:
                raise Absent(text.read().strip())
        self.launch()

    def spawn(self, *command, **more):
        """A child in a process group of its own, its output in a file."""
        log = open(os.path.join(self.where, "log"), "ab")
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   start_new_session=True, **more)
        self.processes.append(process)
        return process

    def wait_for_port(self, seconds=60):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if self.processes[-1].poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        with open(os.path.join(self.where, "log"), errors="replace") as log:
            said = log.read().strip().splitlines()
        raise RuntimeError("did not start: " + (said[-1] if said else "no word"))

    def stop(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        self.processes = []
        shutil.rmtree(self.where, ignore_errors=True)

    def settle(self):
        """Before something is measured: nothing left to write."""
        os.sync()

    def disk(self):
        """Bytes that the data take on disk."""
        return self.below(self.data)

    @staticmethod
    def below(top):
        total = 0
        for directory, below, files in os.walk(top):
            if os.path.basename(directory) == "pg_wal":
                below.clear()
                continue
            for name in files:
                try:
                    total += os.lstat(os.path.join(directory, name)).st_blocks * 512
                except FileNotFoundError:
                    pass
        return total

    def wal(self):
        """Bytes that went to a write-ahead log apart from the data, or None."""
        return None


class Postgres(Server):
    name = "postgres"
    options = {
        "shared_preload_libraries": "kstream", "shared_buffers": "2GB", "max_wal_size": "8GB",
        "min_wal_size": "4GB", "checkpoint_timeout": "15min", "max_connections": "150", "jit": "off",
        "fsync": "on", "wal_compression": "off",
    }
    settings = ", ".join(f"{name} = {value}" for name, value in options.items())
    warm = True     # as if it had run for a while
    ticker = True   # pgqd, which only PgQ needs
    wal_files = 128  # made beforehand

    def launch(self):
        self.address = f"host={self.where} port={self.port} user=bench dbname=bench"
        run(f"{PGBIN}/initdb", "-D", self.data, "-U", "bench", "-A", "trust", "--no-locale", "-E", "UTF8")
        with open(f"{self.data}/postgresql.conf", "a") as conf:
            for name, value in self.options.items():
                conf.write(f"{name} = '{value}'\n")
            conf.write(f"listen_addresses = ''\nunix_socket_directories = '{self.where}'\nport = {self.port}\n")
        self.lend_wal()
        self.spawn(f"{PGBIN}/postgres", "-D", self.data)
        for _ in range(300):
            if subprocess.run([f"{PGBIN}/pg_isready", "-q", "-h", self.where, "-p", str(self.port)]).returncode == 0:
                break
            time.sleep(0.1)
        self.sql("CREATE DATABASE bench", "postgres")
        self.sql("CREATE EXTENSION kstream")
        self.touch()
        self.version = f"PostgreSQL {self.sql('SHOW server_version').split()[0]}, kstream {self.sql('SELECT kstream.version()')}"
        self.pgq = None
        if os.path.exists(os.path.join(PEERS, "absent", "pgq")):
            return
        # the private copy of PostgreSQL is ours to add to; what is there may be in use by another server
        def add(source, target):
            return target if os.path.exists(target) else shutil.copy2(source, target)

        major = PGBIN.split("/")[-2]
        for directory in (f"lib/postgresql/{major}/lib", f"share/postgresql/{major}"):
            shutil.copytree(os.path.join(ROOT, "usr", directory),
                            os.path.join(PGBIN.split("/usr/")[0], "usr", directory),
                            copy_function=add, dirs_exist_ok=True)
        self.sql("CREATE EXTENSION pgq")
        self.pgq = self.sql("SELECT pgq.version()")
        self.version += f", PgQ {self.pgq}"
        if not self.ticker:
            return
        ini = os.path.join(self.where, "pgqd.ini")
        with open(ini, "w") as text:
            text.write(f"[pgqd]\nbase_connstr = host={self.where} port={self.port} user=bench\n"
                       f"initial_database = postgres\ndatabase_list = bench\npidfile = {self.where}/pgqd.pid\n")
        self.spawn(f"{ROOT}/usr/bin/pgqd", ini)

    def stop(self):
        # SIGTERM waits for clients; what is left of them ends here
        if self.processes and self.processes[0].poll() is None:
            self.processes[0].send_signal(signal.SIGINT)
            try:
                self.processes[0].wait(30)
            except subprocess.TimeoutExpired:
                pass
        self.keep_wal()
        super().stop()

    # A server that has run for a while has WAL files to use again, and has
    # touched all of its shared memory.  Both take a new one longer than the
    # work that is measured.

    def pool(self):
        pool = os.path.join(os.path.dirname(self.where), "wal")
        os.makedirs(pool, exist_ok=True)
        return pool

    def lend_wal(self):
        """WAL files of former servers, or new ones, under the names of those to come."""
        if not self.warm:
            return
        pool = self.pool()
        kept = sorted(os.listdir(pool))
        for number in range(2, self.wal_files + 2):
            name = os.path.join(self.data, "pg_wal", f"00000001{number // 256:08X}{number % 256:08X}")
            if kept:
                os.rename(os.path.join(pool, kept.pop()), name)
            else:
                with open(name, "wb") as new:
                    for _ in range(16):
                        new.write(bytes(1 << 20))
        os.sync()

    def keep_wal(self):
        if not self.warm:
            return
        pool, wal = self.pool(), os.path.join(self.data, "pg_wal")
        for name in os.listdir(wal) if os.path.isdir(wal) else []:
            there = len(os.listdir(pool))
            if len(name) == 24 and there < self.wal_files:
                os.rename(os.path.join(wal, name), os.path.join(pool, f"{there:06d}"))

    def touch(self):
        if self.warm:
            # a row a page; an unlogged table that goes again writes next to nothing
            self.sql("CREATE UNLOGGED TABLE touch (page text)")
            self.sql("ALTER TABLE touch ALTER page SET STORAGE PLAIN")
            self.sql("INSERT INTO touch SELECT repeat('x', 8000) FROM generate_series(1, 250000)")
            self.sql("DROP TABLE touch")

    def sql(self, text, database="bench"):
        return run(f"{PGBIN}/psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.where, "-p", str(self.port),
                   "-U", "bench", "-d", database, "-c", text)

    def libpq_rows(self, topic, records, at_once=10000):
        """Records a second of a partition that pgbench reads, which is what libpq makes of rows."""
        script = os.path.join(self.where, "fetch.sql")
        with open(script, "w") as text:
            text.write(f"\\set at :at + {at_once}\n"
                       f"SELECT r.offset, r.value FROM kstream.fetch('{topic}', 0, :at, {at_once}) r;\n")
        calls = -(-records // at_once)
        said = run(f"{PGBIN}/pgbench", "-n", "-M", "prepared", "-c", "1", "-t", str(calls), "-D", f"at={-at_once}",
                   "-f", script, "-h", self.where, "-p", str(self.port), "-U", "bench", "bench")
        return records / calls * float(re.search(r"tps = ([0-9.]+)", said).group(1))

    def topic_bytes(self, topic):
        """Bytes of the tables of one of our topics, with indexes and what is made in advance."""
        return int(self.sql(f"SELECT sum(pg_total_relation_size(relation)) FROM kstream.segments WHERE topic = '{topic}'"))

    def merge(self, topic):
        """What maintenance does once a segment is full or old: seal it, and merge small batches."""
        self.sql(f"SELECT kstream.alter_topic('{topic}', '{{\"segment_age\": \"1 ms\"}}')")
        for _ in range(30):
            self.sql("CALL kstream.run_maintenance()")
            if self.sql("SELECT count(*) FROM kstream.segments "
                        f"WHERE topic = '{topic}' AND rows IS NOT NULL AND rewritten_at IS NULL") == "0":
                return
            time.sleep(0.1)
        raise RuntimeError("maintenance did not merge the batches")

    def settle(self):
        self.sql("CHECKPOINT")
        os.sync()

    def wal(self):
        return int(self.sql("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"))


class Kafka(Server):
    name = "kafka"
    # what kafka-server-start.sh and kafka-run-class.sh pass on
    jvm = ("-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
           "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent")
    settings = "KRaft, one node, its defaults; replication factors of internal topics 1, group.initial.rebalance.delay.ms 0; -Xmx1G -Xms1G, G1"

    def launch(self):
        jars = os.path.join(PEERS, "kafka")
        self.version = "Apache Kafka " + next(
            name for name in os.listdir(jars) if name.startswith("kafka_"))[len("kafka_2.13-"):-len(".jar")]
        self.version += ", " + run("java", "--version").splitlines()[0]
        controller = self.port + 1
        properties = os.path.join(self.where, "server.properties")
        with open(properties, "w") as text:
            text.write(f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}
controller.listener.names=CONTROLLER
log.dirs={self.data}
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
""")
        # the tools of the distribution log less than the library would
        log4j = os.path.join(self.where, "log4j2.properties")
        with open(log4j, "w") as text:
            text.write("rootLogger.level = warn\nrootLogger.appenderRef.0.ref = out\n"
                       "appender.0.type = Console\nappender.0.name = out\n"
                       "appender.0.layout.type = PatternLayout\n")
        self.java = ["java", "-cp", jars + "/*", f"-Dlog4j2.configurationFile={log4j}"]
        run(*self.java, "kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", properties)
        self.spawn(*self.java[:1], *self.jvm, *self.java[1:], "kafka.Kafka", properties)
        self.wait_for_port()

    def topic_bytes(self, topic):
        return self.below(os.path.join(self.data, f"{topic}-0"))

    def perf_produce(self, topic, records, size):
        """Records a second by Kafka's own perf tool, which does not wait for each batch."""
        said = run(*self.java, "org.apache.kafka.tools.ProducerPerformance", "--topic", topic,
                   "--num-records", str(records), "--record-size", str(size), "--throughput", "-1",
                   "--bootstrap-server", self.address)
        line = [line for line in said.splitlines() if "records/sec" in line][-1]
        return float(line.split("sent, ")[1].split()[0].replace(",", ""))

    def perf_consume(self, topic, records):
        said = run(*self.java, "org.apache.kafka.tools.ConsumerPerformance", "--topic", topic,
                   "--num-records", str(records), "--bootstrap-server", self.address)
        lines = [line for line in said.splitlines() if "," in line]
        head = [name.strip() for name in lines[-2].split(",")]
        return float(lines[-1].split(",")[head.index("fetch.nMsg.sec")])


class Redis(Server):
    name = "redis"

    def __init__(self, where, port, appendfsync):
        super().__init__(where, port)
        self.appendfsync = appendfsync
        self.settings = f"appendonly yes, appendfsync {appendfsync}, save '', the rest default"

    def launch(self):
        environment = dict(os.environ, LD_LIBRARY_PATH=MULTIARCH)
        program = f"{ROOT}/usr/bin/redis-server"
        if not os.path.exists(program):
            program = "/usr/bin/redis-server"   # installed, so not unpacked
        self.version = "Redis " + run(program, "--version", env=environment).split("v=")[1].split()[0]
        self.spawn(program, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.data,
                   "--appendonly", "yes", "--appendfsync", self.appendfsync, "--save", "", env=environment)
        self.wait_for_port()


class Nats(Server):
    name = "nats"

    def __init__(self, where, port, sync_interval):
        super().__init__(where, port)
        self.sync_interval = sync_interval
        self.settings = f"JetStream, file storage, sync_interval {sync_interval or '2m (default)'}"

    def launch(self):
        program = f"{PEERS}/bin/nats-server"
        self.version = "NATS " + run(program, "-v").split("v")[-1]
        conf = os.path.join(self.where, "nats.conf")
        with open(conf, "w") as text:
            text.write(f"listen: 127.0.0.1:{self.port}\njetstream {{\n\tstore_dir: '{self.data}'\n"
                       "\tmax_file_store: 40GB\n\tmax_memory_store: 1GB\n" +
                       (f"\tsync_interval: {self.sync_interval}\n" if self.sync_interval else "") + "}\n")
        self.spawn(program, "-c", conf)
        self.wait_for_port()


class Rabbit(Server):
    name = "rabbitmq"
    settings = "plugin rabbitmq_stream, its defaults"

    def launch(self):
        library = f"{ROOT}/usr/lib/rabbitmq/lib"
        home = os.path.join(library, next(name for name in os.listdir(library) if name.startswith("rabbitmq_server-")))
        self.version = "RabbitMQ " + home.split("-")[-1]
        conf = os.path.join(self.where, "rabbitmq.conf")
        with open(conf, "w") as text:
            text.write(f"listeners.tcp.1 = 127.0.0.1:{self.port + 1}\nstream.listeners.tcp.1 = 127.0.0.1:{self.port}\n"
                       f"stream.advertised_host = 127.0.0.1\nstream.advertised_port = {self.port}\n")
        plugins = os.path.join(self.where, "enabled_plugins")
        with open(plugins, "w") as text:
            text.write("[rabbitmq_stream].\n")
        erlang = f"{ROOT}/usr/lib/erlang" if os.path.exists(f"{ROOT}/usr/lib/erlang/bin/erl") else "/usr/lib/erlang"
        environment = dict(
            os.environ, HOME=self.where, ERL_ROOTDIR=erlang, ROOTDIR=erlang, RABBITMQ_HOME=home,
            PATH=f"{erlang}/bin:{home}/sbin:{os.environ['PATH']}:/usr/sbin:/sbin",
            LD_LIBRARY_PATH=MULTIARCH, RABBITMQ_CONFIG_FILE=conf, RABBITMQ_ENABLED_PLUGINS_FILE=plugins,
            RABBITMQ_MNESIA_BASE=self.data, RABBITMQ_LOG_BASE=self.where, RABBITMQ_PID_FILE=f"{self.where}/pid",
            RABBITMQ_NODENAME="bench@localhost", RABBITMQ_DIST_PORT=str(self.port + 3),
            ERL_EPMD_PORT=str(self.port + 2), ERL_EPMD_ADDRESS="127.0.0.1",
            RABBITMQ_CONF_ENV_FILE="/dev/null")
        epmd = next(os.path.join(directory, "epmd") for directory, _, files in os.walk(erlang)
                    if "epmd" in files and "erts-" in directory)
        self.spawn(epmd, env=environment)
        self.spawn("sh", f"{home}/sbin/rabbitmq-server", env=environment)
        self.wait_for_port(90)
        time.sleep(2)

    def stop(self):
        # the shell in between does not pass the signal on
        if len(self.processes) > 1 and self.processes[1].poll() is None:
            os.killpg(self.processes[1].pid, signal.SIGTERM)
        super().stop()
