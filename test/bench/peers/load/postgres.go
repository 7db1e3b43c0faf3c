// The peers inside PostgreSQL, through pgx: kstream, PgQ, an outbox table, and
// a plain table as the floor.  Statements are prepared, values go in binary.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var (
	background = context.Background()
	big        = binary.BigEndian
)

// PostgreSQL's times begin with 2000; in microseconds.
const pgEpoch = 946684800 * 1000000

// pg is what they share.
type pg struct {
	Options
}

// connect opens a session; the level "memory" is synchronous_commit = off.
func (peer *pg) connect() (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(peer.Address)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["client_min_messages"] = "warning"
	config.RuntimeParams["synchronous_commit"] = "on"
	if peer.Level == "memory" {
		config.RuntimeParams["synchronous_commit"] = "off"
	}
	return pgx.ConnectConfig(background, config)
}

// run executes statements one after the other.
func (peer *pg) run(statements ...string) error {
	conn, err := peer.connect()
	if err != nil {
		return err
	}
	defer conn.Close(background)
	for _, statement := range statements {
		if _, err := conn.Exec(background, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// Hold keeps a transaction open that has an ID and a snapshot, as a forgotten
// session or a long report does.
func (peer *pg) Hold() (func(), error) {
	conn, err := peer.connect()
	if err != nil {
		return nil, err
	}
	_, err = conn.Exec(background, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_catalog.txid_current()")
	return func() { conn.Close(background) }, err
}

// sizeOf sums up the relations that match a pattern schema.name.
func (peer *pg) sizeOf(where string) (bytes, dead int64, err error) {
	conn, err := peer.connect()
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close(background)
	err = conn.QueryRow(background, `SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint,
			coalesce(sum(pg_stat_get_dead_tuples(c.oid)), 0)::bigint
		FROM pg_class c WHERE relkind = 'r' AND `+where).Scan(&bytes, &dead)
	return bytes, dead, err
}

// pgProducer runs one statement for one value and another for many.
type pgProducer struct {
	conn *pgx.Conn
	one  func(value []byte) error
	many func(values [][]byte) error
}

func (p *pgProducer) Send(values [][]byte) error {
	if len(values) == 1 {
		return p.one(values[0])
	}
	return p.many(values)
}

func (p *pgProducer) Close() { p.conn.Close(background) }

// Types of parameters.
const (
	byteaOID = 17
	textOID  = 25
)

var inBinary = []int16{1}

// statement makes a function that executes prepared SQL with one more
// parameter, in binary.
func statement(conn *pgx.Conn, sql string, fixed ...string) func([]byte) error {
	var prepared *pgconn.StatementDescription
	parameters := make([][]byte, len(fixed)+1)
	for i, text := range fixed {
		parameters[i] = []byte(text)
	}
	return func(argument []byte) (err error) {
		if prepared == nil {
			if prepared, err = conn.Prepare(background, sql, sql); err != nil {
				return err
			}
		}
		parameters[len(fixed)] = argument
		_, err = conn.PgConn().ExecStatement(background, prepared, parameters, inBinary, inBinary).Close()
		return err
	}
}

// array makes a function that hands values over as one array.  It encodes them
// itself; pgx would look at the type of each, which takes longer than the server
// takes for a record.
func array(one func([]byte) error, element uint32) func([][]byte) error {
	var text []byte
	return func(values [][]byte) error {
		text = text[:0]
		for _, field := range []uint32{1, 0, element, uint32(len(values)), 1} { // dimensions, no null, type, length, first index
			text = big.AppendUint32(text, field)
		}
		for _, value := range values {
			text = append(big.AppendUint32(text, uint32(len(value))), value...)
		}
		return one(text)
	}
}

// copier writes rows into a table by binary COPY; row appends the fields of one,
// each behind its length.
func copier(conn *pgx.Conn, table string, fields uint16, row func(text, value []byte) []byte) func([][]byte) error {
	var text []byte
	return func(values [][]byte) error {
		text = append(text[:0], "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
		for _, value := range values {
			text = row(big.AppendUint16(text, fields), value)
		}
		text = append(text, 0xff, 0xff)
		_, err := conn.PgConn().CopyFrom(background, bytes.NewReader(text), "COPY "+table+" FROM STDIN (FORMAT binary)")
		return err
	}
}

// field appends one of COPY's fields.
func field(text, value []byte) []byte {
	return append(big.AppendUint32(text, uint32(len(value))), value...)
}

// pgConsumer is a session and the function that asks for more.
type pgConsumer struct {
	conn *pgx.Conn
	next func(wait time.Duration, take func([]byte)) error
}

func (c *pgConsumer) Next(wait time.Duration, take func([]byte)) error { return c.next(wait, take) }
func (c *pgConsumer) Close()                                           { c.conn.Close(background) }

// each hands the last column of each row over, and returns the number of rows
// and, of the last row, the first column.
func each(rows pgx.Rows, err error, take func([]byte)) (count int, first []byte, _ error) {
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		raw := rows.RawValues()
		take(raw[len(raw)-1])
		first = append(first[:0], raw[0]...)
		count++
	}
	return count, first, rows.Err()
}

// poll repeats a query that does not wait until it brings something.
func poll(wait, pause time.Duration, query func() (int, error)) error {
	for until := time.Now().Add(wait); ; time.Sleep(pause) {
		count, err := query()
		if err != nil || count > 0 || time.Now().After(until) {
			return err
		}
	}
}

// kstream: produce() and produce_batch_bytes(); fetch() without a group; poll()
// in a group, which commits its offsets once a second.
type kstream struct{ pg }

func newKstream(options Options) (Peer, error) { return &kstream{pg{options}}, nil }

func (peer *kstream) Create() error {
	options := fmt.Sprintf(`"compression": "%s"`, peer.Codec)
	if *cell == "held" {
		// so that the log has a size of its own within the run, as a table of what is not consumed has
		options += `, "retention": "4 minutes"`
	}
	return peer.run(fmt.Sprintf(`SELECT kstream.create_topic('%s', 1, '{%s}')`, peer.Topic, options),
		"CALL kstream.run_maintenance()")
}

func (peer *kstream) NewProducer() (Producer, error) {
	conn, err := peer.connect()
	return &pgProducer{
		conn: conn,
		one:  statement(conn, "SELECT kstream.produce($1, NULL, $2::bytea)", peer.Topic),
		many: array(statement(conn, "SELECT kstream.produce_batch_bytes($1, NULL, $2)", peer.Topic), byteaOID),
	}, err
}

func (peer *kstream) NewConsumer(group int) (Consumer, error) {
	conn, err := peer.connect()
	if group < 0 && variant == "server" {
		done := false
		return &pgConsumer{conn, func(_ time.Duration, take func([]byte)) error {
			var count int64
			if done {
				return nil
			}
			done = true
			err := conn.QueryRow(background,
				"SELECT count(*) FROM kstream.fetch($1, 0, 0, 2147483647, 2147483647) r WHERE r.value IS NOT NULL",
				peer.Topic).Scan(&count)
			for ; count > 0; count-- {
				take(nil)
			}
			return err
		}}, err
	}
	if group < 0 && variant == "batches" {
		offset := int64(0)
		return &pgConsumer{conn, func(wait time.Duration, take func([]byte)) error {
			var broken error
			rows, err := conn.Query(background,
				"SELECT f.last_offset, f.batch FROM kstream.fetch_batches($1, 0, $2, max_wait => $3) f",
				peer.Topic, offset, wait)
			count, last, err := each(rows, err, func(batch []byte) {
				if _, err := eachRecord(batch, take); err != nil {
					broken = err
				}
			})
			if count > 0 {
				offset = bigint(last) + 1
			}
			return errors.Join(err, broken)
		}}, err
	}
	if group < 0 {
		offset := int64(0)
		return &pgConsumer{conn, func(wait time.Duration, take func([]byte)) error {
			rows, err := conn.Query(background,
				"SELECT r.offset, r.value FROM kstream.fetch($1, 0, $2, 10000, max_wait => $3) r",
				peer.Topic, offset, wait)
			count, last, err := each(rows, err, take)
			if count > 0 {
				offset = bigint(last) + 1
			}
			return err
		}}, err
	}
	name := fmt.Sprintf("%s_%d", peer.Topic, group)
	committed := time.Now()
	return &pgConsumer{conn, func(wait time.Duration, take func([]byte)) error {
		rows, err := conn.Query(background,
			"SELECT r.value FROM kstream.poll($1, ARRAY[$2], max_records => 10000, max_wait => $3) r",
			name, peer.Topic, wait)
		if _, _, err = each(rows, err, take); err != nil {
			return err
		}
		if time.Since(committed) > time.Second {
			committed = time.Now()
			_, err = conn.Exec(background, "SELECT kstream.commit($1)", name)
		}
		return err
	}}, err
}

func bigint(raw []byte) (number int64) {
	for _, b := range raw {
		number = number<<8 | int64(b)
	}
	return number
}

func (peer *kstream) Size() (int64, int64, error) {
	return peer.sizeOf("relnamespace IN ('kstream_log'::regnamespace, 'kstream'::regnamespace)")
}

// PgQ: insert_event(), for a batch in one statement, or, as its own Python
// client does it, by COPY into the current event table; next_batch(),
// get_batch_events() and finish_batch().  The ticker is pgqd.
type pgq struct{ pg }

func newPgq(options Options) (Peer, error) { return &pgq{pg{options}}, nil }

func (peer *pgq) Create() error {
	statements := []string{
		"CREATE EXTENSION IF NOT EXISTS pgq",
		fmt.Sprintf("SELECT pgq.create_queue('%s')", peer.Topic),
	}
	if variant == "ticks" {
		// a tick for every event and every ticker run, the quickest it can do
		statements = append(statements, fmt.Sprintf(
			"SELECT pgq.set_queue_config('%[1]s', 'ticker_max_count', '1'), pgq.set_queue_config('%[1]s', 'ticker_max_lag', '0')", peer.Topic))
	}
	for i := range max(peer.Groups, 1) {
		statements = append(statements, fmt.Sprintf("SELECT pgq.register_consumer('%s', 'group%d')", peer.Topic, i))
	}
	statements = append(statements, fmt.Sprintf("SELECT pgq.register_consumer('%s', 'server')", peer.Topic))
	return peer.run(statements...)
}

func (peer *pgq) NewProducer() (Producer, error) {
	conn, err := peer.connect()
	if err != nil {
		return nil, err
	}
	producer := &pgProducer{
		conn: conn,
		one:  statement(conn, "SELECT pgq.insert_event($1, 'r', $2)", peer.Topic),
		many: array(statement(conn, "SELECT count(pgq.insert_event($1, 'r', v)) FROM unnest($2::text[]) v", peer.Topic), textOID),
	}
	if variant == "copy" {
		var table string
		if err = conn.QueryRow(background, "SELECT pgq.current_event_table($1)", peer.Topic).Scan(&table); err != nil {
			return nil, err
		}
		producer.many = copier(conn, table+" (ev_time, ev_type, ev_data)", 3, func(text, value []byte) []byte {
			text = big.AppendUint32(text, 8)
			text = big.AppendUint64(text, uint64(time.Now().UnixMicro()-pgEpoch))
			return field(field(text, []byte("r")), value)
		})
	}
	return producer, nil
}

func (peer *pgq) NewConsumer(group int) (Consumer, error) {
	conn, err := peer.connect()
	if err != nil {
		return nil, err
	}
	// what is there already must not wait for the next tick
	if _, err = conn.Exec(background, "SELECT pgq.force_tick($1)", peer.Topic); err == nil {
		_, err = conn.Exec(background, "SELECT pgq.ticker($1)", peer.Topic)
	}
	name := fmt.Sprintf("group%d", max(group, 0))
	if variant == "server" {
		name = variant
	}
	return &pgConsumer{conn, func(wait time.Duration, take func([]byte)) error {
		return poll(wait, 5*time.Millisecond, func() (int, error) {
			var batch *int64
			err := conn.QueryRow(background, "SELECT pgq.next_batch($1, $2)", peer.Topic, name).Scan(&batch)
			if err != nil || batch == nil {
				return 0, err
			}
			count := 0
			if variant == "server" {
				err = conn.QueryRow(background,
					"SELECT count(*) FROM pgq.get_batch_events($1) WHERE ev_data IS NOT NULL", *batch).Scan(&count)
				for range count {
					take(nil)
				}
			} else {
				rows, failed := conn.Query(background, "SELECT ev_id, ev_data FROM pgq.get_batch_events($1)", *batch)
				count, _, err = each(rows, failed, take)
			}
			if err != nil {
				return count, err
			}
			_, err = conn.Exec(background, "SELECT pgq.finish_batch($1)", *batch)
			return count, err
		})
	}}, err
}

func (peer *pgq) Size() (int64, int64, error) {
	return peer.sizeOf("relnamespace = 'pgq'::regnamespace")
}

// An outbox as it is made by hand: a table with an identity column, workers
// that take the oldest rows with SKIP LOCKED and delete them.  For more than
// one group every record has a row per group.
type outbox struct{ pg }

func newOutbox(options Options) (Peer, error) { return &outbox{pg{options}}, nil }

func (peer *outbox) table() string { return "outbox_" + peer.Topic }

func (peer *outbox) Create() error {
	return peer.run(fmt.Sprintf(`CREATE TABLE %s (
		id bigint GENERATED ALWAYS AS IDENTITY, grp int NOT NULL, value bytea,
		PRIMARY KEY (grp, id))`, peer.table()))
}

func (peer *outbox) NewProducer() (Producer, error) {
	conn, err := peer.connect()
	insert := fmt.Sprintf("INSERT INTO %s (grp, value) SELECT g, v FROM unnest($1::bytea[]) v, generate_series(0, %d) g",
		peer.table(), max(peer.Groups, 1)-1)
	producer := &pgProducer{
		conn: conn,
		one:  statement(conn, fmt.Sprintf("INSERT INTO %s (grp, value) VALUES (0, $1)", peer.table())),
		many: array(statement(conn, insert), byteaOID),
	}
	if peer.Groups > 1 {
		producer.one = func(value []byte) error { return producer.many([][]byte{value}) }
	}
	return producer, err
}

func (peer *outbox) NewConsumer(group int) (Consumer, error) {
	conn, err := peer.connect()
	take := fmt.Sprintf(`WITH taken AS (
			SELECT id FROM %[1]s WHERE grp = $1 ORDER BY id LIMIT 1000 FOR UPDATE SKIP LOCKED)
		DELETE FROM %[1]s o USING taken t WHERE o.grp = $1 AND o.id = t.id RETURNING o.id, o.value`, peer.table())
	return &pgConsumer{conn, func(wait time.Duration, each1 func([]byte)) error {
		return poll(wait, 5*time.Millisecond, func() (int, error) {
			rows, err := conn.Query(background, take, max(group, 0))
			count, _, err := each(rows, err, each1)
			return count, err
		})
	}}, err
}

func (peer *outbox) Size() (int64, int64, error) {
	return peer.sizeOf(fmt.Sprintf("oid = '%s'::regclass", peer.table()))
}

// The floor: INSERT and COPY into a table, and reading it whole.  No queue.
type table struct{ pg }

func newTable(options Options) (Peer, error) { return &table{pg{options}}, nil }

func (peer *table) Create() error {
	return peer.run(fmt.Sprintf("CREATE TABLE table_%s (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, value bytea)", peer.Topic))
}

func (peer *table) NewProducer() (Producer, error) {
	conn, err := peer.connect()
	return &pgProducer{
		conn: conn,
		one:  statement(conn, fmt.Sprintf("INSERT INTO table_%s (value) VALUES ($1)", peer.Topic)),
		many: copier(conn, fmt.Sprintf("table_%s (value)", peer.Topic), 1, field),
	}, err
}

func (peer *table) NewConsumer(int) (Consumer, error) {
	conn, err := peer.connect()
	done := false
	return &pgConsumer{conn, func(wait time.Duration, take func([]byte)) error {
		if done {
			return nil
		}
		done = true
		rows, err := conn.Query(background, fmt.Sprintf("SELECT id, value FROM table_%s", peer.Topic))
		_, _, err = each(rows, err, take)
		return err
	}}, err
}

func (peer *table) Size() (int64, int64, error) {
	return peer.sizeOf(fmt.Sprintf("oid = 'table_%s'::regclass", peer.Topic))
}
