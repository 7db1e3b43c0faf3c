"""aiokafka, whose administration knows no IncrementalAlterConfigs."""
import asyncio
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.errors import KafkaError
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

import loop

LOGIN = dict(bootstrap_servers=loop.BOOTSTRAP, security_protocol='SASL_PLAINTEXT', sasl_mechanism='SCRAM-SHA-256',
             sasl_plain_username=loop.USER, sasl_plain_password=loop.PASSWORD)


def waits(function):
    return lambda *args: asyncio.run(function(*args))


async def with_admin(function):
    admin = AIOKafkaAdminClient(**LOGIN)
    await admin.start()
    try:
        return await function(admin)
    finally:
        await admin.close()


class Kafka:
    HAS = ('codec=gzip codec=snappy codec=lz4 codec=zstd acks=0 acks=1 acks=all idempotent null-header repeated-header time '
           'create partitions list config alter grow trim delete group=range')

    @waits
    async def produce(self, topic, codec, acks, idempotent, records):
        producer = AIOKafkaProducer(**LOGIN, compression_type=None if codec == 'none' else codec, enable_idempotence=idempotent,
                                    acks=acks if acks == 'all' else int(acks), linger_ms=20)
        await producer.start()
        try:
            sent = [await producer.send(topic, value, key, partition, time, headers) for partition, time, key, value, headers in records]
            await producer.flush()
            places = [await one for one in sent]
        finally:
            await producer.stop()
        return [] if acks == '0' else [(place.partition, place.offset) for place in places]

    @waits
    async def consume(self, topic, partition, first, many):
        consumer = AIOKafkaConsumer(**LOGIN, fetch_max_wait_ms=loop.WAIT if first == 'end' else 500)
        place = TopicPartition(topic, partition)
        await consumer.start()
        try:
            consumer.assign([place])
            if first == 'beginning':
                await consumer.seek_to_beginning(place)
            elif first == 'end':
                await consumer.seek_to_end(place)
                await consumer.position(place)
                loop.say('waiting')
            else:
                consumer.seek(place, (await consumer.offsets_for_times({place: int(first)}))[place].offset)
            for _ in range(many):
                m = await asyncio.wait_for(consumer.getone(), 30)
                loop.say_record(m.partition, m.offset, m.timestamp, m.key, m.value, m.headers)
        finally:
            await consumer.stop()

    @waits
    async def member(self, topic, group, assignor, instance, seconds):
        consumer = AIOKafkaConsumer(topic, **LOGIN, group_id=group, session_timeout_ms=6000, heartbeat_interval_ms=1000,
                                    auto_offset_reset='earliest', enable_auto_commit=False)
        await consumer.start()
        last = time.monotonic()
        while time.monotonic() < last + seconds:
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for m in records:
                    loop.say('%d %d' % (m.partition, m.offset))
                last = time.monotonic()
                try:
                    await consumer.commit()
                except KafkaError as problem:
                    loop.complain(problem)
        await consumer.stop()

    def create(self, topic, partitions, name, value):
        asyncio.run(with_admin(lambda admin: admin.create_topics([NewTopic(topic, partitions, 1, topic_configs={name: value})])))

    def partitions(self, topic):
        return [len(asyncio.run(with_admin(lambda admin: admin.describe_topics([topic])))[0]['partitions'])]

    def list(self):
        return asyncio.run(with_admin(lambda admin: admin.list_topics()))

    def config(self, topic, name):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        answers = asyncio.run(with_admin(lambda admin: admin.describe_configs([resource])))
        return [entry[1] for entry in answers[0].resources[0][4] if entry[0] == name]

    def alter(self, topic, name, value):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})
        asyncio.run(with_admin(lambda admin: admin.alter_configs([resource])))

    def grow(self, topic, many):
        asyncio.run(with_admin(lambda admin: admin.create_partitions({topic: NewPartitions(many)})))

    def trim(self, topic, partition, offset):
        asyncio.run(with_admin(lambda admin: admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(offset)})))

    def delete(self, topic):
        asyncio.run(with_admin(lambda admin: admin.delete_topics([topic])))


loop.run(Kafka())
