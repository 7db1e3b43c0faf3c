// kafkajs: produce, idempotent and not, and administer.  It reads in groups alone, so nothing is read back.
const { Kafka, CompressionTypes, logLevel } = require('kafkajs');
const [port, topic] = process.argv.slice(2);
const kafka = new Kafka({
  clientId: 'kafkajs', brokers: ['localhost:' + port], ssl: false, logLevel: logLevel.ERROR,
  sasl: { mechanism: 'scram-sha-256', username: 'alice', password: 'secret' },
});
const messages = (i) => [...Array(10).keys()].map((k) => ({ key: 'k' + k, value: 'v' + i, partition: 0, headers: { h: 'x' } }));

async function main() {
  let sent = 0;
  for (const compression of [CompressionTypes.None, CompressionTypes.GZIP]) {
    for (const idempotent of [false, true]) {
      const producer = kafka.producer({ idempotent, maxInFlightRequests: 1 });
      await producer.connect();
      for (let i = 0; i < 50; i++, sent += 10) await producer.send({ topic, compression, acks: -1, messages: messages(i) });
      await producer.disconnect();
    }
  }
  const admin = kafka.admin();
  await admin.connect();
  const end = (await admin.fetchTopicOffsets(topic)).find((p) => p.partition === 0).high;
  if (end !== String(sent)) throw new Error(`${end} records, not ${sent}`);
  await admin.createTopics({ topics: [{ topic: 'made-by-kafkajs', numPartitions: 2 }] });
  if ((await admin.fetchTopicMetadata({ topics: ['made-by-kafkajs'] })).topics[0].partitions.length !== 2) throw new Error('partitions');
  await admin.deleteTopics({ topics: ['made-by-kafkajs'] });
  await admin.disconnect();
}

main().catch((e) => { console.error(e); process.exit(1); });
