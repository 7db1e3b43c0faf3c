/*-------------------------------------------------------------------------
 * group.c
 *	  Members of a consumer group, many or fast.
 *
 * Usage: group consume GROUP TOPIC MEMBERS RECORDS
 *		  group idle GROUP TOPIC MEMBERS SECONDS
 *		  group rebalance GROUP TOPIC MEMBERS WAIT_MS
 *
 * consume: MEMBERS processes poll 500 records at a time, with commit => true, a
 * transaction each, and take the rows in binary; all together RECORDS.  Prints
 * records per second.
 *
 * idle: MEMBERS connections wait for records of a topic that has none, 30 s a
 * poll.  Prints the CPU seconds that their backends used within SECONDS.
 *
 * rebalance: MEMBERS connections poll a topic that has no records, WAIT_MS a
 * poll, a transaction each.  One more joins; then one disconnects, between two
 * polls.  Prints for both changes how many partitions moved, after how many ms
 * all were owned and the shares even, and after how many ms each partition
 * that moved had been stamped by a transaction that committed.  Uses what is
 * behind the views, so it must run as a superuser.
 *
 * test/bench/group.c
 *-------------------------------------------------------------------------
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <libpq-fe.h>

#define MEMBERS_MAX 1000

static const char *group;
static const char *topic;
static PGconn *members[MEMBERS_MAX];
static int member_count;
static int leaving = -1; /* this one does not poll again */
static char poll_sql[500];

static void
die(PGconn *conn, const char *what)
{
	fprintf(stderr, "group: %s: %s", what, PQerrorMessage(conn));
	exit(1);
}

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static PGconn *
connect_db(void)
{
	PGconn *conn = PQconnectdb("");

	if (PQstatus(conn) != CONNECTION_OK)
		die(conn, "connection");
	return conn;
}

/* Run SQL; the first column of its first row as a number, 0 for no row. */
static double
query(PGconn *conn, const char *sql)
{
	PGresult *result = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(result);
	double number = 0;

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		die(conn, sql);
	if (PQntuples(result) > 0 && PQnfields(result) > 0)
		number = atof(PQgetvalue(result, 0, 0));
	PQclear(result);
	return number;
}

/* Poll until nothing comes; returns how many records came. */
static long
consume_all(void)
{
	PGconn *conn = connect_db();
	PGresult *result;
	long records = 0;
	long bytes = 0;
	int value;
	int rows;
	int i;

	snprintf(poll_sql, sizeof(poll_sql),
			 "SELECT * FROM kstream.poll('%s', '{%s}', max_records => 500, max_wait => '1 s', commit => true)",
			 group, topic);
	PQclear(PQprepare(conn, "poll", poll_sql, 0, NULL));
	do
	{
		result = PQexecPrepared(conn, "poll", 0, NULL, NULL, NULL, 1);
		if (PQresultStatus(result) != PGRES_TUPLES_OK)
			die(conn, "poll");
		rows = PQntuples(result);
		value = PQfnumber(result, "value");
		for (i = 0; i < rows; i++)
			bytes += PQgetlength(result, i, value);
		records += rows;
		PQclear(result);
	} while (rows > 0);
	PQfinish(conn);
	return bytes > 0 ? records : 0;
}

/*
 * The clock runs from the start until the last member has its last record;
 * what it then waits for more, a second, is taken off.
 */
static void
consume(int processes, long expected)
{
	double start = now_ms();
	long total = 0;
	int ends[2];
	int i;

	if (pipe(ends) != 0)
		exit(1);
	for (i = 0; i < processes; i++)
	{
		if (fork() == 0)
		{
			long records = consume_all();

			if (write(ends[1], &records, sizeof(records)) != sizeof(records))
				_exit(1);
			_exit(0);
		}
	}
	for (i = 0; i < processes; i++)
	{
		long records;
		int status;

		wait(&status);
		if (status != 0 || read(ends[0], &records, sizeof(records)) != sizeof(records))
			exit(1);
		total += records;
	}
	if (total != expected)
	{
		fprintf(stderr, "group: %ld records came, not %ld\n", total, expected);
		exit(1);
	}
	printf("%.0f\n", total * 1000.0 / (now_ms() - start - 1000));
}

/* One more member, which polls from now on. */
static void
add_member(void)
{
	PGconn *conn = connect_db();

	if (!PQsendQuery(conn, poll_sql))
		die(conn, "poll");
	members[member_count++] = conn;
}

/* For so many ms, let each member whose poll has returned poll again. */
static void
keep_polling(int ms)
{
	struct pollfd fds[MEMBERS_MAX];
	double end = now_ms() + ms;
	int i;

	while (now_ms() < end)
	{
		for (i = 0; i < member_count; i++)
		{
			fds[i].fd = PQsocket(members[i]);
			fds[i].events = POLLIN;
		}
		poll(fds, member_count, 1);
		for (i = 0; i < member_count; i++)
		{
			PGresult *result;

			if (!(fds[i].revents & (POLLIN | POLLHUP)))
				continue;
			if (!PQconsumeInput(members[i]))
				die(members[i], "poll");
			if (PQisBusy(members[i]))
				continue;
			while ((result = PQgetResult(members[i])) != NULL)
			{
				if (PQresultStatus(result) != PGRES_TUPLES_OK)
					die(members[i], "poll");
				PQclear(result);
			}
			if (i == leaving)
				continue;
			if (!PQsendQuery(members[i], poll_sql))
				die(members[i], "poll");
		}
	}
}

