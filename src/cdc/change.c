/*-------------------------------------------------------------------------
 * change.c
 *	  A change of a row as records: Debezium's envelope, or the row alone.
 *
 * The envelope has Debezium's fields, in its order:
 *
 *	{"before":{..}, "after":{..},
 *	 "source":{"version", "connector", "name", "ts_ms", "snapshot", "db",
 *			   "sequence", "schema", "table", "txId", "lsn", "xmin"},
 *	 "op":"c|u|d|r|t", "ts_ms", "transaction":{"id", "total_order",
 *	 "data_collection_order"}}
 *
 * As in Debezium a delete is followed by a tombstone, and an update that changes
 * the key is a delete of the old key, its tombstone, and a create of the new
 * one, each with a header that names the other.
 *
 * Debezium reads the WAL after the commit; we write before it.  So "lsn" is
 * where this session's last WAL record ended (for one row it only grows: the
 * next transaction that changes the row writes later), and the first half of
 * "sequence", the last commit, is null.  "transaction"."id" is Debezium's
 * txId:lsn with the lsn of the transaction's first change, so that it is the
 * same in all of them.
 *
 * Text is made in the server encoding and converted as a whole.
 *
 * Making the text of a value can run functions of users (a cast to json within a
 * composite value, a type of their own), which can write captured rows: so
 * nothing of a record is static, and while one is delivered those of changes in it
 * wait (order.c).
 *
 * A record whose turn has not come (order.c) is put aside (held.c) without its
 * partition and without the end of its envelope, so that its place in
 * the transaction and its lsn are those of its turn.
 *
 * Locks: none.  Abort: the counters of the transaction live in
 * TopTransactionContext and are forgotten by ks_change_end().
 *
 * src/cdc/change.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/objectaddress.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/compat.h"
#include "base/errors.h"
#include "cdc/change.h"
#include "cdc/held.h"
#include "cdc/order.h"
#include "cdc/table_owner.h"
#include "record/time.h"
#include "record/utf8.h"
#include "rowjson/json_text.h"

/* A buffer begins as large as the last value was, within these. */
#define MIN_BUFFER 1024
#define MAX_BUFFER (1024 * 1024)

/* More than what follows the rows in an envelope. */
#define ENVELOPE_END (64 * 1024)

/* Of a record that goes to each partition of its topic. */
#define EVERY_PARTITION (-2)

/* Changes of one relation, for one topic, in this transaction. */
typedef struct Collection
{
	Oid root;
	char topic[KS_TOPIC_NAME_MAX + 1];
	int64 order;
	struct Collection *next;
} Collection;

/* What all changes of a transaction have in common. */
typedef struct TransactionInfo
{
	uint64 number; /* of those seen by this backend; 0: none yet */
	bool active;
	uint64 xid;
	int64 total_order;
	Collection *collections;
	char id[64]; /* txId:lsn */
	int id_len;
} TransactionInfo;

static TransactionInfo transaction;

void
ks_change_end(void)
{
	transaction.active = false;
}

static XLogRecPtr
current_lsn(void)
{
	return XactLastRecEnd != InvalidXLogRecPtr ? XactLastRecEnd : GetXLogInsertRecPtr();
}

static void
begin_transaction(void)
{
	if (transaction.active)
		return;
	/* Assigns one, if need be: the change that is captured has one already. */
	transaction.xid = U64FromFullTransactionId(GetTopFullTransactionId());
	transaction.number++;
	transaction.total_order = 0;
	transaction.collections = NULL;
	/* With the lsn of the first change; kept, so that all records of the transaction agree. */
	transaction.id_len = snprintf(transaction.id, sizeof(transaction.id), UINT64_FORMAT ":" UINT64_FORMAT,
								  transaction.xid, current_lsn());
	transaction.active = true;
}

/* The capture's counter in this transaction. */
static int64 *
collection_order(KsCapture *capture)
{
	Collection *collection;

	/* Found in this transaction already. */
	if (capture->transaction == transaction.number)
		return capture->order;
	for (collection = transaction.collections; collection != NULL; collection = collection->next)
	{
		/* Partitions of one table are one collection, however many captures their triggers have. */
		if (collection->root == capture->root && strcmp(collection->topic, capture->topic) == 0)
			break;
	}
	if (collection == NULL)
	{
		collection = MemoryContextAlloc(TopTransactionContext, sizeof(Collection));
		collection->root = capture->root;
		strlcpy(collection->topic, capture->topic, sizeof(collection->topic));
		collection->order = 0;
		collection->next = transaction.collections;
		transaction.collections = collection;
	}
	capture->transaction = transaction.number;
	capture->order = &collection->order;
	return capture->order;
}

