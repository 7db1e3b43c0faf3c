// What is measured besides time, and what the records are made of.
package main

import (
	"bytes"
	"math/rand"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Spread tells how latencies are spread, in microseconds.
type Spread struct {
	P50  int32 `json:"p50"`
	P99  int32 `json:"p99"`
	P999 int32 `json:"p999"`
	Max  int32 `json:"max"`
}

func spread(lists ...[]int32) Spread {
	all := slices.Concat(lists...)
	if len(all) == 0 {
		return Spread{}
	}
	slices.Sort(all)
	at := func(share float64) int32 { return all[min(int(share*float64(len(all))), len(all)-1)] }
	return Spread{at(0.5), at(0.99), at(0.999), all[len(all)-1]}
}

// Meter counts CPU seconds, user and system, of the servers' processes and of
// this one.
type Meter struct {
	roots          []int
	server, client float64
}

func startMeter(pids string) *Meter {
	meter := &Meter{}
	for _, field := range strings.FieldsFunc(pids, func(r rune) bool { return r == ',' }) {
		if pid, err := strconv.Atoi(field); err == nil {
			meter.roots = append(meter.roots, pid)
		}
	}
	meter.server, meter.client = meter.read()
	return meter
}

func (meter *Meter) stop() (server, client float64) {
	server, client = meter.read()
	return server - meter.server, client - meter.client
}

func (meter *Meter) read() (server, client float64) {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	client = float64(usage.Utime.Sec+usage.Stime.Sec) + float64(usage.Utime.Usec+usage.Stime.Usec)/1e6
	return treeCPU(meter.roots), client
}

// treeCPU adds up the roots and all below them.  A process counts its children
// that ended too, so one that goes away is not lost.
func treeCPU(roots []int) float64 {
	type process struct{ parent, ticks int }
	all := map[int]process{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
		// the name is in parentheses and may hold anything
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		one := process{}
		one.parent, _ = strconv.Atoi(fields[1])
		for _, field := range fields[11:15] { // utime, stime, cutime, cstime
			ticks, _ := strconv.Atoi(field)
			one.ticks += ticks
		}
		all[pid] = one
	}
	total := 0
	for pid, one := range all {
		for up := pid; up > 1; up = all[up].parent {
			if slices.Contains(roots, up) {
				total += one.ticks
				break
			}
		}
	}
	return float64(total) / 100 // USER_HZ
}

// Filler makes values: the time it was due (ns, 19 digits), a producer and a
// number, and random letters that no codec makes much smaller.  All of it is
// text, since not every peer takes bytes.
type Filler struct {
	producer, number, size int
	random                 *rand.Rand
}

const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// Where the letters come from, made before anything is measured.
var pool = func() []byte {
	random := rand.New(rand.NewSource(1))
	all := make([]byte, 1<<20)
	for i := range all {
		all[i] = letters[random.Intn(64)]
	}
	return all
}()

func newFiller(producer, size int) *Filler {
	return &Filler{producer: producer, size: size, random: rand.New(rand.NewSource(int64(producer)))}
}

func (filler *Filler) at(due time.Time) []byte {
	return filler.add(make([]byte, 0, max(filler.size, 34)), due)
}

// add appends one value.  It is cheap, since what it takes is a part of every rate.
func (filler *Filler) add(to []byte, due time.Time) []byte {
	start := len(to)
	to = digits(to, due.UnixNano(), 19)
	to = digits(append(to, ' '), int64(filler.producer), 3)
	to = append(digits(append(to, ' '), int64(filler.number), 9), ' ')
	filler.number++
	if rest := filler.size - (len(to) - start); rest > 0 {
		from := filler.random.Intn(len(pool) - rest)
		to = append(to, pool[from:from+rest]...)
	}
	return to
}

// digits appends a number with leading zeros.
func digits(to []byte, number int64, width int) []byte {
	start := len(to)
	to = to[:start+width]
	for i := start + width - 1; i >= start; i-- {
		to[i] = byte('0' + number%10)
		number /= 10
	}
	return to
}

// values makes a batch, which is due now.
func (filler *Filler) values(n int) [][]byte {
	now := time.Now()
	text := make([]byte, 0, n*max(filler.size, 34))
	all := make([][]byte, n)
	for i := range all {
		start := len(text)
		text = filler.add(text, now)
		all[i] = text[start:len(text):len(text)]
	}
	return all
}

func dueTime(value []byte) int64 {
	due, _ := strconv.ParseInt(string(value[:19]), 10, 64)
	return due
}
