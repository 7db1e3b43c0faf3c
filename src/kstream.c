/*-------------------------------------------------------------------------
 * kstream.c
 *	  kstream: Kafka's topics in PostgreSQL.  Composition only.
 *
 * The rooms and the order in which to read them are in src/README.md.
 *
 * src/kstream.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "admin/bind.h"
#include "admin/drop.h"
#include "admin/register.h"
#include "base/debug.h"
#include "base/events.h"
#include "catalog/ks_catalog.h"
#include "cdc/cdc.h"
#include "fetch/fetch.h"
#include "consume/poll_limit.h"
#include "fetch/stream.h"
#include "group/shared.h"
#include "ks_shmem.h"
#include "produce/produce.h"
#include "produce/producer_batch.h"
#include "staging/staging.h"
#include "state/partition_state.h"
#include "state/replicas.h"
#include "state/state_shmem.h"
#include "topic/topic.h"
#include "worker/ks_launcher.h"
#include "kafka/kafka.h"
#include "ks_utility.h"
#include "ks_xact.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

/*
 * Loaded by the postmaster, kstream gets its shared memory.  Loaded later (by
 * CREATE EXTENSION or a function call in a server that does not preload it) its
 * functions say 55000 and it takes part in nothing else: no hook and no callback
 * is there that could touch shared memory, above all none after a commit.  What
 * is done to topics' tables then is like what is done by a session that has not
 * loaded it (see admin/drop.c).
 */
void
_PG_init(void)
{
	bool preloading = process_shared_preload_libraries_in_progress;

	if (preloading)
	{
		ks_state_define_settings();
		ks_group_define_settings();
		ks_worker_define_settings();
		ks_worker_register_launcher();
		ks_kafka_define_settings();
		ks_kafka_register_listener();
		ks_shmem_install_hooks();
	}
	ks_events_define_settings();
	ks_group_define_limits();
	ks_replicas_define_settings();
	ks_produce_define_settings();
	ks_producer_define_settings();
	ks_staging_define_settings();
	ks_fetch_define_settings();
	ks_stream_define_settings();
	ks_admin_define_settings();
	ks_debug_init();
	MarkGUCPrefixReserved("kstream");
	ks_catalog_init();
	ks_topic_init();
	if (!preloading)
		return;
	ks_fetch_init();
	ks_poll_limit_init();
	ks_admin_init();
	ks_bind_init();
	ks_worker_init();
	ks_cdc_init();
	ks_utility_init();
	ks_xact_init();
}
