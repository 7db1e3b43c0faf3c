/*-------------------------------------------------------------------------
 * messages.h
 *	  The fields of Kafka's requests and responses, by API and version.
 *
 * KW_<structure> lists its fields in the order in which they stand in the bytes:
 *
 *		F(structure, C type, type, member, first version, last version, nullable from, tag, default)
 *		A	the same: an array of them
 *		S(structure, of what, member, first, last, nullable from, tag, default)	an array of structures
 *		O	the same: one structure
 *
 * Nullable from and tag are -1 where there is none; 99 is "and later".  The facts
 * are those of the protocol of Apache Kafka 4.4.
 *
 * src/wire/messages.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_WIRE_MESSAGES_H
#define KS_WIRE_MESSAGES_H

/* clang-format off */

#define KW_ApiVersionsRequest(F, A, S, O) \
	F(ApiVersionsRequest, KwString, STRING, client_software_name, 3, 99, -1, -1, 0) \
	F(ApiVersionsRequest, KwString, STRING, client_software_version, 3, 99, -1, -1, 0) \
	F(ApiVersionsRequest, KwString, STRING, cluster_id, 5, 99, 5, -1, KW_NULL) \
	F(ApiVersionsRequest, int32, INT32, node_id, 5, 99, -1, -1, -1)

#define KW_ApiVersionsResponseApiVersion(F, A, S, O) \
	F(ApiVersionsResponseApiVersion, int16, INT16, api_key, 0, 99, -1, -1, 0) \
	F(ApiVersionsResponseApiVersion, int16, INT16, min_version, 0, 99, -1, -1, 0) \
	F(ApiVersionsResponseApiVersion, int16, INT16, max_version, 0, 99, -1, -1, 0)

#define KW_ApiVersionsResponseSupportedFeatureKey(F, A, S, O) \
	F(ApiVersionsResponseSupportedFeatureKey, KwString, STRING, name, 3, 99, -1, -1, 0) \
	F(ApiVersionsResponseSupportedFeatureKey, int16, INT16, min_version, 3, 99, -1, -1, 0) \
	F(ApiVersionsResponseSupportedFeatureKey, int16, INT16, max_version, 3, 99, -1, -1, 0)

#define KW_ApiVersionsResponseFinalizedFeatureKey(F, A, S, O) \
	F(ApiVersionsResponseFinalizedFeatureKey, KwString, STRING, name, 3, 99, -1, -1, 0) \
	F(ApiVersionsResponseFinalizedFeatureKey, int16, INT16, max_version_level, 3, 99, -1, -1, 0) \
	F(ApiVersionsResponseFinalizedFeatureKey, int16, INT16, min_version_level, 3, 99, -1, -1, 0)

