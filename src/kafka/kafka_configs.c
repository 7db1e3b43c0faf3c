/*-------------------------------------------------------------------------
 * kafka_configs.c
 *	  DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources.
 *
 * Topics have configurations under Kafka's names: the topic's options.  A node's are
 * settings of the server and are not shown; a client gets an empty list.
 *
 * src/kafka/kafka_configs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "admin/create.h"
#include "base/errors.h"
#include "kafka/kafka_configs.h"
#include "kafka/kafka_options.h"

/* ConfigResource.Type */
#define RESOURCE_TOPIC 2
#define RESOURCE_BROKER 4
#define RESOURCE_BROKER_LOGGER 8

/* DescribeConfigsResponse.ConfigSource and ConfigType */
#define SOURCE_TOPIC 1
#define SOURCE_DEFAULT 5
#define TYPE_STRING 2

/* IncrementalAlterConfigs: what is done with a value. */
#define OPERATION_SET 0
#define OPERATION_DELETE 1
#define OPERATION_APPEND 2
#define OPERATION_SUBTRACT 3

/* ---------- DescribeConfigs ---------- */

typedef struct Description
{
	const KwDescribeConfigsRequestResource *wanted;
	bool synonyms;
	KwDescribeConfigsResponseResult *entry;
} Description;

static bool
is_wanted(const KwDescribeConfigsRequestResource *wanted, const char *name)
{
	int i;

	for (i = 0; i < wanted->configuration_keys.count; i++)
	{
		if (ks_wire_string_is(wanted->configuration_keys.items[i], name))
			return true;
	}
	/* No list, or an empty one as old clients send it: all. */
	return wanted->configuration_keys.count <= 0;
}

static void
describe_option(KsKafkaRequest *request, const Description *description, const KsTopicOptionText *option)
{
	KwDescribeConfigsResponseResourceResult *config = &description->entry->configs.items[description->entry->configs.count++];

	config->name = ks_wire_string(option->kafka_name);
	config->value = ks_wire_string(MemoryContextStrdup(request->context, option->value));
	config->config_source = option->is_set ? SOURCE_TOPIC : SOURCE_DEFAULT;
	config->config_type = TYPE_STRING;
	config->documentation.len = KW_NULL;
	if (!description->synonyms)
		return;
	KS_KAFKA_STRUCTS(request, config->synonyms, DescribeConfigsResponseSynonym, 1);
	config->synonyms.items[0].name = config->name;
	config->synonyms.items[0].value = config->value;
	config->synonyms.items[0].source = config->config_source;
}

static void
describe_topic(KsKafkaRequest *request, void *arg)
{
	static const KwUuid no_id;
	Description *description = arg;
	KsTopic topic;
	KsTopicOptionText option;
	int count = 0;
	int i;

	description->entry->error_code = ks_kafka_topic_find(description->wanted->resource_name, &no_id, KS_KAFKA_ANY_RIGHT, &topic);
	if (description->entry->error_code != KS_KAFKA_NONE)
		return;
	while (ks_topic_option_text(&topic, count, &option))
		count++;
	KS_KAFKA_STRUCTS(request, description->entry->configs, DescribeConfigsResponseResourceResult, count);
	/* The room is for all options; only those with a name of Kafka's fill it. */
	description->entry->configs.count = 0;
	for (i = 0; i < count; i++)
	{
		(void) ks_topic_option_text(&topic, i, &option);
		if (option.kafka_name != NULL && is_wanted(description->wanted, option.kafka_name))
			describe_option(request, description, &option);
	}
}

bool
ks_kafka_handle_describe_configs(KsKafkaRequest *request, void *response)
{
	KwDescribeConfigsResponse *answer = response;
	const KwDescribeConfigsRequest *wanted = request->body;
	int i;

	KS_KAFKA_STRUCTS(request, answer->results, DescribeConfigsResponseResult, wanted->resources.count);
	for (i = 0; i < wanted->resources.count; i++)
	{
		Description description = {&wanted->resources.items[i], wanted->include_synonyms, &answer->results.items[i]};
		KwDescribeConfigsResponseResult *entry = description.entry;
		int16 error = KS_KAFKA_NONE;
		char *message = NULL;

		entry->resource_type = description.wanted->resource_type;
		entry->resource_name = description.wanted->resource_name;
		entry->error_message.len = KW_NULL;
		/* A transaction for each resource, so that what fails costs that one alone. */
		if (entry->resource_type == RESOURCE_TOPIC)
			error = ks_kafka_transaction(request, describe_topic, &description, &message);
		else if (entry->resource_type != RESOURCE_BROKER && entry->resource_type != RESOURCE_BROKER_LOGGER)
			error = KS_KAFKA_INVALID_REQUEST;
		if (error == KS_KAFKA_NONE)
			continue;
		entry->error_code = error;
		entry->error_message = ks_wire_string(message);
	}
	return true;
}

/* ---------- changing ---------- */

typedef struct Change
{
	KwString topic;
	Jsonb *options;
	bool trial;
	bool done;
} Change;

