// NATS JetStream through nats.go: a stream in files, Publish for one record,
// PublishAsync and all its acknowledgements for a batch; an ordered consumer
// without a group, a durable one that acknowledges the last of what it got in
// one.  The level is the server's sync_interval: "fsync" is always, "os" the
// default of two minutes.
package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

type natsPeer struct{ Options }

func newNats(options Options) (Peer, error) { return &natsPeer{options}, nil }

func (peer *natsPeer) connect() (*nats.Conn, jetstream.JetStream, error) {
	conn, err := nats.Connect(peer.Address)
	if err != nil {
		return nil, nil, err
	}
	stream, err := jetstream.New(conn)
	return conn, stream, err
}

func (peer *natsPeer) Create() error {
	conn, stream, err := peer.connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = stream.CreateStream(background, jetstream.StreamConfig{
		Name: peer.Topic, Subjects: []string{peer.Topic}, Storage: jetstream.FileStorage, Replicas: 1})
	return err
}

type natsProducer struct {
	conn   *nats.Conn
	stream jetstream.JetStream
	topic  string
}

func (peer *natsPeer) NewProducer() (Producer, error) {
	conn, stream, err := peer.connect()
	return &natsProducer{conn, stream, peer.Topic}, err
}

func (p *natsProducer) Send(values [][]byte) error {
	if len(values) == 1 {
		_, err := p.stream.Publish(background, p.topic, values[0])
		return err
	}
	futures := make([]jetstream.PubAckFuture, len(values))
	for i, value := range values {
		future, err := p.stream.PublishAsync(p.topic, value)
		if err != nil {
			return err
		}
		futures[i] = future
	}
	for _, future := range futures {
		select {
		case <-future.Ok():
		case err := <-future.Err():
			return err
		}
	}
	return nil
}

func (p *natsProducer) Close() { p.conn.Close() }

type natsConsumer struct {
	conn     *nats.Conn
	messages jetstream.MessagesContext
	group    bool
}

func (peer *natsPeer) NewConsumer(group int) (Consumer, error) {
	var consumer jetstream.Consumer

	conn, stream, err := peer.connect()
	if err != nil {
		return nil, err
	}
	if group < 0 {
		consumer, err = stream.OrderedConsumer(background, peer.Topic, jetstream.OrderedConsumerConfig{})
	} else {
		consumer, err = stream.CreateOrUpdateConsumer(background, peer.Topic, jetstream.ConsumerConfig{
			Durable: fmt.Sprintf("%s_%d", peer.Topic, group), AckPolicy: jetstream.AckAllPolicy, MaxAckPending: 100000})
	}
	if err != nil {
		return nil, err
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(10000))
	return &natsConsumer{conn, messages, group >= 0}, err
}

// Next takes up to 1,000 at once and acknowledges the last.
func (c *natsConsumer) Next(wait time.Duration, take func([]byte)) error {
	var last jetstream.Msg

	for range 1000 {
		message, err := c.messages.Next(jetstream.NextMaxWait(wait))
		if errors.Is(err, nats.ErrTimeout) {
			break
		}
		if err != nil {
			return err
		}
		take(message.Data())
		last = message
		wait = time.Millisecond / 10
	}
	if last != nil && c.group {
		return last.Ack()
	}
	return nil
}

func (c *natsConsumer) Close() {
	c.messages.Stop()
	c.conn.Close()
}
