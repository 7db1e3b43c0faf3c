/*-------------------------------------------------------------------------
 * passes.h
 *	  The passes of maintenance, and how they are run.
 *
 * src/upkeep/passes.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_UPKEEP_PASSES_H
#define KS_UPKEEP_PASSES_H

#include "nodes/pg_list.h"
#include "upkeep/upkeep.h"

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
	 * Steps may take more than a moment: in the worker they run in a process
	 * of their own, so that spares do not wait for them.
	 */
	bool is_long;

	/*
	 * A pass over partitions.  *done comes with its key set and all else
	 * empty.  The list is of KsPartitionItem *, in the memory context given;
	 * NULL: all partitions of all topics.  It is made by one look at shared
	 * memory or one query, for most databases hold many idle partitions.
	 */
	KsMaintenanceStep partition_step;
	List *(*list_partitions)(MemoryContext context);

	/*
	 * Called after the last step for a partition, an error or not, inside or
	 * outside of a transaction, unless the process exits: nothing that steps
	 * keep for the next one may outlive that.  NULL: they keep nothing.
	 */
	void (*end_partition)(void);

	/* What cannot wait for the clock; looked at whenever the worker is woken. */
	List *(*list_urgent)(MemoryContext context);

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
 * begun and a snapshot active, commits when it returned true, rolls back what
 * it wrote when it returned false, and returns that.  An error is noted, `failed`
 * set and false returned; the worker reports it at once, the foreground when all
 * passes are through.
 */
typedef struct KsMaintainer
{
	bool (*in_transaction)(struct KsMaintainer *maintainer, KsStep step, void *arg);
	bool failed;
	int pass; /* being run */
} KsMaintainer;

/*
 * One pass, by its number, over everything that needs it, or over what is
 * urgent alone.
 */
extern void ks_pass_run(int pass, bool urgent, KsMaintainer *maintainer);

/* Is there anything that the pass would look at? */
extern bool ks_pass_has_work(int pass, KsMaintainer *maintainer);

/* Finish the transaction at hand: what a false step wrote must not stay. */
extern bool ks_pass_must_roll_back(bool done);

#endif /* KS_UPKEEP_PASSES_H */
