"""aiokafka: all codecs, idempotent and not; read back from an assigned partition."""
import asyncio
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

port, topic = sys.argv[1:3]
login = dict(bootstrap_servers='localhost:' + port, security_protocol='SASL_PLAINTEXT', sasl_mechanism='SCRAM-SHA-256',
             sasl_plain_username='alice', sasl_plain_password='secret')


async def main():
    sent = 0
    for codec in (None, 'gzip', 'snappy', 'lz4', 'zstd'):
        for idempotent in (False, True):
            producer = AIOKafkaProducer(compression_type=codec, enable_idempotence=idempotent, **login)
            await producer.start()
            waiting = [await producer.send(topic, b'%d' % i, partition=0, key=b'k') for i in range(500)]
            await asyncio.wait_for(asyncio.gather(*waiting), 30)
            await producer.stop()
            sent += 500
    consumer = AIOKafkaConsumer(**login)
    await consumer.start()
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    await consumer.seek_to_beginning(partition)
    values = []
    while len(values) < sent:
        got = await asyncio.wait_for(consumer.getmany(partition, timeout_ms=1000), 20)
        values += [int(record.value) for records in got.values() for record in records]
    assert values == list(range(500)) * 10
    assert (await consumer.end_offsets([partition]))[partition] == sent
    assert (await consumer.offsets_for_times({partition: 1}))[partition].offset == 0
    await consumer.stop()


asyncio.run(main())
