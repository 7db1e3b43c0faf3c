/*-------------------------------------------------------------------------
 * transaction_test.c
 *	  The rules for Kafka's transactional ids.
 *
 * test/unit/transaction_test.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "shim.h"
#include "staging/transaction.h"

static int tests = 0;
static int failures = 0;

static void
ok(bool condition, const char *what)
{
	tests++;
	failures += !condition;
	printf("%sok %d - %s\n", condition ? "" : "not ", tests, what);
}

/* An id with an open transaction, of producer 7. */
static KsTransaction
opened(void)
{
	KsTransaction t;

	ks_transaction_make(&t, "id", 10, 7);
	t.version = 1;
	ks_transaction_begin(&t, 1000, 42, 1);
	return t;
}

static KsTransaction
ended(bool commit, bool bumps)
{
	KsTransaction t = opened();

	t.state = commit ? KS_TRANSACTION_COMMITTED : KS_TRANSACTION_ABORTED;
	if (bumps)
		ks_transaction_bump(&t, true, 8);
	return t;
}

static void
test_begin(void)
{
	KsTransaction t = opened();

	ok(t.serial == 1 && t.first_version == 2 && t.state == KS_TRANSACTION_ONGOING && t.bytes == 0, "a transaction begins with its next row");
	ok(ks_transaction_is_of(&t, 42, 1) && !ks_transaction_is_of(&t, 42, 2) && !ks_transaction_is_of(&t, 43, 1),
	   "it is of one server's life");
	ok(ks_transaction_judge_producer(&t, 7, 0) == KS_TRANSACTION_GO, "its producer writes to it");
	ok(ks_transaction_judge_producer(&t, 7, 1) == KS_TRANSACTION_FENCED, "another epoch does not");
	ok(ks_transaction_judge_producer(&t, 8, 0) == KS_TRANSACTION_UNKNOWN, "nor another producer");
}

static void
test_end(void)
{
	KsTransaction t = opened();
	bool commit;

	for (commit = false;; commit = true)
	{
		ok(ks_transaction_judge_end(&t, 7, 0, commit, false) == KS_TRANSACTION_GO, "an open one is ended");
		ok(ks_transaction_judge_end(&t, 7, 0, commit, true) == KS_TRANSACTION_GO, "also with a new epoch");
		ok(ks_transaction_judge_end(&t, 7, 1, commit, true) == KS_TRANSACTION_FENCED, "not by another epoch");
		ok(ks_transaction_judge_end(&t, 9, 0, commit, true) == KS_TRANSACTION_UNKNOWN, "nor by another producer");
		t = ended(commit, false);
		ok(ks_transaction_judge_end(&t, 7, 0, commit, false) == KS_TRANSACTION_DONE, "an end is repeated");
		ok(ks_transaction_judge_end(&t, 7, 0, !commit, false) == KS_TRANSACTION_WRONG_STATE, "but not another one");
		t = ended(commit, true);
		ok(t.epoch == 1, "the next epoch");
		ok(ks_transaction_judge_end(&t, 7, 0, commit, true) == KS_TRANSACTION_DONE, "an end is repeated with the epoch before");
		ok(ks_transaction_judge_end(&t, 7, 0, !commit, true) == KS_TRANSACTION_FENCED, "but not another one");
		ok(ks_transaction_judge_end(&t, 7, 0, commit, false) == KS_TRANSACTION_FENCED, "nor by a client that keeps its epoch");
		ok(ks_transaction_judge_end(&t, 7, 1, false, true) == KS_TRANSACTION_GO, "an abort of nothing gives an epoch");
		ok(ks_transaction_judge_end(&t, 7, 1, true, true) == KS_TRANSACTION_WRONG_STATE, "a commit of nothing is wrong");
		t = ended(commit, true);
		ks_transaction_begin(&t, 2000, 42, 1);
		ok(ks_transaction_judge_end(&t, 7, 0, commit, true) == KS_TRANSACTION_FENCED, "a late end does not end the next one");
		if (commit)
			break;
		t = opened();
	}
	ks_transaction_make(&t, "id", 10, 7);
	ok(ks_transaction_judge_end(&t, 7, 0, true, false) == KS_TRANSACTION_WRONG_STATE, "nothing to commit");
}

static void
test_init(void)
{
	KsTransaction t = opened();

	ok(ks_transaction_judge_init(&t, -1, -1) == KS_TRANSACTION_GO, "a new incarnation takes over");
	ok(ks_transaction_judge_init(&t, 7, 0) == KS_TRANSACTION_GO, "and so does the producer itself");
	ok(ks_transaction_judge_init(&t, 7, 3) == KS_TRANSACTION_FENCED, "not another epoch");
	ok(ks_transaction_judge_init(&t, 6, 0) == KS_TRANSACTION_FENCED, "nor another producer");
	ks_transaction_bump(&t, false, 8);
	t.state = KS_TRANSACTION_ABORTED;
	ok(t.epoch == 1 && ks_transaction_judge_init(&t, 7, 0) == KS_TRANSACTION_FENCED, "who was replaced cannot come back");
	ks_transaction_bump(&t, true, 8);
	ok(t.epoch == 2 && ks_transaction_judge_init(&t, 7, 1) == KS_TRANSACTION_DONE, "who was given an epoch may ask again");
	t.epoch = PG_INT16_MAX - 1;
	ks_transaction_bump(&t, true, 8);
	ok(t.producer_id == 8 && t.epoch == 0, "after the last epoch comes a new producer id");
	ok(ks_transaction_judge_init(&t, 7, PG_INT16_MAX - 1) == KS_TRANSACTION_DONE, "that one may ask again, too");
	t.state = KS_TRANSACTION_COMMITTED;
	ok(ks_transaction_judge_end(&t, 7, PG_INT16_MAX - 1, true, true) == KS_TRANSACTION_DONE, "and repeat its end");
}

int
main(void)
{
	test_begin();
	test_end();
	test_init();
	printf("1..%d\n", tests);
	return failures > 0;
}
