/*
 * Ships orders: a consumer that does its work exactly once.
 *
 *	node consumer.js [NAME]
 *
 * The work and the offset commit together, so neither a crash, nor a lost
 * connection, nor a rebalance loses or repeats a shipment.  A member of the
 * group is this session, or NAME, which outlives it.
 */
'use strict';

const { setTimeout } = require('timers/promises');
const { Client } = require('pg');

const POLL = `SELECT r.partition, r.offset, r.timestamp, r.key, r.value, r.headers
	FROM kstream.poll('shipping', '{orders}', $1, max_wait => '20 s') r`;
const SHIP = `INSERT INTO shipment (partition, record_offset, placed_at, order_id, record, headers)
	VALUES ($1, $2, $3, $4, $5, $6)`;

async function shipBatch(client, name) {
	await client.query('BEGIN');
	const polled = await client.query(POLL, [name]);
	for (const r of polled.rows) {
		await client.query(SHIP, [r.partition, r.offset, r.timestamp,
			r.key.toString(), r.value, JSON.stringify(r.headers)]);
	}
	await client.query(`SELECT kstream.commit('shipping', $1)`, [name]);
	await client.query('COMMIT');
}

async function consume(client, name) {
	for (;;) {
		try {
			await shipBatch(client, name);
		} catch (error) {
			/* The partition is another member's now: its records are, too. */
			if (!['KS110', '40001'].includes(error.code))
				throw error;
			await client.query('ROLLBACK');
		}
	}
}

async function main(name) {
	for (;;) {
		const client = new Client();
		client.on('error', () => {});	/* the query fails as well */
		try {
			await client.connect();
			await consume(client, name);
		} catch (error) {
			console.error('will try again:', error.message);
			await setTimeout(1000);
		}
		client.end().catch(() => {});
	}
}

main(process.argv[2]);
