// RabbitMQ streams through the client of the RabbitMQ team: BatchSend, and the
// confirmations of all that was sent.  A consumer with a name stores its offset
// once a second.  RabbitMQ does not flush streams, so the only level is "os".
package main

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/amqp"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/message"
	"github.com/rabbitmq/rabbitmq-stream-go-client/pkg/stream"
)

type rabbit struct{ Options }

func newRabbit(options Options) (Peer, error) { return &rabbit{options}, nil }

func (peer *rabbit) connect() (*stream.Environment, error) {
	host, port, err := net.SplitHostPort(peer.Address)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	// The client's own 8 KiB are less than a segment of the loopback device, so
	// every chunk would wait for a delayed acknowledgement.
	return stream.NewEnvironment(stream.NewEnvironmentOptions().SetHost(host).SetPort(number).
		SetReadBuffer(1 << 20).SetWriteBuffer(1 << 20).
		SetAddressResolver(stream.AddressResolver{Host: host, Port: number}))
}

func (peer *rabbit) Create() error {
	environment, err := peer.connect()
	if err != nil {
		return err
	}
	defer environment.Close()
	return environment.DeclareStream(peer.Topic, stream.NewStreamOptions().SetMaxLengthBytes(stream.ByteCapacity{}.GB(20)))
}

type rabbitProducer struct {
	environment *stream.Environment
	producer    *stream.Producer
	confirms    stream.ChannelPublishConfirm
}

func (peer *rabbit) NewProducer() (Producer, error) {
	environment, err := peer.connect()
	if err != nil {
		return nil, err
	}
	producer, err := environment.NewProducer(peer.Topic, stream.NewProducerOptions())
	if err != nil {
		return nil, err
	}
	return &rabbitProducer{environment, producer, producer.NotifyPublishConfirmation()}, nil
}

// Send keeps a request below the largest frame, 1 MiB.
func (p *rabbitProducer) Send(values [][]byte) error {
	waiting := len(values)
	for len(values) > 0 {
		count := min(len(values), max(1, 900000/(len(values[0])+50)))
		batch := make([]message.StreamMessage, count)
		for i := range batch {
			batch[i] = amqp.NewMessage(values[i])
		}
		if err := p.producer.BatchSend(batch); err != nil {
			return err
		}
		values = values[count:]
	}
	for waiting > 0 {
		for _, status := range <-p.confirms {
			if !status.IsConfirmed() {
				return errors.New("a record was not confirmed")
			}
			waiting--
		}
	}
	return nil
}

func (p *rabbitProducer) Close() {
	p.producer.Close()
	p.environment.Close()
}

type rabbitConsumer struct {
	start  func()
	values chan []byte
	failed chan error
}

func (peer *rabbit) NewConsumer(group int) (Consumer, error) {
	environment, err := peer.connect()
	if err != nil {
		return nil, err
	}
	consumer := &rabbitConsumer{values: make(chan []byte, 10000), failed: make(chan error, 1)}
	options := stream.NewConsumerOptions().SetOffset(stream.OffsetSpecification{}.First())
	if group >= 0 {
		options.SetConsumerName(fmt.Sprintf("%s_%d", peer.Topic, group)).
			SetAutoCommit(stream.NewAutoCommitStrategy().SetFlushInterval(time.Second).SetCountBeforeStorage(100000))
	}
	subscribe := func() {
		_, err := environment.NewConsumer(peer.Topic, func(_ stream.ConsumerContext, message *amqp.Message) {
			consumer.values <- message.GetData()
		}, options)
		if err != nil {
			consumer.failed <- err
		}
	}
	// not before the clock runs; records come, and want to be read, before it returns
	consumer.start = sync.OnceFunc(func() { go subscribe() })
	return consumer, nil
}

func (c *rabbitConsumer) Next(wait time.Duration, take func([]byte)) error {
	c.start()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case value := <-c.values:
		take(value)
	case err := <-c.failed:
		return err
	case <-timer.C:
		return nil
	}
	for range 1000 {
		select {
		case value := <-c.values:
			take(value)
		default:
			return nil
		}
	}
	return nil
}

// Close leaves the connection to the end of the process: a handler may wait
// for a reader that is gone.
func (c *rabbitConsumer) Close() {}
