/*-------------------------------------------------------------------------
 * kafka_options.c
 *	  A topic's options under Kafka's names, both ways.
 *
 * What a client sets goes through the same parser as the options of
 * kstream.create_topic(), which knows Kafka's names; what it is told are the names and
 * values that parser has read.
 *
 * src/kafka/kafka_options.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kafka/kafka_options.h"

void
ks_kafka_options_begin(KsKafkaOptions *options)
{
	options->state = NULL;
	(void) pushJsonbValue(&options->state, WJB_BEGIN_OBJECT, NULL);
}

void
ks_kafka_options_add(KsKafkaOptions *options, const char *name, const char *value)
{
	JsonbValue json = {.type = jbvString};

	json.val.string.val = unconstify(char *, name);
	json.val.string.len = strlen(name);
	(void) pushJsonbValue(&options->state, WJB_KEY, &json);
	if (value == NULL)
		json.type = jbvNull;
	else
	{
		json.val.string.val = unconstify(char *, value);
		json.val.string.len = strlen(value);
	}
	(void) pushJsonbValue(&options->state, WJB_VALUE, &json);
}

Jsonb *
ks_kafka_options_end(KsKafkaOptions *options)
{
	return JsonbValueToJsonb(pushJsonbValue(&options->state, WJB_END_OBJECT, NULL));
}
