// kstream from Go, through pgx (Debian: golang-github-jackc-pgx-v4-dev).
//
//	client write TOPIC NUMBER            produce to partition NUMBER
//	client read TOPIC                    print every record
//	client wait TOPIC PARTITION OFFSET   print what comes from there on
//
// pgx asks the server for the types of parameters, so each is text unless the
// SQL says otherwise: bytes need $n::bytea.  Where it finds the server: PGHOST,
// PGPORT, PGDATABASE, PGUSER.  What is printed, and which records are written:
// test/t/060_clients.pl.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgtype"
	"github.com/jackc/pgx/v4"
)

var (
	ctx  = context.Background()
	leap = time.Date(2024, 2, 29, 12, 34, 56, 789000000, time.UTC)
)

type object = map[string]interface{}

// A writer produces to one partition of a topic.
type writer struct {
	tx     pgx.Tx
	topic  string
	number int
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func told(passed bool, name string) {
	if passed {
		fmt.Println("ok -", name)
	} else {
		fmt.Println("not ok -", name)
	}
}

// put produces one record: key is $2, value $3; form is how the call has them.
func (w writer) put(name string, key, value interface{}, form, more string,
	args ...interface{}) {
	var went int
	sql := "SELECT kstream.produce($1, " + form + ", partition => $4" + more + ")"
	args = append([]interface{}{w.topic, key, value, w.number}, args...)
	check(w.tx.QueryRow(ctx, sql, args...).Scan(&went))
	told(went == w.number, name)
}

func (w writer) values() {
	n := int64(w.number)
	uuid := fmt.Sprintf("00000000-0000-0000-0000-%012d", n)

	w.put("untyped, untyped", "go:1", "grüße 1", "$2, $3", "")
	w.put("text, text", "go:2", "two", "$2::text, $3::text", "")
	w.put("untyped, bytea", "go:3", []byte{0, 255, 128, 65}, "$2, $3::bytea", "")
	w.put("text, jsonb", "go:4", object{"s": "é", "n": 1}, "$2::text, $3::jsonb", "")
	w.put("bigint, untyped", n*100+5, "five", "$2::bigint, $3", "")
	w.put("bytea, text", []byte("go:6\x00"), "six", "$2::bytea, $3::text", "")
	w.put("integer, integer", n*100+7, -7, "$2::int, $3::int", "")
	w.put("bytea, bytea", []byte("go:8\xff"), []byte{}, "$2::bytea, $3::bytea", "")
	w.put("uuid, numeric", uuid, "12.50", "$2::uuid, $3::numeric", "")
	w.put("untyped, NULL", "go:10", nil, "$2, $3", "")
	w.put("untyped, NULL bytea", "go:11", nil, "$2, $3::bytea", "")
	w.put("NULL, untyped", nil, "go:12", "$2, $3", "")
}

func (w writer) options() {
	w.put("headers, an object", "go:13", "h", "$2, $3", ", headers => $5",
		object{"trace": "abc", "none": nil})
	w.put("headers, a list", "go:14", "h", "$2, $3", ", headers => $5",
		[]object{{"key": "k", "value": "1"},
			{"key": "k", "value": object{"base64": "AP8="}}})
	w.put("event time", "go:15", "t", "$2, $3", ", event_time => $5", leap)
	_, err := w.tx.Exec(ctx, "SELECT kstream.produce($1, $2, $3)", w.topic, "go:16", "")
	check(err)
	told(true, "defaults")
}

func (w writer) batches() {
	var records int64
	text := func(s string) *string { return &s }
	headers := pgtype.JSONBArray{}

	check(headers.Set([]pgtype.JSONB{
		{Bytes: []byte(`{"h": "1"}`), Status: pgtype.Present},
		{Status: pgtype.Null}, {Status: pgtype.Null}}))
	check(w.tx.QueryRow(ctx, "SELECT kstream.produce_batch($1, $2, $3, $4, $5, $6)",
		w.topic, []*string{text("go:17"), text("go:18"), nil},
		[]*string{text("a"), nil, text("go:19 é")}, headers, w.number,
		[]*time.Time{&leap, nil, &leap}).Scan(&records))
	told(records == 3, "batch of text")
	check(w.tx.QueryRow(ctx, "SELECT kstream.produce_batch_bytes($1, $2, $3, partition => $4)",
		w.topic, [][]byte{[]byte("go:20"), nil},
		[][]byte{{0, 255}, []byte("go:21")}, w.number).Scan(&records))
	told(records == 2, "batch of bytes")
}

func write(conn *pgx.Conn, topic, number string) {
	n, err := strconv.Atoi(number)
	check(err)
	tx, err := conn.Begin(ctx)
	check(err)
	_, err = tx.Exec(ctx, "SELECT kstream.produce($1, $2, $3)", topic, "go:0", "rolled back")
	check(err)
	check(tx.Rollback(ctx))

	tx, err = conn.Begin(ctx)
	check(err)
	w := writer{tx, topic, n}
	w.values()
	w.options()
	w.batches()
	check(tx.Commit(ctx))
}

// A record in Go's own types; headers may be any JSON.
type record struct {
	partition int
	offset    int64
	timestamp time.Time
	key       []byte
	value     []byte
	headers   interface{}
}

func bytes(value []byte) string {
	if value == nil {
		return "NULL"
	}
	return hex.EncodeToString(value)
}

// show prints a record as the test wants it.
func (r record) show() {
	headers := "NULL"
	if r.headers != nil {
		text, err := json.Marshal(r.headers)
		check(err)
		headers = string(text)
	}
	fmt.Printf("%d\t%d\t%d\t%s\t%s\t%s\n", r.partition, r.offset,
		r.timestamp.UnixMilli(), bytes(r.key), bytes(r.value), headers)
}

func fetch(conn *pgx.Conn, topic string, partition int, offset int64,
	wait time.Duration) ([]record, error) {
	var records []record
	rows, err := conn.Query(ctx, `
		SELECT r.partition, r.offset, r.timestamp, r.key, r.value, r.headers
			FROM kstream.fetch($1, $2, $3, max_records => $4, max_wait => $5) r`,
		topic, partition, offset, 4, wait)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r record
		err = rows.Scan(&r.partition, &r.offset, &r.timestamp, &r.key, &r.value, &r.headers)
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, rows.Err()
}

func read(conn *pgx.Conn, topic string) {
	type span struct {
		partition    int
		offset, last int64
	}
	var spans []span
	rows, err := conn.Query(ctx,
		"SELECT partition, earliest, latest FROM kstream.list_offsets($1) ORDER BY 1", topic)
	check(err)
	for rows.Next() {
		var s span
		check(rows.Scan(&s.partition, &s.offset, &s.last))
		spans = append(spans, s)
	}
	check(rows.Err())
	for _, s := range spans {
		for s.offset < s.last {
			records, err := fetch(conn, topic, s.partition, s.offset, 0)
			check(err)
			for _, r := range records {
				r.show()
				s.offset = r.offset + 1
			}
		}
	}
	_, err = fetch(conn, topic, 0, 1<<40, 0)
	var failure *pgconn.PgError
	if errors.As(err, &failure) {
		fmt.Printf("error\t%s\n", failure.Code)
	}
}

func wait(conn *pgx.Conn, topic, partition, offset string) {
	number, err := strconv.Atoi(partition)
	check(err)
	from, err := strconv.ParseInt(offset, 10, 64)
	check(err)
	records, err := fetch(conn, topic, number, from, 25*time.Second)
	check(err)
	for _, r := range records {
		r.show()
	}
}

func main() {
	conn, err := pgx.Connect(ctx, "")
	check(err)
	defer conn.Close(ctx)
	switch args := os.Args[2:]; os.Args[1] {
	case "write":
		write(conn, args[0], args[1])
	case "read":
		read(conn, args[0])
	case "wait":
		wait(conn, args[0], args[1], args[2])
	}
}
