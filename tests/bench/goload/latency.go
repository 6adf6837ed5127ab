// SPDX-License-Identifier: Apache-2.0 OR MIT

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
)

const echoID = protocol.ID("/adit/bench/echo/1")

// A ping is as small as a keystroke: the latency of the path, not of its bytes.
const pingBytes = 64

type path struct {
	name   string
	stream network.Stream
	us     []float64
}

type latencyResult struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50_us"`
	P90 float64 `json:"p90_us"`
	P99 float64 `json:"p99_us"`
	Min float64 `json:"min_us"`
}

type addrList []string

func (l *addrList) String() string     { return strings.Join(*l, " ") }
func (l *addrList) Set(s string) error { *l = append(*l, s); return nil }

// cmdEcho listens directly and behind relays, and says how it is reached. It is a
// process of its own: a pong from the same process would come without a wake-up.
func cmdEcho(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("echo", flag.ExitOnError)
	var relays addrList
	fs.Var(&relays, "relay", "NAME=MULTIADDR; may be given several times")
	max := maxSeconds(fs)
	if err := parse(fs, args); err != nil {
		return err
	}
	ctx, cancel := bounded(ctx, *max)
	defer cancel()
	h, err := newPeer(nil, "/ip4/127.0.0.1/tcp/0")
	if err != nil {
		return err
	}
	hosts := []host.Host{h}
	defer func() { closeAll(hosts) }()
	h.SetStreamHandler(echoID, echo)
	paths := map[string]string{}
	for _, a := range h.Network().ListenAddresses() {
		// It also listens behind relays, of which it has none.
		if _, err := a.ValueForProtocol(ma.P_TCP); err == nil {
			paths["direct"] = fmt.Sprintf("%s/p2p/%s", a, h.ID())
		}
	}
	for _, text := range relays {
		name, addr, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("--relay is NAME=MULTIADDR")
		}
		ai, err := relayInfo(addr)
		if err != nil {
			return err
		}
		h, err := newReserved(ctx, nil, ai, "")
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		hosts = append(hosts, h)
		h.SetStreamHandler(echoID, echo)
		paths[name] = fmt.Sprintf("%s/p2p-circuit/p2p/%s", addr, h.ID())
	}
	if err := print(paths); err != nil {
		return err
	}
	return serve(ctx, func([]string) (any, error) { return struct{}{}, nil })
}

// cmdLatency plays ping-pong by turns over paths to echo's peers.
func cmdLatency(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("latency", flag.ExitOnError)
	var addrs addrList
	fs.Var(&addrs, "path", "NAME=MULTIADDR as echo printed it; may be given several times")
	rounds := fs.Int("rounds", 20, "turns of each path")
	block := fs.Int("block", 100, "pings in a turn")
	pause := fs.Duration("pause", 0, "idle time before each ping")
	max := maxSeconds(fs)
	if err := parse(fs, args); err != nil {
		return err
	}
	ctx, cancel := bounded(ctx, *max)
	defer cancel()
	var hosts []host.Host
	defer func() { closeAll(hosts) }()
	var paths []*path
	for _, text := range addrs {
		name, addr, _ := strings.Cut(text, "=")
		ai, err := peer.AddrInfoFromString(addr)
		if err != nil {
			return fmt.Errorf("--path %q: %w", text, err)
		}
		src, err := newPeer(nil, "")
		if err != nil {
			return err
		}
		hosts = append(hosts, src)
		if err := src.Connect(ctx, *ai); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		s, err := src.NewStream(network.WithAllowLimitedConn(ctx, "bench"), ai.ID, echoID)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		paths = append(paths, &path{name: name, stream: s})
	}
	// Identify and its like are still under way.
	time.Sleep(300 * time.Millisecond)
	if err := pingByTurns(paths, *rounds, *block, *pause); err != nil {
		return err
	}
	out := map[string]latencyResult{}
	for _, p := range paths {
		out[p.name] = p.result()
	}
	return print(out)
}

func echo(s network.Stream) {
	if _, err := io.Copy(s, s); err != nil && !errors.Is(err, io.EOF) {
		s.Reset()
		return
	}
	s.Close()
}

func pingByTurns(paths []*path, rounds, block int, pause time.Duration) error {
	buf := make([]byte, pingBytes)
	for round := range rounds + 1 {
		for i := range paths {
			p := paths[(i+round)%len(paths)]
			for range block {
				time.Sleep(pause)
				t := time.Now()
				if _, err := p.stream.Write(buf); err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				if _, err := io.ReadFull(p.stream, buf); err != nil {
					return fmt.Errorf("%s: %w", p.name, err)
				}
				// The first round is for warming up.
				if round > 0 {
					p.us = append(p.us, float64(time.Since(t).Nanoseconds())/1e3)
				}
			}
		}
	}
	return nil
}

func (p *path) result() latencyResult {
	sort.Float64s(p.us)
	n := len(p.us)
	if n == 0 {
		return latencyResult{}
	}
	at := func(q float64) float64 { return p.us[min(int(q*float64(n)), n-1)] }
	return latencyResult{N: n, P50: at(0.5), P90: at(0.9), P99: at(0.99), Min: p.us[0]}
}