static void
start_members(int count, int wait_ms)
{
	snprintf(poll_sql, sizeof(poll_sql),
			 "SELECT count(*) FROM kstream.poll('%s', '{%s}', max_wait => '%d ms')", group, topic, wait_ms);
	while (member_count < count)
	{
		add_member();
		keep_polling(5);
	}
}

/* CPU seconds of a process so far. */
static double
cpu_of(int pid)
{
	char path[64];
	char line[2000];
	unsigned long user;
	unsigned long system;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (file == NULL || fgets(line, sizeof(line), file) == NULL ||
		sscanf(strrchr(line, ')') + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
	{
		perror(path);
		exit(1);
	}
	fclose(file);
	return (double) (user + system) / sysconf(_SC_CLK_TCK);
}

static double
cpu_of_all(void)
{
	double sum = 0;
	int i;

	for (i = 0; i < member_count; i++)
		sum += cpu_of(PQbackendPID(members[i]));
	return sum;
}

static void
idle(int count, int seconds)
{
	double before;

	start_members(count, 30000);
	keep_polling(2000);
	before = cpu_of_all();
	keep_polling(seconds * 1000);
	printf("%.2f\n", cpu_of_all() - before);
}

/* Is every partition owned and no member two ahead of another? */
static bool
is_even(PGconn *control)
{
	char sql[500];

	snprintf(sql, sizeof(sql),
			 "SELECT (sum(m.partitions) = (SELECT partitions FROM kstream.topics WHERE topic = '%s')"
			 " AND max(m.partitions) - min(m.partitions) <= 1 AND count(*) = %d)::int"
			 " FROM kstream.members m WHERE m.group_id = '%s'",
			 topic, member_count, group);
	return query(control, sql) == 1;
}

/* How many partitions have another owner, and how many of those no new stamp? */
static double
count_moved(PGconn *control, bool unstamped)
{
	char sql[600];

	snprintf(sql, sizeof(sql),
			 "SELECT count(*) FROM was w"
			 " JOIN kstream.group_shares() s ON s.group_id = '%s' AND s.partition = w.partition"
			 " LEFT JOIN kstream.committed_offset o ON o.group_id = '%s' AND o.partition = w.partition"
			 " WHERE s.member IS DISTINCT FROM w.member AND (%s OR o.stamp IS NOT DISTINCT FROM w.stamp)",
			 group, group, unstamped ? "false" : "true");
	return query(control, sql);
}

static void
remember_owners(PGconn *control)
{
	char sql[500];

	query(control, "DROP TABLE IF EXISTS was");
	snprintf(sql, sizeof(sql),
			 "CREATE TEMP TABLE was AS SELECT s.partition, s.member, o.stamp FROM kstream.group_shares() s"
			 " LEFT JOIN kstream.committed_offset o ON o.group_id = s.group_id AND o.partition = s.partition"
			 " WHERE s.group_id = '%s'",
			 group);
	query(control, sql);
}

/* Time a change that has just been made. */
static void
time_change(PGconn *control, double start)
{
	double even;

	while (!is_even(control))
		keep_polling(2);
	even = now_ms() - start;
	while (count_moved(control, true) > 0)
		keep_polling(2);
	printf("%.0f %.0f %.0f ", count_moved(control, false), even, now_ms() - start);
}

static void
rebalance(int count, int wait_ms)
{
	PGconn *control = connect_db();
	double start;

	query(control, "SET client_min_messages = warning");
	query(control, "SET enable_nestloop = off");
	start_members(count, wait_ms);
	while (!is_even(control))
		keep_polling(2);
	keep_polling(2 * wait_ms);

	remember_owners(control);
	start = now_ms();
	add_member();
	time_change(control, start);
	keep_polling(2 * wait_ms);

	leaving = member_count - 1;
	keep_polling(2 * wait_ms);
	remember_owners(control);
	start = now_ms();
	PQfinish(members[--member_count]);
	time_change(control, start);
	printf("\n");
}

int
main(int argc, char **argv)
{
	long first;
	long second;

	if (argc != 6 || (first = atol(argv[4])) <= 0 || first >= MEMBERS_MAX || (second = atol(argv[5])) <= 0)
	{
		fprintf(stderr, "usage: group consume|idle|rebalance GROUP TOPIC MEMBERS NUMBER\n");
		return 2;
	}
	group = argv[2];
	topic = argv[3];
	if (strcmp(argv[1], "consume") == 0)
		consume((int) first, second);
	else if (strcmp(argv[1], "idle") == 0)
		idle((int) first, (int) second);
	else
		rebalance((int) first, (int) second);
	return 0;
}