static void
begin_buffer(StringInfo buffer, int size)
{
	buffer->data = palloc(size);
	buffer->maxlen = size;
	resetStringInfo(buffer);
}

/* The topic, with the right of the role that captures. */
static KsProducerTopic *
begin_produce(KsCapture *capture)
{
	/* DROP ROLE changes pg_authid, and with it this serial. */
	if (capture->role_serial != ks_topic_cache_serial)
	{
		if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(capture->role)))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("role with OID %u, which captures into topic \"%s\", does not exist", capture->role, capture->topic),
					 errhint("Call kstream.capture() again as a role that may produce to the topic.")));
		capture->role_serial = ks_topic_cache_serial;
	}
	return ks_produce_begin_as(capture->topic, capture->topic_len, capture->role);
}

/* A string is not longer either, whatever the topic allows. */
static inline int64
max_size(KsProducerTopic *topic)
{
	return Min(ks_produce_topic(topic)->options.max_message_bytes, (int64) MaxAllocSize - ENVELOPE_END);
}

static void
hint_at_encoding(void *arg)
{
	if (geterrcode() == ERRCODE_CHARACTER_NOT_IN_REPERTOIRE && GetDatabaseEncoding() == PG_SQL_ASCII)
		errhint("Records are UTF-8, and the encoding of this database, SQL_ASCII, does not tell what the bytes are."
				"  Leave the column out with the capture option \"exclude\", or store text as UTF-8.");
}

/* A finished buffer's bytes, in UTF-8. */
static void
set_bytes(StringInfo buffer, const char **bytes, int32 *len)
{
	ErrorContextCallback context = {error_context_stack, hint_at_encoding, NULL};

	error_context_stack = &context;
	*bytes = ks_utf8_from_server(buffer->data, buffer->len, len);
	error_context_stack = context.previous;
}

/* One record on its way. */
typedef struct Output
{
	KsCapture *capture;
	KsProducerTopic *topic;
	bool waits;
	uint64 number;
	KsRecord record;
	StringInfoData key;
	StringInfoData value;
} Output;

static void
begin_output(Output *output, KsCapture *capture, uint64 number)
{
	memset(output, 0, sizeof(Output));
	output->capture = capture;
	output->topic = begin_produce(capture);
	output->number = number;
	/* An earlier change has not been delivered, or is held itself: this record waits behind it. */
	output->waits = number != KS_ORDER_NONE && (number > ks_order_lowest() || number > ks_held_lowest());
	output->record.key_len = -1;
	output->record.value_len = -1;
	output->record.timestamp = ks_ms_from_timestamptz(GetCurrentTimestamp());
	begin_transaction();
}

static pg_attribute_noreturn() void too_large(const Output *output, const char *needs, int64 size)
{
	ereport(ERROR,
			(errmsg("row of table \"%s\" is too large for topic \"%s\"", output->capture->table_name, output->capture->topic),
			 ks_error(KS_E_MESSAGE_TOO_LARGE, "its record needs %s " INT64_FORMAT " bytes, the topic's max_message_bytes is " INT64_FORMAT ".",
					  needs, size, ks_produce_topic(output->topic)->options.max_message_bytes)));
}

/* Is the error at hand that of a StringInfo that cannot grow? */
static bool
is_string_limit(void)
{
	ErrorData *error = CopyErrorData();

	return error->funcname != NULL && strcmp(error->funcname, "enlargeStringInfo") == 0;
}

/* Here functions of users run: casts to json, output functions. */
static int64
write_columns(StringInfo out, Output *output, const KsColumnList *columns, TupleTableSlot *row)
{
	Oid owner = output->capture->writes_as;
	KsTableScope scope;
	int64 excess;

	/* In a trigger the writer's own rights apply, as for any trigger. */
	if (!OidIsValid(owner))
		return ks_columns_write(out, columns, row, max_size(output->topic));
	ks_table_owner_begin(owner, &scope);
	excess = ks_columns_write(out, columns, row, max_size(output->topic));
	ks_table_owner_end(&scope);
	return excess;
}

