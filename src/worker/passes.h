/*-------------------------------------------------------------------------
 * passes.h
 *	  The passes of maintenance, and how they are run.
 *
 * src/worker/passes.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_WORKER_PASSES_H
#define KS_WORKER_PASSES_H

#include "admin/admin.h"
#include "nodes/pg_list.h"

/* A partition to look at, as a pass lists it. */
typedef struct KsPartitionItem
{
	int32 topic_id;
	int32 partition;
} KsPartitionItem;

/*
 * A pass.  It lists what may need it, and then its step is called for each of
 * these, again and again until it returns false.  A step does at most one
 * thing, in a transaction that is begun for it; true: something was done, the
 * transaction is committed, and then what the step left in *done is published;
 * false: nothing was due, the transaction is rolled back.  An error concerns
 * the item at hand alone.
 *
 * A step waits for no lock: it takes what is free at once, and returns false
 * otherwise.  Its long loops call ks_yield_point().
 */
typedef struct KsPass
{
	const char *name; /* as the views show it */

	/*
	 * A pass over partitions.  *done comes with its key set and all else
	 * empty.  The list is of KsPartitionItem *, in the memory context given;
	 * NULL: all partitions of all topics.  It is made by one look at shared
	 * memory or one query, for most databases hold many idle partitions.
	 */
	bool (*partition_step)(const KsTopic *topic, int32 partition, KsMaintenance *done);
	List *(*list_partitions)(MemoryContext context);

	/* A pass over names, of groups or of topics: the list is of char *. */
	bool (*name_step)(const char *name);
	List *(*list_names)(MemoryContext context);
} KsPass;

extern const KsPass ks_passes[];
extern const int ks_pass_count;

/* Something to be done in a transaction. */
typedef bool (*KsStep)(void *arg);

/*
 * Whoever runs the passes.  in_transaction calls the step with a transaction
 * begun and a snapshot active, commits when it returned true, rolls back when
 * it returned false, and returns that.  An error is thrown on (in the
 * foreground) or reported, and false returned (in the worker).
 */
typedef struct KsMaintainer
{
	bool (*in_transaction)(KsStep step, void *arg);
} KsMaintainer;

/* One pass, over everything that needs it. */
extern void ks_pass_run(const KsPass *pass, const KsMaintainer *maintainer);

#endif /* KS_WORKER_PASSES_H */
