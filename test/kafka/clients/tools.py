"""Kafka's own command line tools against a kstream database, each doing its job.

Usage: tools.py NAME COMMAND...; COMMAND runs Java with the tools on its class path.  Prints
TAP-like lines as judge.py does.  Every call is judged by what it prints and, where it
changes something, by what SQL sees then.
"""
import json
import os
import re
import subprocess
import sys
import tempfile

import psycopg2

NAME, JAVA = sys.argv[1], sys.argv[2:]
BOOTSTRAP = ['--bootstrap-server', os.environ['KAFKA_BOOTSTRAP']]
SECONDS = 120
folder = tempfile.mkdtemp()
sql = psycopg2.connect(dbname='postgres', user='postgres')
sql.autocommit = True


def ask(query, *args):
    with sql.cursor() as cursor:
        cursor.execute(query, args)
        return cursor.fetchall() if cursor.description else []


def file_of(name, text):
    path = os.path.join(folder, name)
    with open(path, 'w') as out:
        out.write(text)
    return path


LOGIN = file_of('login.properties', '''security.protocol=SASL_PLAINTEXT
sasl.mechanism=SCRAM-SHA-256
sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="%s" password="%s";
''' % (os.environ['KAFKA_USER'], os.environ['KAFKA_PASSWORD']))


def run(tool, *args, given=''):
    """A tool by the last part of its class's name: its exit status and what it said.  Words before -- are its subcommand."""
    args = list(args)
    before = args[:args.index('--')] if '--' in args else []
    after = args[len(before) + 1 if before else 0:]
    command = JAVA + ['org.apache.kafka.tools.' + tool] + before + BOOTSTRAP + ['--command-config', LOGIN] + after
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return None, 'no end in %d s' % SECONDS
    return done.returncode, '\n'.join(line for line in (done.stdout + done.stderr).split('\n') if not re.match('SLF4J|.*StatusLogger', line))


def check(what, ok, said=''):
    print('%sok - %s: %s%s' % ('' if ok else 'not ', NAME, what, '' if ok else ': %.400r' % (said,)), flush=True)


def says(what, pattern, tool, *args, status=0, **given):
    """A tool that ends with a status and says what a pattern fits."""
    code, said = run(tool, *args, **given)
    check(what, code == status and re.search(pattern, said, re.S) is not None, (code, said))
    return said


def sees(what, want, query, *args):
    got = ask(query, *args)
    check(what, got == want, got)


TOPIC = 'tools.one'
OPTION = 'SELECT options ->> %s FROM kstream.topics WHERE topic = %s'
for (old,) in ask("SELECT topic FROM kstream.topics WHERE topic LIKE 'tools.%%'"):
    ask('SELECT kstream.drop_topic(%s)', old)

# kafka-topics
says('topics --create', 'Created topic tools.one', 'TopicCommand', '--create', '--topic', TOPIC, '--partitions', '2', '--config', 'retention.ms=3600000')
sees('topics --create: SQL', [(2, '3600000 ms')], "SELECT partitions, options ->> 'retention' FROM kstream.topics WHERE topic = %s", TOPIC)
says('topics --create again', 'already exists', 'TopicCommand', '--create', '--topic', TOPIC, status=1)
says('topics --create --if-not-exists', '', 'TopicCommand', '--create', '--topic', TOPIC, '--if-not-exists')
says('topics --create, too many replicas', 'replication factor must be from 1 to 1', 'TopicCommand', '--create', '--topic', 'tools.no', '--replication-factor', '3', status=1)
says('topics --create, a config that is none', r'no\.such', 'TopicCommand', '--create', '--topic', 'tools.no', '--config', 'no.such=1', status=1)
says('topics --list', r'(^|\n)tools\.one(\n|$)', 'TopicCommand', '--list')
says('topics --describe', r'PartitionCount: 2\s+ReplicationFactor: 1.*retention\.ms=3600000.*Partition: 1\s+Leader: 1\s+Replicas: 1\s+Isr: 1', 'TopicCommand', '--describe', '--topic', TOPIC)
check('topics --describe --under-replicated-partitions', run('TopicCommand', '--describe', '--under-replicated-partitions')[1].strip() == '')
says('topics --alter --partitions', '', 'TopicCommand', '--alter', '--topic', TOPIC, '--partitions', '3')
sees('topics --alter: SQL', [(3,)], 'SELECT partitions FROM kstream.topics WHERE topic = %s', TOPIC)
says('topics --alter, fewer', 'cannot reduce the partitions', 'TopicCommand', '--alter', '--topic', TOPIC, '--partitions', '1', status=1)

# kafka-configs
entity = ('--entity-type', 'topics', '--entity-name', TOPIC)
says('configs --add-config', 'Completed updating config', 'ConfigCommand', '--alter', *entity, '--add-config', 'max.message.bytes=200000,cleanup.policy=[compact,delete]')
sees('configs --add-config: SQL', [('compact,delete',)], 'SELECT (%s)' % OPTION, 'cleanup_policy', TOPIC)
says('configs --describe', r'max\.message\.bytes=200000 .*DYNAMIC_TOPIC_CONFIG', 'ConfigCommand', '--describe', *entity)
says('configs --describe --all', r'segment\.bytes=\d+ .*DEFAULT_CONFIG', 'ConfigCommand', '--describe', '--all', *entity)
says('configs --delete-config', 'Completed updating config', 'ConfigCommand', '--alter', *entity, '--delete-config', 'cleanup.policy,max.message.bytes')
sees('configs --delete-config: SQL', [(None,)], 'SELECT (%s)' % OPTION, 'max_message_bytes', TOPIC)
says('configs, a value that is none', 'InvalidConfigurationException: invalid value .*a number of milliseconds', 'ConfigCommand', '--alter', *entity, '--add-config', 'retention.ms=soon', status=1)
says('configs, a name that is none', r'unrecognized topic option "no\.such"', 'ConfigCommand', '--alter', *entity, '--add-config', 'no.such=1', status=1)
says('configs of a broker', 'Dynamic configs for broker 1 are', 'ConfigCommand', '--describe', '--entity-type', 'brokers', '--entity-name', '1')