static void
append_row(StringInfo out, Output *output, const KsColumnList *columns, TupleTableSlot *row)
{
	MemoryContext context = CurrentMemoryContext;
	int64 excess = 0;

	PG_TRY();
	{
		excess = write_columns(out, output, columns, row);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		/*
		 * A StringInfo that would exceed 1 GB: say which record it was, in place of
		 * PostgreSQL's message.
		 */
		if (!is_string_limit())
			PG_RE_THROW();
		/* Replaced, not dropped: too_large() throws. */
		FlushErrorState();
		too_large(output, "at least", MaxAllocSize);
	}
	PG_END_TRY();
	if (excess > 0)
		too_large(output, "at least", excess);
}

static void
set_key(Output *output, TupleTableSlot *row)
{
	if (output->capture->keys.count == 0)
		return;
	begin_buffer(&output->key, 64);
	append_row(&output->key, output, &output->capture->keys, row);
	set_bytes(&output->key, &output->record.key, &output->record.key_len);
}

static void
set_header(Output *output, const char *name, const char *value, int len)
{
	char *wire = palloc(KS_HEADER_MAX_SIZE(strlen(name), len));

	output->record.headers = wire;
	output->record.headers_len = ks_header_write(wire, name, strlen(name), value, len) - wire;
	output->record.header_count = 1;
}

static void
put(Output *output, int32 partition)
{
	const KsRecord *record = &output->record;
	int64 size = ks_record_max_size(record);
	int32 i;

	/* ks_produce_record() would refuse it too, but could not name the table. */
	if (size > ks_produce_topic(output->topic)->options.max_message_bytes)
		too_large(output, "up to", size);
	if (partition != EVERY_PARTITION)
	{
		(void) ks_produce_record(output->topic, partition, record);
		return;
	}
	for (i = 0; i < ks_produce_topic(output->topic)->partitions; i++)
	{
		(void) ks_produce_record(output->topic, i, record);
	}
}

/* ,"source":{...},"op":".","ts_ms":...,"transaction":{...}} */
static void
append_envelope_end(StringInfo out, Output *output, char op)
{
	KsCapture *capture = output->capture;
	const StringInfoData *mid = op == 'r' ? &capture->source_read : &capture->source_mid;
	/* of this record's turn, so that for one row it only grows */
	int64 lsn = (int64) current_lsn();
	int64 *order = collection_order(capture);

	ks_json_bytes(out, capture->source_head.data, capture->source_head.len);
	ks_json_int(out, output->record.timestamp);
	ks_json_bytes(out, mid->data, mid->len);
	ks_json_int(out, lsn);
	ks_json_bytes(out, capture->source_tail.data, capture->source_tail.len);
	ks_json_int(out, (int64) transaction.xid);
	ks_json_literal(out, ",\"lsn\":");
	ks_json_int(out, lsn);
	ks_json_literal(out, ",\"xmin\":null},\"op\":\"");
	appendStringInfoCharMacro(out, op);
	ks_json_literal(out, "\",\"ts_ms\":");
	ks_json_int(out, output->record.timestamp);
	ks_json_literal(out, ",\"transaction\":{\"id\":\"");
	ks_json_bytes(out, transaction.id, transaction.id_len);
	ks_json_literal(out, "\",\"total_order\":");
	/* Counted when the record is delivered, in the order of the topic. */
	ks_json_int(out, ++transaction.total_order);
	ks_json_literal(out, ",\"data_collection_order\":");
	ks_json_int(out, ++*order);
	ks_json_literal(out, "}}");
}

/* What a value is made of. */
typedef enum Value
{
	VALUE_NONE,    /* a tombstone */
	VALUE_ROW,     /* as it stands */
	VALUE_ENVELOPE /* without the end of the envelope */
} Value;

static void
finish(Output *output, Value value, char op, int32 partition)
{
	output->record.value = NULL;
	output->record.value_len = -1;
	if (value == VALUE_ENVELOPE)
		append_envelope_end(&output->value, output, op);
	if (value != VALUE_NONE)
	{
		set_bytes(&output->value, &output->record.value, &output->record.value_len);
		/* The next record of this table is about as long. */
		output->capture->value_size = output->value.len;
	}
	put(output, partition);
}

