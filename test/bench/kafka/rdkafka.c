/*
 * rdkafka.c
 *	  Produce or consume with librdkafka, as fast as it can.
 *
 * Usage: rdkafka produce BOOTSTRAP TOPIC RECORDS SIZE PRODUCERS [NAME=VALUE...]
 *		  rdkafka consume BOOTSTRAP TOPIC RECORDS [NAME=VALUE...]
 *
 * NAME=VALUE is a property of the client.  Each producer is a client and a thread of its own and sends
 * its share of RECORDS, random letters, without waiting for acknowledgements; done is
 * when all of them have come.  A consumer reads partition 0 from its start.  Prints
 * records a second.  Exit status 1 when a record was not acknowledged or did not come.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

/* Messages of a consumer that are taken at once. */
#define AT_ONCE 10000

/* Without a message for so long a consumer gives up, ms. */
#define PATIENCE 30000

typedef struct Producer
{
	rd_kafka_t *client;
	const char *topic;
	long records;
	size_t size;
	long acknowledged;
	pthread_t thread;
} Producer;

static void
fail(const char *what)
{
	fprintf(stderr, "rdkafka: %s\n", what);
	exit(1);
}

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void
delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	(void) client;
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		((Producer *) opaque)->acknowledged++;
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[512];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) != RD_KAFKA_CONF_OK)
		fail(why);
}

static rd_kafka_t *
make_client(rd_kafka_type_t type, const char *bootstrap, char **properties, int count, void *opaque)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[512];
	rd_kafka_t *client;
	int i;

	set(conf, "bootstrap.servers", bootstrap);
	for (i = 0; i < count; i++)
	{
		char *value = strchr(properties[i], '=');

		if (value == NULL)
			fail("a property has no value");
		*value = '\0';
		set(conf, properties[i], value + 1);
		*value = '=';
	}
	rd_kafka_conf_set_opaque(conf, opaque);
	if (type == RD_KAFKA_PRODUCER)
		rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	client = rd_kafka_new(type, conf, why, sizeof(why));
	if (client == NULL)
		fail(why);
	return client;
}

static void *
produce(void *arg)
{
	Producer *producer = arg;
	rd_kafka_topic_t *topic = rd_kafka_topic_new(producer->client, producer->topic, NULL);
	unsigned seed = 1;
	char *value = malloc(producer->size);
	size_t at;
	long i;

	for (at = 0; at < producer->size; at++)
		value[at] = 'A' + rand_r(&seed) % 26;
	for (i = 0; i < producer->records; i++)
	{
		value[rand_r(&seed) % producer->size] = 'a' + i % 26;
		while (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, value, producer->size, NULL, 0, NULL) == -1)
		{
			if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
				fail(rd_kafka_err2str(rd_kafka_last_error()));
			rd_kafka_poll(producer->client, 10);
		}
		if (i % 1000 == 0)
			rd_kafka_poll(producer->client, 0);
	}
	rd_kafka_flush(producer->client, 120000);
	free(value);
	rd_kafka_topic_destroy(topic);
	return NULL;
}

static int
run_producers(char **argv, int argc)
{
	long records = atol(argv[4]);
	int count = atoi(argv[6]);
	Producer *producers = calloc(count, sizeof(Producer));
	long acknowledged = 0;
	double start;
	int i;

	for (i = 0; i < count; i++)
	{
		producers[i].topic = argv[3];
		producers[i].records = records / count;
		producers[i].size = atol(argv[5]);
		producers[i].client = make_client(RD_KAFKA_PRODUCER, argv[2], argv + 7, argc - 7, &producers[i]);
	}
	start = now();
	for (i = 0; i < count; i++)
		pthread_create(&producers[i].thread, NULL, produce, &producers[i]);
	for (i = 0; i < count; i++)
	{
		pthread_join(producers[i].thread, NULL);
		acknowledged += producers[i].acknowledged;
	}
	printf("%.0f\n", acknowledged / (now() - start));
	return acknowledged == records / count * count ? 0 : 1;
}

static int
run_consumer(char **argv, int argc)
{
	long records = atol(argv[4]);
	rd_kafka_t *client = make_client(RD_KAFKA_CONSUMER, argv[2], argv + 5, argc - 5, NULL);
	rd_kafka_topic_t *topic = rd_kafka_topic_new(client, argv[3], NULL);
	rd_kafka_message_t **messages = malloc(AT_ONCE * sizeof(rd_kafka_message_t *));
	double start = now();
	long got = 0;

	if (rd_kafka_consume_start(topic, 0, RD_KAFKA_OFFSET_BEGINNING) == -1)
		fail(rd_kafka_err2str(rd_kafka_last_error()));
	while (got < records)
	{
		ssize_t n = rd_kafka_consume_batch(topic, 0, PATIENCE, messages, AT_ONCE);
		ssize_t i;

		if (n <= 0)
			break;
		for (i = 0; i < n; i++)
		{
			got += messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR;
			rd_kafka_message_destroy(messages[i]);
		}
	}
	printf("%.0f\n", got / (now() - start));
	return got >= records ? 0 : 1;
}

int
main(int argc, char **argv)
{
	if (argc >= 7 && strcmp(argv[1], "produce") == 0)
		return run_producers(argv, argc);
	if (argc >= 5 && strcmp(argv[1], "consume") == 0)
		return run_consumer(argv, argc);
	fail("produce BOOTSTRAP TOPIC RECORDS SIZE PRODUCERS or consume BOOTSTRAP TOPIC RECORDS");
	return 2;
}
