// load: the same work for every peer, measured in the same way.
//
// One run is one cell of the comparison: it opens the clients, does the work
// for a time or for a number of records, and prints one JSON object.  What it
// counts is what the peer acknowledged (producing) or handed over (consuming).
//
//	load -peer NAME -address A -cell produce|consume|both|held ...
//
// A peer is an implementation of the interface Peer in one of the other files;
// it uses the peer's own client library with the settings that its
// documentation recommends, and says so there.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Options are the command line, as the peers see it.
type Options struct {
	Address string // where the server is, in the peer's own form
	Topic   string
	Level   string // of durability: fsync, os or memory
	Groups  int    // that will read everything
	Codec   string
	Seconds float64
}

// Peer is one system.
type Peer interface {
	// Create makes an empty topic (a queue, a stream, a table) and whatever
	// must stand before the first record for Options.Groups groups to read all.
	Create() error
	NewProducer() (Producer, error)
	// NewConsumer returns a consumer at the start of the topic.  Group -1
	// reads without a group where the peer has such a way to read.
	NewConsumer(group int) (Consumer, error)
}

// Producer is used by one goroutine and has a connection of its own.
type Producer interface {
	// Send returns once all values are acknowledged.
	Send(values [][]byte) error
	Close()
}

// Consumer is used by one goroutine and has a connection of its own.
type Consumer interface {
	// Next hands what is there to "take", waiting up to "wait" for the first.
	Next(wait time.Duration, take func(value []byte)) error
	Close()
}

// Sizer is a peer that can tell how large the topic is in the middle of a run.
type Sizer interface {
	// Size returns bytes on disk, and rows that are dead but not removed.
	Size() (bytes, dead int64, err error)
	// Hold opens a transaction that has an ID and a snapshot; the function ends it.
	Hold() (func(), error)
}

var peers = map[string]func(Options) (Peer, error){
	"kstream": newKstream, "outbox": newOutbox, "pgq": newPgq, "table": newTable,
	"kafka": newKafka, "redis": newRedis, "nats": newNats, "rabbitmq": newRabbit,
}

var (
	name      = flag.String("peer", "", "the peer")
	mode      = flag.String("mode", "", "a variant of the peer")
	cell      = flag.String("cell", "produce", "produce, consume, both or held")
	create    = flag.Bool("create", false, "make the topic first")
	producers = flag.Int("producers", 1, "that send at the same time")
	batch     = flag.Int("batch", 1, "records in a request")
	size      = flag.Int("size", 100, "bytes in a value")
	seconds   = flag.Float64("seconds", 1, "how long at most; 0: until -records")
	records   = flag.Int64("records", 0, "how many at most; 0: until -seconds")
	rate      = flag.Float64("rate", 0, "records a second of both and held")
	hold      = flag.Bool("hold", true, "a transaction during held")
	steps     = flag.Int("steps", 30, "of held")
	pids      = flag.String("pids", "", "of the server; their children count too")
)

// Result is what a run prints.
type Result struct {
	Records   int64   `json:"records"`
	Seconds   float64 `json:"seconds"`
	Rate      float64 `json:"rate"`
	Wanted    float64 `json:"wanted,omitempty"`
	Bytes     int64   `json:"bytes"`
	Missing   int64   `json:"missing"`
	Latency   Spread  `json:"latency_us"`
	ServerCPU float64 `json:"server_cpu"`
	ClientCPU float64 `json:"client_cpu"`
	Steps     []Step  `json:"steps,omitempty"`
}

// Step is one stretch of a held run.
type Step struct {
	At      float64 `json:"at"`
	Held    bool    `json:"held"`
	Rate    float64 `json:"rate"`
	Bytes   int64   `json:"bytes"`
	Dead    int64   `json:"dead"`
	Latency Spread  `json:"latency_us"`
	CPU     float64 `json:"server_cpu"`
}

func main() {
	options := Options{}
	flag.StringVar(&options.Address, "address", "", "of the server")
	flag.StringVar(&options.Topic, "topic", "bench", "its name")
	flag.StringVar(&options.Level, "level", "fsync", "fsync, os or memory")
	flag.IntVar(&options.Groups, "groups", 1, "that read everything; -1: without a group")
	flag.StringVar(&options.Codec, "codec", "none", "compression")
	flag.Parse()
	options.Seconds = *seconds
	variant = *mode

	// A generator that holds next to nothing would collect it all the time.
	debug.SetGCPercent(2000)

	// A server that hangs must not hang the comparison.
	go func() {
		stop := make(chan os.Signal, 1)
		signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
		<-stop
		fail(errors.New("stopped"))
	}()

	make, known := peers[*name]
	if !known {
		fail(fmt.Errorf("there is no peer %q", *name))
	}
	peer, err := make(options)
	check(err)
	if *create {
		check(peer.Create())
	}
	var result Result
	switch *cell {
	case "produce":
		result, err = produce(peer)
	case "consume":
		result, err = consume(peer, options.Groups)
	case "both":
		result, err = both(peer, false)
	case "held":
		result, err = both(peer, true)
	default:
		err = fmt.Errorf("there is no cell %q", *cell)
	}
	check(err)
	check(json.NewEncoder(os.Stdout).Encode(result))
}

