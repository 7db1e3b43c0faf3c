// Takes orders: each is a row of a table and a record of a topic, or neither.
//
//	producer FIRST LAST    the numbers of the orders to place
//
// A connection that is lost during COMMIT leaves open whether it committed.  So
// an order that failed is placed again, and its number tells whether it is
// there already: the record went with the row.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/jackc/pgx/v4"
)

type order struct {
	ID       int64  `json:"id"`
	Customer string `json:"customer"`
	Cents    int64  `json:"cents"`
}

func (o order) place(ctx context.Context, tx pgx.Tx, placedAt time.Time) error {
	inserted, err := tx.Exec(ctx, `
		INSERT INTO orders (id, customer, cents, source, placed_at)
			VALUES ($1, $2, $3, 'go', $4) ON CONFLICT DO NOTHING`,
		o.ID, o.Customer, o.Cents, placedAt)
	if err != nil || inserted.RowsAffected() == 0 {
		return err
	}
	value, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `SELECT kstream.produce('orders', $1::bigint, $2::bytea,
			headers => $3, event_time => $4)`,
		o.ID, value, map[string]string{"source": "go"}, placedAt)
	return err
}

func placeAll(ctx context.Context, next *int64, last int64) error {
	conn, err := pgx.Connect(ctx, "")
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for ; *next <= last; *next++ {
		o := order{*next, fmt.Sprint("Zoë ", *next%7), *next * 5}
		err := conn.BeginFunc(ctx, func(tx pgx.Tx) error { return o.place(ctx, tx, time.Now()) })
		if err != nil {
			return err
		}
	}
	return nil
}

func main() {
	var next, last int64
	if _, err := fmt.Sscan(os.Args[1]+" "+os.Args[2], &next, &last); err != nil {
		log.Fatal(err)
	}
	for next <= last {
		if err := placeAll(context.Background(), &next, last); err != nil {
			log.Print("will try again: ", err)
			time.Sleep(time.Second)
		}
	}
}
