// franz-go: all codecs, idempotent and not; read back from an assigned partition.
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func produce(ctx context.Context, topic string, options []kgo.Opt) {
	client, err := kgo.NewClient(options...)
	must(err)
	defer client.Close()
	for i := 0; i < 1000; i++ {
		record := &kgo.Record{Topic: topic, Partition: 0, Key: []byte("k"), Value: []byte(strconv.Itoa(i))}
		client.Produce(ctx, record, func(_ *kgo.Record, err error) { must(err) })
	}
	must(client.Flush(ctx))
}

func main() {
	port, topic := os.Args[1], os.Args[2]
	login := []kgo.Opt{
		kgo.SeedBrokers("localhost:" + port),
		kgo.SASL(scram.Auth{User: "alice", Pass: "secret"}.AsSha256Mechanism()),
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	codecs := []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(),
		kgo.Lz4Compression(), kgo.ZstdCompression()}
	for _, codec := range codecs {
		options := append([]kgo.Opt{kgo.ProducerBatchCompression(codec), kgo.RecordPartitioner(kgo.ManualPartitioner())}, login...)
		produce(ctx, topic, options)
		produce(ctx, topic, append(options, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1)))
	}
	consumer, err := kgo.NewClient(append(login,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().AtStart()}}))...)
	must(err)
	for got := 0; got < 10000; {
		must(ctx.Err())
		fetches := consumer.PollFetches(ctx)
		fetches.EachError(func(_ string, _ int32, err error) { must(err) })
		fetches.EachRecord(func(record *kgo.Record) {
			if string(record.Value) != strconv.Itoa(got%1000) {
				must(fmt.Errorf("%s at %d", record.Value, got))
			}
			got++
		})
	}
	consumer.Close()
}