#define KW_ApiVersionsResponse(F, A, S, O) \
	F(ApiVersionsResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	S(ApiVersionsResponse, ApiVersionsResponseApiVersion, api_keys, 0, 99, -1, -1, 0) \
	F(ApiVersionsResponse, int32, INT32, throttle_time_ms, 1, 99, -1, -1, 0) \
	S(ApiVersionsResponse, ApiVersionsResponseSupportedFeatureKey, supported_features, 3, 99, -1, 0, 0) \
	F(ApiVersionsResponse, int64, INT64, finalized_features_epoch, 3, 99, -1, 1, -1) \
	S(ApiVersionsResponse, ApiVersionsResponseFinalizedFeatureKey, finalized_features, 3, 99, -1, 2, 0) \
	F(ApiVersionsResponse, bool, BOOL, zk_migration_ready, 3, 99, -1, 3, 0)

#define KW_MetadataRequestRequestTopic(F, A, S, O) \
	F(MetadataRequestRequestTopic, KwUuid, UUID, topic_id, 10, 99, -1, -1, 0) \
	F(MetadataRequestRequestTopic, KwString, STRING, name, 0, 99, 10, -1, 0)

#define KW_MetadataRequest(F, A, S, O) \
	S(MetadataRequest, MetadataRequestRequestTopic, topics, 0, 99, 1, -1, 0) \
	F(MetadataRequest, bool, BOOL, allow_auto_topic_creation, 4, 99, -1, -1, 1) \
	F(MetadataRequest, bool, BOOL, include_cluster_authorized_operations, 8, 10, -1, -1, 0) \
	F(MetadataRequest, bool, BOOL, include_topic_authorized_operations, 8, 99, -1, -1, 0)

#define KW_MetadataResponseResponseBroker(F, A, S, O) \
	F(MetadataResponseResponseBroker, int32, INT32, node_id, 0, 99, -1, -1, 0) \
	F(MetadataResponseResponseBroker, KwString, STRING, host, 0, 99, -1, -1, 0) \
	F(MetadataResponseResponseBroker, int32, INT32, port, 0, 99, -1, -1, 0) \
	F(MetadataResponseResponseBroker, KwString, STRING, rack, 1, 99, 1, -1, KW_NULL)

#define KW_MetadataResponseResponsePartition(F, A, S, O) \
	F(MetadataResponseResponsePartition, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(MetadataResponseResponsePartition, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	F(MetadataResponseResponsePartition, int32, INT32, leader_id, 0, 99, -1, -1, 0) \
	F(MetadataResponseResponsePartition, int32, INT32, leader_epoch, 7, 99, -1, -1, -1) \
	A(MetadataResponseResponsePartition, int32, INT32, replica_nodes, 0, 99, -1, -1, 0) \
	A(MetadataResponseResponsePartition, int32, INT32, isr_nodes, 0, 99, -1, -1, 0) \
	A(MetadataResponseResponsePartition, int32, INT32, offline_replicas, 5, 99, -1, -1, 0)

#define KW_MetadataResponseResponseTopic(F, A, S, O) \
	F(MetadataResponseResponseTopic, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(MetadataResponseResponseTopic, KwString, STRING, name, 0, 99, 12, -1, 0) \
	F(MetadataResponseResponseTopic, KwUuid, UUID, topic_id, 10, 99, -1, -1, 0) \
	F(MetadataResponseResponseTopic, bool, BOOL, is_internal, 1, 99, -1, -1, 0) \
	S(MetadataResponseResponseTopic, MetadataResponseResponsePartition, partitions, 0, 99, -1, -1, 0) \
	F(MetadataResponseResponseTopic, int32, INT32, topic_authorized_operations, 8, 99, -1, -1, INT64CONST(-2147483648))

#define KW_MetadataResponse(F, A, S, O) \
	F(MetadataResponse, int32, INT32, throttle_time_ms, 3, 99, -1, -1, 0) \
	S(MetadataResponse, MetadataResponseResponseBroker, brokers, 0, 99, -1, -1, 0) \
	F(MetadataResponse, KwString, STRING, cluster_id, 2, 99, 2, -1, KW_NULL) \
	F(MetadataResponse, int32, INT32, controller_id, 1, 99, -1, -1, -1) \
	S(MetadataResponse, MetadataResponseResponseTopic, topics, 0, 99, -1, -1, 0) \
	F(MetadataResponse, int32, INT32, cluster_authorized_operations, 8, 10, -1, -1, INT64CONST(-2147483648)) \
	F(MetadataResponse, int16, INT16, error_code, 13, 99, -1, -1, 0)

#define KW_ProduceRequestPartitionProduceData(F, A, S, O) \
	F(ProduceRequestPartitionProduceData, int32, INT32, index, 0, 99, -1, -1, 0) \
	F(ProduceRequestPartitionProduceData, KwString, BYTES, records, 0, 99, 0, -1, 0)

#define KW_ProduceRequestTopicProduceData(F, A, S, O) \
	F(ProduceRequestTopicProduceData, KwString, STRING, name, 0, 12, -1, -1, 0) \
	F(ProduceRequestTopicProduceData, KwUuid, UUID, topic_id, 13, 99, -1, -1, 0) \
	S(ProduceRequestTopicProduceData, ProduceRequestPartitionProduceData, partition_data, 0, 99, -1, -1, 0)

#define KW_ProduceRequest(F, A, S, O) \
	F(ProduceRequest, KwString, STRING, transactional_id, 3, 99, 3, -1, KW_NULL) \
	F(ProduceRequest, int16, INT16, acks, 0, 99, -1, -1, 0) \
	F(ProduceRequest, int32, INT32, timeout_ms, 0, 99, -1, -1, 0) \
	S(ProduceRequest, ProduceRequestTopicProduceData, topic_data, 0, 99, -1, -1, 0)

#define KW_ProduceResponseBatchIndexAndErrorMessage(F, A, S, O) \
	F(ProduceResponseBatchIndexAndErrorMessage, int32, INT32, batch_index, 8, 99, -1, -1, 0) \
	F(ProduceResponseBatchIndexAndErrorMessage, KwString, STRING, batch_index_error_message, 8, 99, 8, -1, KW_NULL)

#define KW_ProduceResponseLeaderIdAndEpoch(F, A, S, O) \
	F(ProduceResponseLeaderIdAndEpoch, int32, INT32, leader_id, 10, 99, -1, -1, -1) \
	F(ProduceResponseLeaderIdAndEpoch, int32, INT32, leader_epoch, 10, 99, -1, -1, -1)

#define KW_ProduceResponsePartitionProduceResponse(F, A, S, O) \
	F(ProduceResponsePartitionProduceResponse, int32, INT32, index, 0, 99, -1, -1, 0) \
	F(ProduceResponsePartitionProduceResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(ProduceResponsePartitionProduceResponse, int64, INT64, base_offset, 0, 99, -1, -1, 0) \
	F(ProduceResponsePartitionProduceResponse, int64, INT64, log_append_time_ms, 2, 99, -1, -1, -1) \
	F(ProduceResponsePartitionProduceResponse, int64, INT64, log_start_offset, 5, 99, -1, -1, -1) \
	S(ProduceResponsePartitionProduceResponse, ProduceResponseBatchIndexAndErrorMessage, record_errors, 8, 99, -1, -1, 0) \
	F(ProduceResponsePartitionProduceResponse, KwString, STRING, error_message, 8, 99, 8, -1, KW_NULL) \
	O(ProduceResponsePartitionProduceResponse, ProduceResponseLeaderIdAndEpoch, current_leader, 10, 99, -1, 0, 0)

#define KW_ProduceResponseTopicProduceResponse(F, A, S, O) \
	F(ProduceResponseTopicProduceResponse, KwString, STRING, name, 0, 12, -1, -1, 0) \
	F(ProduceResponseTopicProduceResponse, KwUuid, UUID, topic_id, 13, 99, -1, -1, 0) \
	S(ProduceResponseTopicProduceResponse, ProduceResponsePartitionProduceResponse, partition_responses, 0, 99, -1, -1, 0)

#define KW_ProduceResponseNodeEndpoint(F, A, S, O) \
	F(ProduceResponseNodeEndpoint, int32, INT32, node_id, 10, 99, -1, -1, 0) \
	F(ProduceResponseNodeEndpoint, KwString, STRING, host, 10, 99, -1, -1, 0) \
	F(ProduceResponseNodeEndpoint, int32, INT32, port, 10, 99, -1, -1, 0) \
	F(ProduceResponseNodeEndpoint, KwString, STRING, rack, 10, 99, 10, -1, KW_NULL)

#define KW_ProduceResponse(F, A, S, O) \
	S(ProduceResponse, ProduceResponseTopicProduceResponse, responses, 0, 99, -1, -1, 0) \
	F(ProduceResponse, int32, INT32, throttle_time_ms, 1, 99, -1, -1, 0) \
	S(ProduceResponse, ProduceResponseNodeEndpoint, node_endpoints, 10, 99, -1, 0, 0)

#define KW_FetchRequestReplicaState(F, A, S, O) \
	F(FetchRequestReplicaState, int32, INT32, replica_id, 15, 99, -1, -1, -1) \
	F(FetchRequestReplicaState, int64, INT64, replica_epoch, 15, 99, -1, -1, -1)

#define KW_FetchRequestPartition(F, A, S, O) \
	F(FetchRequestPartition, int32, INT32, partition, 0, 99, -1, -1, 0) \
	F(FetchRequestPartition, int32, INT32, current_leader_epoch, 9, 99, -1, -1, -1) \
	F(FetchRequestPartition, int64, INT64, fetch_offset, 0, 99, -1, -1, 0) \
	F(FetchRequestPartition, int32, INT32, last_fetched_epoch, 12, 99, -1, -1, -1) \
	F(FetchRequestPartition, int64, INT64, log_start_offset, 5, 99, -1, -1, -1) \
	F(FetchRequestPartition, int32, INT32, partition_max_bytes, 0, 99, -1, -1, 0) \
	F(FetchRequestPartition, KwUuid, UUID, replica_directory_id, 17, 99, -1, 0, 0) \
	F(FetchRequestPartition, int64, INT64, high_watermark, 18, 99, -1, 1, PG_INT64_MAX)

#define KW_FetchRequestTopic(F, A, S, O) \
	F(FetchRequestTopic, KwString, STRING, topic, 0, 12, -1, -1, 0) \
	F(FetchRequestTopic, KwUuid, UUID, topic_id, 13, 99, -1, -1, 0) \
	S(FetchRequestTopic, FetchRequestPartition, partitions, 0, 99, -1, -1, 0)

#define KW_FetchRequestForgottenTopic(F, A, S, O) \
	F(FetchRequestForgottenTopic, KwString, STRING, topic, 7, 12, -1, -1, 0) \
	F(FetchRequestForgottenTopic, KwUuid, UUID, topic_id, 13, 99, -1, -1, 0) \
	A(FetchRequestForgottenTopic, int32, INT32, partitions, 7, 99, -1, -1, 0)

#define KW_FetchRequest(F, A, S, O) \
	F(FetchRequest, KwString, STRING, cluster_id, 12, 99, 12, 0, KW_NULL) \
	F(FetchRequest, int32, INT32, replica_id, 0, 14, -1, -1, -1) \
	O(FetchRequest, FetchRequestReplicaState, replica_state, 15, 99, -1, 1, 0) \
	F(FetchRequest, int32, INT32, max_wait_ms, 0, 99, -1, -1, 0) \
	F(FetchRequest, int32, INT32, min_bytes, 0, 99, -1, -1, 0) \
	F(FetchRequest, int32, INT32, max_bytes, 3, 99, -1, -1, INT64CONST(2147483647)) \
	F(FetchRequest, int8, INT8, isolation_level, 4, 99, -1, -1, 0) \
	F(FetchRequest, int32, INT32, session_id, 7, 99, -1, -1, 0) \
	F(FetchRequest, int32, INT32, session_epoch, 7, 99, -1, -1, -1) \
	S(FetchRequest, FetchRequestTopic, topics, 0, 99, -1, -1, 0) \
	S(FetchRequest, FetchRequestForgottenTopic, forgotten_topics_data, 7, 99, -1, -1, 0) \
	F(FetchRequest, KwString, STRING, rack_id, 11, 99, -1, -1, 0)

#define KW_FetchResponseEpochEndOffset(F, A, S, O) \
	F(FetchResponseEpochEndOffset, int32, INT32, epoch, 12, 99, -1, -1, -1) \
	F(FetchResponseEpochEndOffset, int64, INT64, end_offset, 12, 99, -1, -1, -1)

#define KW_FetchResponseLeaderIdAndEpoch(F, A, S, O) \
	F(FetchResponseLeaderIdAndEpoch, int32, INT32, leader_id, 12, 99, -1, -1, -1) \
	F(FetchResponseLeaderIdAndEpoch, int32, INT32, leader_epoch, 12, 99, -1, -1, -1)

#define KW_FetchResponseSnapshotId(F, A, S, O) \
	F(FetchResponseSnapshotId, int64, INT64, end_offset, 0, 99, -1, -1, -1) \
	F(FetchResponseSnapshotId, int32, INT32, epoch, 0, 99, -1, -1, -1)

#define KW_FetchResponseAbortedTransaction(F, A, S, O) \
	F(FetchResponseAbortedTransaction, int64, INT64, producer_id, 4, 99, -1, -1, 0) \
	F(FetchResponseAbortedTransaction, int64, INT64, first_offset, 4, 99, -1, -1, 0)

#define KW_FetchResponsePartitionData(F, A, S, O) \
	F(FetchResponsePartitionData, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	F(FetchResponsePartitionData, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(FetchResponsePartitionData, int64, INT64, high_watermark, 0, 99, -1, -1, 0) \
	F(FetchResponsePartitionData, int64, INT64, last_stable_offset, 4, 99, -1, -1, -1) \
	F(FetchResponsePartitionData, int64, INT64, log_start_offset, 5, 99, -1, -1, -1) \
	O(FetchResponsePartitionData, FetchResponseEpochEndOffset, diverging_epoch, 12, 99, -1, 0, 0) \
	O(FetchResponsePartitionData, FetchResponseLeaderIdAndEpoch, current_leader, 12, 99, -1, 1, 0) \
	O(FetchResponsePartitionData, FetchResponseSnapshotId, snapshot_id, 12, 99, -1, 2, 0) \
	S(FetchResponsePartitionData, FetchResponseAbortedTransaction, aborted_transactions, 4, 99, 4, -1, 0) \
	F(FetchResponsePartitionData, int32, INT32, preferred_read_replica, 11, 99, -1, -1, -1) \
	F(FetchResponsePartitionData, KwString, BYTES, records, 0, 99, 0, -1, 0)

#define KW_FetchResponseableTopicResponse(F, A, S, O) \
	F(FetchResponseableTopicResponse, KwString, STRING, topic, 0, 12, -1, -1, 0) \
	F(FetchResponseableTopicResponse, KwUuid, UUID, topic_id, 13, 99, -1, -1, 0) \
	S(FetchResponseableTopicResponse, FetchResponsePartitionData, partitions, 0, 99, -1, -1, 0)

#define KW_FetchResponseNodeEndpoint(F, A, S, O) \
	F(FetchResponseNodeEndpoint, int32, INT32, node_id, 16, 99, -1, -1, 0) \
	F(FetchResponseNodeEndpoint, KwString, STRING, host, 16, 99, -1, -1, 0) \
	F(FetchResponseNodeEndpoint, int32, INT32, port, 16, 99, -1, -1, 0) \
	F(FetchResponseNodeEndpoint, KwString, STRING, rack, 16, 99, 16, -1, KW_NULL)

#define KW_FetchResponse(F, A, S, O) \
	F(FetchResponse, int32, INT32, throttle_time_ms, 1, 99, -1, -1, 0) \
	F(FetchResponse, int16, INT16, error_code, 7, 99, -1, -1, 0) \
	F(FetchResponse, int32, INT32, session_id, 7, 99, -1, -1, 0) \
	S(FetchResponse, FetchResponseableTopicResponse, responses, 0, 99, -1, -1, 0) \
	S(FetchResponse, FetchResponseNodeEndpoint, node_endpoints, 16, 99, -1, 0, 0)

#define KW_ListOffsetsRequestPartition(F, A, S, O) \
	F(ListOffsetsRequestPartition, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	F(ListOffsetsRequestPartition, int32, INT32, current_leader_epoch, 4, 99, -1, -1, -1) \
	F(ListOffsetsRequestPartition, int64, INT64, timestamp, 0, 99, -1, -1, 0)

#define KW_ListOffsetsRequestTopic(F, A, S, O) \
	F(ListOffsetsRequestTopic, KwString, STRING, name, 0, 99, -1, -1, 0) \
	S(ListOffsetsRequestTopic, ListOffsetsRequestPartition, partitions, 0, 99, -1, -1, 0)

#define KW_ListOffsetsRequest(F, A, S, O) \
	F(ListOffsetsRequest, int32, INT32, replica_id, 0, 99, -1, -1, 0) \
	F(ListOffsetsRequest, int8, INT8, isolation_level, 2, 99, -1, -1, 0) \
	S(ListOffsetsRequest, ListOffsetsRequestTopic, topics, 0, 99, -1, -1, 0) \
	F(ListOffsetsRequest, int32, INT32, timeout_ms, 10, 99, -1, -1, 0)

#define KW_ListOffsetsResponsePartitionResponse(F, A, S, O) \
	F(ListOffsetsResponsePartitionResponse, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	F(ListOffsetsResponsePartitionResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(ListOffsetsResponsePartitionResponse, int64, INT64, timestamp, 1, 99, -1, -1, -1) \
	F(ListOffsetsResponsePartitionResponse, int64, INT64, offset, 1, 99, -1, -1, -1) \
	F(ListOffsetsResponsePartitionResponse, int32, INT32, leader_epoch, 4, 99, -1, -1, -1)

#define KW_ListOffsetsResponseTopicResponse(F, A, S, O) \
	F(ListOffsetsResponseTopicResponse, KwString, STRING, name, 0, 99, -1, -1, 0) \
	S(ListOffsetsResponseTopicResponse, ListOffsetsResponsePartitionResponse, partitions, 0, 99, -1, -1, 0)

#define KW_ListOffsetsResponse(F, A, S, O) \
	F(ListOffsetsResponse, int32, INT32, throttle_time_ms, 2, 99, -1, -1, 0) \
	S(ListOffsetsResponse, ListOffsetsResponseTopicResponse, topics, 0, 99, -1, -1, 0)

#define KW_FindCoordinatorRequest(F, A, S, O) \
	F(FindCoordinatorRequest, KwString, STRING, key, 0, 3, -1, -1, 0) \
	F(FindCoordinatorRequest, int8, INT8, key_type, 1, 99, -1, -1, 0) \
	A(FindCoordinatorRequest, KwString, STRING, coordinator_keys, 4, 99, -1, -1, 0)

#define KW_FindCoordinatorResponseCoordinator(F, A, S, O) \
	F(FindCoordinatorResponseCoordinator, KwString, STRING, key, 4, 99, -1, -1, 0) \
	F(FindCoordinatorResponseCoordinator, int32, INT32, node_id, 4, 99, -1, -1, 0) \
	F(FindCoordinatorResponseCoordinator, KwString, STRING, host, 4, 99, -1, -1, 0) \
	F(FindCoordinatorResponseCoordinator, int32, INT32, port, 4, 99, -1, -1, 0) \
	F(FindCoordinatorResponseCoordinator, int16, INT16, error_code, 4, 99, -1, -1, 0) \
	F(FindCoordinatorResponseCoordinator, KwString, STRING, error_message, 4, 99, 4, -1, 0)

#define KW_FindCoordinatorResponse(F, A, S, O) \
	F(FindCoordinatorResponse, int32, INT32, throttle_time_ms, 1, 99, -1, -1, 0) \
	F(FindCoordinatorResponse, int16, INT16, error_code, 0, 3, -1, -1, 0) \
	F(FindCoordinatorResponse, KwString, STRING, error_message, 1, 3, 1, -1, 0) \
	F(FindCoordinatorResponse, int32, INT32, node_id, 0, 3, -1, -1, 0) \
	F(FindCoordinatorResponse, KwString, STRING, host, 0, 3, -1, -1, 0) \
	F(FindCoordinatorResponse, int32, INT32, port, 0, 3, -1, -1, 0) \
	S(FindCoordinatorResponse, FindCoordinatorResponseCoordinator, coordinators, 4, 99, -1, -1, 0)

#define KW_OffsetCommitRequestRequestPartition(F, A, S, O) \
	F(OffsetCommitRequestRequestPartition, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	F(OffsetCommitRequestRequestPartition, int64, INT64, committed_offset, 0, 99, -1, -1, 0) \
	F(OffsetCommitRequestRequestPartition, int32, INT32, committed_leader_epoch, 6, 99, -1, -1, -1) \
	F(OffsetCommitRequestRequestPartition, KwString, STRING, committed_metadata, 0, 99, 0, -1, 0)

#define KW_OffsetCommitRequestRequestTopic(F, A, S, O) \
	F(OffsetCommitRequestRequestTopic, KwString, STRING, name, 0, 9, -1, -1, 0) \
	F(OffsetCommitRequestRequestTopic, KwUuid, UUID, topic_id, 10, 99, -1, -1, 0) \
	S(OffsetCommitRequestRequestTopic, OffsetCommitRequestRequestPartition, partitions, 0, 99, -1, -1, 0)

#define KW_OffsetCommitRequest(F, A, S, O) \
	F(OffsetCommitRequest, KwString, STRING, group_id, 0, 99, -1, -1, 0) \
	F(OffsetCommitRequest, int32, INT32, generation_id_or_member_epoch, 1, 99, -1, -1, -1) \
	F(OffsetCommitRequest, KwString, STRING, member_id, 1, 99, -1, -1, 0) \
	F(OffsetCommitRequest, KwString, STRING, group_instance_id, 7, 99, 7, -1, KW_NULL) \
	F(OffsetCommitRequest, int64, INT64, retention_time_ms, 2, 4, -1, -1, -1) \
	S(OffsetCommitRequest, OffsetCommitRequestRequestTopic, topics, 0, 99, -1, -1, 0)

#define KW_OffsetCommitResponseResponsePartition(F, A, S, O) \
	F(OffsetCommitResponseResponsePartition, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	F(OffsetCommitResponseResponsePartition, int16, INT16, error_code, 0, 99, -1, -1, 0)

#define KW_OffsetCommitResponseResponseTopic(F, A, S, O) \
	F(OffsetCommitResponseResponseTopic, KwString, STRING, name, 0, 9, -1, -1, 0) \
	F(OffsetCommitResponseResponseTopic, KwUuid, UUID, topic_id, 10, 99, -1, -1, 0) \
	S(OffsetCommitResponseResponseTopic, OffsetCommitResponseResponsePartition, partitions, 0, 99, -1, -1, 0)

#define KW_OffsetCommitResponse(F, A, S, O) \
	F(OffsetCommitResponse, int32, INT32, throttle_time_ms, 3, 99, -1, -1, 0) \
	S(OffsetCommitResponse, OffsetCommitResponseResponseTopic, topics, 0, 99, -1, -1, 0)

#define KW_OffsetFetchRequestRequestTopic(F, A, S, O) \
	F(OffsetFetchRequestRequestTopic, KwString, STRING, name, 0, 7, -1, -1, 0) \
	A(OffsetFetchRequestRequestTopic, int32, INT32, partition_indexes, 0, 7, -1, -1, 0)

#define KW_OffsetFetchRequestRequestTopics(F, A, S, O) \
	F(OffsetFetchRequestRequestTopics, KwString, STRING, name, 8, 9, -1, -1, 0) \
	F(OffsetFetchRequestRequestTopics, KwUuid, UUID, topic_id, 10, 99, -1, -1, 0) \
	A(OffsetFetchRequestRequestTopics, int32, INT32, partition_indexes, 8, 99, -1, -1, 0)

#define KW_OffsetFetchRequestRequestGroup(F, A, S, O) \
	F(OffsetFetchRequestRequestGroup, KwString, STRING, group_id, 8, 99, -1, -1, 0) \
	F(OffsetFetchRequestRequestGroup, KwString, STRING, member_id, 9, 99, 9, -1, KW_NULL) \
	F(OffsetFetchRequestRequestGroup, int32, INT32, member_epoch, 9, 99, -1, -1, -1) \
	S(OffsetFetchRequestRequestGroup, OffsetFetchRequestRequestTopics, topics, 8, 99, 8, -1, 0)

#define KW_OffsetFetchRequest(F, A, S, O) \
	F(OffsetFetchRequest, KwString, STRING, group_id, 0, 7, -1, -1, 0) \
	S(OffsetFetchRequest, OffsetFetchRequestRequestTopic, topics, 0, 7, 2, -1, 0) \
	S(OffsetFetchRequest, OffsetFetchRequestRequestGroup, groups, 8, 99, -1, -1, 0) \
	F(OffsetFetchRequest, bool, BOOL, require_stable, 7, 99, -1, -1, 0)

#define KW_OffsetFetchResponseResponsePartition(F, A, S, O) \
	F(OffsetFetchResponseResponsePartition, int32, INT32, partition_index, 0, 7, -1, -1, 0) \
	F(OffsetFetchResponseResponsePartition, int64, INT64, committed_offset, 0, 7, -1, -1, 0) \
	F(OffsetFetchResponseResponsePartition, int32, INT32, committed_leader_epoch, 5, 7, -1, -1, -1) \
	F(OffsetFetchResponseResponsePartition, KwString, STRING, metadata, 0, 7, 0, -1, 0) \
	F(OffsetFetchResponseResponsePartition, int16, INT16, error_code, 0, 7, -1, -1, 0)

#define KW_OffsetFetchResponseResponseTopic(F, A, S, O) \
	F(OffsetFetchResponseResponseTopic, KwString, STRING, name, 0, 7, -1, -1, 0) \
	S(OffsetFetchResponseResponseTopic, OffsetFetchResponseResponsePartition, partitions, 0, 7, -1, -1, 0)

#define KW_OffsetFetchResponseResponsePartitions(F, A, S, O) \
	F(OffsetFetchResponseResponsePartitions, int32, INT32, partition_index, 8, 99, -1, -1, 0) \
	F(OffsetFetchResponseResponsePartitions, int64, INT64, committed_offset, 8, 99, -1, -1, 0) \
	F(OffsetFetchResponseResponsePartitions, int32, INT32, committed_leader_epoch, 8, 99, -1, -1, -1) \
	F(OffsetFetchResponseResponsePartitions, KwString, STRING, metadata, 8, 99, 8, -1, 0) \
	F(OffsetFetchResponseResponsePartitions, int16, INT16, error_code, 8, 99, -1, -1, 0)

#define KW_OffsetFetchResponseResponseTopics(F, A, S, O) \
	F(OffsetFetchResponseResponseTopics, KwString, STRING, name, 8, 9, -1, -1, 0) \
	F(OffsetFetchResponseResponseTopics, KwUuid, UUID, topic_id, 10, 99, -1, -1, 0) \
	S(OffsetFetchResponseResponseTopics, OffsetFetchResponseResponsePartitions, partitions, 8, 99, -1, -1, 0)

#define KW_OffsetFetchResponseResponseGroup(F, A, S, O) \
	F(OffsetFetchResponseResponseGroup, KwString, STRING, group_id, 8, 99, -1, -1, 0) \
	S(OffsetFetchResponseResponseGroup, OffsetFetchResponseResponseTopics, topics, 8, 99, -1, -1, 0) \
	F(OffsetFetchResponseResponseGroup, int16, INT16, error_code, 8, 99, -1, -1, 0)

#define KW_OffsetFetchResponse(F, A, S, O) \
	F(OffsetFetchResponse, int32, INT32, throttle_time_ms, 3, 99, -1, -1, 0) \
	S(OffsetFetchResponse, OffsetFetchResponseResponseTopic, topics, 0, 7, -1, -1, 0) \
	F(OffsetFetchResponse, int16, INT16, error_code, 2, 7, -1, -1, 0) \
	S(OffsetFetchResponse, OffsetFetchResponseResponseGroup, groups, 8, 99, -1, -1, 0)

#define KW_JoinGroupRequestRequestProtocol(F, A, S, O) \
	F(JoinGroupRequestRequestProtocol, KwString, STRING, name, 0, 99, -1, -1, 0) \
	F(JoinGroupRequestRequestProtocol, KwString, BYTES, metadata, 0, 99, -1, -1, 0)

#define KW_JoinGroupRequest(F, A, S, O) \
	F(JoinGroupRequest, KwString, STRING, group_id, 0, 99, -1, -1, 0) \
	F(JoinGroupRequest, int32, INT32, session_timeout_ms, 0, 99, -1, -1, 0) \
	F(JoinGroupRequest, int32, INT32, rebalance_timeout_ms, 1, 99, -1, -1, -1) \
	F(JoinGroupRequest, KwString, STRING, member_id, 0, 99, -1, -1, 0) \
	F(JoinGroupRequest, KwString, STRING, group_instance_id, 5, 99, 5, -1, KW_NULL) \
	F(JoinGroupRequest, KwString, STRING, protocol_type, 0, 99, -1, -1, 0) \
	S(JoinGroupRequest, JoinGroupRequestRequestProtocol, protocols, 0, 99, -1, -1, 0) \
	F(JoinGroupRequest, KwString, STRING, reason, 8, 99, 8, -1, KW_NULL)

#define KW_JoinGroupResponseResponseMember(F, A, S, O) \
	F(JoinGroupResponseResponseMember, KwString, STRING, member_id, 0, 99, -1, -1, 0) \
	F(JoinGroupResponseResponseMember, KwString, STRING, group_instance_id, 5, 99, 5, -1, KW_NULL) \
	F(JoinGroupResponseResponseMember, KwString, BYTES, metadata, 0, 99, -1, -1, 0)

#define KW_JoinGroupResponse(F, A, S, O) \
	F(JoinGroupResponse, int32, INT32, throttle_time_ms, 2, 99, -1, -1, 0) \
	F(JoinGroupResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(JoinGroupResponse, int32, INT32, generation_id, 0, 99, -1, -1, -1) \
	F(JoinGroupResponse, KwString, STRING, protocol_type, 7, 99, 7, -1, KW_NULL) \
	F(JoinGroupResponse, KwString, STRING, protocol_name, 0, 99, 7, -1, 0) \
	F(JoinGroupResponse, KwString, STRING, leader, 0, 99, -1, -1, 0) \
	F(JoinGroupResponse, bool, BOOL, skip_assignment, 9, 99, -1, -1, 0) \
	F(JoinGroupResponse, KwString, STRING, member_id, 0, 99, -1, -1, 0) \
	S(JoinGroupResponse, JoinGroupResponseResponseMember, members, 0, 99, -1, -1, 0)

#define KW_HeartbeatRequest(F, A, S, O) \
	F(HeartbeatRequest, KwString, STRING, group_id, 0, 99, -1, -1, 0) \
	F(HeartbeatRequest, int32, INT32, generation_id, 0, 99, -1, -1, 0) \
	F(HeartbeatRequest, KwString, STRING, member_id, 0, 99, -1, -1, 0) \
	F(HeartbeatRequest, KwString, STRING, group_instance_id, 3, 99, 3, -1, KW_NULL)

#define KW_HeartbeatResponse(F, A, S, O) \
	F(HeartbeatResponse, int32, INT32, throttle_time_ms, 1, 99, -1, -1, 0) \
	F(HeartbeatResponse, int16, INT16, error_code, 0, 99, -1, -1, 0)

#define KW_LeaveGroupRequestMemberIdentity(F, A, S, O) \
	F(LeaveGroupRequestMemberIdentity, KwString, STRING, member_id, 3, 99, -1, -1, 0) \
	F(LeaveGroupRequestMemberIdentity, KwString, STRING, group_instance_id, 3, 99, 3, -1, KW_NULL) \
	F(LeaveGroupRequestMemberIdentity, KwString, STRING, reason, 5, 99, 5, -1, KW_NULL)

#define KW_LeaveGroupRequest(F, A, S, O) \
	F(LeaveGroupRequest, KwString, STRING, group_id, 0, 99, -1, -1, 0) \
	F(LeaveGroupRequest, KwString, STRING, member_id, 0, 2, -1, -1, 0) \
	S(LeaveGroupRequest, LeaveGroupRequestMemberIdentity, members, 3, 99, -1, -1, 0)

#define KW_LeaveGroupResponseMemberResponse(F, A, S, O) \
	F(LeaveGroupResponseMemberResponse, KwString, STRING, member_id, 3, 99, -1, -1, 0) \
	F(LeaveGroupResponseMemberResponse, KwString, STRING, group_instance_id, 3, 99, 3, -1, 0) \
	F(LeaveGroupResponseMemberResponse, int16, INT16, error_code, 3, 99, -1, -1, 0)

#define KW_LeaveGroupResponse(F, A, S, O) \
	F(LeaveGroupResponse, int32, INT32, throttle_time_ms, 1, 99, -1, -1, 0) \
	F(LeaveGroupResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	S(LeaveGroupResponse, LeaveGroupResponseMemberResponse, members, 3, 99, -1, -1, 0)

#define KW_SyncGroupRequestRequestAssignment(F, A, S, O) \
	F(SyncGroupRequestRequestAssignment, KwString, STRING, member_id, 0, 99, -1, -1, 0) \
	F(SyncGroupRequestRequestAssignment, KwString, BYTES, assignment, 0, 99, -1, -1, 0)

#define KW_SyncGroupRequest(F, A, S, O) \
	F(SyncGroupRequest, KwString, STRING, group_id, 0, 99, -1, -1, 0) \
	F(SyncGroupRequest, int32, INT32, generation_id, 0, 99, -1, -1, 0) \
	F(SyncGroupRequest, KwString, STRING, member_id, 0, 99, -1, -1, 0) \
	F(SyncGroupRequest, KwString, STRING, group_instance_id, 3, 99, 3, -1, KW_NULL) \
	F(SyncGroupRequest, KwString, STRING, protocol_type, 5, 99, 5, -1, KW_NULL) \
	F(SyncGroupRequest, KwString, STRING, protocol_name, 5, 99, 5, -1, KW_NULL) \
	S(SyncGroupRequest, SyncGroupRequestRequestAssignment, assignments, 0, 99, -1, -1, 0)

#define KW_SyncGroupResponse(F, A, S, O) \
	F(SyncGroupResponse, int32, INT32, throttle_time_ms, 1, 99, -1, -1, 0) \
	F(SyncGroupResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(SyncGroupResponse, KwString, STRING, protocol_type, 5, 99, 5, -1, KW_NULL) \
	F(SyncGroupResponse, KwString, STRING, protocol_name, 5, 99, 5, -1, KW_NULL) \
	F(SyncGroupResponse, KwString, BYTES, assignment, 0, 99, -1, -1, 0)

#define KW_DescribeGroupsRequest(F, A, S, O) \
	A(DescribeGroupsRequest, KwString, STRING, groups, 0, 99, -1, -1, 0) \
	F(DescribeGroupsRequest, bool, BOOL, include_authorized_operations, 3, 99, -1, -1, 0)

#define KW_DescribeGroupsResponseDescribedGroupMember(F, A, S, O) \
	F(DescribeGroupsResponseDescribedGroupMember, KwString, STRING, member_id, 0, 99, -1, -1, 0) \
	F(DescribeGroupsResponseDescribedGroupMember, KwString, STRING, group_instance_id, 4, 99, 4, -1, KW_NULL) \
	F(DescribeGroupsResponseDescribedGroupMember, KwString, STRING, client_id, 0, 99, -1, -1, 0) \
	F(DescribeGroupsResponseDescribedGroupMember, KwString, STRING, client_host, 0, 99, -1, -1, 0) \
	F(DescribeGroupsResponseDescribedGroupMember, KwString, BYTES, member_metadata, 0, 99, -1, -1, 0) \
	F(DescribeGroupsResponseDescribedGroupMember, KwString, BYTES, member_assignment, 0, 99, -1, -1, 0)

#define KW_DescribeGroupsResponseDescribedGroup(F, A, S, O) \
	F(DescribeGroupsResponseDescribedGroup, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(DescribeGroupsResponseDescribedGroup, KwString, STRING, error_message, 6, 99, 6, -1, KW_NULL) \
	F(DescribeGroupsResponseDescribedGroup, KwString, STRING, group_id, 0, 99, -1, -1, 0) \
	F(DescribeGroupsResponseDescribedGroup, KwString, STRING, group_state, 0, 99, -1, -1, 0) \
	F(DescribeGroupsResponseDescribedGroup, KwString, STRING, protocol_type, 0, 99, -1, -1, 0) \
	F(DescribeGroupsResponseDescribedGroup, KwString, STRING, protocol_data, 0, 99, -1, -1, 0) \
	S(DescribeGroupsResponseDescribedGroup, DescribeGroupsResponseDescribedGroupMember, members, 0, 99, -1, -1, 0) \
	F(DescribeGroupsResponseDescribedGroup, int32, INT32, authorized_operations, 3, 99, -1, -1, INT64CONST(-2147483648))

#define KW_DescribeGroupsResponse(F, A, S, O) \
	F(DescribeGroupsResponse, int32, INT32, throttle_time_ms, 1, 99, -1, -1, 0) \
	S(DescribeGroupsResponse, DescribeGroupsResponseDescribedGroup, groups, 0, 99, -1, -1, 0)

#define KW_ListGroupsRequest(F, A, S, O) \
	A(ListGroupsRequest, KwString, STRING, states_filter, 4, 99, -1, -1, 0) \
	A(ListGroupsRequest, KwString, STRING, types_filter, 5, 99, -1, -1, 0)

#define KW_ListGroupsResponseListedGroup(F, A, S, O) \
	F(ListGroupsResponseListedGroup, KwString, STRING, group_id, 0, 99, -1, -1, 0) \
	F(ListGroupsResponseListedGroup, KwString, STRING, protocol_type, 0, 99, -1, -1, 0) \
	F(ListGroupsResponseListedGroup, KwString, STRING, group_state, 4, 99, -1, -1, 0) \
	F(ListGroupsResponseListedGroup, KwString, STRING, group_type, 5, 99, -1, -1, 0)

#define KW_ListGroupsResponse(F, A, S, O) \
	F(ListGroupsResponse, int32, INT32, throttle_time_ms, 1, 99, -1, -1, 0) \
	F(ListGroupsResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	S(ListGroupsResponse, ListGroupsResponseListedGroup, groups, 0, 99, -1, -1, 0)

#define KW_DeleteGroupsRequest(F, A, S, O) \
	A(DeleteGroupsRequest, KwString, STRING, groups_names, 0, 99, -1, -1, 0)

#define KW_DeleteGroupsResponseDeletableGroupResult(F, A, S, O) \
	F(DeleteGroupsResponseDeletableGroupResult, KwString, STRING, group_id, 0, 99, -1, -1, 0) \
	F(DeleteGroupsResponseDeletableGroupResult, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(DeleteGroupsResponseDeletableGroupResult, KwString, STRING, error_message, 3, 99, 3, -1, KW_NULL)

#define KW_DeleteGroupsResponse(F, A, S, O) \
	F(DeleteGroupsResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	S(DeleteGroupsResponse, DeleteGroupsResponseDeletableGroupResult, results, 0, 99, -1, -1, 0)

#define KW_OffsetDeleteRequestRequestPartition(F, A, S, O) \
	F(OffsetDeleteRequestRequestPartition, int32, INT32, partition_index, 0, 99, -1, -1, 0)

#define KW_OffsetDeleteRequestRequestTopic(F, A, S, O) \
	F(OffsetDeleteRequestRequestTopic, KwString, STRING, name, 0, 99, -1, -1, 0) \
	S(OffsetDeleteRequestRequestTopic, OffsetDeleteRequestRequestPartition, partitions, 0, 99, -1, -1, 0)

#define KW_OffsetDeleteRequest(F, A, S, O) \
	F(OffsetDeleteRequest, KwString, STRING, group_id, 0, 99, -1, -1, 0) \
	S(OffsetDeleteRequest, OffsetDeleteRequestRequestTopic, topics, 0, 99, -1, -1, 0)

#define KW_OffsetDeleteResponseResponsePartition(F, A, S, O) \
	F(OffsetDeleteResponseResponsePartition, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	F(OffsetDeleteResponseResponsePartition, int16, INT16, error_code, 0, 99, -1, -1, 0)

#define KW_OffsetDeleteResponseResponseTopic(F, A, S, O) \
	F(OffsetDeleteResponseResponseTopic, KwString, STRING, name, 0, 99, -1, -1, 0) \
	S(OffsetDeleteResponseResponseTopic, OffsetDeleteResponseResponsePartition, partitions, 0, 99, -1, -1, 0)

#define KW_OffsetDeleteResponse(F, A, S, O) \
	F(OffsetDeleteResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(OffsetDeleteResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	S(OffsetDeleteResponse, OffsetDeleteResponseResponseTopic, topics, 0, 99, -1, -1, 0)

#define KW_SaslHandshakeRequest(F, A, S, O) \
	F(SaslHandshakeRequest, KwString, STRING, mechanism, 0, 99, -1, -1, 0)

#define KW_SaslHandshakeResponse(F, A, S, O) \
	F(SaslHandshakeResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	A(SaslHandshakeResponse, KwString, STRING, mechanisms, 0, 99, -1, -1, 0)

#define KW_SaslAuthenticateRequest(F, A, S, O) \
	F(SaslAuthenticateRequest, KwString, BYTES, auth_bytes, 0, 99, -1, -1, 0)

#define KW_SaslAuthenticateResponse(F, A, S, O) \
	F(SaslAuthenticateResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(SaslAuthenticateResponse, KwString, STRING, error_message, 0, 99, 0, -1, 0) \
	F(SaslAuthenticateResponse, KwString, BYTES, auth_bytes, 0, 99, -1, -1, 0) \
	F(SaslAuthenticateResponse, int64, INT64, session_lifetime_ms, 1, 99, -1, -1, 0)

#define KW_InitProducerIdRequest(F, A, S, O) \
	F(InitProducerIdRequest, KwString, STRING, transactional_id, 0, 99, 0, -1, 0) \
	F(InitProducerIdRequest, int32, INT32, transaction_timeout_ms, 0, 99, -1, -1, 0) \
	F(InitProducerIdRequest, int64, INT64, producer_id, 3, 99, -1, -1, -1) \
	F(InitProducerIdRequest, int16, INT16, producer_epoch, 3, 99, -1, -1, -1)

#define KW_InitProducerIdResponse(F, A, S, O) \
	F(InitProducerIdResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	F(InitProducerIdResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(InitProducerIdResponse, int64, INT64, producer_id, 0, 99, -1, -1, -1) \
	F(InitProducerIdResponse, int16, INT16, producer_epoch, 0, 99, -1, -1, 0)

#define KW_CreateTopicsRequestCreatableReplicaAssignment(F, A, S, O) \
	F(CreateTopicsRequestCreatableReplicaAssignment, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	A(CreateTopicsRequestCreatableReplicaAssignment, int32, INT32, broker_ids, 0, 99, -1, -1, 0)

#define KW_CreateTopicsRequestCreatableTopicConfig(F, A, S, O) \
	F(CreateTopicsRequestCreatableTopicConfig, KwString, STRING, name, 0, 99, -1, -1, 0) \
	F(CreateTopicsRequestCreatableTopicConfig, KwString, STRING, value, 0, 99, 0, -1, 0)

#define KW_CreateTopicsRequestCreatableTopic(F, A, S, O) \
	F(CreateTopicsRequestCreatableTopic, KwString, STRING, name, 0, 99, -1, -1, 0) \
	F(CreateTopicsRequestCreatableTopic, int32, INT32, num_partitions, 0, 99, -1, -1, 0) \
	F(CreateTopicsRequestCreatableTopic, int16, INT16, replication_factor, 0, 99, -1, -1, 0) \
	S(CreateTopicsRequestCreatableTopic, CreateTopicsRequestCreatableReplicaAssignment, assignments, 0, 99, -1, -1, 0) \
	S(CreateTopicsRequestCreatableTopic, CreateTopicsRequestCreatableTopicConfig, configs, 0, 99, -1, -1, 0)

#define KW_CreateTopicsRequest(F, A, S, O) \
	S(CreateTopicsRequest, CreateTopicsRequestCreatableTopic, topics, 0, 99, -1, -1, 0) \
	F(CreateTopicsRequest, int32, INT32, timeout_ms, 0, 99, -1, -1, 60000) \
	F(CreateTopicsRequest, bool, BOOL, validate_only, 1, 99, -1, -1, 0)

#define KW_CreateTopicsResponseCreatableTopicConfigs(F, A, S, O) \
	F(CreateTopicsResponseCreatableTopicConfigs, KwString, STRING, name, 5, 99, -1, -1, 0) \
	F(CreateTopicsResponseCreatableTopicConfigs, KwString, STRING, value, 5, 99, 5, -1, 0) \
	F(CreateTopicsResponseCreatableTopicConfigs, bool, BOOL, read_only, 5, 99, -1, -1, 0) \
	F(CreateTopicsResponseCreatableTopicConfigs, int8, INT8, config_source, 5, 99, -1, -1, -1) \
	F(CreateTopicsResponseCreatableTopicConfigs, bool, BOOL, is_sensitive, 5, 99, -1, -1, 0)

#define KW_CreateTopicsResponseCreatableTopicResult(F, A, S, O) \
	F(CreateTopicsResponseCreatableTopicResult, KwString, STRING, name, 0, 99, -1, -1, 0) \
	F(CreateTopicsResponseCreatableTopicResult, KwUuid, UUID, topic_id, 7, 99, -1, -1, 0) \
	F(CreateTopicsResponseCreatableTopicResult, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(CreateTopicsResponseCreatableTopicResult, KwString, STRING, error_message, 1, 99, 0, -1, 0) \
	F(CreateTopicsResponseCreatableTopicResult, int16, INT16, topic_config_error_code, 5, 99, -1, 0, 0) \
	F(CreateTopicsResponseCreatableTopicResult, int32, INT32, num_partitions, 5, 99, -1, -1, -1) \
	F(CreateTopicsResponseCreatableTopicResult, int16, INT16, replication_factor, 5, 99, -1, -1, -1) \
	S(CreateTopicsResponseCreatableTopicResult, CreateTopicsResponseCreatableTopicConfigs, configs, 5, 99, 5, -1, 0)

#define KW_CreateTopicsResponse(F, A, S, O) \
	F(CreateTopicsResponse, int32, INT32, throttle_time_ms, 2, 99, -1, -1, 0) \
	S(CreateTopicsResponse, CreateTopicsResponseCreatableTopicResult, topics, 0, 99, -1, -1, 0)

#define KW_DeleteTopicsRequestDeleteTopicState(F, A, S, O) \
	F(DeleteTopicsRequestDeleteTopicState, KwString, STRING, name, 6, 99, 6, -1, KW_NULL) \
	F(DeleteTopicsRequestDeleteTopicState, KwUuid, UUID, topic_id, 6, 99, -1, -1, 0)

#define KW_DeleteTopicsRequest(F, A, S, O) \
	S(DeleteTopicsRequest, DeleteTopicsRequestDeleteTopicState, topics, 6, 99, -1, -1, 0) \
	A(DeleteTopicsRequest, KwString, STRING, topic_names, 0, 5, -1, -1, 0) \
	F(DeleteTopicsRequest, int32, INT32, timeout_ms, 0, 99, -1, -1, 0)

#define KW_DeleteTopicsResponseDeletableTopicResult(F, A, S, O) \
	F(DeleteTopicsResponseDeletableTopicResult, KwString, STRING, name, 0, 99, 6, -1, 0) \
	F(DeleteTopicsResponseDeletableTopicResult, KwUuid, UUID, topic_id, 6, 99, -1, -1, 0) \
	F(DeleteTopicsResponseDeletableTopicResult, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(DeleteTopicsResponseDeletableTopicResult, KwString, STRING, error_message, 5, 99, 5, -1, KW_NULL)

#define KW_DeleteTopicsResponse(F, A, S, O) \
	F(DeleteTopicsResponse, int32, INT32, throttle_time_ms, 1, 99, -1, -1, 0) \
	S(DeleteTopicsResponse, DeleteTopicsResponseDeletableTopicResult, responses, 0, 99, -1, -1, 0)

#define KW_CreatePartitionsRequestAssignment(F, A, S, O) \
	A(CreatePartitionsRequestAssignment, int32, INT32, broker_ids, 0, 99, -1, -1, 0)

#define KW_CreatePartitionsRequestTopic(F, A, S, O) \
	F(CreatePartitionsRequestTopic, KwString, STRING, name, 0, 99, -1, -1, 0) \
	F(CreatePartitionsRequestTopic, int32, INT32, count, 0, 99, -1, -1, 0) \
	S(CreatePartitionsRequestTopic, CreatePartitionsRequestAssignment, assignments, 0, 99, 0, -1, 0)

#define KW_CreatePartitionsRequest(F, A, S, O) \
	S(CreatePartitionsRequest, CreatePartitionsRequestTopic, topics, 0, 99, -1, -1, 0) \
	F(CreatePartitionsRequest, int32, INT32, timeout_ms, 0, 99, -1, -1, 0) \
	F(CreatePartitionsRequest, bool, BOOL, validate_only, 0, 99, -1, -1, 0)

#define KW_CreatePartitionsResponseTopicResult(F, A, S, O) \
	F(CreatePartitionsResponseTopicResult, KwString, STRING, name, 0, 99, -1, -1, 0) \
	F(CreatePartitionsResponseTopicResult, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(CreatePartitionsResponseTopicResult, KwString, STRING, error_message, 0, 99, 0, -1, KW_NULL)

#define KW_CreatePartitionsResponse(F, A, S, O) \
	F(CreatePartitionsResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	S(CreatePartitionsResponse, CreatePartitionsResponseTopicResult, results, 0, 99, -1, -1, 0)

#define KW_DeleteRecordsRequestPartition(F, A, S, O) \
	F(DeleteRecordsRequestPartition, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	F(DeleteRecordsRequestPartition, int64, INT64, offset, 0, 99, -1, -1, 0)

#define KW_DeleteRecordsRequestTopic(F, A, S, O) \
	F(DeleteRecordsRequestTopic, KwString, STRING, name, 0, 99, -1, -1, 0) \
	S(DeleteRecordsRequestTopic, DeleteRecordsRequestPartition, partitions, 0, 99, -1, -1, 0)

#define KW_DeleteRecordsRequest(F, A, S, O) \
	S(DeleteRecordsRequest, DeleteRecordsRequestTopic, topics, 0, 99, -1, -1, 0) \
	F(DeleteRecordsRequest, int32, INT32, timeout_ms, 0, 99, -1, -1, 0)

#define KW_DeleteRecordsResponsePartitionResult(F, A, S, O) \
	F(DeleteRecordsResponsePartitionResult, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	F(DeleteRecordsResponsePartitionResult, int64, INT64, low_watermark, 0, 99, -1, -1, 0) \
	F(DeleteRecordsResponsePartitionResult, int16, INT16, error_code, 0, 99, -1, -1, 0)

#define KW_DeleteRecordsResponseTopicResult(F, A, S, O) \
	F(DeleteRecordsResponseTopicResult, KwString, STRING, name, 0, 99, -1, -1, 0) \
	S(DeleteRecordsResponseTopicResult, DeleteRecordsResponsePartitionResult, partitions, 0, 99, -1, -1, 0)

#define KW_DeleteRecordsResponse(F, A, S, O) \
	F(DeleteRecordsResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	S(DeleteRecordsResponse, DeleteRecordsResponseTopicResult, topics, 0, 99, -1, -1, 0)

#define KW_DescribeConfigsRequestResource(F, A, S, O) \
	F(DescribeConfigsRequestResource, int8, INT8, resource_type, 0, 99, -1, -1, 0) \
	F(DescribeConfigsRequestResource, KwString, STRING, resource_name, 0, 99, -1, -1, 0) \
	A(DescribeConfigsRequestResource, KwString, STRING, configuration_keys, 0, 99, 0, -1, 0)

#define KW_DescribeConfigsRequest(F, A, S, O) \
	S(DescribeConfigsRequest, DescribeConfigsRequestResource, resources, 0, 99, -1, -1, 0) \
	F(DescribeConfigsRequest, bool, BOOL, include_synonyms, 1, 99, -1, -1, 0) \
	F(DescribeConfigsRequest, bool, BOOL, include_documentation, 3, 99, -1, -1, 0)

#define KW_DescribeConfigsResponseSynonym(F, A, S, O) \
	F(DescribeConfigsResponseSynonym, KwString, STRING, name, 1, 99, -1, -1, 0) \
	F(DescribeConfigsResponseSynonym, KwString, STRING, value, 1, 99, 0, -1, 0) \
	F(DescribeConfigsResponseSynonym, int8, INT8, source, 1, 99, -1, -1, 0)

#define KW_DescribeConfigsResponseResourceResult(F, A, S, O) \
	F(DescribeConfigsResponseResourceResult, KwString, STRING, name, 0, 99, -1, -1, 0) \
	F(DescribeConfigsResponseResourceResult, KwString, STRING, value, 0, 99, 0, -1, 0) \
	F(DescribeConfigsResponseResourceResult, bool, BOOL, read_only, 0, 99, -1, -1, 0) \
	F(DescribeConfigsResponseResourceResult, int8, INT8, config_source, 1, 99, -1, -1, -1) \
	F(DescribeConfigsResponseResourceResult, bool, BOOL, is_sensitive, 0, 99, -1, -1, 0) \
	S(DescribeConfigsResponseResourceResult, DescribeConfigsResponseSynonym, synonyms, 1, 99, -1, -1, 0) \
	F(DescribeConfigsResponseResourceResult, int8, INT8, config_type, 3, 99, -1, -1, 0) \
	F(DescribeConfigsResponseResourceResult, KwString, STRING, documentation, 3, 99, 0, -1, 0)

#define KW_DescribeConfigsResponseResult(F, A, S, O) \
	F(DescribeConfigsResponseResult, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(DescribeConfigsResponseResult, KwString, STRING, error_message, 0, 99, 0, -1, 0) \
	F(DescribeConfigsResponseResult, int8, INT8, resource_type, 0, 99, -1, -1, 0) \
	F(DescribeConfigsResponseResult, KwString, STRING, resource_name, 0, 99, -1, -1, 0) \
	S(DescribeConfigsResponseResult, DescribeConfigsResponseResourceResult, configs, 0, 99, -1, -1, 0)

#define KW_DescribeConfigsResponse(F, A, S, O) \
	F(DescribeConfigsResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	S(DescribeConfigsResponse, DescribeConfigsResponseResult, results, 0, 99, -1, -1, 0)

#define KW_AlterConfigsRequestAlterableConfig(F, A, S, O) \
	F(AlterConfigsRequestAlterableConfig, KwString, STRING, name, 0, 99, -1, -1, 0) \
	F(AlterConfigsRequestAlterableConfig, KwString, STRING, value, 0, 99, 0, -1, 0)

#define KW_AlterConfigsRequestResource(F, A, S, O) \
	F(AlterConfigsRequestResource, int8, INT8, resource_type, 0, 99, -1, -1, 0) \
	F(AlterConfigsRequestResource, KwString, STRING, resource_name, 0, 99, -1, -1, 0) \
	S(AlterConfigsRequestResource, AlterConfigsRequestAlterableConfig, configs, 0, 99, -1, -1, 0)

#define KW_AlterConfigsRequest(F, A, S, O) \
	S(AlterConfigsRequest, AlterConfigsRequestResource, resources, 0, 99, -1, -1, 0) \
	F(AlterConfigsRequest, bool, BOOL, validate_only, 0, 99, -1, -1, 0)

#define KW_AlterConfigsResponseResourceResponse(F, A, S, O) \
	F(AlterConfigsResponseResourceResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(AlterConfigsResponseResourceResponse, KwString, STRING, error_message, 0, 99, 0, -1, 0) \
	F(AlterConfigsResponseResourceResponse, int8, INT8, resource_type, 0, 99, -1, -1, 0) \
	F(AlterConfigsResponseResourceResponse, KwString, STRING, resource_name, 0, 99, -1, -1, 0)

#define KW_AlterConfigsResponse(F, A, S, O) \
	F(AlterConfigsResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	S(AlterConfigsResponse, AlterConfigsResponseResourceResponse, responses, 0, 99, -1, -1, 0)

#define KW_IncrementalAlterConfigsRequestAlterableConfig(F, A, S, O) \
	F(IncrementalAlterConfigsRequestAlterableConfig, KwString, STRING, name, 0, 99, -1, -1, 0) \
	F(IncrementalAlterConfigsRequestAlterableConfig, int8, INT8, config_operation, 0, 99, -1, -1, 0) \
	F(IncrementalAlterConfigsRequestAlterableConfig, KwString, STRING, value, 0, 99, 0, -1, 0)

#define KW_IncrementalAlterConfigsRequestAlterConfigsResource(F, A, S, O) \
	F(IncrementalAlterConfigsRequestAlterConfigsResource, int8, INT8, resource_type, 0, 99, -1, -1, 0) \
	F(IncrementalAlterConfigsRequestAlterConfigsResource, KwString, STRING, resource_name, 0, 99, -1, -1, 0) \
	S(IncrementalAlterConfigsRequestAlterConfigsResource, IncrementalAlterConfigsRequestAlterableConfig, configs, 0, 99, -1, -1, 0)

#define KW_IncrementalAlterConfigsRequest(F, A, S, O) \
	S(IncrementalAlterConfigsRequest, IncrementalAlterConfigsRequestAlterConfigsResource, resources, 0, 99, -1, -1, 0) \
	F(IncrementalAlterConfigsRequest, bool, BOOL, validate_only, 0, 99, -1, -1, 0)

#define KW_IncrementalAlterConfigsResponseAlterConfigsResourceResponse(F, A, S, O) \
	F(IncrementalAlterConfigsResponseAlterConfigsResourceResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(IncrementalAlterConfigsResponseAlterConfigsResourceResponse, KwString, STRING, error_message, 0, 99, 0, -1, 0) \
	F(IncrementalAlterConfigsResponseAlterConfigsResourceResponse, int8, INT8, resource_type, 0, 99, -1, -1, 0) \
	F(IncrementalAlterConfigsResponseAlterConfigsResourceResponse, KwString, STRING, resource_name, 0, 99, -1, -1, 0)

#define KW_IncrementalAlterConfigsResponse(F, A, S, O) \
	F(IncrementalAlterConfigsResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	S(IncrementalAlterConfigsResponse, IncrementalAlterConfigsResponseAlterConfigsResourceResponse, responses, 0, 99, -1, -1, 0)

#define KW_DescribeClusterRequest(F, A, S, O) \
	F(DescribeClusterRequest, bool, BOOL, include_cluster_authorized_operations, 0, 99, -1, -1, 0) \
	F(DescribeClusterRequest, int8, INT8, endpoint_type, 1, 99, -1, -1, 1) \
	F(DescribeClusterRequest, bool, BOOL, include_fenced_brokers, 2, 99, -1, -1, 0)

#define KW_DescribeClusterResponseBroker(F, A, S, O) \
	F(DescribeClusterResponseBroker, int32, INT32, broker_id, 0, 99, -1, -1, 0) \
	F(DescribeClusterResponseBroker, KwString, STRING, host, 0, 99, -1, -1, 0) \
	F(DescribeClusterResponseBroker, int32, INT32, port, 0, 99, -1, -1, 0) \
	F(DescribeClusterResponseBroker, KwString, STRING, rack, 0, 99, 0, -1, KW_NULL) \
	F(DescribeClusterResponseBroker, bool, BOOL, is_fenced, 2, 99, -1, -1, 0)

#define KW_DescribeClusterResponse(F, A, S, O) \
	F(DescribeClusterResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	F(DescribeClusterResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(DescribeClusterResponse, KwString, STRING, error_message, 0, 99, 0, -1, KW_NULL) \
	F(DescribeClusterResponse, int8, INT8, endpoint_type, 1, 99, -1, -1, 1) \
	F(DescribeClusterResponse, KwString, STRING, cluster_id, 0, 99, -1, -1, 0) \
	F(DescribeClusterResponse, int32, INT32, controller_id, 0, 99, -1, -1, -1) \
	S(DescribeClusterResponse, DescribeClusterResponseBroker, brokers, 0, 99, -1, -1, 0) \
	F(DescribeClusterResponse, int32, INT32, cluster_authorized_operations, 0, 99, -1, -1, INT64CONST(-2147483648))

#define KW_DescribeTopicPartitionsRequestTopicRequest(F, A, S, O) \
	F(DescribeTopicPartitionsRequestTopicRequest, KwString, STRING, name, 0, 99, -1, -1, 0)

#define KW_DescribeTopicPartitionsRequestCursor(F, A, S, O) \
	F(DescribeTopicPartitionsRequestCursor, KwString, STRING, topic_name, 0, 99, -1, -1, 0) \
	F(DescribeTopicPartitionsRequestCursor, int32, INT32, partition_index, 0, 99, -1, -1, 0)

#define KW_DescribeTopicPartitionsRequest(F, A, S, O) \
	S(DescribeTopicPartitionsRequest, DescribeTopicPartitionsRequestTopicRequest, topics, 0, 99, -1, -1, 0) \
	F(DescribeTopicPartitionsRequest, int32, INT32, response_partition_limit, 0, 99, -1, -1, 2000) \
	O(DescribeTopicPartitionsRequest, DescribeTopicPartitionsRequestCursor, cursor, 0, 99, 0, -1, KW_NULL)

#define KW_DescribeTopicPartitionsResponseResponsePartition(F, A, S, O) \
	F(DescribeTopicPartitionsResponseResponsePartition, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(DescribeTopicPartitionsResponseResponsePartition, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	F(DescribeTopicPartitionsResponseResponsePartition, int32, INT32, leader_id, 0, 99, -1, -1, 0) \
	F(DescribeTopicPartitionsResponseResponsePartition, int32, INT32, leader_epoch, 0, 99, -1, -1, -1) \
	A(DescribeTopicPartitionsResponseResponsePartition, int32, INT32, replica_nodes, 0, 99, -1, -1, 0) \
	A(DescribeTopicPartitionsResponseResponsePartition, int32, INT32, isr_nodes, 0, 99, -1, -1, 0) \
	A(DescribeTopicPartitionsResponseResponsePartition, int32, INT32, eligible_leader_replicas, 0, 99, 0, -1, KW_NULL) \
	A(DescribeTopicPartitionsResponseResponsePartition, int32, INT32, last_known_elr, 0, 99, 0, -1, KW_NULL) \
	A(DescribeTopicPartitionsResponseResponsePartition, int32, INT32, offline_replicas, 0, 99, -1, -1, 0)

#define KW_DescribeTopicPartitionsResponseResponseTopic(F, A, S, O) \
	F(DescribeTopicPartitionsResponseResponseTopic, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(DescribeTopicPartitionsResponseResponseTopic, KwString, STRING, name, 0, 99, 0, -1, 0) \
	F(DescribeTopicPartitionsResponseResponseTopic, KwUuid, UUID, topic_id, 0, 99, -1, -1, 0) \
	F(DescribeTopicPartitionsResponseResponseTopic, bool, BOOL, is_internal, 0, 99, -1, -1, 0) \
	S(DescribeTopicPartitionsResponseResponseTopic, DescribeTopicPartitionsResponseResponsePartition, partitions, 0, 99, -1, -1, 0) \
	F(DescribeTopicPartitionsResponseResponseTopic, int32, INT32, topic_authorized_operations, 0, 99, -1, -1, INT64CONST(-2147483648))

#define KW_DescribeTopicPartitionsResponseCursor(F, A, S, O) \
	F(DescribeTopicPartitionsResponseCursor, KwString, STRING, topic_name, 0, 99, -1, -1, 0) \
	F(DescribeTopicPartitionsResponseCursor, int32, INT32, partition_index, 0, 99, -1, -1, 0)

#define KW_DescribeTopicPartitionsResponse(F, A, S, O) \
	F(DescribeTopicPartitionsResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	S(DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponseResponseTopic, topics, 0, 99, -1, -1, 0) \
	O(DescribeTopicPartitionsResponse, DescribeTopicPartitionsResponseCursor, next_cursor, 0, 99, 0, -1, KW_NULL)

#define KW_DescribeLogDirsRequestDescribableLogDirTopic(F, A, S, O) \
	F(DescribeLogDirsRequestDescribableLogDirTopic, KwString, STRING, topic, 0, 99, -1, -1, 0) \
	A(DescribeLogDirsRequestDescribableLogDirTopic, int32, INT32, partitions, 0, 99, -1, -1, 0)

#define KW_DescribeLogDirsRequest(F, A, S, O) \
	S(DescribeLogDirsRequest, DescribeLogDirsRequestDescribableLogDirTopic, topics, 0, 99, 0, -1, 0)

#define KW_DescribeLogDirsResponsePartition(F, A, S, O) \
	F(DescribeLogDirsResponsePartition, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	F(DescribeLogDirsResponsePartition, int64, INT64, partition_size, 0, 99, -1, -1, 0) \
	F(DescribeLogDirsResponsePartition, int64, INT64, offset_lag, 0, 99, -1, -1, 0) \
	F(DescribeLogDirsResponsePartition, bool, BOOL, is_future_key, 0, 99, -1, -1, 0)

#define KW_DescribeLogDirsResponseTopic(F, A, S, O) \
	F(DescribeLogDirsResponseTopic, KwString, STRING, name, 0, 99, -1, -1, 0) \
	S(DescribeLogDirsResponseTopic, DescribeLogDirsResponsePartition, partitions, 0, 99, -1, -1, 0)

#define KW_DescribeLogDirsResponseResult(F, A, S, O) \
	F(DescribeLogDirsResponseResult, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(DescribeLogDirsResponseResult, KwString, STRING, log_dir, 0, 99, -1, -1, 0) \
	S(DescribeLogDirsResponseResult, DescribeLogDirsResponseTopic, topics, 0, 99, -1, -1, 0) \
	F(DescribeLogDirsResponseResult, int64, INT64, total_bytes, 4, 99, -1, -1, -1) \
	F(DescribeLogDirsResponseResult, int64, INT64, usable_bytes, 4, 99, -1, -1, -1) \
	F(DescribeLogDirsResponseResult, bool, BOOL, is_cordoned, 5, 99, -1, -1, 0)

#define KW_DescribeLogDirsResponse(F, A, S, O) \
	F(DescribeLogDirsResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	F(DescribeLogDirsResponse, int16, INT16, error_code, 3, 99, -1, -1, 0) \
	S(DescribeLogDirsResponse, DescribeLogDirsResponseResult, results, 0, 99, -1, -1, 0)

#define KW_DescribeProducersRequestTopicRequest(F, A, S, O) \
	F(DescribeProducersRequestTopicRequest, KwString, STRING, name, 0, 99, -1, -1, 0) \
	A(DescribeProducersRequestTopicRequest, int32, INT32, partition_indexes, 0, 99, -1, -1, 0)

#define KW_DescribeProducersRequest(F, A, S, O) \
	S(DescribeProducersRequest, DescribeProducersRequestTopicRequest, topics, 0, 99, -1, -1, 0)

#define KW_DescribeProducersResponseProducerState(F, A, S, O) \
	F(DescribeProducersResponseProducerState, int64, INT64, producer_id, 0, 99, -1, -1, 0) \
	F(DescribeProducersResponseProducerState, int32, INT32, producer_epoch, 0, 99, -1, -1, 0) \
	F(DescribeProducersResponseProducerState, int32, INT32, last_sequence, 0, 99, -1, -1, -1) \
	F(DescribeProducersResponseProducerState, int64, INT64, last_timestamp, 0, 99, -1, -1, -1) \
	F(DescribeProducersResponseProducerState, int32, INT32, coordinator_epoch, 0, 99, -1, -1, 0) \
	F(DescribeProducersResponseProducerState, int64, INT64, current_txn_start_offset, 0, 99, -1, -1, -1)

#define KW_DescribeProducersResponsePartitionResponse(F, A, S, O) \
	F(DescribeProducersResponsePartitionResponse, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	F(DescribeProducersResponsePartitionResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(DescribeProducersResponsePartitionResponse, KwString, STRING, error_message, 0, 99, 0, -1, KW_NULL) \
	S(DescribeProducersResponsePartitionResponse, DescribeProducersResponseProducerState, active_producers, 0, 99, -1, -1, 0)

#define KW_DescribeProducersResponseTopicResponse(F, A, S, O) \
	F(DescribeProducersResponseTopicResponse, KwString, STRING, name, 0, 99, -1, -1, 0) \
	S(DescribeProducersResponseTopicResponse, DescribeProducersResponsePartitionResponse, partitions, 0, 99, -1, -1, 0)

#define KW_DescribeProducersResponse(F, A, S, O) \
	F(DescribeProducersResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	S(DescribeProducersResponse, DescribeProducersResponseTopicResponse, topics, 0, 99, -1, -1, 0)

#define KW_ListConfigResourcesRequest(F, A, S, O) \
	A(ListConfigResourcesRequest, int8, INT8, resource_types, 1, 99, -1, -1, 0)

#define KW_ListConfigResourcesResponseConfigResource(F, A, S, O) \
	F(ListConfigResourcesResponseConfigResource, KwString, STRING, resource_name, 0, 99, -1, -1, 0) \
	F(ListConfigResourcesResponseConfigResource, int8, INT8, resource_type, 1, 99, -1, -1, 16)

#define KW_ListConfigResourcesResponse(F, A, S, O) \
	F(ListConfigResourcesResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	F(ListConfigResourcesResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	S(ListConfigResourcesResponse, ListConfigResourcesResponseConfigResource, config_resources, 0, 99, -1, -1, 0)

#define KW_ListPartitionReassignmentsRequestTopics(F, A, S, O) \
	F(ListPartitionReassignmentsRequestTopics, KwString, STRING, name, 0, 99, -1, -1, 0) \
	A(ListPartitionReassignmentsRequestTopics, int32, INT32, partition_indexes, 0, 99, -1, -1, 0)

#define KW_ListPartitionReassignmentsRequest(F, A, S, O) \
	F(ListPartitionReassignmentsRequest, int32, INT32, timeout_ms, 0, 99, -1, -1, 60000) \
	S(ListPartitionReassignmentsRequest, ListPartitionReassignmentsRequestTopics, topics, 0, 99, 0, -1, KW_NULL)

#define KW_ListPartitionReassignmentsResponseOngoingPartitionReassignment(F, A, S, O) \
	F(ListPartitionReassignmentsResponseOngoingPartitionReassignment, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	A(ListPartitionReassignmentsResponseOngoingPartitionReassignment, int32, INT32, replicas, 0, 99, -1, -1, 0) \
	A(ListPartitionReassignmentsResponseOngoingPartitionReassignment, int32, INT32, adding_replicas, 0, 99, -1, -1, 0) \
	A(ListPartitionReassignmentsResponseOngoingPartitionReassignment, int32, INT32, removing_replicas, 0, 99, -1, -1, 0)

#define KW_ListPartitionReassignmentsResponseOngoingTopicReassignment(F, A, S, O) \
	F(ListPartitionReassignmentsResponseOngoingTopicReassignment, KwString, STRING, name, 0, 99, -1, -1, 0) \
	S(ListPartitionReassignmentsResponseOngoingTopicReassignment, ListPartitionReassignmentsResponseOngoingPartitionReassignment, partitions, 0, 99, -1, -1, 0)

#define KW_ListPartitionReassignmentsResponse(F, A, S, O) \
	F(ListPartitionReassignmentsResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	F(ListPartitionReassignmentsResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(ListPartitionReassignmentsResponse, KwString, STRING, error_message, 0, 99, 0, -1, 0) \
	S(ListPartitionReassignmentsResponse, ListPartitionReassignmentsResponseOngoingTopicReassignment, topics, 0, 99, -1, -1, 0)

#define KW_ElectLeadersRequestTopicPartitions(F, A, S, O) \
	F(ElectLeadersRequestTopicPartitions, KwString, STRING, topic, 0, 99, -1, -1, 0) \
	A(ElectLeadersRequestTopicPartitions, int32, INT32, partitions, 0, 99, -1, -1, 0)

#define KW_ElectLeadersRequest(F, A, S, O) \
	F(ElectLeadersRequest, int8, INT8, election_type, 1, 99, -1, -1, 0) \
	S(ElectLeadersRequest, ElectLeadersRequestTopicPartitions, topic_partitions, 0, 99, 0, -1, 0) \
	F(ElectLeadersRequest, int32, INT32, timeout_ms, 0, 99, -1, -1, 60000)

#define KW_ElectLeadersResponsePartitionResult(F, A, S, O) \
	F(ElectLeadersResponsePartitionResult, int32, INT32, partition_id, 0, 99, -1, -1, 0) \
	F(ElectLeadersResponsePartitionResult, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(ElectLeadersResponsePartitionResult, KwString, STRING, error_message, 0, 99, 0, -1, 0)

#define KW_ElectLeadersResponseReplicaElectionResult(F, A, S, O) \
	F(ElectLeadersResponseReplicaElectionResult, KwString, STRING, topic, 0, 99, -1, -1, 0) \
	S(ElectLeadersResponseReplicaElectionResult, ElectLeadersResponsePartitionResult, partition_result, 0, 99, -1, -1, 0)

#define KW_ElectLeadersResponse(F, A, S, O) \
	F(ElectLeadersResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	F(ElectLeadersResponse, int16, INT16, error_code, 1, 99, -1, -1, 0) \
	S(ElectLeadersResponse, ElectLeadersResponseReplicaElectionResult, replica_election_results, 0, 99, -1, -1, 0)

#define KW_DescribeAclsRequest(F, A, S, O) \
	F(DescribeAclsRequest, int8, INT8, resource_type_filter, 0, 99, -1, -1, 0) \
	F(DescribeAclsRequest, KwString, STRING, resource_name_filter, 0, 99, 0, -1, 0) \
	F(DescribeAclsRequest, int8, INT8, pattern_type_filter, 1, 99, -1, -1, 3) \
	F(DescribeAclsRequest, KwString, STRING, principal_filter, 0, 99, 0, -1, 0) \
	F(DescribeAclsRequest, KwString, STRING, host_filter, 0, 99, 0, -1, 0) \
	F(DescribeAclsRequest, int8, INT8, operation, 0, 99, -1, -1, 0) \
	F(DescribeAclsRequest, int8, INT8, permission_type, 0, 99, -1, -1, 0)

#define KW_DescribeAclsResponseAclDescription(F, A, S, O) \
	F(DescribeAclsResponseAclDescription, KwString, STRING, principal, 0, 99, -1, -1, 0) \
	F(DescribeAclsResponseAclDescription, KwString, STRING, host, 0, 99, -1, -1, 0) \
	F(DescribeAclsResponseAclDescription, int8, INT8, operation, 0, 99, -1, -1, 0) \
	F(DescribeAclsResponseAclDescription, int8, INT8, permission_type, 0, 99, -1, -1, 0)

#define KW_DescribeAclsResponseResource(F, A, S, O) \
	F(DescribeAclsResponseResource, int8, INT8, resource_type, 0, 99, -1, -1, 0) \
	F(DescribeAclsResponseResource, KwString, STRING, resource_name, 0, 99, -1, -1, 0) \
	F(DescribeAclsResponseResource, int8, INT8, pattern_type, 1, 99, -1, -1, 3) \
	S(DescribeAclsResponseResource, DescribeAclsResponseAclDescription, acls, 0, 99, -1, -1, 0)

#define KW_DescribeAclsResponse(F, A, S, O) \
	F(DescribeAclsResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	F(DescribeAclsResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(DescribeAclsResponse, KwString, STRING, error_message, 0, 99, 0, -1, 0) \
	S(DescribeAclsResponse, DescribeAclsResponseResource, resources, 0, 99, -1, -1, 0)

#define KW_OffsetForLeaderEpochRequestOffsetForLeaderPartition(F, A, S, O) \
	F(OffsetForLeaderEpochRequestOffsetForLeaderPartition, int32, INT32, partition, 0, 99, -1, -1, 0) \
	F(OffsetForLeaderEpochRequestOffsetForLeaderPartition, int32, INT32, current_leader_epoch, 2, 99, -1, -1, -1) \
	F(OffsetForLeaderEpochRequestOffsetForLeaderPartition, int32, INT32, leader_epoch, 0, 99, -1, -1, 0)

#define KW_OffsetForLeaderEpochRequestOffsetForLeaderTopic(F, A, S, O) \
	F(OffsetForLeaderEpochRequestOffsetForLeaderTopic, KwString, STRING, topic, 0, 99, -1, -1, 0) \
	S(OffsetForLeaderEpochRequestOffsetForLeaderTopic, OffsetForLeaderEpochRequestOffsetForLeaderPartition, partitions, 0, 99, -1, -1, 0)

#define KW_OffsetForLeaderEpochRequest(F, A, S, O) \
	F(OffsetForLeaderEpochRequest, int32, INT32, replica_id, 3, 99, -1, -1, -2) \
	S(OffsetForLeaderEpochRequest, OffsetForLeaderEpochRequestOffsetForLeaderTopic, topics, 0, 99, -1, -1, 0)

#define KW_OffsetForLeaderEpochResponseEpochEndOffset(F, A, S, O) \
	F(OffsetForLeaderEpochResponseEpochEndOffset, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(OffsetForLeaderEpochResponseEpochEndOffset, int32, INT32, partition, 0, 99, -1, -1, 0) \
	F(OffsetForLeaderEpochResponseEpochEndOffset, int32, INT32, leader_epoch, 1, 99, -1, -1, -1) \
	F(OffsetForLeaderEpochResponseEpochEndOffset, int64, INT64, end_offset, 0, 99, -1, -1, -1)

#define KW_OffsetForLeaderEpochResponseOffsetForLeaderTopicResult(F, A, S, O) \
	F(OffsetForLeaderEpochResponseOffsetForLeaderTopicResult, KwString, STRING, topic, 0, 99, -1, -1, 0) \
	S(OffsetForLeaderEpochResponseOffsetForLeaderTopicResult, OffsetForLeaderEpochResponseEpochEndOffset, partitions, 0, 99, -1, -1, 0)

#define KW_OffsetForLeaderEpochResponse(F, A, S, O) \
	F(OffsetForLeaderEpochResponse, int32, INT32, throttle_time_ms, 2, 99, -1, -1, 0) \
	S(OffsetForLeaderEpochResponse, OffsetForLeaderEpochResponseOffsetForLeaderTopicResult, topics, 0, 99, -1, -1, 0)

#define KW_AddPartitionsToTxnRequestTopic(F, A, S, O) \
	F(AddPartitionsToTxnRequestTopic, KwString, STRING, name, 0, 99, -1, -1, 0) \
	A(AddPartitionsToTxnRequestTopic, int32, INT32, partitions, 0, 99, -1, -1, 0)

#define KW_AddPartitionsToTxnRequestTransaction(F, A, S, O) \
	F(AddPartitionsToTxnRequestTransaction, KwString, STRING, transactional_id, 4, 99, -1, -1, 0) \
	F(AddPartitionsToTxnRequestTransaction, int64, INT64, producer_id, 4, 99, -1, -1, 0) \
	F(AddPartitionsToTxnRequestTransaction, int16, INT16, producer_epoch, 4, 99, -1, -1, 0) \
	F(AddPartitionsToTxnRequestTransaction, bool, BOOL, verify_only, 4, 99, -1, -1, 0) \
	S(AddPartitionsToTxnRequestTransaction, AddPartitionsToTxnRequestTopic, topics, 4, 99, -1, -1, 0)

#define KW_AddPartitionsToTxnRequest(F, A, S, O) \
	S(AddPartitionsToTxnRequest, AddPartitionsToTxnRequestTransaction, transactions, 4, 99, -1, -1, 0) \
	F(AddPartitionsToTxnRequest, KwString, STRING, transactional_id, 0, 3, -1, -1, 0) \
	F(AddPartitionsToTxnRequest, int64, INT64, producer_id, 0, 3, -1, -1, 0) \
	F(AddPartitionsToTxnRequest, int16, INT16, producer_epoch, 0, 3, -1, -1, 0) \
	S(AddPartitionsToTxnRequest, AddPartitionsToTxnRequestTopic, topics, 0, 3, -1, -1, 0)

#define KW_AddPartitionsToTxnResponsePartitionResult(F, A, S, O) \
	F(AddPartitionsToTxnResponsePartitionResult, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	F(AddPartitionsToTxnResponsePartitionResult, int16, INT16, partition_error_code, 0, 99, -1, -1, 0)

#define KW_AddPartitionsToTxnResponseTopicResult(F, A, S, O) \
	F(AddPartitionsToTxnResponseTopicResult, KwString, STRING, name, 0, 99, -1, -1, 0) \
	S(AddPartitionsToTxnResponseTopicResult, AddPartitionsToTxnResponsePartitionResult, results_by_partition, 0, 99, -1, -1, 0)

#define KW_AddPartitionsToTxnResponseResult(F, A, S, O) \
	F(AddPartitionsToTxnResponseResult, KwString, STRING, transactional_id, 4, 99, -1, -1, 0) \
	S(AddPartitionsToTxnResponseResult, AddPartitionsToTxnResponseTopicResult, topic_results, 4, 99, -1, -1, 0)

#define KW_AddPartitionsToTxnResponse(F, A, S, O) \
	F(AddPartitionsToTxnResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	F(AddPartitionsToTxnResponse, int16, INT16, error_code, 4, 99, -1, -1, 0) \
	S(AddPartitionsToTxnResponse, AddPartitionsToTxnResponseResult, results_by_transaction, 4, 99, -1, -1, 0) \
	S(AddPartitionsToTxnResponse, AddPartitionsToTxnResponseTopicResult, results_by_topic, 0, 3, -1, -1, 0)

#define KW_AddOffsetsToTxnRequest(F, A, S, O) \
	F(AddOffsetsToTxnRequest, KwString, STRING, transactional_id, 0, 99, -1, -1, 0) \
	F(AddOffsetsToTxnRequest, int64, INT64, producer_id, 0, 99, -1, -1, 0) \
	F(AddOffsetsToTxnRequest, int16, INT16, producer_epoch, 0, 99, -1, -1, 0) \
	F(AddOffsetsToTxnRequest, KwString, STRING, group_id, 0, 99, -1, -1, 0)

#define KW_AddOffsetsToTxnResponse(F, A, S, O) \
	F(AddOffsetsToTxnResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	F(AddOffsetsToTxnResponse, int16, INT16, error_code, 0, 99, -1, -1, 0)

#define KW_EndTxnRequest(F, A, S, O) \
	F(EndTxnRequest, KwString, STRING, transactional_id, 0, 99, -1, -1, 0) \
	F(EndTxnRequest, int64, INT64, producer_id, 0, 99, -1, -1, 0) \
	F(EndTxnRequest, int16, INT16, producer_epoch, 0, 99, -1, -1, 0) \
	F(EndTxnRequest, bool, BOOL, committed, 0, 99, -1, -1, 0)

#define KW_EndTxnResponse(F, A, S, O) \
	F(EndTxnResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	F(EndTxnResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(EndTxnResponse, int64, INT64, producer_id, 5, 99, -1, -1, -1) \
	F(EndTxnResponse, int16, INT16, producer_epoch, 5, 99, -1, -1, -1)

#define KW_TxnOffsetCommitRequestPartition(F, A, S, O) \
	F(TxnOffsetCommitRequestPartition, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	F(TxnOffsetCommitRequestPartition, int64, INT64, committed_offset, 0, 99, -1, -1, 0) \
	F(TxnOffsetCommitRequestPartition, int32, INT32, committed_leader_epoch, 2, 99, -1, -1, -1) \
	F(TxnOffsetCommitRequestPartition, KwString, STRING, committed_metadata, 0, 99, 0, -1, 0)

#define KW_TxnOffsetCommitRequestTopic(F, A, S, O) \
	F(TxnOffsetCommitRequestTopic, KwString, STRING, name, 0, 99, -1, -1, 0) \
	S(TxnOffsetCommitRequestTopic, TxnOffsetCommitRequestPartition, partitions, 0, 99, -1, -1, 0)

#define KW_TxnOffsetCommitRequest(F, A, S, O) \
	F(TxnOffsetCommitRequest, KwString, STRING, transactional_id, 0, 99, -1, -1, 0) \
	F(TxnOffsetCommitRequest, KwString, STRING, group_id, 0, 99, -1, -1, 0) \
	F(TxnOffsetCommitRequest, int64, INT64, producer_id, 0, 99, -1, -1, 0) \
	F(TxnOffsetCommitRequest, int16, INT16, producer_epoch, 0, 99, -1, -1, 0) \
	F(TxnOffsetCommitRequest, int32, INT32, generation_id, 3, 99, -1, -1, -1) \
	F(TxnOffsetCommitRequest, KwString, STRING, member_id, 3, 99, -1, -1, 0) \
	F(TxnOffsetCommitRequest, KwString, STRING, group_instance_id, 3, 99, 3, -1, KW_NULL) \
	S(TxnOffsetCommitRequest, TxnOffsetCommitRequestTopic, topics, 0, 99, -1, -1, 0)

#define KW_TxnOffsetCommitResponsePartition(F, A, S, O) \
	F(TxnOffsetCommitResponsePartition, int32, INT32, partition_index, 0, 99, -1, -1, 0) \
	F(TxnOffsetCommitResponsePartition, int16, INT16, error_code, 0, 99, -1, -1, 0)

#define KW_TxnOffsetCommitResponseTopic(F, A, S, O) \
	F(TxnOffsetCommitResponseTopic, KwString, STRING, name, 0, 99, -1, -1, 0) \
	S(TxnOffsetCommitResponseTopic, TxnOffsetCommitResponsePartition, partitions, 0, 99, -1, -1, 0)

#define KW_TxnOffsetCommitResponse(F, A, S, O) \
	F(TxnOffsetCommitResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	S(TxnOffsetCommitResponse, TxnOffsetCommitResponseTopic, topics, 0, 99, -1, -1, 0)

#define KW_DescribeTransactionsRequest(F, A, S, O) \
	A(DescribeTransactionsRequest, KwString, STRING, transactional_ids, 0, 99, -1, -1, 0)

#define KW_DescribeTransactionsResponseTopicData(F, A, S, O) \
	F(DescribeTransactionsResponseTopicData, KwString, STRING, topic, 0, 99, -1, -1, 0) \
	A(DescribeTransactionsResponseTopicData, int32, INT32, partitions, 0, 99, -1, -1, 0)

#define KW_DescribeTransactionsResponseTransactionState(F, A, S, O) \
	F(DescribeTransactionsResponseTransactionState, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	F(DescribeTransactionsResponseTransactionState, KwString, STRING, transactional_id, 0, 99, -1, -1, 0) \
	F(DescribeTransactionsResponseTransactionState, KwString, STRING, transaction_state, 0, 99, -1, -1, 0) \
	F(DescribeTransactionsResponseTransactionState, int32, INT32, transaction_timeout_ms, 0, 99, -1, -1, 0) \
	F(DescribeTransactionsResponseTransactionState, int64, INT64, transaction_start_time_ms, 0, 99, -1, -1, 0) \
	F(DescribeTransactionsResponseTransactionState, int64, INT64, producer_id, 0, 99, -1, -1, 0) \
	F(DescribeTransactionsResponseTransactionState, int16, INT16, producer_epoch, 0, 99, -1, -1, 0) \
	S(DescribeTransactionsResponseTransactionState, DescribeTransactionsResponseTopicData, topics, 0, 99, -1, -1, 0)

#define KW_DescribeTransactionsResponse(F, A, S, O) \
	F(DescribeTransactionsResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	S(DescribeTransactionsResponse, DescribeTransactionsResponseTransactionState, transaction_states, 0, 99, -1, -1, 0)

#define KW_ListTransactionsRequest(F, A, S, O) \
	A(ListTransactionsRequest, KwString, STRING, state_filters, 0, 99, -1, -1, 0) \
	A(ListTransactionsRequest, int64, INT64, producer_id_filters, 0, 99, -1, -1, 0) \
	F(ListTransactionsRequest, int64, INT64, duration_filter, 1, 99, -1, -1, -1) \
	F(ListTransactionsRequest, KwString, STRING, transactional_id_pattern, 2, 99, 2, -1, KW_NULL)

#define KW_ListTransactionsResponseTransactionState(F, A, S, O) \
	F(ListTransactionsResponseTransactionState, KwString, STRING, transactional_id, 0, 99, -1, -1, 0) \
	F(ListTransactionsResponseTransactionState, int64, INT64, producer_id, 0, 99, -1, -1, 0) \
	F(ListTransactionsResponseTransactionState, KwString, STRING, transaction_state, 0, 99, -1, -1, 0)

#define KW_ListTransactionsResponse(F, A, S, O) \
	F(ListTransactionsResponse, int32, INT32, throttle_time_ms, 0, 99, -1, -1, 0) \
	F(ListTransactionsResponse, int16, INT16, error_code, 0, 99, -1, -1, 0) \
	A(ListTransactionsResponse, KwString, STRING, unknown_state_filters, 0, 99, -1, -1, 0) \
	S(ListTransactionsResponse, ListTransactionsResponseTransactionState, transaction_states, 0, 99, -1, -1, 0)

/* Every structure, those that others hold first. */
#define KW_STRUCTS(X) \
	X(ApiVersionsRequest) \
	X(ApiVersionsResponseApiVersion) \
	X(ApiVersionsResponseSupportedFeatureKey) \
	X(ApiVersionsResponseFinalizedFeatureKey) \
	X(ApiVersionsResponse) \
	X(MetadataRequestRequestTopic) \
	X(MetadataRequest) \
	X(MetadataResponseResponseBroker) \
	X(MetadataResponseResponsePartition) \
	X(MetadataResponseResponseTopic) \
	X(MetadataResponse) \
	X(ProduceRequestPartitionProduceData) \
	X(ProduceRequestTopicProduceData) \
	X(ProduceRequest) \
	X(ProduceResponseBatchIndexAndErrorMessage) \
	X(ProduceResponseLeaderIdAndEpoch) \
	X(ProduceResponsePartitionProduceResponse) \
	X(ProduceResponseTopicProduceResponse) \
	X(ProduceResponseNodeEndpoint) \
	X(ProduceResponse) \
	X(FetchRequestReplicaState) \
	X(FetchRequestPartition) \
	X(FetchRequestTopic) \
	X(FetchRequestForgottenTopic) \
	X(FetchRequest) \
	X(FetchResponseEpochEndOffset) \
	X(FetchResponseLeaderIdAndEpoch) \
	X(FetchResponseSnapshotId) \
	X(FetchResponseAbortedTransaction) \
	X(FetchResponsePartitionData) \
	X(FetchResponseableTopicResponse) \
	X(FetchResponseNodeEndpoint) \
	X(FetchResponse) \
	X(ListOffsetsRequestPartition) \
	X(ListOffsetsRequestTopic) \
	X(ListOffsetsRequest) \
	X(ListOffsetsResponsePartitionResponse) \
	X(ListOffsetsResponseTopicResponse) \
	X(ListOffsetsResponse) \
	X(FindCoordinatorRequest) \
	X(FindCoordinatorResponseCoordinator) \
	X(FindCoordinatorResponse) \
	X(OffsetCommitRequestRequestPartition) \
	X(OffsetCommitRequestRequestTopic) \
	X(OffsetCommitRequest) \
	X(OffsetCommitResponseResponsePartition) \
	X(OffsetCommitResponseResponseTopic) \
	X(OffsetCommitResponse) \
	X(OffsetFetchRequestRequestTopic) \
	X(OffsetFetchRequestRequestTopics) \
	X(OffsetFetchRequestRequestGroup) \
	X(OffsetFetchRequest) \
	X(OffsetFetchResponseResponsePartition) \
	X(OffsetFetchResponseResponseTopic) \
	X(OffsetFetchResponseResponsePartitions) \
	X(OffsetFetchResponseResponseTopics) \
	X(OffsetFetchResponseResponseGroup) \
	X(OffsetFetchResponse) \
	X(JoinGroupRequestRequestProtocol) \
	X(JoinGroupRequest) \
	X(JoinGroupResponseResponseMember) \
	X(JoinGroupResponse) \
	X(HeartbeatRequest) \
	X(HeartbeatResponse) \
	X(LeaveGroupRequestMemberIdentity) \
	X(LeaveGroupRequest) \
	X(LeaveGroupResponseMemberResponse) \
	X(LeaveGroupResponse) \
	X(SyncGroupRequestRequestAssignment) \
	X(SyncGroupRequest) \
	X(SyncGroupResponse) \
	X(DescribeGroupsRequest) \
	X(DescribeGroupsResponseDescribedGroupMember) \
	X(DescribeGroupsResponseDescribedGroup) \
	X(DescribeGroupsResponse) \
	X(ListGroupsRequest) \
	X(ListGroupsResponseListedGroup) \
	X(ListGroupsResponse) \
	X(DeleteGroupsRequest) \
	X(DeleteGroupsResponseDeletableGroupResult) \
	X(DeleteGroupsResponse) \
	X(OffsetDeleteRequestRequestPartition) \
	X(OffsetDeleteRequestRequestTopic) \
	X(OffsetDeleteRequest) \
	X(OffsetDeleteResponseResponsePartition) \
	X(OffsetDeleteResponseResponseTopic) \
	X(OffsetDeleteResponse) \
	X(SaslHandshakeRequest) \
	X(SaslHandshakeResponse) \
	X(SaslAuthenticateRequest) \
	X(SaslAuthenticateResponse) \
	X(InitProducerIdRequest) \
	X(InitProducerIdResponse) \
	X(CreateTopicsRequestCreatableReplicaAssignment) \
	X(CreateTopicsRequestCreatableTopicConfig) \
	X(CreateTopicsRequestCreatableTopic) \
	X(CreateTopicsRequest) \
	X(CreateTopicsResponseCreatableTopicConfigs) \
	X(CreateTopicsResponseCreatableTopicResult) \
	X(CreateTopicsResponse) \
	X(DeleteTopicsRequestDeleteTopicState) \
	X(DeleteTopicsRequest) \
	X(DeleteTopicsResponseDeletableTopicResult) \
	X(DeleteTopicsResponse) \
	X(CreatePartitionsRequestAssignment) \
	X(CreatePartitionsRequestTopic) \
	X(CreatePartitionsRequest) \
	X(CreatePartitionsResponseTopicResult) \
	X(CreatePartitionsResponse) \
	X(DeleteRecordsRequestPartition) \
	X(DeleteRecordsRequestTopic) \
	X(DeleteRecordsRequest) \
	X(DeleteRecordsResponsePartitionResult) \
	X(DeleteRecordsResponseTopicResult) \
	X(DeleteRecordsResponse) \
	X(DescribeConfigsRequestResource) \
	X(DescribeConfigsRequest) \
	X(DescribeConfigsResponseSynonym) \
	X(DescribeConfigsResponseResourceResult) \
	X(DescribeConfigsResponseResult) \
	X(DescribeConfigsResponse) \
	X(AlterConfigsRequestAlterableConfig) \
	X(AlterConfigsRequestResource) \
	X(AlterConfigsRequest) \
	X(AlterConfigsResponseResourceResponse) \
	X(AlterConfigsResponse) \
	X(IncrementalAlterConfigsRequestAlterableConfig) \
	X(IncrementalAlterConfigsRequestAlterConfigsResource) \
	X(IncrementalAlterConfigsRequest) \
	X(IncrementalAlterConfigsResponseAlterConfigsResourceResponse) \
	X(IncrementalAlterConfigsResponse) \
	X(DescribeClusterRequest) \
	X(DescribeClusterResponseBroker) \
	X(DescribeClusterResponse) \
	X(DescribeTopicPartitionsRequestTopicRequest) \
	X(DescribeTopicPartitionsRequestCursor) \
	X(DescribeTopicPartitionsRequest) \
	X(DescribeTopicPartitionsResponseResponsePartition) \
	X(DescribeTopicPartitionsResponseResponseTopic) \
	X(DescribeTopicPartitionsResponseCursor) \
	X(DescribeTopicPartitionsResponse) \
	X(DescribeLogDirsRequestDescribableLogDirTopic) \
	X(DescribeLogDirsRequest) \
	X(DescribeLogDirsResponsePartition) \
	X(DescribeLogDirsResponseTopic) \
	X(DescribeLogDirsResponseResult) \
	X(DescribeLogDirsResponse) \
	X(DescribeProducersRequestTopicRequest) \
	X(DescribeProducersRequest) \
	X(DescribeProducersResponseProducerState) \
	X(DescribeProducersResponsePartitionResponse) \
	X(DescribeProducersResponseTopicResponse) \
	X(DescribeProducersResponse) \
	X(ListConfigResourcesRequest) \
	X(ListConfigResourcesResponseConfigResource) \
	X(ListConfigResourcesResponse) \
	X(ListPartitionReassignmentsRequestTopics) \
	X(ListPartitionReassignmentsRequest) \
	X(ListPartitionReassignmentsResponseOngoingPartitionReassignment) \
	X(ListPartitionReassignmentsResponseOngoingTopicReassignment) \
	X(ListPartitionReassignmentsResponse) \
	X(ElectLeadersRequestTopicPartitions) \
	X(ElectLeadersRequest) \
	X(ElectLeadersResponsePartitionResult) \
	X(ElectLeadersResponseReplicaElectionResult) \
	X(ElectLeadersResponse) \
	X(DescribeAclsRequest) \
	X(DescribeAclsResponseAclDescription) \
	X(DescribeAclsResponseResource) \
	X(DescribeAclsResponse) \
	X(OffsetForLeaderEpochRequestOffsetForLeaderPartition) \
	X(OffsetForLeaderEpochRequestOffsetForLeaderTopic) \
	X(OffsetForLeaderEpochRequest) \
	X(OffsetForLeaderEpochResponseEpochEndOffset) \
	X(OffsetForLeaderEpochResponseOffsetForLeaderTopicResult) \
	X(OffsetForLeaderEpochResponse) \
	X(AddPartitionsToTxnRequestTopic) \
	X(AddPartitionsToTxnRequestTransaction) \
	X(AddPartitionsToTxnRequest) \
	X(AddPartitionsToTxnResponsePartitionResult) \
	X(AddPartitionsToTxnResponseTopicResult) \
	X(AddPartitionsToTxnResponseResult) \
	X(AddPartitionsToTxnResponse) \
	X(AddOffsetsToTxnRequest) \
	X(AddOffsetsToTxnResponse) \
	X(EndTxnRequest) \
	X(EndTxnResponse) \
	X(TxnOffsetCommitRequestPartition) \
	X(TxnOffsetCommitRequestTopic) \
	X(TxnOffsetCommitRequest) \
	X(TxnOffsetCommitResponsePartition) \
	X(TxnOffsetCommitResponseTopic) \
	X(TxnOffsetCommitResponse) \
	X(DescribeTransactionsRequest) \
	X(DescribeTransactionsResponseTopicData) \
	X(DescribeTransactionsResponseTransactionState) \
	X(DescribeTransactionsResponse) \
	X(ListTransactionsRequest) \
	X(ListTransactionsResponseTransactionState) \
	X(ListTransactionsResponse)

/* API name, key, lowest and highest version, first flexible version. */
#define KW_APIS(X) \
	X(Produce, 0, 3, 13, 9) \
	X(Fetch, 1, 4, 18, 12) \
	X(ListOffsets, 2, 1, 11, 6) \
	X(Metadata, 3, 0, 13, 9) \
	X(OffsetCommit, 8, 2, 10, 8) \
	X(OffsetFetch, 9, 1, 10, 6) \
	X(FindCoordinator, 10, 0, 6, 3) \
	X(JoinGroup, 11, 0, 9, 6) \
	X(Heartbeat, 12, 0, 4, 4) \
	X(LeaveGroup, 13, 0, 5, 4) \
	X(SyncGroup, 14, 0, 5, 4) \
	X(DescribeGroups, 15, 0, 6, 5) \
	X(ListGroups, 16, 0, 5, 3) \
	X(SaslHandshake, 17, 0, 1, 99) \
	X(ApiVersions, 18, 0, 5, 3) \
	X(CreateTopics, 19, 2, 7, 5) \
	X(DeleteTopics, 20, 1, 6, 4) \
	X(DeleteRecords, 21, 0, 2, 2) \
	X(InitProducerId, 22, 0, 5, 2) \
	X(OffsetForLeaderEpoch, 23, 2, 4, 4) \
	X(AddPartitionsToTxn, 24, 0, 5, 3) \
	X(AddOffsetsToTxn, 25, 0, 4, 3) \
	X(EndTxn, 26, 0, 5, 3) \
	X(TxnOffsetCommit, 28, 0, 5, 3) \
	X(DescribeAcls, 29, 1, 3, 2) \
	X(DescribeConfigs, 32, 1, 4, 4) \
	X(AlterConfigs, 33, 0, 2, 2) \
	X(DescribeLogDirs, 35, 1, 5, 2) \
	X(SaslAuthenticate, 36, 0, 2, 2) \
	X(CreatePartitions, 37, 0, 3, 2) \
	X(DeleteGroups, 42, 0, 3, 2) \
	X(ElectLeaders, 43, 0, 2, 2) \
	X(IncrementalAlterConfigs, 44, 0, 1, 1) \
	X(ListPartitionReassignments, 46, 0, 0, 0) \
	X(OffsetDelete, 47, 0, 0, 99) \
	X(DescribeCluster, 60, 0, 2, 0) \
	X(DescribeProducers, 61, 0, 0, 0) \
	X(DescribeTransactions, 65, 0, 0, 0) \
	X(ListTransactions, 66, 0, 2, 0) \
	X(ListConfigResources, 74, 0, 1, 0) \
	X(DescribeTopicPartitions, 75, 0, 0, 0)

/* clang-format on */

#endif /* KS_WIRE_MESSAGES_H */