var variant string

func check(err error) {
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, strings.ReplaceAll(err.Error(), "\n", " "))
	os.Exit(1)
}

// open makes n clients, or none.
func open[T any](n int, one func(int) (T, error)) ([]T, error) {
	all := make([]T, n)
	for i := range all {
		client, err := one(i)
		if err != nil {
			return nil, err
		}
		all[i] = client
	}
	return all, nil
}

// produce is (a) and (b): every producer sends its next request when the one
// before is acknowledged.
func produce(peer Peer) (Result, error) {
	clients, err := open(*producers, func(int) (Producer, error) { return peer.NewProducer() })
	if err != nil {
		return Result{}, err
	}
	var (
		wait   sync.WaitGroup
		sent   atomic.Int64
		failed atomic.Pointer[error]
		all    = make([][]int32, len(clients))
	)
	meter := startMeter(*pids)
	started := time.Now()
	until := started.Add(time.Duration(*seconds * 1e9))
	share := *records / int64(len(clients))
	for i, client := range clients {
		wait.Add(1)
		go func() {
			defer wait.Done()
			text := newFiller(i, *size)
			mine := int64(0)
			for failed.Load() == nil {
				if *records > 0 && mine >= share || *seconds > 0 && !time.Now().Before(until) {
					break
				}
				values := text.values(*batch)
				began := time.Now()
				if err := client.Send(values); err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				all[i] = append(all[i], int32(time.Since(began).Microseconds()))
				mine += int64(*batch)
			}
			sent.Add(mine)
		}()
	}
	wait.Wait()
	result := Result{Records: sent.Load(), Seconds: time.Since(started).Seconds()}
	result.ServerCPU, result.ClientCPU = meter.stop()
	if err := failed.Load(); err != nil {
		return result, *err
	}
	for _, client := range clients {
		client.Close()
	}
	result.Rate = float64(result.Records) / result.Seconds
	result.Bytes = result.Records * int64(*size)
	result.Latency = spread(all...)
	return result, nil
}

// consume is (c) and (e): everything from the start, by every group.  Groups are
// timed from their first record, since joining one takes what it takes.
func consume(peer Peer, groups int) (Result, error) {
	count := max(groups, 1)
	clients, err := open(count, func(i int) (Consumer, error) {
		if groups < 0 {
			i = -1
		}
		return peer.NewConsumer(i)
	})
	if err != nil {
		return Result{}, err
	}
	var (
		wait         sync.WaitGroup
		read, volume atomic.Int64
		first        atomic.Int64
		failed       atomic.Pointer[error]
	)
	meter := startMeter(*pids)
	started := time.Now()
	for _, client := range clients {
		wait.Add(1)
		go func() {
			defer wait.Done()
			var mine, bytes int64
			last := time.Now()
			for mine < *records && failed.Load() == nil {
				before := mine
				err := client.Next(time.Second, func(value []byte) {
					if mine == 0 {
						first.CompareAndSwap(0, int64(time.Since(started)))
					}
					mine++
					bytes += int64(len(value))
				})
				if err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				if mine > before {
					last = time.Now()
				} else if time.Since(last) > 20*time.Second {
					break
				}
			}
			read.Add(mine)
			volume.Add(bytes)
		}()
	}
	wait.Wait()
	if groups >= 0 {
		started = started.Add(time.Duration(first.Load()))
	}
	result := Result{Records: read.Load(), Bytes: volume.Load(), Seconds: time.Since(started).Seconds()}
	result.ServerCPU, result.ClientCPU = meter.stop()
	if err := failed.Load(); err != nil {
		return result, *err
	}
	for _, client := range clients {
		client.Close()
	}
	result.Rate = float64(result.Records) / result.Seconds
	result.Missing = *records*int64(count) - result.Records
	if result.Missing != 0 {
		return result, fmt.Errorf("%d of %d records did not come", result.Missing, *records*int64(count))
	}
	return result, nil
}

