/*-------------------------------------------------------------------------
 * latency.c
 *	  How long a committed record takes to a consumer that waits for it.
 *
 * Usage: latency fetch|notify RATE SECONDS
 *
 * One process produces a record per transaction at a fixed rate, another one
 * follows.  With "fetch" it follows by kstream.fetch with max_wait.  With
 * "notify" it does what one does without kstream: the producer inserts a row
 * into a table and notifies, the consumer sleeps on its socket and, when it is
 * notified, selects the rows past the last one it saw.
 *
 * Both processes read one monotonic clock.  Per record three times are taken:
 * when the producer sent COMMIT, when COMMIT returned, when the consumer's
 * client held the record.  Printed in microseconds, on one line: median and
 * 99th percentile of receipt after COMMIT was sent, the same of receipt after
 * COMMIT had returned (negative where the consumer was first), median of COMMIT
 * itself, and the rate reached.  The first second is not counted.
 *
 * test/bench/latency.c
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

/* What the two processes share about one record; ns. */
typedef struct Times
{
	int64_t sent;
	int64_t returned;
	int64_t received;
} Times;

static PGconn *conn;
static Times *times;
static int records;

static void
die(const char *what)
{
	fprintf(stderr, "latency: %s: %s", what, PQerrorMessage(conn));
	exit(1);
}

static int64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
sleep_until(int64_t ns)
{
	struct timespec at = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

static void
connect_db(void)
{
	conn = PQconnectdb("");
	if (PQstatus(conn) != CONNECTION_OK)
		die("connection");
}

static void
run(const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		die(sql);
	PQclear(result);
}

/* Each record's key is its number. */
static void
produce(bool notify, int64_t interval)
{
	int64_t start;
	int i;

	connect_db();
	if (notify)
		run("PREPARE p AS INSERT INTO latency_plain (ts, key, value)"
			" VALUES (now(), int4send($1), convert_to(repeat('x', 106), 'UTF8'))");
	else
		run("PREPARE p AS SELECT kstream.produce('latency', int4send($1), repeat('x', 106))");
	start = now_ns() + 500000000;
	for (i = 0; i < records; i++)
	{
		char sql[80];

		snprintf(sql, sizeof(sql), "BEGIN; EXECUTE p(%d)%s", i, notify ? "; NOTIFY latency" : "");
		sleep_until(start + i * interval);
		run(sql);
		times[i].sent = now_ns();
		run("COMMIT");
		times[i].returned = now_ns();
	}
	PQfinish(conn);
}

/* Note the receipt of a result's records; the position after the last. */
static int64_t
note(PGresult *result, int64_t position, int *received)
{
	int64_t now = now_ns();
	int i;

	if (PQresultStatus(result) != PGRES_TUPLES_OK)
		die("reading");
	for (i = 0; i < PQntuples(result); i++)
	{
		uint32_t words[2];
		uint32_t number;

		memcpy(words, PQgetvalue(result, i, 0), 8);
		position = ((int64_t) ntohl(words[0]) << 32 | ntohl(words[1])) + 1;
		memcpy(&number, PQgetvalue(result, i, 1), 4);
		times[ntohl(number)].received = now;
		(*received)++;
	}
	PQclear(result);
	return position;
}

static void
wait_for_notify(void)
{
	for (;;)
	{
		PGnotify *notify;
		struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};
		bool any = false;

		PQconsumeInput(conn);
		while ((notify = PQnotifies(conn)) != NULL)
		{
			PQfreemem(notify);
			any = true;
		}
		if (any)
			return;
		poll(&fd, 1, -1);
	}
}

static void
consume(bool notify)
{
	static const char *by_fetch = "SELECT r.\"offset\", r.key, r.value"
								  " FROM kstream.fetch('latency', 0, $1::bigint, max_wait => '1 s') r";
	static const char *by_select = "SELECT id, key, value FROM latency_plain WHERE id >= $1::bigint ORDER BY id";
	int64_t position = 0;
	int received = 0;

	connect_db();
	PQclear(PQprepare(conn, "next", notify ? by_select : by_fetch, 0, NULL));
	if (notify)
		run("LISTEN latency");
	while (received < records)
	{
		char text[24];
		const char *params[1] = {text};

		if (notify)
			wait_for_notify();
		snprintf(text, sizeof(text), "%lld", (long long) position);
		position = note(PQexecPrepared(conn, "next", 1, params, NULL, NULL, 1), position, &received);
	}
	PQfinish(conn);
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a;
	int64_t y = *(const int64_t *) b;

	return (x > y) - (x < y);
}

/* Print a percentile of count values, which are sorted by it, in us. */
static void
print_percentile(int64_t *sample, int count, double percent)
{
	qsort(sample, count, sizeof(int64_t), compare);
	printf("%.0f ", sample[(int) (percent / 100 * (count - 1))] / 1000.0);
}

static void
report(int skip)
{
	int count = records - skip;
	int64_t *sample = malloc(sizeof(int64_t) * count);
	int i;

	for (i = 0; i < count; i++)
		sample[i] = times[skip + i].received - times[skip + i].sent;
	print_percentile(sample, count, 50);
	print_percentile(sample, count, 99);
	for (i = 0; i < count; i++)
		sample[i] = times[skip + i].received - times[skip + i].returned;
	print_percentile(sample, count, 50);
	print_percentile(sample, count, 99);
	for (i = 0; i < count; i++)
		sample[i] = times[skip + i].returned - times[skip + i].sent;
	print_percentile(sample, count, 50);
	printf("%.0f\n", count * 1e9 / (times[records - 1].sent - times[skip].sent));
}

int
main(int argc, char **argv)
{
	bool notify;
	pid_t consumer;
	int rate;
	int status;

	if (argc != 4 || (rate = atoi(argv[2])) <= 0 || (records = rate * atoi(argv[3])) <= rate)
	{
		fprintf(stderr, "usage: latency fetch|notify RATE SECONDS (at least 2)\n");
		return 2;
	}
	notify = strcmp(argv[1], "notify") == 0;
	times = mmap(NULL, sizeof(Times) * records, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (times == MAP_FAILED)
	{
		perror("latency");
		return 1;
	}
	consumer = fork();
	if (consumer == 0)
	{
		consume(notify);
		exit(0);
	}
	produce(notify, 1000000000 / rate);
	alarm(20); /* a record that never comes */
	if (waitpid(consumer, &status, 0) != consumer || status != 0)
		return 1;
	report(rate);
	return 0;
}
