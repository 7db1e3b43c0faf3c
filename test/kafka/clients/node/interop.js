// kafkajs: judge.py's protocol.
const readline = require('readline');
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = require('kafkajs');

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');

const kafka = new Kafka({
  brokers: [process.env.KAFKA_BOOTSTRAP],
  sasl: { mechanism: 'scram-sha-256', username: process.env.KAFKA_USER, password: process.env.KAFKA_PASSWORD },
  logLevel: logLevel.ERROR,
});
const admin = kafka.admin();
const say = (line) => process.stdout.write(line + '\n');
const decoded = (text) => (text === '-' ? null : Buffer.from(text, 'hex'));

// kafkajs consumes with groups only.
const HAS = 'codec=gzip codec=snappy acks=0 acks=1 acks=all idempotent null-both no-consumer ' +
  'create partitions list config alter grow trim delete group=range';

// An array is a name that is repeated; it keeps no order among names.
function headers(text) {
  const all = {};
  for (const pair of text === '.' ? [] : text.split(',')) {
    const [name, value] = pair.split('=').map(decoded);
    (all[name.toString()] ??= []).push(value);
  }
  return all;
}

async function produce(topic, codec, acks, idempotent, lines) {
  const producer = kafka.producer({ idempotent, maxInFlightRequests: 1 });
  const next = {};
  await producer.connect();
  const messages = lines.map((line) => {
    const [partition, , timestamp, key, value, pairs] = line.split('\t');
    return { partition: +partition, timestamp, key: decoded(key), value: decoded(value), headers: headers(pairs) };
  });
  const places = await producer.send({
    topic, messages, acks: acks === 'all' ? -1 : +acks,
    compression: { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy }[codec],
  });
  await producer.disconnect();
  if (acks === '0') return;
  for (const place of places) next[place.partition] = +place.baseOffset;
  for (const message of messages) say(`${message.partition} ${next[message.partition]++}`);
}

async function member(topic, groupId, assignor, instance, seconds) {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 6000, heartbeatInterval: 1000, rebalanceTimeout: 10000 });
  let last = Date.now();
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  await consumer.run({
    autoCommitThreshold: 1, // commitOffsets() would be the end of it at any rebalance
    eachBatch: async ({ batch, heartbeat }) => {
      for (const message of batch.messages) say(`${batch.partition} ${message.offset}`);
      last = Date.now();
      await heartbeat();
    },
  });
  while (Date.now() < last + seconds * 1000) await new Promise((resolve) => { setTimeout(resolve, 200); });
  await consumer.disconnect();
}

const resource = (topic) => ({ type: ConfigResourceTypes.TOPIC, name: topic });
const commands = {
  has: () => say(HAS),
  member,
  create: (topic, many, name, value) => admin.createTopics({
    topics: [{ topic, numPartitions: +many, replicationFactor: 1, configEntries: [{ name, value }] }],
  }),
  partitions: async (topic) => say(String((await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length)),
  list: async () => (await admin.listTopics()).forEach(say),
  config: async (topic, name) => {
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ ...resource(topic), configNames: [name] }] });
    say(resources[0].configEntries[0].configValue);
  },
  alter: (topic, name, value) => admin.alterConfigs({ validateOnly: false, resources: [{ ...resource(topic), configEntries: [{ name, value }] }] }),
  grow: (topic, count) => admin.createPartitions({ topicPartitions: [{ topic, count: +count }] }),
  trim: (topic, partition, offset) => admin.deleteTopicRecords({ topic, partitions: [{ partition: +partition, offset }] }),
  delete: (topic) => admin.deleteTopics({ topics: [topic] }),
};

async function main() {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  await admin.connect();
  for (let line; !(line = await lines.next()).done;) {
    const words = line.value.split('\t');
    try {
      if (words[0] === 'produce') {
        const records = [];
        for (let n = +words[5]; n > 0; n--) records.push((await lines.next()).value);
        await produce(words[1], words[2], words[3], words[4] === '1', records);
      } else {
        await commands[words[0]](...words.slice(1));
      }
      say('ok');
    } catch (problem) {
      say(`error ${problem}`.replace(/\n/g, ' '));
    }
  }
  await admin.disconnect();
}

main();