// both is (d) and (f): records are due at a steady rate, whatever the peer
// does; a latency is from the time when a record was due to the time when the
// consumer had it.  The producers share the rate.
func both(peer Peer, held bool) (Result, error) {
	consumer, err := peer.NewConsumer(0)
	if err != nil {
		return Result{}, err
	}
	clients, err := open(*producers, func(int) (Producer, error) { return peer.NewProducer() })
	if err != nil {
		return Result{}, err
	}
	var (
		lock     sync.Mutex
		recent   []int32
		got      atomic.Int64
		sent     atomic.Int64
		failed   atomic.Pointer[error]
		finished atomic.Bool
		wait     sync.WaitGroup
		reader   sync.WaitGroup
		begin    atomic.Int64
	)
	reader.Add(1)
	go func() {
		defer reader.Done()
		for !finished.Load() && failed.Load() == nil {
			var fresh []int32
			err := consumer.Next(200*time.Millisecond, func(value []byte) {
				due := dueTime(value)
				got.Add(1)
				if start := begin.Load(); start != 0 && due >= start {
					fresh = append(fresh, int32(min((time.Now().UnixNano()-due)/1000, 1<<31-1)))
				}
			})
			if err != nil {
				failed.CompareAndSwap(nil, &err)
			}
			lock.Lock()
			recent = append(recent, fresh...)
			lock.Unlock()
		}
	}()

	// The reader is there once it has a record.
	probe := newFiller(99, *size)
	for tries := 0; got.Load() == 0 && failed.Load() == nil; tries++ {
		if tries == 300 {
			return Result{}, errors.New("the consumer gets nothing")
		}
		if err := clients[0].Send(probe.values(1)); err != nil {
			return Result{}, err
		}
		sent.Add(1)
		time.Sleep(100 * time.Millisecond)
	}

	duration := time.Duration(*seconds * 1e9)
	warm := min(duration/5, 2*time.Second)
	started := time.Now()
	until := started.Add(warm + duration)
	gap := time.Duration(float64(len(clients)) / *rate * 1e9)
	var late atomic.Int64
	for i, client := range clients {
		wait.Add(1)
		go func() {
			defer wait.Done()
			text := newFiller(i, *size)
			due := started.Add(gap * time.Duration(i) / time.Duration(len(clients)))
			for ; due.Before(until) && failed.Load() == nil; due = due.Add(gap) {
				now := time.Now()
				time.Sleep(due.Sub(now))
				// one that cannot keep up is not waited for for ever
				if now.After(until.Add(2 * time.Second)) {
					late.Add(1)
					continue
				}
				if err := client.Send([][]byte{text.at(due)}); err != nil {
					failed.CompareAndSwap(nil, &err)
					return
				}
				sent.Add(1)
			}
		}()
	}
	time.Sleep(time.Until(started.Add(warm)))
	begin.Store(time.Now().UnixNano())
	meter := startMeter(*pids)
	result := Result{Wanted: *rate}
	taken := func() []int32 {
		lock.Lock()
		defer lock.Unlock()
		some := recent
		recent = nil
		return some
	}
	var everything [][]int32
	if held {
		result.Steps, everything, err = heldSteps(peer.(Sizer), duration, taken)
		if err != nil {
			return result, err
		}
	}
	wait.Wait()
	result.Seconds = time.Since(started.Add(warm)).Seconds()
	result.ServerCPU, result.ClientCPU = meter.stop()
	for i := 0; i < 50 && got.Load() < sent.Load() && failed.Load() == nil; i++ {
		time.Sleep(100 * time.Millisecond)
	}
	finished.Store(true)
	reader.Wait()
	if err := failed.Load(); err != nil {
		return result, *err
	}
	everything = append(everything, taken())
	for _, some := range everything {
		result.Records += int64(len(some))
	}
	result.Rate = float64(result.Records) / result.Seconds
	result.Missing = sent.Load() - got.Load() + late.Load()
	result.Latency = spread(everything...)
	consumer.Close()
	for _, client := range clients {
		client.Close()
	}
	return result, nil
}

// heldSteps watches a steady load; a transaction is open from the end of the
// second step to the beginning of the last but one.
func heldSteps(peer Sizer, duration time.Duration, taken func() []int32) ([]Step, [][]int32, error) {
	var (
		all     []Step
		lists   [][]int32
		release func()
		err     error
		started = time.Now()
		last    = started
	)
	taken()
	for i := 1; i <= *steps; i++ {
		if i == 3 && *hold {
			if release, err = peer.Hold(); err != nil {
				return nil, nil, err
			}
		}
		if i == *steps && release != nil {
			release()
			release = nil
		}
		meter := startMeter(*pids)
		time.Sleep(time.Until(started.Add(duration * time.Duration(i) / time.Duration(*steps))))
		some := taken()
		now := time.Now()
		step := Step{
			At: now.Sub(started).Seconds(), Held: release != nil,
			Rate: float64(len(some)) / now.Sub(last).Seconds(), Latency: spread(some),
		}
		step.CPU, _ = meter.stop()
		last = now
		if step.Bytes, step.Dead, err = peer.Size(); err != nil {
			return nil, nil, err
		}
		all = append(all, step)
		lists = append(lists, some)
	}
	return all, lists, nil
}
