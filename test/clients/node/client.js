/*
 * kstream from JavaScript, through node-postgres (Debian: node-pg).
 *
 *	node client.js write TOPIC NUMBER			produce to partition NUMBER
 *	node client.js read TOPIC					print every record
 *	node client.js wait TOPIC PARTITION OFFSET	print what comes from there on
 *
 * node-postgres gives no parameter a type, so the server takes each for text
 * unless the SQL says otherwise: bytes in a Buffer need $n::bytea.  Where it
 * finds the server: PGHOST, PGPORT, PGDATABASE, PGUSER.  What is printed, and
 * which records are written: test/t/060_clients.pl.
 */
'use strict';

const { Client } = require('pg');

const LEAP = new Date('2024-02-29T12:34:56.789Z');

function told(passed, name) {
	console.log((passed ? 'ok' : 'not ok') + ' - ' + name);
}

/* A call with the topic as $1, key $2, value $3, partition $4. */
async function produce(client, name, topic, number, key, value,
	form = '$2, $3', more = '', ...args) {
	const result = await client.query(
		`SELECT kstream.produce($1, ${form}, partition => $4${more}) AS went`,
		[topic, key, value, number, ...args]);
	told(result.rows[0].went === number, name);
}

async function writeValues(client, topic, n) {
	const put = (name, ...args) => produce(client, name, topic, n, ...args);
	const zeros = '00000000-0000-0000-0000-00000000000';

	await put('untyped, untyped', 'node:1', 'grüße 1');
	await put('text, text', 'node:2', 'two', '$2::text, $3::text');
	await put('untyped, bytea', 'node:3', Buffer.from([0, 255, 128, 65]),
		'$2, $3::bytea');
	await put('text, jsonb', 'node:4', { s: 'é', n: 1 }, '$2::text, $3::jsonb');
	await put('bigint, untyped', n * 100 + 5, 'five', '$2::bigint, $3');
	await put('bytea, text', Buffer.from('node:6\0'), 'six',
		'$2::bytea, $3::text');
	await put('integer, integer', n * 100 + 7, -7, '$2::int, $3::int');
	await put('bytea, bytea', Buffer.from('node:8\xff', 'latin1'),
		Buffer.alloc(0), '$2::bytea, $3::bytea');
	await put('uuid, numeric', zeros + n, '12.50', '$2::uuid, $3::numeric');
	await put('untyped, NULL', 'node:10', null);
	await put('untyped, NULL bytea', 'node:11', null, '$2, $3::bytea');
	await put('NULL, untyped', null, 'node:12');
}

async function writeOptions(client, topic, n) {
	const put = (name, ...args) => produce(client, name, topic, n, ...args);

	await put('headers, an object', 'node:13', 'h', '$2, $3',
		', headers => $5', { trace: 'abc', none: null });
	/* A JavaScript array would become an SQL array. */
	await put('headers, a list', 'node:14', 'h', '$2, $3', ', headers => $5',
		JSON.stringify([{ key: 'k', value: '1' },
			{ key: 'k', value: { base64: 'AP8=' } }]));
	await put('event time', 'node:15', 't', '$2, $3', ', event_time => $5',
		LEAP);
	await client.query('SELECT kstream.produce($1, $2, $3)',
		[topic, 'node:16', '']);
	told(true, 'defaults');
}

async function writeBatches(client, topic, n) {
	let result = await client.query(
		'SELECT kstream.produce_batch($1, $2, $3, $4, $5, $6) AS records',
		[topic, ['node:17', 'node:18', null], ['a', null, 'node:19 é'],
			[{ h: '1' }, null, null], n, [LEAP, null, LEAP]]);
	told(result.rows[0].records === '3', 'batch of text');
	result = await client.query(
		'SELECT kstream.produce_batch_bytes($1, $2, $3, partition => $4) AS records',
		[topic, [Buffer.from('node:20'), null],
			[Buffer.from([0, 255]), Buffer.from('node:21')], n]);
	told(result.rows[0].records === '2', 'batch of bytes');
}

async function write(client, topic, number) {
	const n = Number(number);

	await client.query('BEGIN');
	await client.query('SELECT kstream.produce($1, $2, $3)',
		[topic, 'node:0', 'rolled back']);
	await client.query('ROLLBACK');
	await client.query('BEGIN');
	await writeValues(client, topic, n);
	await writeOptions(client, topic, n);
	await writeBatches(client, topic, n);
	await client.query('COMMIT');
}

/* A record as the test wants it.  A bigint comes as a string, so that none
 * is rounded; key and value are Buffers, the timestamp is a Date, headers are
 * parsed. */
function show(record) {
	const bytes = (value) => (value === null ? 'NULL' : value.toString('hex'));

	console.log([record.partition, record.offset, record.timestamp.getTime(),
		bytes(record.key), bytes(record.value),
		record.headers === null ? 'NULL' : JSON.stringify(record.headers)]
		.join('\t'));
}

async function fetch(client, topic, partition, offset, wait = '0') {
	const result = await client.query(
		`SELECT r.* FROM kstream.fetch($1, $2, $3, max_records => $4,
			max_wait => $5) r`, [topic, partition, offset, 4, wait]);
	return result.rows;
}

async function read(client, topic) {
	const ends = await client.query(
		'SELECT * FROM kstream.list_offsets($1) ORDER BY partition', [topic]);

	for (const { partition, earliest, latest } of ends.rows) {
		let offset = BigInt(earliest);
		while (offset < BigInt(latest)) {
			for (const record of await fetch(client, topic, partition, offset)) {
				show(record);
				offset = BigInt(record.offset) + 1n;
			}
		}
	}
	try {
		await fetch(client, topic, 0, 1n << 40n);
	} catch (error) {
		console.log('error\t' + error.code);
	}
}

async function wait(client, topic, partition, offset) {
	(await fetch(client, topic, partition, offset, '25 s')).forEach(show);
}

async function main() {
	const [command, ...args] = process.argv.slice(2);
	const client = new Client();

	await client.connect();
	await { write, read, wait }[command](client, ...args);
	await client.end();
}

main().catch((error) => {
	console.error(error);
	process.exit(1);
});
