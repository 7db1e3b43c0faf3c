// Kafka's record batches, as kstream.fetch_batches() hands them out.
package main

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var errBatch = errors.New("a record batch that cannot be read")

// Places in a batch's header.
const (
	batchCRC        = 17
	batchAttributes = 21
	batchCount      = 57
	batchRecords    = 61
)

// eachRecord checks a batch and hands the values of its records over, as a
// consumer's library does.
func eachRecord(batch []byte, take func([]byte)) (int, error) {
	if len(batch) < batchRecords || batch[batchAttributes+1]&7 != 0 ||
		crc32.Checksum(batch[batchAttributes:], castagnoli) != binary.BigEndian.Uint32(batch[batchCRC:]) {
		return 0, errBatch
	}
	count := int(binary.BigEndian.Uint32(batch[batchCount:]))
	at := batch[batchRecords:]
	for range count {
		size, n := binary.Varint(at)
		if n <= 0 || size < 0 || int(size) > len(at)-n {
			return 0, errBatch
		}
		record := at[n : n+int(size)]
		at = at[n+int(size):]
		record = record[1:] // attributes
		for range 2 {       // deltas of time and offset
			_, n = binary.Varint(record)
			record = record[n:]
		}
		key, n := binary.Varint(record)
		record = record[n+max(int(key), 0):]
		value, n := binary.Varint(record)
		take(record[n : n+int(value)])
	}
	return count, nil
}
