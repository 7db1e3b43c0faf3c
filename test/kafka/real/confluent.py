"""confluent-kafka (librdkafka): all codecs, idempotent and not; read back from an assigned partition."""
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition

port, topic = sys.argv[1:3]
login = {'bootstrap.servers': 'localhost:' + port, 'security.protocol': 'SASL_PLAINTEXT', 'sasl.mechanism': 'SCRAM-SHA-256',
         'sasl.username': 'alice', 'sasl.password': 'secret'}
errors = []
sent = 0
for codec in ('none', 'gzip', 'snappy', 'lz4', 'zstd'):
    for idempotent in (False, True):
        producer = Producer({**login, 'compression.type': codec, 'enable.idempotence': idempotent, 'linger.ms': 5})
        for i in range(1000):
            producer.produce(topic, b'%d' % i, partition=0, key=b'k', headers=[('h', b'x')],
                             on_delivery=lambda error, message: error and errors.append(str(error)))
            producer.poll(0)
        assert producer.flush(30) == 0, (codec, idempotent)
        sent += 1000
assert not errors, errors[:3]
consumer = Consumer({**login, 'group.id': 'none', 'enable.auto.commit': False})
consumer.assign([TopicPartition(topic, 0, 0)])
values = []
end = time.monotonic() + 30
while len(values) < sent and time.monotonic() < end:
    values += [int(m.value()) for m in consumer.consume(500, 0.5) if m.error() is None]
assert values == list(range(1000)) * 10, len(values)
assert consumer.get_watermark_offsets(TopicPartition(topic, 0)) == (0, sent)
assert consumer.offsets_for_times([TopicPartition(topic, 0, 1)], timeout=10)[0].offset == 0
consumer.close()
