// Apache Kafka through franz-go, the quickest of its clients for Go: acks = all
// and the idempotent producer (both its default), no linger, so that a record
// goes out at once, and of a batch all records together (ManualFlushing, Flush); one partition.
//
// The level "fsync" is flush.messages = 1 of the topic: the log is flushed
// before a batch is acknowledged.  "os" is Kafka's default.
//
// The variant "scram" logs in, as "app" with "secret": a kstream server that speaks
// Kafka's protocol (../../kafka).
package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

type kafka struct{ Options }

func newKafka(options Options) (Peer, error) { return &kafka{options}, nil }

func (peer *kafka) client(options ...kgo.Opt) (*kgo.Client, error) {
	if variant == "scram" {
		login := scram.Auth{User: "app", Pass: "secret"}
		options = append(options, kgo.SASL(login.AsSha256Mechanism()))
	}
	return kgo.NewClient(append(options, kgo.SeedBrokers(peer.Address))...)
}

func (peer *kafka) Create() error {
	client, err := peer.client()
	if err != nil {
		return err
	}
	defer client.Close()
	settings := map[string]*string{}
	if peer.Level == "fsync" {
		one := "1"
		settings["flush.messages"] = &one
	}
	_, err = kadm.NewClient(client).CreateTopic(background, 1, 1, settings, peer.Topic)
	return err
}

type kafkaProducer struct{ client *kgo.Client }

func (peer *kafka) NewProducer() (Producer, error) {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "lz4": kgo.Lz4Compression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "zstd": kgo.ZstdCompression(),
	}
	options := []kgo.Opt{kgo.DefaultProduceTopic(peer.Topic), kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(codecs[peer.Codec])}
	if *batch > 1 {
		// or the first record would go alone, and the batch as two or three
		options = append(options, kgo.ManualFlushing())
	}
	client, err := peer.client(options...)
	if err != nil {
		return nil, err
	}
	return &kafkaProducer{client}, client.Ping(background)
}

func (p *kafkaProducer) Send(values [][]byte) error {
	all := make([]kgo.Record, len(values))
	if len(values) == 1 {
		all[0].Value = values[0]
		return p.client.ProduceSync(background, &all[0]).FirstErr()
	}
	var failed atomic.Pointer[error]
	for i, value := range values {
		all[i].Value = value
		p.client.Produce(background, &all[i], func(_ *kgo.Record, err error) {
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
		})
	}
	if err := p.client.Flush(background); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (p *kafkaProducer) Close() { p.client.Close() }

type kafkaConsumer struct{ client *kgo.Client }

func (peer *kafka) NewConsumer(group int) (Consumer, error) {
	start := kgo.NewOffset().AtStart()
	options := []kgo.Opt{
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{peer.Topic: {0: start}}),
	}
	if group >= 0 {
		options = []kgo.Opt{
			kgo.ConsumeTopics(peer.Topic), kgo.ConsumeResetOffset(start),
			kgo.ConsumerGroup(fmt.Sprintf("%s_%d", peer.Topic, group)), kgo.AutoCommitInterval(time.Second),
		}
	}
	client, err := peer.client(options...)
	return &kafkaConsumer{client}, err
}

func (c *kafkaConsumer) Next(wait time.Duration, take func([]byte)) error {
	limited, cancel := context.WithTimeout(background, wait)
	defer cancel()
	fetches := c.client.PollFetches(limited)
	for _, failed := range fetches.Errors() {
		if failed.Err != context.DeadlineExceeded {
			return failed.Err
		}
	}
	fetches.EachRecord(func(record *kgo.Record) { take(record.Value) })
	return nil
}

func (c *kafkaConsumer) Close() { c.client.Close() }
