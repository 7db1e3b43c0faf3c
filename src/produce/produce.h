/*-------------------------------------------------------------------------
 * produce.h
 *	  Records of the current transaction, from produce() to the log.
 *
 * src/produce/produce.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_PRODUCE_PRODUCE_H
#define KS_PRODUCE_PRODUCE_H

#include "datatype/timestamp.h"

#include "base/compat.h"
#include "codec/batch.h"
#include "topic/topic.h"

/* For _PG_init. */
extern void ks_produce_define_settings(void);

/* In kB. */
extern int ks_produce_buffer_size;

/*
 * Begin to produce to a topic in this statement: look it up, check that the
 * current user may and that the transaction can write.  The result is valid to
 * the end of the transaction; calling again for each record is cheap.
 * 42704, 42501, 25006, 25000.
 */
typedef struct KsProducerTopic KsProducerTopic;
extern KsProducerTopic *ks_produce_begin(const char *name, size_t name_len);

/*
 * The same where the topic is known (as of `serial`, ks_topic_cache_serial
 * when it was looked up) and PostgreSQL has checked the right to insert into
 * its table.  `command` is named in errors.
 */
extern KsProducerTopic *ks_produce_begin_table(const KsTopic *topic, uint64 serial, const char *command);

/* The same with the right of another role than the current user. */
extern KsProducerTopic *ks_produce_begin_as(const char *name, size_t name_len, Oid user);

/* What is known of the topic. */
extern const KsTopic *ks_produce_topic(const KsProducerTopic *topic);

/* 22023 unless the topic has the partition; for one that the caller named. */
extern void ks_produce_check_partition(const KsProducerTopic *topic, int32 partition);

/*
 * The time that a caller gives a record, in ms: 22023 when no record can have
 * it, KS032 when it is further from now than the topic's options allow.
 */
extern int64 ks_produce_event_time(const KsProducerTopic *topic, TimestampTz event_time);

/* Take the partition from the key, or -1 from this, if the caller names none. */
#define KS_ANY_PARTITION (-1)

/*
 * Add one record to the transaction.  Returns its partition.  The record is
 * copied.  22023 for a partition that is not there, 54000 when it is too
 * large, KS087 for a NULL key on a compacted topic.
 */
extern int32 ks_produce_record(KsProducerTopic *topic, int32 partition, const KsRecord *record);

/* KS087 */
extern void ks_produce_key_missing(const KsTopic *topic) pg_attribute_noreturn();

#endif /* KS_PRODUCE_PRODUCE_H */
