// SPDX-License-Identifier: Apache-2.0 OR MIT

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// share is one circuit between two stock peers, with its own count. It is written to
// from the moment it is there.
type share struct {
	sent, got atomic.Int64
	stop      atomic.Bool
	wrote     chan error // its writer is done
	ended     chan error // its reader has heard the end
}

type shareResult struct {
	WallS float64 `json:"wall_s"`
	Bytes []int64 `json:"bytes"` // of each circuit
	Sent  []int64 `json:"sent"`  // in all, of each
	Got   []int64 `json:"got"`
}

type shares struct {
	load
	all []*share
}

func cmdShares(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("shares", flag.ExitOnError)
	relayText := fs.String("relay", "", "multiaddr of the relay, with /p2p/")
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
	l := &shares{load: load{relay: ai}}
	defer func() { closeAll(l.hosts) }()
	fmt.Fprintln(os.Stderr, "goload.ready")
	// A line is: join; measure SECONDS; end.
	return serve(ctx, func(w []string) (any, error) {
		switch {
		case len(w) == 1 && w[0] == "join":
			return l.result(), l.join(ctx)
		case len(w) == 2 && w[0] == "measure":
			s, err := strconv.ParseFloat(w[1], 64)
			if err != nil || s <= 0 || s > 60 {
				return nil, fmt.Errorf("cannot measure for %q seconds", w[1])
			}
			return l.measure(time.Duration(s * float64(time.Second))), nil
		case len(w) == 1 && w[0] == "end":
			return l.end(ctx)
		}
		return nil, errors.New("a line is: join, measure SECONDS, or end")
	})
}

func (l *shares) join(ctx context.Context) error {
	s := &share{wrote: make(chan error, 1), ended: make(chan error, 1)}
	if err := l.add(ctx); err != nil {
		return err
	}
	dst, out := l.hosts[len(l.hosts)-2], l.streams[len(l.streams)-1]
	// The stream is negotiated with its first bytes, so there is time to change this.
	dst.SetStreamHandler(sinkID, func(in network.Stream) {
		buf := make([]byte, 128<<10)
		for {
			n, err := in.Read(buf)
			s.got.Add(int64(n))
			if err != nil {
				s.ended <- err
				in.Close()
				return
			}
		}
	})
	l.all = append(l.all, s)
	go func() {
		buf := make([]byte, 64<<10)
		for !s.stop.Load() {
			n, err := out.Write(buf)
			s.sent.Add(int64(n))
			if err != nil {
				s.wrote <- err
				return
			}
		}
		s.wrote <- out.CloseWrite()
	}()
	return nil
}

func (l *shares) result() shareResult {
	var r shareResult
	for _, s := range l.all {
		r.Sent = append(r.Sent, s.sent.Load())
		r.Got = append(r.Got, s.got.Load())
	}
	return r
}

func (l *shares) measure(d time.Duration) shareResult {
	from, t := l.result(), time.Now()
	time.Sleep(d)
	r := l.result()
	r.WallS = time.Since(t).Seconds()
	for i := range r.Got {
		r.Bytes = append(r.Bytes, r.Got[i]-from.Got[i])
	}
	return r
}

// end lets every circuit run dry: what was sent has come then, or was dropped.
func (l *shares) end(ctx context.Context) (shareResult, error) {
	for _, s := range l.all {
		s.stop.Store(true)
	}
	for i, s := range l.all {
		for _, ch := range []chan error{s.wrote, s.ended} {
			select {
			case err := <-ch:
				if err != nil && err.Error() != "EOF" {
					return shareResult{}, fmt.Errorf("circuit %d: %w", i, err)
				}
			case <-ctx.Done():
				return shareResult{}, ctx.Err()
			}
		}
	}
	return l.result(), nil
}
