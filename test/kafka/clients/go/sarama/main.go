// Sarama is IBM/sarama: judge.py's protocol.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/IBM/sarama"
	"github.com/xdg-go/scram"
	"kstream/clients/loop"
)

type kafka struct{ admin sarama.ClusterAdmin }

// Sarama leaves SCRAM to a package of one's choice.
type conversation struct{ *scram.ClientConversation }

func (c *conversation) Begin(user, password, authorization string) error {
	client, err := scram.SHA256.NewClient(user, password, authorization)
	if err == nil {
		c.ClientConversation = client.NewConversation()
	}
	return err
}

func login() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	config.Net.SASL.Enable = true
	config.Net.SASL.Mechanism = sarama.SASLTypeSCRAMSHA256
	config.Net.SASL.User, config.Net.SASL.Password = loop.Env("USER"), loop.Env("PASSWORD")
	config.Net.SASL.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return &conversation{} }
	config.Producer.Return.Successes = true
	return config
}

var brokers = []string{loop.Env("BOOTSTRAP")}

func (*kafka) Has() string {
	return "codec=gzip codec=snappy codec=lz4 codec=zstd acks=0 acks=1 acks=all idempotent null-header" +
		" repeated-header null-both time create partitions list config alter grow trim delete group=range"
}

func bytes(data []byte) sarama.Encoder {
	if data == nil {
		return nil
	}
	return sarama.ByteEncoder(data)
}

func (*kafka) Produce(topic, codec, acks string, idempotent bool, records []loop.Record) error {
	config := login()
	if err := config.Producer.Compression.UnmarshalText([]byte(codec)); err != nil {
		return err
	}
	config.Producer.RequiredAcks = map[string]sarama.RequiredAcks{"0": sarama.NoResponse, "1": sarama.WaitForLocal, "all": sarama.WaitForAll}[acks]
	config.Producer.Idempotent = idempotent
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Net.MaxOpenRequests = 1
	producer, err := sarama.NewSyncProducer(brokers, config)
	if err != nil {
		return err
	}
	defer producer.Close()
	var sent []*sarama.ProducerMessage
	for _, r := range records {
		var headers []sarama.RecordHeader
		for _, h := range r.Headers {
			headers = append(headers, sarama.RecordHeader{Key: []byte(h.Name), Value: h.Value})
		}
		sent = append(sent, &sarama.ProducerMessage{Topic: topic, Partition: r.Partition, Timestamp: r.Time,
			Key: bytes(r.Key), Value: bytes(r.Value), Headers: headers})
	}
	err = producer.SendMessages(sent)
	for n := range sent {
		records[n].Offset = sent[n].Offset
	}
	return err
}

func (*kafka) Consume(topic string, partition int32, from string, many int) error {
	config := login()
	if from == "end" {
		config.Consumer.MaxWaitTime = loop.Wait
	}
	client, err := sarama.NewClient(brokers, config)
	if err != nil {
		return err
	}
	defer client.Close()
	place := map[string]int64{"beginning": sarama.OffsetOldest, "end": sarama.OffsetNewest}[from]
	if place == 0 {
		if place, err = client.GetOffset(topic, partition, loop.Number(from)); err != nil {
			return err
		}
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return err
	}
	defer consumer.Close()
	records, err := consumer.ConsumePartition(topic, partition, place)
	if err != nil {
		return err
	}
	defer records.AsyncClose()
	if from == "end" {
		fmt.Println("waiting")
	}
	for ; many > 0; many-- {
		select {
		case r := <-records.Messages():
			var headers []loop.Header
			for _, h := range r.Headers {
				headers = append(headers, loop.Header{Name: string(h.Key), Value: h.Value})
			}
			loop.SayRecord(loop.Record{Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp, Key: r.Key, Value: r.Value, Headers: headers})
		case <-time.After(30 * time.Second):
			return errors.New("nothing came")
		}
	}
	return nil
}

// A member tells each record, commits it, and when there was one last.
type member struct{ came chan struct{} }

func (*member) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (*member) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for r := range claim.Messages() {
		fmt.Println(r.Partition, r.Offset)
		session.MarkMessage(r, "")
		session.Commit()
		select {
		case m.came <- struct{}{}:
		default:
		}
	}
	return nil
}

func (*kafka) Member(topic, group, assignor, instance string, idle time.Duration) error {
	config := login()
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Session.Timeout = 6 * time.Second
	config.Consumer.Group.Heartbeat.Interval = time.Second
	consumer, err := sarama.NewConsumerGroup(brokers, group, config)
	if err != nil {
		return err
	}
	limit, cancel := context.WithCancel(context.Background())
	m := &member{make(chan struct{})}
	go func() {
		for {
			select {
			case <-m.came:
			case <-time.After(idle):
				cancel()
				return
			}
		}
	}()
	for limit.Err() == nil {
		if err := consumer.Consume(limit, []string{topic}, m); err != nil {
			fmt.Fprintln(os.Stderr, err)
			time.Sleep(100 * time.Millisecond)
		}
	}
	return consumer.Close()
}

func (k *kafka) Create(topic string, partitions int32, name, value string) error {
	return k.admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1,
		ConfigEntries: map[string]*string{name: &value}}, false)
}

func (k *kafka) Partitions(topic string) (int, error) {
	described, err := k.admin.DescribeTopics([]string{topic})
	if err != nil {
		return 0, err
	}
	return len(described[0].Partitions), nil
}

func (k *kafka) List() (names []string, err error) {
	topics, err := k.admin.ListTopics()
	for name := range topics {
		names = append(names, name)
	}
	return names, err
}

func (k *kafka) Config(topic, name string) (string, error) {
	entries, err := k.admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{name}})
	if err != nil {
		return "", err
	}
	return entries[0].Value, nil
}

func (k *kafka) Alter(topic, name, value string) error {
	return k.admin.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
		name: {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value}}, false)
}

func (k *kafka) Grow(topic string, partitions int32) error {
	return k.admin.CreatePartitions(topic, partitions, nil, false)
}

func (k *kafka) Trim(topic string, partition int32, offset int64) error {
	return k.admin.DeleteRecords(topic, map[int32]int64{partition: offset})
}

func (k *kafka) Delete(topic string) error { return k.admin.DeleteTopic(topic) }

func main() {
	admin, err := sarama.NewClusterAdmin(brokers, login())
	if err != nil {
		panic(err)
	}
	loop.Run(&kafka{admin})
}
