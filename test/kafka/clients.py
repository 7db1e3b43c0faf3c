"""python3-kafka, a client by others, against the listener: both ways, all codecs.

Usage: clients.py PORT USER PASSWORD, with PGHOST and PGPORT for SQL.
"""
import sys

import psycopg2
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
sql = psycopg2.connect(dbname='postgres', user='postgres')
sql.autocommit = True
login = dict(bootstrap_servers='127.0.0.1:%d' % port, security_protocol='SASL_PLAINTEXT',
             sasl_mechanism='SCRAM-SHA-256', sasl_plain_username=user, sasl_plain_password=password,
             api_version=(2, 4, 0))


def ask(query, *args):
    with sql.cursor() as cursor:
        cursor.execute(query, args)
        return cursor.fetchall()


def is_(got, want, what):
    print('%sok - %s%s' % ('' if got == want else 'not ', what, '' if got == want else ': %r, not %r' % (got, want)), flush=True)


admin = KafkaAdminClient(**login)
for codec in (None, 'gzip', 'snappy', 'lz4', 'zstd'):
    topic = 'py.%s' % codec
    admin.create_topics([NewTopic(topic, 2, 1, topic_configs={'retention.ms': '3600000'})])
    producer = KafkaProducer(compression_type=codec, linger_ms=20, **login)
    sent = [(n % 2, b'key %d' % n if n % 3 or n % 5 == 0 else None, b'value %d ' % n * 50 if n % 5 else None) for n in range(200)]
    futures = [producer.send(topic, partition=p, key=k, value=v, headers=[('h', b'%d' % n), ('h', b'again')], timestamp_ms=1700000000000 + n)
               for n, (p, k, v) in enumerate(sent)]
    producer.flush()
    is_([f.get(10).offset for f in futures[::2]], list(range(100)), '%s: offsets are told' % codec)
    for p in (0, 1):
        rows = ask('SELECT r.key, r.value, extract(epoch FROM r.timestamp) * 1000, r.headers FROM kstream.fetch(%s, %s, 0) r', topic, p)
        is_([(k and bytes(k), v and bytes(v), int(t)) for k, v, t, _ in rows],
            [(k, v, 1700000000000 + n) for n, (q, k, v) in enumerate(sent) if q == p], '%s: SQL reads partition %d' % (codec, p))
    is_(rows[0][3], [{'key': 'h', 'value': '1'}, {'key': 'h', 'value': 'again'}], '%s: headers with their order' % codec)
    ask("SELECT kstream.produce(%s, 'sql', 'from SQL', '{\"a\": \"b\"}', partition => 0)", topic)
    consumer = KafkaConsumer(consumer_timeout_ms=3000, **login)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_beginning()
    got = []
    for message in consumer:
        got.append((message.key, message.value))
        if message.value == b'from SQL':
            is_((message.offset, message.headers), (100, [('a', b'b')]), '%s: what SQL produced has its place' % codec)
            break
    is_(got[:-1], [(k, v) for q, k, v in sent if q == 0], '%s: the client reads what it wrote' % codec)
    is_(consumer.end_offsets([TopicPartition(topic, 1)]), {TopicPartition(topic, 1): 100}, '%s: end offsets' % codec)
    is_(consumer.offsets_for_times({TopicPartition(topic, 1): 1700000000101})[TopicPartition(topic, 1)].offset, 50, '%s: offsets by time' % codec)
    consumer.close()

# a consumer that waits is woken by a commit of SQL
consumer = KafkaConsumer(consumer_timeout_ms=10000, fetch_max_wait_ms=9000, **login)
partition = TopicPartition('py.None', 1)
consumer.assign([partition])
consumer.seek_to_end()
consumer.position(partition)
consumer.poll(100)
ask("SELECT kstream.produce('py.None', 'k', 'wake up', partition => 1)")
is_(next(consumer).value, b'wake up', 'a waiting fetch is woken by a commit')
consumer.close()

# administration
is_(sorted(t for t in admin.list_topics() if t.startswith('py.')), ['py.None', 'py.gzip', 'py.lz4', 'py.snappy', 'py.zstd'], 'topics are listed')
admin.create_partitions({'py.gzip': NewPartitions(3)})
is_(ask("SELECT partitions FROM kstream.topics WHERE topic = 'py.gzip'"), [(3,)], 'partitions are added')
admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, 'py.gzip', {'retention.ms': '7200000'})])
is_(ask("SELECT options FROM kstream.topics WHERE topic = 'py.gzip'"), [({'retention': '7200000 ms', 'timestamp_after_max': '1 hour'},)], 'options are changed')
described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, 'py.gzip')])
entries = {e[0]: e[1] for e in described[0].resources[0][4]}
is_((entries['retention.ms'], entries['cleanup.policy'], entries['max.message.bytes']), ('7200000', 'delete', '1048588'), 'options are told by their names')
admin.delete_topics(['py.gzip'])
is_(ask("SELECT count(*) FROM kstream.topics WHERE topic = 'py.gzip'"), [(0,)], 'a topic is deleted')
