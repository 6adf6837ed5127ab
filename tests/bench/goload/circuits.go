// SPDX-License-Identifier: Apache-2.0 OR MIT

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

const sinkID = protocol.ID("/adit/bench/sink/1")

// load is n circuits, each with one stream that is written to while the gate is open.
type load struct {
	hosts   []host.Host
	streams []network.Stream
	relay   peer.AddrInfo
	pid     int
	got     atomic.Int64
	in, out frames // the dialers' connections to the relay, and the listeners'
}

type loadResult struct {
	Bytes   int64   `json:"bytes"`
	WallS   float64 `json:"wall_s"`
	CPUS    float64 `json:"cpu_s"`
	OwnCPUS float64 `json:"load_cpu_s"`
	In      tally   `json:"frames_in"`
	Out     tally   `json:"frames_out"`
}

func cmdCircuits(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("circuits", flag.ExitOnError)
	relayText := fs.String("relay", "", "multiaddr of the relay, with /p2p/")
	pid := fs.Int("relay-pid", 0, "the relay's process, whose CPU is read")
	n := fs.Int("n", 8, "circuits, each between two peers of its own")
	max := maxSeconds(fs)
	if err := parse(fs, args); err != nil {
		return err
	}
	ctx, cancel := bounded(ctx, *max)
	defer cancel()
	ai, err := relayInfo(*relayText)
	if err != nil {
		return err
	}
	l := &load{relay: ai, pid: *pid}
	defer func() { closeAll(l.hosts) }()
	for i := 0; i < *n; i++ {
		if err := l.add(ctx); err != nil {
			return fmt.Errorf("circuit %d: %w", i, err)
		}
	}
	fmt.Fprintln(os.Stderr, "goload.ready")
	// A line is: bytes per write, seconds.
	return serve(ctx, func(w []string) (any, error) {
		if len(w) != 2 {
			return nil, errors.New("a line is: bytes per write, seconds")
		}
		size, err1 := strconv.Atoi(w[0])
		s, err2 := strconv.ParseFloat(w[1], 64)
		if err1 != nil || err2 != nil || size < 1 || size > 1<<20 || s <= 0 || s > 60 {
			return nil, fmt.Errorf("cannot write %q bytes for %q seconds", w[0], w[1])
		}
		return l.run(ctx, size, time.Duration(s*float64(time.Second)))
	})
}

func (l *load) add(ctx context.Context) error {
	dst, err := newReserved(ctx, &l.out, l.relay, "")
	if err != nil {
		return err
	}
	l.hosts = append(l.hosts, dst)
	dst.SetStreamHandler(sinkID, l.sink)
	src, err := newPeer(&l.in, "")
	if err != nil {
		return err
	}
	l.hosts = append(l.hosts, src)
	if err := src.Connect(ctx, through(l.relay, dst.ID())); err != nil {
		return err
	}
	s, err := src.NewStream(network.WithAllowLimitedConn(ctx, "bench"), dst.ID(), sinkID)
	if err != nil {
		return err
	}
	l.streams = append(l.streams, s)
	return nil
}

func (l *load) sink(s network.Stream) {
	buf := make([]byte, 128<<10)
	for {
		n, err := s.Read(buf)
		l.got.Add(int64(n))
		if err != nil {
			s.Reset()
			return
		}
	}
}

func (l *load) run(ctx context.Context, size int, d time.Duration) (loadResult, error) {
	var stop atomic.Bool
	var failed error
	var once sync.Once
	var wg sync.WaitGroup
	for _, s := range l.streams {
		wg.Go(func() {
			buf := make([]byte, size)
			for !stop.Load() {
				if _, err := s.Write(buf); err != nil {
					once.Do(func() { failed = fmt.Errorf("write: %w", err) })
					return
				}
			}
		})
	}
	// Windows grow, the scheduler settles.
	time.Sleep(300 * time.Millisecond)
	from, err := l.mark()
	if err == nil {
		time.Sleep(d)
	}
	to, err2 := l.mark()
	r := loadResult{
		Bytes: to.bytes - from.bytes, WallS: to.at.Sub(from.at).Seconds(),
		CPUS: (to.cpu - from.cpu).Seconds(), OwnCPUS: (to.own - from.own).Seconds(),
		In: since(&l.in.written, from.in), Out: since(&l.out.read, from.out),
	}
	stop.Store(true)
	wg.Wait()
	// What is under way still costs the relay, but no longer counts; let it pass.
	time.Sleep(100 * time.Millisecond)
	return r, errors.Join(err, err2, failed)
}

type loadMark struct {
	at       time.Time
	cpu, own time.Duration
	bytes    int64
	in, out  []uint32
}

func (l *load) mark() (loadMark, error) {
	own, _ := processCPU(os.Getpid())
	m := loadMark{own: own, in: l.in.snapshot(&l.in.written), out: l.out.snapshot(&l.out.read)}
	cpu, err := processCPU(l.pid)
	m.cpu, m.bytes, m.at = cpu, l.got.Load(), time.Now()
	return m, err
}
