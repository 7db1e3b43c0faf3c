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

#include "admin/admin.h"
#include "base/debug.h"
#include "base/events.h"
#include "cdc/cdc.h"
#include "fetch/fetch.h"
#include "group/shared.h"
#include "ks_shmem.h"
#include "produce/produce.h"
#include "produce/producer_batch.h"
#include "state/partition_state.h"
#include "state/replicas.h"
#include "topic/topic.h"
#include "worker/ks_worker.h"
#include "kafka/kafka.h"
#include "ks_xact.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

/*
 * Loaded by the postmaster, kstream gets its shared memory.  Loaded later (by
 * CREATE EXTENSION or a function call in a server that does not preload it),
 * its settings and catalog work, and what needs shared memory says 55000.
 */
void
_PG_init(void)
{
	if (process_shared_preload_libraries_in_progress)
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
	ks_replicas_define_settings();
	ks_produce_define_settings();
	ks_producer_define_settings();
	ks_fetch_define_settings();
	ks_admin_define_settings();
	ks_debug_init();
	MarkGUCPrefixReserved("kstream");
	ks_topic_init();
	ks_fetch_init();
	ks_admin_init();
	ks_bind_init();
	ks_worker_init();
	ks_cdc_init();
	ks_xact_init();
}