static void
change_topic(KsKafkaRequest *request, void *arg)
{
	Change *change = arg;
	KsTopic topic;

	ks_require_writable("AlterConfigs");
	ks_topic_get(ks_wire_cstring(change->topic), &topic);
	ks_topic_check_owner(&topic);
	ks_admin_alter_topic(&topic, ks_topic_options_parse(change->options));
	/* Before the error that undoes a trial: it says that nothing else was wrong. */
	change->done = true;
	if (change->trial)
		ereport(ERROR,
				(errcode(ERRCODE_SUCCESSFUL_COMPLETION),
				 errmsg("the request was to be validated only")));
}

/* Change a topic's options; *message: why not. */
static int16
change(KsKafkaRequest *request, int8 type, KwString name, Jsonb *options, bool trial, KwString *message)
{
	Change work = {name, options, trial, false};
	char *text = NULL;
	int16 error;

	message->len = KW_NULL;
	if (type != RESOURCE_TOPIC)
	{
		*message = ks_wire_string("only topics have configurations; a node's are settings of the server");
		return KS_KAFKA_INVALID_REQUEST;
	}
	error = ks_kafka_transaction(request, change_topic, &work, &text);
	/* A trial ends in the error that change_topic() raises. */
	if (error == KS_KAFKA_NONE || (trial && work.done))
		return KS_KAFKA_NONE;
	*message = ks_wire_string(text);
	return error == KS_KAFKA_INVALID_REQUEST ? KS_KAFKA_INVALID_CONFIG : error;
}

/* AlterConfigs says all that shall be set: whatever it does not name gets its default. */
static Jsonb *
all_options(const KwAlterConfigsRequestResource *wanted)
{
	KsKafkaOptions options;
	const char *name;
	int n;
	int i;

	ks_kafka_options_begin(&options);
	for (n = 0; ks_topic_option_name(n, &name); n++)
	{
		/* JSON null: the default */
		const char *value = NULL;

		if (name == NULL)
			continue;
		for (i = 0; i < wanted->configs.count; i++)
		{
			if (ks_wire_string_is(wanted->configs.items[i].name, name))
				value = ks_wire_cstring(wanted->configs.items[i].value);
		}
		ks_kafka_options_add(&options, name, value);
	}
	/* A name that is none is for the parser to refuse. */
	for (i = 0; i < wanted->configs.count; i++)
	{
		char *given = ks_wire_cstring(wanted->configs.items[i].name);

		if (!ks_topic_option_is_kafka(given))
			ks_kafka_options_add(&options, given, ks_wire_cstring(wanted->configs.items[i].value));
	}
	return ks_kafka_options_end(&options);
}

bool
ks_kafka_handle_alter_configs(KsKafkaRequest *request, void *response)
{
	KwAlterConfigsResponse *answer = response;
	const KwAlterConfigsRequest *wanted = request->body;
	int i;

	KS_KAFKA_STRUCTS(request, answer->responses, AlterConfigsResponseResourceResponse, wanted->resources.count);
	for (i = 0; i < wanted->resources.count; i++)
	{
		const KwAlterConfigsRequestResource *resource = &wanted->resources.items[i];
		KwAlterConfigsResponseResourceResponse *entry = &answer->responses.items[i];

		entry->resource_type = resource->resource_type;
		entry->resource_name = resource->resource_name;
		entry->error_code = change(request, resource->resource_type, resource->resource_name, all_options(resource),
								   wanted->validate_only, &entry->error_message);
	}
	return true;
}

/* The named options alone; false: an operation that no option of ours has. */
static bool
some_options(const KwIncrementalAlterConfigsRequestAlterConfigsResource *wanted, Jsonb **json)
{
	KsKafkaOptions options;
	int i;

	ks_kafka_options_begin(&options);
	for (i = 0; i < wanted->configs.count; i++)
	{
		const KwIncrementalAlterConfigsRequestAlterableConfig *config = &wanted->configs.items[i];

		if (config->config_operation != OPERATION_SET && config->config_operation != OPERATION_DELETE)
			return false;
		ks_kafka_options_add(&options, ks_wire_cstring(config->name),
							 config->config_operation == OPERATION_SET ? ks_wire_cstring(config->value) : NULL);
	}
	*json = ks_kafka_options_end(&options);
	return true;
}

bool
ks_kafka_handle_incremental_alter_configs(KsKafkaRequest *request, void *response)
{
	KwIncrementalAlterConfigsResponse *answer = response;
	const KwIncrementalAlterConfigsRequest *wanted = request->body;
	int i;

	KS_KAFKA_STRUCTS(request, answer->responses, IncrementalAlterConfigsResponseAlterConfigsResourceResponse, wanted->resources.count);
	for (i = 0; i < wanted->resources.count; i++)
	{
		const KwIncrementalAlterConfigsRequestAlterConfigsResource *resource = &wanted->resources.items[i];
		KwIncrementalAlterConfigsResponseAlterConfigsResourceResponse *entry = &answer->responses.items[i];
		Jsonb *options;

		entry->resource_type = resource->resource_type;
		entry->resource_name = resource->resource_name;
		if (some_options(resource, &options))
			entry->error_code = change(request, resource->resource_type, resource->resource_name, options,
									   wanted->validate_only, &entry->error_message);
		else
		{
			entry->error_code = KS_KAFKA_INVALID_REQUEST;
			entry->error_message = ks_wire_string("values can be set and deleted, not appended or subtracted");
		}
	}
	return true;
}

/* There is nothing to list but topics, which Metadata does. */
bool
ks_kafka_handle_list_config_resources(KsKafkaRequest *request, void *response)
{
	return true;
}
