/*-------------------------------------------------------------------------
 * kafka_sequences.c
 *	  The producers of one transaction, and what this session refused them.
 *
 * Two memories.  That of a transaction begins with what the tables say
 * (produce/producer_batch.c) and goes on with what the transaction has accepted,
 * which no snapshot shows; it is gone with the transaction.
 *
 * That of the session keeps order where nothing else does: a producer that is new in a
 * partition may begin with any sequence, so if its first batch fails for a passing
 * reason (the topic was not there, the right to it came later) the second must not be
 * taken for the first.  A client sends its batches of a
 * partition in order over one connection.  So the first sequence that was refused is
 * remembered, and until that very batch has been accepted (or the producer comes with
 * another epoch) everything else of it is out of order.  It has been when it is in the
 * log: what failed may have been a copy of a batch that was acknowledged before, or
 * another session may have stored it since.
 *
 * src/kafka/kafka_sequences.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "kafka/kafka_sequences.h"
#include "produce/producer_batch.h"

/* More than a client has partitions that fail at a time; the oldest is forgotten. */
#define REFUSED_MAX 1024

/* A request may name as many producers as it has batches: looked up by hash. */
typedef struct ProducerKey
{
	int64 producer_id;
	int32 topic_id;
	int32 partition;
} ProducerKey;

typedef struct Known
{
	ProducerKey key;
	KsProducerState state;
	bool resumed; /* the first sequence that the session refused has been accepted */
} Known;

/* A batch that the transaction has accepted. */
typedef struct AcceptedKey
{
	ProducerKey producer;
	int32 epoch;
	int32 first;
} AcceptedKey;

typedef struct Accepted
{
	AcceptedKey key;
	int place;
} Accepted;

struct KsKafkaSequences
{
	HTAB *known;    /* of Known */
	HTAB *accepted; /* of Accepted */
};

/* First sequences that were refused, of KsKafkaSequence *. */
static List *refused = NIL;

static HTAB *
make_table(const char *name, Size key, Size entry)
{
	HASHCTL ctl = {.keysize = key, .entrysize = entry, .hcxt = CurrentMemoryContext};

	return hash_create(name, 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

KsKafkaSequences *
ks_kafka_sequences_begin(void)
{
	KsKafkaSequences *sequences = palloc(sizeof(KsKafkaSequences));

	sequences->known = make_table("kstream kafka producers", sizeof(ProducerKey), sizeof(Known));
	sequences->accepted = make_table("kstream kafka batches", sizeof(AcceptedKey), sizeof(Accepted));
	return sequences;
}

static Known *
get_known(KsKafkaSequences *sequences, const KsKafkaSequence *sequence)
{
	ProducerKey key = {sequence->producer_id, sequence->topic_id, sequence->partition};
	bool found;
	Known *known = hash_search(sequences->known, &key, HASH_ENTER, &found);

	if (!found)
	{
		known->resumed = false;
		ks_producer_read(sequence->producer_id, sequence->topic_id, sequence->partition, &known->state);
	}
	return known;
}

static AcceptedKey
accepted_key(const KsKafkaSequence *sequence)
{
	AcceptedKey key = {{sequence->producer_id, sequence->topic_id, sequence->partition}, sequence->epoch, sequence->first};

	return key;
}

static KsKafkaSequence *
find_refused(const KsKafkaSequence *sequence)
{
	ListCell *lc;

	foreach (lc, refused)
	{
		KsKafkaSequence *found = lfirst(lc);

		if (found->producer_id == sequence->producer_id && found->named == sequence->named &&
			found->partition == sequence->partition)
			return found;
	}
	return NULL;
}

KsSequenceVerdict
ks_kafka_sequences_judge(KsKafkaSequences *sequences, const KsKafkaSequence *sequence, int64 *base_offset)
{
	Known *known = get_known(sequences, sequence);
	KsSequenceVerdict verdict = ks_sequence_judge(&known->state, sequence->epoch, sequence->first, sequence->last, base_offset);
	KsKafkaSequence *earlier = find_refused(sequence);
	int64 ignored;

	if (earlier == NULL || earlier->epoch != sequence->epoch || known->resumed)
		return verdict;
	/* It has come again, or is there; those behind it may be part of this transaction. */
	if ((earlier->first == sequence->first && verdict != KS_SEQUENCE_GAP) ||
		(known->state.count > 0 &&
		 ks_sequence_judge(&known->state, earlier->epoch, earlier->first, earlier->last, &ignored) == KS_SEQUENCE_DUPLICATE))
		known->resumed = true;
	else if (verdict == KS_SEQUENCE_NEXT)
		return KS_SEQUENCE_GAP;
	return verdict;
}

void
ks_kafka_sequences_accept(KsKafkaSequences *sequences, const KsKafkaSequence *sequence, int place)
{
	AcceptedKey key = accepted_key(sequence);
	Accepted *accepted = hash_search(sequences->accepted, &key, HASH_ENTER, NULL);

	accepted->place = place;
	ks_sequence_accept(&get_known(sequences, sequence)->state, sequence->epoch, sequence->first, sequence->last, -1);
}

int
ks_kafka_sequences_place(KsKafkaSequences *sequences, const KsKafkaSequence *sequence)
{
	AcceptedKey key = accepted_key(sequence);
	Accepted *accepted = hash_search(sequences->accepted, &key, HASH_FIND, NULL);

	return accepted != NULL ? accepted->place : -1;
}

void
ks_kafka_sequence_refused(const KsKafkaSequence *sequence)
{
	KsKafkaSequence *earlier = find_refused(sequence);
	MemoryContext old;

	if (sequence->producer_id < 0 || (earlier != NULL && earlier->epoch == sequence->epoch))
		return;
	if (earlier != NULL)
	{
		*earlier = *sequence;
		return;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	if (list_length(refused) >= REFUSED_MAX)
	{
		pfree(linitial(refused));
		refused = list_delete_first(refused);
	}
	earlier = palloc(sizeof(KsKafkaSequence));
	*earlier = *sequence;
	refused = lappend(refused, earlier);
	MemoryContextSwitchTo(old);
}

void
ks_kafka_sequence_appended(const KsKafkaSequence *sequence)
{
	KsKafkaSequence *earlier = sequence->producer_id >= 0 ? find_refused(sequence) : NULL;

	if (earlier == NULL)
		return;
	refused = list_delete_ptr(refused, earlier);
	pfree(earlier);
}
