// Redis Streams through go-redis: XADD, a batch as one pipeline; XREAD without
// a group, XREADGROUP and XACK in one.  The level is the server's appendfsync:
// "fsync" is always, "os" everysec.
package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

type redisPeer struct{ Options }

func newRedis(options Options) (Peer, error) { return &redisPeer{options}, nil }

func (peer *redisPeer) client() *redis.Client {
	return redis.NewClient(&redis.Options{Addr: peer.Address, PoolSize: 1})
}

func (peer *redisPeer) Create() error {
	client := peer.client()
	defer client.Close()
	for i := range max(peer.Groups, 1) {
		err := client.XGroupCreateMkStream(background, peer.Topic, fmt.Sprint("group", i), "0").Err()
		if err != nil {
			return err
		}
	}
	return nil
}

type redisProducer struct {
	client *redis.Client
	topic  string
}

func (peer *redisPeer) NewProducer() (Producer, error) {
	client := peer.client()
	return &redisProducer{client, peer.Topic}, client.Ping(background).Err()
}

func (p *redisProducer) Send(values [][]byte) error {
	if len(values) == 1 {
		return p.client.XAdd(background, p.add(values[0])).Err()
	}
	_, err := p.client.Pipelined(background, func(pipe redis.Pipeliner) error {
		for _, value := range values {
			pipe.XAdd(background, p.add(value))
		}
		return nil
	})
	return err
}

func (p *redisProducer) add(value []byte) *redis.XAddArgs {
	return &redis.XAddArgs{Stream: p.topic, Values: []any{"v", value}}
}

func (p *redisProducer) Close() { p.client.Close() }

type redisConsumer struct {
	client      *redis.Client
	topic, last string
	group       string
}

func (peer *redisPeer) NewConsumer(group int) (Consumer, error) {
	consumer := &redisConsumer{client: peer.client(), topic: peer.Topic, last: "0"}
	if group >= 0 {
		consumer.group = fmt.Sprint("group", group)
	}
	return consumer, nil
}

func (c *redisConsumer) Next(wait time.Duration, take func([]byte)) error {
	var streams []redis.XStream
	var err error

	if c.group == "" {
		streams, err = c.client.XRead(background, &redis.XReadArgs{
			Streams: []string{c.topic, c.last}, Count: 5000, Block: wait}).Result()
	} else {
		streams, err = c.client.XReadGroup(background, &redis.XReadGroupArgs{
			Group: c.group, Consumer: "one", Streams: []string{c.topic, ">"}, Count: 5000, Block: wait}).Result()
	}
	if errors.Is(err, redis.Nil) {
		return nil
	}
	if err != nil {
		return err
	}
	messages := streams[0].Messages
	ids := make([]string, len(messages))
	for i, message := range messages {
		ids[i] = message.ID
		take([]byte(message.Values["v"].(string)))
	}
	c.last = ids[len(ids)-1]
	if c.group != "" {
		err = c.client.XAck(background, c.topic, c.group, ids...).Err()
	}
	return err
}

func (c *redisConsumer) Close() { c.client.Close() }
