"""kafka-python, the release of the Python registry (Debian's is older, see ../../clients.py)."""
import time

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic

import loop

LOGIN = dict(bootstrap_servers=loop.BOOTSTRAP, security_protocol='SASL_PLAINTEXT', sasl_mechanism='SCRAM-SHA-256',
             sasl_plain_username=loop.USER, sasl_plain_password=loop.PASSWORD)


class Kafka:
    HAS = ('codec=gzip codec=snappy codec=lz4 codec=zstd acks=0 acks=1 acks=all idempotent repeated-header time '
           'create partitions list config alter grow trim delete group=range')

    def __init__(self):
        self.admin = KafkaAdminClient(**LOGIN)

    def produce(self, topic, codec, acks, idempotent, records):
        producer = KafkaProducer(**LOGIN, compression_type=None if codec == 'none' else codec, enable_idempotence=idempotent,
                                 acks=acks if acks == 'all' else int(acks), linger_ms=20)
        sent = [producer.send(topic, value, key, headers, partition, time) for partition, time, key, value, headers in records]
        producer.flush(30)
        places = [one.get(10) for one in sent]
        producer.close()
        return [] if acks == '0' else [(place.partition, place.offset) for place in places]

    def consume(self, topic, partition, first, many):
        consumer = KafkaConsumer(**LOGIN, fetch_max_wait_ms=loop.WAIT if first == 'end' else 500, consumer_timeout_ms=30000)
        place = TopicPartition(topic, partition)
        consumer.assign([place])
        if first == 'beginning':
            consumer.seek_to_beginning(place)
        elif first == 'end':
            consumer.seek_to_end(place)
            consumer.position(place)
            loop.say('waiting')
        else:
            consumer.seek(place, consumer.offsets_for_times({place: int(first)})[place].offset)
        for _ in range(many):
            m = next(consumer)
            loop.say_record(m.partition, m.offset, m.timestamp, m.key, m.value, m.headers)
        consumer.close()

    def member(self, topic, group, assignor, instance, seconds):
        consumer = KafkaConsumer(topic, **LOGIN, group_id=group, session_timeout_ms=6000, heartbeat_interval_ms=1000,
                                 auto_offset_reset='earliest', enable_auto_commit=False)
        last = time.monotonic()
        while time.monotonic() < last + seconds:
            for records in consumer.poll(500).values():
                for m in records:
                    loop.say('%d %d' % (m.partition, m.offset))
                last = time.monotonic()
                try:
                    consumer.commit()
                except KafkaError as problem:
                    loop.complain(problem)
        consumer.close()

    def create(self, topic, partitions, name, value):
        self.admin.create_topics([NewTopic(topic, partitions, 1, topic_configs={name: value})])

    def partitions(self, topic):
        return [len(self.admin.describe_topics([topic])[0]['partitions'])]

    def list(self):
        return [one['name'] if isinstance(one, dict) else one for one in self.admin.list_topics()]

    def config(self, topic, name):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        answer = self.admin.describe_configs([resource], config_filter='all')
        return [answer['topic'][topic][name]['value']]

    def alter(self, topic, name, value):
        self.admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])

    def grow(self, topic, many):
        self.admin.create_partitions({topic: many})

    def trim(self, topic, partition, offset):
        self.admin.delete_records({TopicPartition(topic, partition): offset})

    def delete(self, topic):
        self.admin.delete_topics([topic])


loop.run(Kafka())