# console producer and consumer
says('console producer', '', 'ConsoleProducer', '--topic', TOPIC, '--reader-property', 'parse.key=true', '--reader-property', 'key.separator=:', given='k1:one\nk2:two\nk3:three\n')
sees('console producer: SQL', [('k1', 'one'), ('k2', 'two'), ('k3', 'three')],
     'SELECT kstream.text(key), kstream.text(value) FROM generate_series(0, 2) p, kstream.fetch(%s, p, 0) ORDER BY 1', TOPIC)
ask("SELECT kstream.produce(%s, 'sql', 'from SQL', '{\"h\": \"x\"}', partition => 2)", TOPIC)
says('console consumer', r'h:x\tsql\tfrom SQL', 'consumer.ConsoleConsumer', '--topic', TOPIC, '--partition', '2', '--offset', 'earliest', '--timeout-ms', '3000',
     '--formatter-property', 'print.key=true', '--formatter-property', 'print.headers=true')

# performance tests
says('producer performance test', r'2000 records sent', 'ProducerPerformance', '--topic', TOPIC, '--num-records', '2000', '--record-size', '100', '--throughput', '-1')
total = ask('SELECT sum(latest) FROM kstream.list_offsets(%s)', TOPIC)[0][0]
check('producer performance test: SQL', total == 2004, total)
if GROUPS := ask("SELECT count(*) FROM kstream.kafka_requests WHERE name = 'JoinGroup'")[0][0]:
    said = says('consumer performance test', r'\d', 'ConsumerPerformance', '--topic', TOPIC, '--num-records', '2000', '--timeout', '30000')
    row = said.strip().split('\n')[-1].split(', ')
    check('consumer performance test: records', len(row) > 4 and int(row[4]) >= 2000, said)
    says('end to end latency', r'Avg latency', 'EndToEndLatency', '--topic', TOPIC, '--num-records', '50', '--producer-acks', 'all', '--record-size', '100')
else:
    print('skip - %s: consumer performance test, end to end latency: there are no groups' % NAME)
said = says('verifiable producer', r'"sent":20,"acked":20', 'VerifiableProducer', '--topic', TOPIC, '--max-messages', '20', '--throughput', '100')

# kafka-get-offsets, kafka-delete-records
offsets = lambda: {p: (e, l) for p, e, l in ask('SELECT partition, earliest, latest FROM kstream.list_offsets(%s)', TOPIC)}  # noqa: E731
said = says('get-offsets', TOPIC, 'GetOffsetShell', '--topic', TOPIC)
check('get-offsets: as SQL', dict(map(int, row.split(':')[1:]) for row in said.split()) == {p: l for p, (_, l) in offsets().items()}, said)
plan = file_of('records.json', json.dumps({'version': 1, 'partitions': [{'topic': TOPIC, 'partition': 2, 'offset': 1}]}))
says('delete-records', r'low_watermark: 1', 'DeleteRecordsCommand', '--offset-json-file', plan)
check('delete-records: SQL', offsets()[2][0] == 1, offsets())
said = says('get-offsets --time earliest', TOPIC, 'GetOffsetShell', '--topic', TOPIC, '--time', 'earliest')
check('get-offsets --time earliest: as SQL', '%s:2:1' % TOPIC in said, said)

# the cluster
said = says('log-dirs', r'"logDirs"', 'LogDirsCommand', '--describe', '--topic-list', TOPIC)
sizes = [p['size'] for p in json.loads(said[said.index('{"'):])['brokers'][0]['logDirs'][0]['partitions']]
check('log-dirs: sizes of three partitions', len(sizes) == 3 and sum(sizes) > 200000, sizes)
said = says('broker-api-versions', r'Fetch\(1\): 4 to 18', 'BrokerApiVersionsCommand')
check('broker-api-versions: usable by this Java', 'Produce(0): 0 to 13 [usable: 13]' in said, said)
says('cluster cluster-id', r'Cluster ID: \S{22}', 'ClusterTool', 'cluster-id', '--')
says('cluster list-endpoints', r'1\s+127\.0\.0\.1\s+\d+\s+null\s+unfenced\s+broker', 'ClusterTool', 'list-endpoints', '--')
says('acls', "SecurityDisabledException: rights are grants on the topics' tables", 'AclCommand', '--list', status=1)
says('leader-election', r'Valid replica already elected', 'LeaderElectionCommand', '--election-type', 'preferred', '--topic', TOPIC, '--partition', '0')
says('reassign-partitions --list', r'No partition reassignments found', 'reassign.ReassignPartitionsCommand', '--list')

# and the end of it
says('topics --delete', '', 'TopicCommand', '--delete', '--topic', TOPIC)
sees('topics --delete: SQL', [], 'SELECT 1 FROM kstream.topics WHERE topic = %s', TOPIC)
says('topics --delete of none', 'does not exist', 'TopicCommand', '--delete', '--topic', TOPIC, status=1)
