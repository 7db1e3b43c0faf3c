"""confluent-kafka, librdkafka's own Python client; Debian's is on an old librdkafka."""
import time

import confluent_kafka as ck
from confluent_kafka import admin as kadmin
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic

import loop

LOGIN = {'bootstrap.servers': loop.BOOTSTRAP, 'security.protocol': 'SASL_PLAINTEXT', 'sasl.mechanism': 'SCRAM-SHA-256',
         'sasl.username': loop.USER, 'sasl.password': loop.PASSWORD}


class Kafka:
    HAS = ('codec=gzip codec=snappy codec=lz4 codec=zstd acks=0 acks=1 acks=all idempotent null-header repeated-header null-both time '
           'transact etl etl-group create partitions list config grow delete group=range group=cooperative-sticky static' +
           (' alter trim' if hasattr(kadmin, 'AlterConfigOpType') else ''))

    def __init__(self):
        self.admin = AdminClient(LOGIN)

    def produce(self, topic, codec, acks, idempotent, records):
        places = {}
        producer = ck.Producer({**LOGIN, 'compression.type': codec, 'acks': acks, 'enable.idempotence': idempotent, 'linger.ms': 20})
        for n, (partition, time, key, value, headers) in enumerate(records):
            def done(error, message, n=n):
                places[n] = error or (message.partition(), message.offset())
            producer.produce(topic, value, key, partition, done, timestamp=time, headers=headers)
        producer.flush(30)
        errors = [place for place in places.values() if isinstance(place, ck.KafkaError)]
        if errors:
            raise ck.KafkaException(errors[0])
        return [] if acks == '0' else [places[n] for n in range(len(records))]

    def consume(self, topic, partition, first, many):
        consumer = ck.Consumer({**LOGIN, 'group.id': 'none', 'enable.auto.commit': False, 'fetch.wait.max.ms': loop.WAIT,
                                'socket.timeout.ms': 60000, 'session.timeout.ms': 45000})
        place = ck.TopicPartition(topic, partition)
        low, high = consumer.get_watermark_offsets(place, timeout=20)
        if first == 'beginning':
            place.offset = ck.OFFSET_BEGINNING
        elif first == 'end':
            place.offset = high
        else:
            place = consumer.offsets_for_times([ck.TopicPartition(topic, partition, int(first))], timeout=20)[0]
        consumer.assign([place])
        if first == 'end':
            loop.say('waiting')
        for _ in range(many):
            message = consumer.poll(30)
            if message is None or message.error():
                raise Exception('nothing came: %s' % (message and message.error()))
            loop.say_record(message.partition(), message.offset(), message.timestamp()[1], message.key(), message.value(), message.headers())
        consumer.close()

    def transactional(self, name):
        producer = ck.Producer({**LOGIN, 'transactional.id': name, 'linger.ms': 5})
        producer.init_transactions(30)
        return producer

    def transact(self, name, topic, many):
        producer = self.transactional(name)
        for t in range(many):
            producer.begin_transaction()
            for n in range(4):
                producer.produce(topic, '%s-%d-%d' % (name, t, n), partition=n % 2)
            if t % 3 == 2:
                producer.flush(30)
                producer.abort_transaction(30)
            else:
                producer.commit_transaction(30)

    def fence(self, name, topic):
        first, _ = self.transactional(name), self.transactional(name)
        try:
            first.begin_transaction()
            first.produce(topic, 'zombie', partition=0)
            first.commit_transaction(30)
        except ck.KafkaException as problem:
            return ['fenced'] if problem.args[0].code() in (ck.KafkaError._FENCED, ck.KafkaError.INVALID_PRODUCER_EPOCH) else [str(problem)]

    def etl(self, name, source, sink, group, many):
        producer = self.transactional(name)
        consumer = ck.Consumer({**LOGIN, 'group.id': group, 'enable.auto.commit': False, 'isolation.level': 'read_committed'})
        consumer.assign([ck.TopicPartition(source, p, 0) for p in (0, 1)])
        while many > 0:
            records = consumer.consume(10, 10)
            if not records:
                raise Exception('%d records did not come' % many)
            producer.begin_transaction()
            places = {r.partition(): r.offset() + 1 for r in records}
            for r in records:
                producer.produce(sink, r.value(), partition=r.partition())
            producer.send_offsets_to_transaction([ck.TopicPartition(source, p, o) for p, o in places.items()],
                                                 consumer.consumer_group_metadata(), 30)
            producer.commit_transaction(30)
            many -= len(records)
        consumer.close()

    def member(self, topic, group, assignor, instance, seconds):
        named = {} if instance == '-' else {'group.instance.id': instance}
        consumer = ck.Consumer({**LOGIN, **named, 'group.id': group, 'partition.assignment.strategy': assignor, 'session.timeout.ms': 6000,
                                'heartbeat.interval.ms': 1000, 'auto.offset.reset': 'earliest', 'enable.auto.commit': False})
        consumer.subscribe([topic])
        last = time.monotonic()
        while time.monotonic() < last + seconds:
            messages = [m for m in consumer.consume(100, 0.5) if m.error() is None]
            for m in messages:
                loop.say('%d %d' % (m.partition(), m.offset()))
            if messages:
                last = time.monotonic()
                try:
                    consumer.commit(asynchronous=False)
                except ck.KafkaException as problem:
                    loop.complain(problem)
        consumer.close()

    def create(self, topic, partitions, name, value):
        self.admin.create_topics([NewTopic(topic, partitions, 1, config={name: value})])[topic].result(20)

    def partitions(self, topic):
        return [len(self.admin.list_topics(topic, timeout=20).topics[topic].partitions)]

    def list(self):
        return self.admin.list_topics(timeout=20).topics

    def config(self, topic, name):
        resource = ConfigResource(kadmin.RESOURCE_TOPIC, topic)
        return [self.admin.describe_configs([resource])[resource].result(20)[name].value]

    def alter(self, topic, name, value):
        entry = kadmin.ConfigEntry(name, value, incremental_operation=kadmin.AlterConfigOpType.SET)
        resource = ConfigResource(kadmin.RESOURCE_TOPIC, topic, incremental_configs=[entry])
        self.admin.incremental_alter_configs([resource])[resource].result(20)

    def grow(self, topic, many):
        self.admin.create_partitions([NewPartitions(topic, many)])[topic].result(20)

    def trim(self, topic, partition, offset):
        place = ck.TopicPartition(topic, partition, offset)
        self.admin.delete_records([place])[place].result(20)

    def delete(self, topic):
        self.admin.delete_topics([topic])[topic].result(20)


loop.run(Kafka())
