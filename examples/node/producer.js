/*
 * Takes orders: each is a row of a table and a record of a topic, or neither.
 *
 *	node producer.js FIRST LAST		the numbers of the orders to place
 *
 * A connection that is lost during COMMIT leaves open whether it committed.  So
 * an order that failed is placed again, and its number tells whether it is
 * there already: the record went with the row.
 */
'use strict';

const { setTimeout } = require('timers/promises');
const { Client } = require('pg');

async function place(client, order, placedAt) {
	await client.query('BEGIN');
	const inserted = await client.query(
		`INSERT INTO orders (id, customer, cents, source, placed_at)
			VALUES ($1, $2, $3, 'node', $4) ON CONFLICT DO NOTHING`,
		[order.id, order.customer, order.cents, placedAt]);
	if (inserted.rowCount === 1) {
		await client.query(
			`SELECT kstream.produce('orders', $1, $2, headers => $3, event_time => $4)`,
			[order.id, JSON.stringify(order), { source: 'node' }, placedAt]);
	}
	await client.query('COMMIT');
}

async function placeAll(client, numbers) {
	for (; numbers.length > 0; numbers.shift()) {
		const [id] = numbers;
		await place(client, { id, customer: `Zoë ${id % 7}`, cents: id * 5 }, new Date());
	}
}

async function main(first, last) {
	const numbers = [];

	for (let id = Number(first); id <= Number(last); id++)
		numbers.push(id);
	while (numbers.length > 0) {
		const client = new Client();
		client.on('error', () => {});	/* the query fails as well */
		try {
			await client.connect();
			await placeAll(client, numbers);
		} catch (error) {
			console.error('will try again:', error.message);
			await setTimeout(1000);
		}
		client.end().catch(() => {});
	}
}

main(...process.argv.slice(2));