static void
hold(const Output *output, Value value, char op, int32 partition)
{
	KsHeldRecord held;
	int64 size = (int64) Max(output->record.key_len, 0) + (value == VALUE_NONE ? 0 : output->value.len);

	/*
	 * Refused at once, where the error names the row; the rest of the envelope is checked
	 * at its turn.
	 */
	if (size > max_size(output->topic))
		too_large(output, "at least", size);
	held.trigger = output->capture->trigger;
	held.op = op;
	held.envelope = value == VALUE_ENVELOPE;
	held.partition = partition;
	held.key = output->record.key;
	held.key_len = output->record.key_len;
	held.value = value == VALUE_NONE ? NULL : output->value.data;
	held.value_len = value == VALUE_NONE ? -1 : output->value.len;
	held.headers = output->record.headers;
	held.headers_len = output->record.headers_len;
	held.header_count = output->record.header_count;
	ks_held_add(output->number, &held);
}

/* All of a record is set but the end of its value. */
static void
deliver(Output *output, Value value, char op, int32 partition)
{
	if (output->waits)
		hold(output, value, op, partition);
	else
		finish(output, value, op, partition);
}

/* A record that waited. */
static void
finish_held(const KsHeldRecord *held)
{
	Output output;
	Value value = held->envelope ? VALUE_ENVELOPE : held->value_len >= 0 ? VALUE_ROW
																		 : VALUE_NONE;

	/* Its turn has come: no number, so it does not wait again. */
	begin_output(&output, ks_capture_of_trigger(held->trigger), KS_ORDER_NONE);
	output.record.key = held->key;
	output.record.key_len = held->key_len;
	output.record.headers = held->headers;
	output.record.headers_len = held->headers_len;
	output.record.header_count = held->header_count;
	begin_buffer(&output.value, Max(held->value_len, 0) + MIN_BUFFER);
	if (held->value_len > 0)
		appendBinaryStringInfo(&output.value, held->value, held->value_len);
	finish(&output, value, held->op, held->partition);
}

static void
name_held(void *arg)
{
	const KsHeldRecord *held = arg;
	const KsCapture *capture = ks_capture_of_trigger(held->trigger);

	errcontext("capture of table \"%s\" into topic \"%s\"", capture->table_name, capture->topic);
}

