// Franz is franz-go: judge.py's protocol.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"kstream/clients/loop"
)

type kafka struct {
	client *kgo.Client
	admin  *kadm.Client
}

var codecs = map[string]kgo.CompressionCodec{
	"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
	"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
}

func client(options ...kgo.Opt) (*kgo.Client, error) {
	login := scram.Auth{User: loop.Env("USER"), Pass: loop.Env("PASSWORD")}
	return kgo.NewClient(append(options, kgo.SeedBrokers(loop.Env("BOOTSTRAP")), kgo.SASL(login.AsSha256Mechanism()))...)
}

func (*kafka) Has() string {
	return "codec=gzip codec=snappy codec=lz4 codec=zstd acks=0 acks=1 acks=all idempotent null-header" +
		" repeated-header null-both time transact create partitions list config alter grow trim delete" +
		" group=range group=cooperative-sticky static"
}

func (*kafka) Produce(topic, codec, acks string, idempotent bool, records []loop.Record) error {
	wanted := map[string]kgo.Acks{"0": kgo.NoAck(), "1": kgo.LeaderAck(), "all": kgo.AllISRAcks()}[acks]
	options := []kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(20 * time.Millisecond),
		kgo.ProducerBatchCompression(codecs[codec]), kgo.RequiredAcks(wanted)}
	if !idempotent {
		options = append(options, kgo.DisableIdempotentWrite())
	}
	producer, err := client(options...)
	if err != nil {
		return err
	}
	defer producer.Close()
	var sent []*kgo.Record
	for _, r := range records {
		var headers []kgo.RecordHeader
		for _, h := range r.Headers {
			headers = append(headers, kgo.RecordHeader{Key: h.Name, Value: h.Value})
		}
		sent = append(sent, &kgo.Record{Topic: topic, Partition: r.Partition, Timestamp: r.Time, Key: r.Key, Value: r.Value, Headers: headers})
	}
	err = producer.ProduceSync(context.Background(), sent...).FirstErr()
	for n := range sent {
		records[n].Offset = sent[n].Offset
	}
	return err
}

func (*kafka) Transact(id, topic string, many int) error {
	producer, err := client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(id))
	if err != nil {
		return err
	}
	defer producer.Close()
	for t := 0; t < many; t++ {
		if err = producer.BeginTransaction(); err != nil {
			return err
		}
		var sent []*kgo.Record
		for n := 0; n < 4; n++ {
			sent = append(sent, &kgo.Record{Topic: topic, Partition: int32(n % 2), Value: []byte(fmt.Sprintf("%s-%d-%d", id, t, n))})
		}
		if err = producer.ProduceSync(context.Background(), sent...).FirstErr(); err != nil {
			return err
		}
		if err = producer.EndTransaction(context.Background(), kgo.TransactionEndTry(t%3 != 2)); err != nil {
			return err
		}
	}
	return nil
}

func (*kafka) Fence(id, topic string) error {
	var producers []*kgo.Client
	for n := 0; n < 2; n++ {
		producer, err := client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.TransactionalID(id))
		if err != nil {
			return err
		}
		defer producer.Close()
		if _, _, err = producer.ProducerID(context.Background()); err != nil {
			return err
		}
		producers = append(producers, producer)
	}
	if err := producers[0].BeginTransaction(); err != nil {
		return err
	}
	err := producers[0].ProduceSync(context.Background(), &kgo.Record{Topic: topic, Value: []byte("zombie")}).FirstErr()
	if errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) {
		fmt.Println("fenced")
	}
	return nil
}

func (*kafka) Consume(topic string, partition int32, from string, many int) error {
	place, wait := kgo.NewOffset(), time.Second
	switch from {
	case "beginning":
		place = place.AtStart()
	case "end":
		place, wait = place.AtEnd(), loop.Wait
	default:
		place = place.AfterMilli(loop.Number(from))
	}
	consumer, err := client(kgo.FetchMaxWait(wait),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: place}}))
	if err != nil {
		return err
	}
	defer consumer.Close()
	limit, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if from == "end" {
		fmt.Println("waiting") // the judge waits for the fetch
	}
	for many > 0 {
		fetches := consumer.PollFetches(limit)
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			var headers []loop.Header
			for _, h := range r.Headers {
				headers = append(headers, loop.Header{Name: h.Key, Value: h.Value})
			}
			loop.SayRecord(loop.Record{Partition: r.Partition, Offset: r.Offset, Time: r.Timestamp, Key: r.Key, Value: r.Value, Headers: headers})
			many--
		})
	}
	return nil
}

func (*kafka) Member(topic, group, assignor, instance string, idle time.Duration) error {
	balancer := map[string]kgo.GroupBalancer{"range": kgo.RangeBalancer(), "cooperative-sticky": kgo.CooperativeStickyBalancer()}[assignor]
	options := []kgo.Opt{kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(balancer), kgo.SessionTimeout(6 * time.Second),
		kgo.HeartbeatInterval(time.Second), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}
	if instance != "-" {
		options = append(options, kgo.InstanceID(instance))
	}
	consumer, err := client(options...)
	if err != nil {
		return err
	}
	defer consumer.Close()
	for last := time.Now(); time.Since(last) < idle; consumer.AllowRebalance() {
		limit, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		fetches := consumer.PollFetches(limit)
		cancel()
		if fetches.NumRecords() == 0 {
			continue
		}
		fetches.EachRecord(func(r *kgo.Record) { fmt.Println(r.Partition, r.Offset) })
		if err := consumer.CommitUncommittedOffsets(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		last = time.Now()
	}
	return nil
}

func (k *kafka) Create(topic string, partitions int32, name, value string) error {
	_, err := k.admin.CreateTopic(context.Background(), partitions, 1, map[string]*string{name: &value}, topic)
	return err
}

func (k *kafka) Partitions(topic string) (int, error) {
	details, err := k.admin.ListTopics(context.Background(), topic)
	return len(details[topic].Partitions), err
}

func (k *kafka) List() ([]string, error) {
	details, err := k.admin.ListTopics(context.Background())
	return details.Names(), err
}

func (k *kafka) Config(topic, name string) (string, error) {
	described, err := k.admin.DescribeTopicConfigs(context.Background(), topic)
	if err != nil {
		return "", err
	}
	for _, config := range described[0].Configs {
		if config.Key == name {
			return config.MaybeValue(), described[0].Err
		}
	}
	return "", errors.New("no such configuration")
}

func (k *kafka) Alter(topic, name, value string) error {
	changes := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: name, Value: &value}}
	answers, err := k.admin.AlterTopicConfigs(context.Background(), changes, topic)
	if err != nil {
		return err
	}
	return answers[0].Err
}

func (k *kafka) Grow(topic string, partitions int32) error {
	answers, err := k.admin.UpdatePartitions(context.Background(), int(partitions), topic)
	if err != nil {
		return err
	}
	return answers.Error()
}

func (k *kafka) Trim(topic string, partition int32, offset int64) error {
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: topic, Partition: partition, At: offset})
	answers, err := k.admin.DeleteRecords(context.Background(), offsets)
	if err != nil {
		return err
	}
	return answers.Error()
}

func (k *kafka) Delete(topic string) error {
	answers, err := k.admin.DeleteTopics(context.Background(), topic)
	if err != nil {
		return err
	}
	return answers.Error()
}

func main() {
	base, err := client()
	if err != nil {
		panic(err)
	}
	loop.Run(&kafka{base, kadm.NewClient(base)})
}
