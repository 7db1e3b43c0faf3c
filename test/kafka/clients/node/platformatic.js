// @platformatic/kafka: judge.py's protocol.
const readline = require('readline');
const { Admin, Consumer, Producer } = require('@platformatic/kafka');

const login = {
  clientId: 'platformatic',
  bootstrapBrokers: [process.env.KAFKA_BOOTSTRAP],
  sasl: { mechanism: 'SCRAM-SHA-256', username: process.env.KAFKA_USER, password: process.env.KAFKA_PASSWORD },
};
const admin = new Admin(login);
const WAIT = 20000;
const say = (line) => process.stdout.write(line + '\n');
const decoded = (text) => (text === '-' ? undefined : Buffer.from(text, 'hex'));
const coded = (data) => (data === null || data === undefined ? '-' : data.toString('hex'));

// zstd needs a later Node; a header's name is once in a record.
const HAS = 'codec=gzip codec=snappy codec=lz4 acks=1 acks=all idempotent null-both time create partitions list config alter grow delete';

async function produce(topic, codec, acks, idempotent, lines) {
  const producer = new Producer({ ...login, idempotent });
  const next = {};
  const messages = lines.map((line) => {
    const [partition, , timestamp, key, value, pairs] = line.split('\t');
    const headers = new Map(pairs === '.' ? [] : pairs.split(',').map((pair) => pair.split('=').map(decoded)));
    return { topic, partition: +partition, timestamp: BigInt(timestamp), key: decoded(key), value: decoded(value), headers };
  });
  const { offsets } = await producer.send({ messages, acks: acks === 'all' ? -1 : +acks, compression: codec });
  await producer.close();
  for (const place of offsets) next[place.partition] = Number(place.offset);
  for (const message of messages) say(`${message.partition} ${next[message.partition]++}`);
}

// It subscribes with groups; partitions of one's own choice are read by its fetch().
async function consume(topic, partition, from, many) {
  const consumer = new Consumer({ ...login, groupId: 'assigned' });
  const { id, partitions } = (await consumer.metadata({ topics: [topic] })).topics.get(topic);
  const timestamp = { beginning: -2n, end: -1n }[from] ?? BigInt(from);
  let offset = (await consumer.listOffsets({ topics: [topic], partitions: { [topic]: [partition] }, timestamp })).get(topic)[partition];
  let left = many;
  if (from === 'end') say('waiting');
  while (left > 0) {
    const { responses } = await consumer.fetch({
      node: partitions[partition].leader, minBytes: 1, maxBytes: 1 << 24, maxWaitTime: WAIT, isolationLevel: 1,
      topics: [{ topicId: id, partitions: [{ partition, currentLeaderEpoch: -1, fetchOffset: offset, lastFetchedEpoch: -1, partitionMaxBytes: 1 << 20 }] }],
    });
    for (const batch of responses[0].partitions[0].records ?? []) {
      for (const record of batch.records) {
        const place = batch.firstOffset + BigInt(record.offsetDelta);
        if (place < offset || left === 0) continue;
        offset = place + 1n;
        left--;
        const pairs = [...(record.headers ?? [])].map(([name, value]) => `${coded(name)}=${coded(value)}`).join(',') || '.';
        say([partition, place, batch.firstTimestamp + BigInt(record.timestampDelta), coded(record.key), coded(record.value), pairs].join('\t'));
      }
    }
  }
  await consumer.close();
}

const resource = (topic) => ({ resourceType: 2, resourceName: topic });
const commands = {
  has: () => say(HAS),
  consume: (topic, partition, from, many) => consume(topic, +partition, from, +many),
  create: (topic, many, name, value) => admin.createTopics({ topics: [topic], partitions: +many, replicas: 1, configs: [{ name, value }] }),
  partitions: async (topic) => say(String((await admin.metadata({ topics: [topic], forceUpdate: true })).topics.get(topic).partitionsCount)),
  list: async () => (await admin.listTopics()).forEach(say),
  config: async (topic, name) => say((await admin.describeConfigs({ resources: [{ ...resource(topic), configurationKeys: [name] }] }))[0].configs[0].value),
  alter: (topic, name, value) => admin.incrementalAlterConfigs({ resources: [{ ...resource(topic), configs: [{ name, configOperation: 0, value }] }] }),
  grow: (topic, count) => admin.createPartitions({ topics: [{ name: topic, count: +count, assignments: [] }] }),
  delete: (topic) => admin.deleteTopics({ topics: [topic] }),
};

async function main() {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
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
      say(`error ${problem} ${(problem.errors ?? []).join('; ')}`.replace(/\n/g, ' '));
    }
  }
  await admin.close();
}

main();
