// Package loop is judge.py's protocol for clients in Go.
package loop

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Wait is how long a fetch may wait at the end of a partition.
const Wait = 20 * time.Second

// Header is a name and a value, which may be nil.
type Header struct {
	Name  string
	Value []byte
}

// Record is what goes over the wire.
type Record struct {
	Partition  int32
	Offset     int64
	Time       time.Time
	Key, Value []byte
	Headers    []Header
}

// Kafka is what a client must have.
type Kafka interface {
	Has() string
	Produce(topic, codec, acks string, idempotent bool, records []Record) error // sets the offsets
	Consume(topic string, partition int32, from string, many int) error        // says each record
	Member(topic, group, assignor, instance string, idle time.Duration) error   // says partition and offset
	Create(topic string, partitions int32, name, value string) error
	Partitions(topic string) (int, error)
	List() ([]string, error)
	Config(topic, name string) (string, error)
	Alter(topic, name, value string) error
	Grow(topic string, partitions int32) error
	Trim(topic string, partition int32, offset int64) error
	Delete(topic string) error
}

// Transactor is what a client has if it has transactions.
type Transactor interface {
	Transact(id, topic string, many int) error
	Fence(id, topic string) error // says "fenced"
}

// Env is a variable of the judge: BOOTSTRAP, USER, PASSWORD.
func Env(name string) string { return os.Getenv("KAFKA_" + name) }

func decoded(text string) []byte {
	if text == "-" {
		return nil
	}
	data, _ := hex.DecodeString(text)
	return data
}

func coded(data []byte) string {
	if data == nil {
		return "-"
	}
	return hex.EncodeToString(data)
}

// Number reads a number.
func Number(text string) int64 {
	number, _ := strconv.ParseInt(text, 10, 64)
	return number
}

func recordOf(line string) Record {
	w := strings.Split(line, "\t")
	record := Record{Partition: int32(Number(w[0])), Time: time.UnixMilli(Number(w[2])), Key: decoded(w[3]), Value: decoded(w[4])}
	if w[5] != "." {
		for _, pair := range strings.Split(w[5], ",") {
			name, value, _ := strings.Cut(pair, "=")
			record.Headers = append(record.Headers, Header{string(decoded(name)), decoded(value)})
		}
	}
	return record
}

// SayRecord tells the judge of a record.
func SayRecord(r Record) {
	pairs := "."
	for n, h := range r.Headers {
		if n == 0 {
			pairs = ""
		} else {
			pairs += ","
		}
		pairs += coded([]byte(h.Name)) + "=" + coded(h.Value)
	}
	fmt.Printf("%d\t%d\t%d\t%s\t%s\t%s\n", r.Partition, r.Offset, r.Time.UnixMilli(), coded(r.Key), coded(r.Value), pairs)
}

func answer(kafka Kafka, w []string, in *bufio.Scanner) error {
	switch w[0] {
	case "has":
		fmt.Println(kafka.Has())
	case "produce":
		var records []Record
		for n := Number(w[5]); n > 0 && in.Scan(); n-- {
			records = append(records, recordOf(in.Text()))
		}
		if err := kafka.Produce(w[1], w[2], w[3], w[4] == "1", records); err != nil {
			return err
		}
		for _, r := range records {
			if w[3] != "0" {
				fmt.Println(r.Partition, r.Offset)
			}
		}
	case "consume":
		return kafka.Consume(w[1], int32(Number(w[2])), w[3], int(Number(w[4])))
	case "transact":
		return kafka.(Transactor).Transact(w[1], w[2], int(Number(w[3])))
	case "fence":
		return kafka.(Transactor).Fence(w[1], w[2])
	case "member":
		return kafka.Member(w[1], w[2], w[3], w[4], time.Duration(Number(w[5]))*time.Second)
	case "create":
		return kafka.Create(w[1], int32(Number(w[2])), w[3], w[4])
	case "partitions":
		many, err := kafka.Partitions(w[1])
		fmt.Println(many)
		return err
	case "list":
		names, err := kafka.List()
		for _, name := range names {
			fmt.Println(name)
		}
		return err
	case "config":
		value, err := kafka.Config(w[1], w[2])
		fmt.Println(value)
		return err
	case "alter":
		return kafka.Alter(w[1], w[2], w[3])
	case "grow":
		return kafka.Grow(w[1], int32(Number(w[2])))
	case "trim":
		return kafka.Trim(w[1], int32(Number(w[2])), Number(w[3]))
	case "delete":
		return kafka.Delete(w[1])
	}
	return nil
}

// Run is the loop.
func Run(kafka Kafka) {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		if err := answer(kafka, strings.Split(in.Text(), "\t"), in); err != nil {
			fmt.Println("error", strings.ReplaceAll(err.Error(), "\n", " "))
		} else {
			fmt.Println("ok")
		}
	}
}
