/*-------------------------------------------------------------------------
 * load.c
 *	  A client that loads records, by kstream or by COPY.
 *
 * Usage: load batch|copy each|all ROWS
 *
 * Both ways send the same keys (8 bytes) and values (102 bytes) in
 * PostgreSQL's binary format, built anew from the client's memory for each
 * 1,000 records.  COPY also sends an id and a time, as its table wants them.
 * With "each", every 1,000 records are a transaction; with "all" there is one.
 * Prints rows per second.  The connection's parameters come from the
 * environment.
 *
 * test/bench/load.c
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

#define BATCH 1000
#define KEY_LEN 8
#define VALUE_LEN 102
#define BYTEA_OID 17
#define BYTEA_ARRAY_OID 1001

typedef struct Buffer
{
	char *data;
	int len;
} Buffer;

static PGconn *conn;
static char (*keys)[KEY_LEN + 1];
static char (*values)[VALUE_LEN + 1];

static void
die(const char *what)
{
	fprintf(stderr, "load: %s: %s", what, PQerrorMessage(conn));
	exit(1);
}

static void
expect(PGresult *result, ExecStatusType status, const char *what)
{
	if (PQresultStatus(result) != status)
		die(what);
	PQclear(result);
}

static void
put16(Buffer *buffer, uint16_t value)
{
	value = htons(value);
	memcpy(buffer->data + buffer->len, &value, 2);
	buffer->len += 2;
}

static void
put32(Buffer *buffer, uint32_t value)
{
	value = htonl(value);
	memcpy(buffer->data + buffer->len, &value, 4);
	buffer->len += 4;
}

static void
put64(Buffer *buffer, uint64_t value)
{
	put32(buffer, value >> 32);
	put32(buffer, (uint32_t) value);
}

static void
put_bytes(Buffer *buffer, const char *bytes, int len)
{
	put32(buffer, len);
	memcpy(buffer->data + buffer->len, bytes, len);
	buffer->len += len;
}

/* A one-dimensional bytea array is this header and its elements. */
static void
put_array_header(Buffer *buffer, int count)
{
	buffer->len = 0;
	put32(buffer, 1);
	put32(buffer, 0);
	put32(buffer, BYTEA_OID);
	put32(buffer, count);
	put32(buffer, 1);
}

static void
send_batch(Buffer arrays[2], int from, int count)
{
	const char *params[2];
	int lengths[2];
	int formats[2] = {1, 1};
	int i;

	put_array_header(&arrays[0], count);
	put_array_header(&arrays[1], count);
	for (i = from; i < from + count; i++)
	{
		put_bytes(&arrays[0], keys[i], KEY_LEN);
		put_bytes(&arrays[1], values[i], VALUE_LEN);
	}
	for (i = 0; i < 2; i++)
	{
		params[i] = arrays[i].data;
		lengths[i] = arrays[i].len;
	}
	expect(PQexecPrepared(conn, "batch", 2, params, lengths, formats, 1), PGRES_TUPLES_OK, "produce_batch_bytes");
}

static void
copy_begin(void)
{
	static const char header[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0";

	expect(PQexec(conn, "COPY batch_plain FROM STDIN (FORMAT binary)"), PGRES_COPY_IN, "COPY");
	if (PQputCopyData(conn, header, 19) != 1)
		die("COPY");
}

static void
copy_rows(Buffer *buffer, int from, int count, int64_t now)
{
	int i;

	buffer->len = 0;
	for (i = from; i < from + count; i++)
	{
		put16(buffer, 4);
		put32(buffer, 8);
		put64(buffer, i);
		put32(buffer, 8);
		put64(buffer, now);
		put_bytes(buffer, keys[i], KEY_LEN);
		put_bytes(buffer, values[i], VALUE_LEN);
	}
	if (PQputCopyData(conn, buffer->data, buffer->len) != 1)
		die("COPY");
}

static void
copy_end(void)
{
	if (PQputCopyData(conn, "\377\377", 2) != 1 || PQputCopyEnd(conn, NULL) != 1)
		die("COPY");
	expect(PQgetResult(conn), PGRES_COMMAND_OK, "COPY");
	while (PQgetResult(conn) != NULL)
		;
}

static void
make_records(int rows)
{
	int i;

	keys = malloc((size_t) rows * sizeof(*keys));
	values = malloc((size_t) rows * sizeof(*values));
	if (keys == NULL || values == NULL)
		die("out of memory");
	for (i = 0; i < rows; i++)
	{
		uint32_t hash = (uint32_t) i * 2654435761u;

		snprintf(keys[i], sizeof(keys[i]), "%08u", hash % 100000000);
		memset(values[i], ' ', VALUE_LEN);
		values[i][snprintf(values[i], VALUE_LEN, "{\"order\": %d, \"customer\": %u, \"currency\": \"EUR\"", i, hash >> 16)] = ' ';
		values[i][VALUE_LEN - 1] = '}';
	}
}

static void
by_batch(int rows, bool one_transaction)
{
	Buffer arrays[2];
	int from;

	arrays[0].data = malloc(BATCH * (KEY_LEN + 4) + 32);
	arrays[1].data = malloc(BATCH * (VALUE_LEN + 4) + 32);
	if (one_transaction)
		expect(PQexec(conn, "BEGIN"), PGRES_COMMAND_OK, "BEGIN");
	for (from = 0; from < rows; from += BATCH)
		send_batch(arrays, from, rows - from < BATCH ? rows - from : BATCH);
	if (one_transaction)
		expect(PQexec(conn, "COMMIT"), PGRES_COMMAND_OK, "COMMIT");
}

static void
by_copy(int rows, bool one_transaction)
{
	Buffer buffer;
	int from;

	buffer.data = malloc(BATCH * (2 + 12 + 12 + KEY_LEN + VALUE_LEN + 8));
	for (from = 0; from < rows; from += BATCH)
	{
		if (from == 0 || !one_transaction)
			copy_begin();
		copy_rows(&buffer, from, rows - from < BATCH ? rows - from : BATCH, INT64_C(820454400000000));
		if (!one_transaction)
			copy_end();
	}
	if (one_transaction)
		copy_end();
}

int
main(int argc, char **argv)
{
	static const Oid types[2] = {BYTEA_ARRAY_OID, BYTEA_ARRAY_OID};
	struct timespec start;
	struct timespec end;
	bool one_transaction;
	int rows;

	if (argc != 4 || (rows = atoi(argv[3])) <= 0)
	{
		fprintf(stderr, "usage: load batch|copy each|all ROWS\n");
		return 2;
	}
	one_transaction = strcmp(argv[2], "all") == 0;
	make_records(rows);
	conn = PQconnectdb("");
	if (PQstatus(conn) != CONNECTION_OK)
		die("connection");
	expect(PQprepare(conn, "batch", "SELECT kstream.produce_batch_bytes('batch', $1, $2)", 2, types),
		   PGRES_COMMAND_OK, "PREPARE");

	clock_gettime(CLOCK_MONOTONIC, &start);
	if (strcmp(argv[1], "batch") == 0)
		by_batch(rows, one_transaction);
	else
		by_copy(rows, one_transaction);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.0f\n", rows / ((end.tv_sec - start.tv_sec) + (end.tv_nsec - start.tv_nsec) / 1e9));
	PQfinish(conn);
	return 0;
}
