/*-------------------------------------------------------------------------
 * kafkafuncs.c
 *	  What the views kstream.kafka_connections and kstream.kafka_requests show.
 *
 * A role sees its own connections, members of pg_monitor all of them.
 *
 * src/kafka/kafkafuncs.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "kafka/kafka_request.h"

#define CONNECTION_COLUMNS 12
#define REQUEST_COLUMNS 5

static bool
may_see(const KsKafkaSlot *slot)
{
	return has_privs_of_role(GetUserId(), ROLE_PG_MONITOR) ||
		   (OidIsValid(slot->role) && has_privs_of_role(GetUserId(), slot->role));
}

static void
put_connection(ReturnSetInfo *result, const KsKafkaSlot *slot)
{
	Datum values[CONNECTION_COLUMNS];
	bool isnull[CONNECTION_COLUMNS] = {false};

	values[0] = Int32GetDatum(slot->pid);
	values[1] = CStringGetTextDatum(slot->client_id);
	values[2] = CStringGetTextDatum(slot->software);
	values[3] = ObjectIdGetDatum(slot->role);
	isnull[3] = !OidIsValid(slot->role);
	values[4] = CStringGetTextDatum(slot->address);
	values[5] = BoolGetDatum(slot->tls);
	values[6] = Int64GetDatum(slot->requests);
	values[7] = Int64GetDatum(slot->errors);
	values[8] = Int64GetDatum(slot->bytes_in);
	values[9] = Int64GetDatum(slot->bytes_out);
	values[10] = TimestampTzGetDatum(slot->since);
	values[11] = TimestampTzGetDatum(slot->last_request);
	isnull[11] = slot->last_request == 0;
	tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
}

PG_FUNCTION_INFO_V1(kstream_kafka_connections);
Datum
kstream_kafka_connections(PG_FUNCTION_ARGS)
{
	KsKafkaSlot *slots;
	int count;
	int i;

	InitMaterializedSRF(fcinfo, 0);
	slots = ks_kafka_slots_list(&count);
	for (i = 0; i < count; i++)
	{
		if (may_see(&slots[i]))
			put_connection((ReturnSetInfo *) fcinfo->resultinfo, &slots[i]);
	}
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(kstream_kafka_requests);
Datum
kstream_kafka_requests(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	const KwApi *api;
	int i;

	InitMaterializedSRF(fcinfo, 0);
	for (i = 0; (api = ks_wire_api_at(i)) != NULL; i++)
	{
		Datum values[REQUEST_COLUMNS];
		bool isnull[REQUEST_COLUMNS] = {false};
		KsKafkaServed served;

		ks_kafka_read_served(api->key, &served);
		values[0] = Int32GetDatum(api->key);
		values[1] = CStringGetTextDatum(api->name);
		values[2] = Int64GetDatum(served.requests);
		values[3] = Int64GetDatum(served.errors);
		values[4] = Float8GetDatum(served.usec / 1000000.0);
		tuplestore_putvalues(result->setResult, result->setDesc, values, isnull);
	}
	return (Datum) 0;
}
