// Ships orders: a consumer that does its work exactly once.
//
//	consumer [NAME]
//
// The work and the offset commit together, so neither a crash, nor a lost
// connection, nor a rebalance loses or repeats a shipment.  A member of the
// group is this session, or NAME, which outlives it.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
)

const (
	poll = `SELECT r.partition, r.offset, r.timestamp, kstream.text(r.key)::bigint, r.value, r.headers
		FROM kstream.poll('shipping', '{orders}', $1, max_wait => '20 s') r`
	ship = `INSERT INTO shipment (partition, record_offset, placed_at, order_id, record, headers)
		VALUES ($1, $2, $3, $4, $5, $6)`
)

func shipBatch(ctx context.Context, tx pgx.Tx, name *string) error {
	work := &pgx.Batch{}
	records, err := tx.Query(ctx, poll, name)
	if err != nil {
		return err
	}
	defer records.Close()
	for records.Next() {
		var (
			partition     int
			offset, order int64
			timestamp     time.Time
			value         []byte
			headers       map[string]string
		)
		if err := records.Scan(&partition, &offset, &timestamp, &order, &value, &headers); err != nil {
			return err
		}
		work.Queue(ship, partition, offset, timestamp, order, value, headers)
	}
	if records.Err() != nil {
		return records.Err()
	}
	work.Queue("SELECT kstream.commit('shipping', $1)", name)
	return tx.SendBatch(ctx, work).Close()
}

func consume(ctx context.Context, name *string) error {
	conn, err := pgx.Connect(ctx, "")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for {
		err := conn.BeginFunc(ctx, func(tx pgx.Tx) error { return shipBatch(ctx, tx, name) })
		var failure *pgconn.PgError
		if errors.As(err, &failure) && (failure.Code == "KS110" || failure.Code == "40001") {
			continue // the partition is another member's now: its records are, too
		}
		if err != nil {
			return err
		}
	}
}

func main() {
	var name *string
	if len(os.Args) > 1 {
		name = &os.Args[1]
	}
	for {
		log.Print("will try again: ", consume(context.Background(), name))
		time.Sleep(time.Second)
	}
}
