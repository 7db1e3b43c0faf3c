/*-------------------------------------------------------------------------
 * kafka_api_versions.c
 *	  Which requests, and which versions of them, this server knows.
 *
 * src/kafka/kafka_api_versions.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "kafka/kafka_api_versions.h"
#include "kafka/kafka_request.h"

#define API_PRODUCE 0

bool
ks_kafka_handle_api_versions(KsKafkaRequest *request, void *response)
{
	KwApiVersionsResponse *answer = response;
	const KwApi *api;
	int n = 0;
	int i;

	while (ks_wire_api_at(n) != NULL)
		n++;
	KS_KAFKA_STRUCTS(request, answer->api_keys, ApiVersionsResponseApiVersion, n);
	for (i = 0, n = 0; (api = ks_wire_api_at(i)) != NULL; i++)
	{
		KwApiVersionsResponseApiVersion *entry = &answer->api_keys.items[n];

		/* The handshake and SASL requests have no handler: they are served before (sasl.c). */
		if (api->key != 17 && api->key != 36 && ks_kafka_handler(api->key) == NULL)
			continue;
		entry->api_key = api->key;
		/*
		 * Produce before version 3 is refused, but said to be there, as Kafka
		 * does: else old librdkafka does not compress.
		 */
		entry->min_version = api->key == API_PRODUCE ? 0 : api->min_version;
		entry->max_version = api->max_version;
		n++;
	}
	answer->api_keys.count = n;
	/* Each transaction has an epoch of its own, and begins with its first batch. */
	KS_KAFKA_STRUCTS(request, answer->supported_features, ApiVersionsResponseSupportedFeatureKey, 1);
	answer->supported_features.items[0].name = ks_wire_string("transaction.version");
	answer->supported_features.items[0].max_version = 2;
	KS_KAFKA_STRUCTS(request, answer->finalized_features, ApiVersionsResponseFinalizedFeatureKey, 1);
	answer->finalized_features.items[0].name = ks_wire_string("transaction.version");
	answer->finalized_features.items[0].max_version_level = 2;
	answer->finalized_features.items[0].min_version_level = 2;
	answer->finalized_features_epoch = 0;
	return true;
}