/* As long as a statement is at work that may still write rows, this waits. */
void
ks_change_release(void)
{
	MemoryContext context;
	MemoryContext old;
	ErrorContextCallback callback;
	KsHeldRecord held;

	/*
	 * Nothing waits, an earlier change is under way, or the records belong to a level that
	 * may still be rolled back alone.
	 */
	if (ks_held_lowest() == KS_ORDER_NONE || ks_order_lowest() != KS_ORDER_NONE || !ks_held_is_of_this_level())
		return;
	ks_held_begin();
	context = AllocSetContextCreate(CurrentMemoryContext, "kstream held records", ALLOCSET_DEFAULT_SIZES);
	/* One record at a time in memory: there may be millions. */
	old = MemoryContextSwitchTo(context);
	callback.callback = name_held;
	callback.arg = &held;
	while (ks_held_next(&held))
	{
		callback.previous = error_context_stack;
		error_context_stack = &callback;
		finish_held(&held);
		error_context_stack = callback.previous;
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

static void
begin_value(Output *output)
{
	int size = output->capture->value_size;

	begin_buffer(&output->value, Max(MIN_BUFFER, Min(size + size / 8, MAX_BUFFER)));
}

/* NULL: there is none. */
static void
append_image(Output *output, const KsColumnList *columns, TupleTableSlot *row)
{
	if (row == NULL)
		ks_json_literal(&output->value, "null");
	else
		append_row(&output->value, output, columns, row);
}

/* Debezium's value of a change, without its end. */
static void
set_envelope(Output *output, const KsColumnList *before_columns, TupleTableSlot *before, TupleTableSlot *after)
{
	begin_value(output);
	ks_json_literal(&output->value, "{\"before\":");
	append_image(output, before_columns, before);
	ks_json_literal(&output->value, ",\"after\":");
	append_image(output, &output->capture->columns, after);
}

/* A row that is there now. */
static void
put_row(Output *output, char op, TupleTableSlot *before, TupleTableSlot *after)
{
	KsCapture *capture = output->capture;

	if (capture->options.format == KS_CAPTURE_DEBEZIUM)
	{
		set_envelope(output, &capture->columns, capture->options.before ? before : NULL, after);
		deliver(output, VALUE_ENVELOPE, op, KS_ANY_PARTITION);
		return;
	}
	begin_value(output);
	append_image(output, &capture->columns, after);
	/* The row alone does not say what happened. */
	set_header(output, "__op", &op, 1);
	deliver(output, VALUE_ROW, op, KS_ANY_PARTITION);
}

/* A row that is gone, and its tombstone; the key is set. */
static void
put_gone(Output *output, TupleTableSlot *row)
{
	KsCapture *capture = output->capture;

	if (capture->options.format == KS_CAPTURE_DEBEZIUM)
	{
		/* Without "before" the key alone identifies the row that is gone. */
		const KsColumnList *columns = capture->options.before ? &capture->columns : &capture->keys;

		set_envelope(output, columns, capture->options.before || columns->count > 0 ? row : NULL, NULL);
		deliver(output, VALUE_ENVELOPE, 'd', KS_ANY_PARTITION);
		/* A tombstone without a key would remove nothing. */
		if (!capture->options.tombstones || capture->keys.count == 0)
			return;
	}
	else
		set_header(output, "__op", "d", 1);
	deliver(output, VALUE_NONE, 'd', KS_ANY_PARTITION);
}

void
ks_change_insert(KsCapture *capture, uint64 number, TupleTableSlot *row)
{
	Output output;

	begin_output(&output, capture, number);
	set_key(&output, row);
	put_row(&output, 'c', NULL, row);
}

void
ks_change_read(KsCapture *capture, TupleTableSlot *row)
{
	uint64 outer = ks_order_begin_delivery(KS_ORDER_FIRST);
	Output output;

	begin_output(&output, capture, KS_ORDER_NONE);
	set_key(&output, row);
	put_row(&output, 'r', NULL, row);
	ks_order_end_delivery(outer);
	ks_change_release();
}

void
ks_change_delete(KsCapture *capture, uint64 number, TupleTableSlot *row)
{
	Output output;

	begin_output(&output, capture, number);
	set_key(&output, row);
	put_gone(&output, row);
}

/* Its key is another now: one row is gone, another is there. */
static void
put_moved(Output *old_row, Output *new_row, TupleTableSlot *before, TupleTableSlot *after)
{
	if (old_row->capture->options.format == KS_CAPTURE_DEBEZIUM)
	{
		set_header(old_row, "__debezium.newkey", new_row->record.key, new_row->record.key_len);
		set_header(new_row, "__debezium.oldkey", old_row->record.key, old_row->record.key_len);
	}
	put_gone(old_row, before);
	put_row(new_row, 'c', NULL, after);
}

void
ks_change_update(KsCapture *capture, uint64 number, TupleTableSlot *before, TupleTableSlot *after)
{
	Output output;
	Output old_row;

	begin_output(&output, capture, number);
	set_key(&output, after);
	/*
	 * Datums that differ may be one value, stored in two forms: compare what is written.
	 */
	if (!ks_columns_identical(&capture->keys, before, after))
	{
		begin_output(&old_row, capture, number);
		set_key(&old_row, before);
		if (old_row.record.key_len != output.record.key_len ||
			memcmp(old_row.record.key, output.record.key, old_row.record.key_len) != 0)
		{
			put_moved(&old_row, &output, before, after);
			return;
		}
	}
	put_row(&output, 'u', before, after);
}

/* To every partition, since each holds rows that are gone. */
void
ks_change_truncate(KsCapture *capture, uint64 number)
{
	Output output;

	begin_output(&output, capture, number);
	/* The option may have been changed since capture(); so it is asked here. */
	if ((ks_produce_topic(output.topic)->options.cleanup_policy & KS_CLEANUP_COMPACT) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot truncate table \"%s\", which is captured into compacted topic \"%s\"",
						capture->table_name, capture->topic),
				 errdetail("Compaction keeps the last record of each key, and a truncation has none."),
				 errhint("Use DELETE.")));
	if (capture->options.format == KS_CAPTURE_DEBEZIUM)
	{
		set_envelope(&output, &capture->columns, NULL, NULL);
		deliver(&output, VALUE_ENVELOPE, 't', EVERY_PARTITION);
		return;
	}
	set_header(&output, "__op", "t", 1);
	deliver(&output, VALUE_NONE, 't', EVERY_PARTITION);
}
