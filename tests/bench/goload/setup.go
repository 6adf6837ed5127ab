// SPDX-License-Identifier: Apache-2.0 OR MIT

package main

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/util"
)

// cost is relay CPU per operation: measured from before the batch until the relay
// is quiet again.
type cost struct {
	N  int     `json:"n"`
	US float64 `json:"us"`
}

type setupResult struct {
	Reserve    cost `json:"connect_reserve"`
	Disconnect cost `json:"disconnect"`
	Open       cost `json:"circuit_open"`  // HOP CONNECT and STOP, until both ends have OK
	Close      cost `json:"circuit_close"` // both halves closed
	Full       cost `json:"circuit_full"`  // the same and the peers' own handshake and identify in it
}

// meter reads the relay's clock around work.
type meter struct {
	pid int
}

func (m meter) add(c *cost, n int, work func() error) error {
	from, err := processCPU(m.pid)
	if err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	time.Sleep(150 * time.Millisecond)
	to, err := processCPU(m.pid)
	if err != nil {
		return err
	}
	sum := c.US*float64(c.N) + float64((to-from).Nanoseconds())/1e3
	c.N += n
	c.US = sum / float64(c.N)
	return nil
}

// each calls f for 0..n-1 on k goroutines, and returns the first error.
func each(n, k int, f func(i int) error) error {
	var wg sync.WaitGroup
	errs := make(chan error, n)
	next := make(chan int)
	for range k {
		wg.Go(func() {
			for i := range next {
				if err := f(i); err != nil {
					errs <- err
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}

func cmdSetup(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("setup", flag.ExitOnError)
	relayText := fs.String("relay", "", "multiaddr of the relay, with /p2p/")
	pid := fs.Int("relay-pid", 0, "the relay's process, whose CPU is read")
	n := fs.Int("n", 100, "peers that connect and reserve, at most 2000")
	circuits := fs.Int("circuits", 400, "circuits to set up, at most 20000")
	parallel := fs.Int("parallel", 4, "at once")
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
	m := meter{*pid}
	var r setupResult
	hosts, err := reserveMany(ctx, m, ai, min(*n, 2000), *parallel, &r)
	defer func() { closeAll(hosts) }()
	if err != nil {
		return err
	}
	if err := openMany(ctx, m, ai, hosts, min(*circuits, 20000), *parallel, &r); err != nil {
		return err
	}
	if err := fullMany(ctx, m, ai, hosts, min(*circuits/4, 100), *parallel, &r); err != nil {
		return err
	}
	err = m.add(&r.Disconnect, len(hosts), func() error {
		return each(len(hosts), *parallel, func(i int) error { return hosts[i].Close() })
	})
	hosts = nil
	if err != nil {
		return err
	}
	return print(r)
}

// reserveMany makes n peers beforehand, so that the window holds little but the relay's work.
func reserveMany(ctx context.Context, m meter, ai peer.AddrInfo, n, k int, r *setupResult) ([]host.Host, error) {
	var hosts []host.Host
	for range n {
		h, err := newPeer(nil, "")
		if err != nil {
			return hosts, err
		}
		hosts = append(hosts, h)
	}
	return hosts, m.add(&r.Reserve, n, func() error {
		return each(n, k, func(i int) error {
			if err := hosts[i].Connect(ctx, ai); err != nil {
				return err
			}
			_, err := client.Reserve(ctx, hosts[i], ai)
			return err
		})
	})
}

// openMany opens circuits by the two messages alone: no handshake inside.
func openMany(ctx context.Context, m meter, ai peer.AddrInfo, hosts []host.Host, n, k int, r *setupResult) error {
	// The client's own handler would start a handshake; this one says OK and waits for the end.
	for _, h := range hosts {
		h.SetStreamHandler(proto.ProtoIDv2Stop, acceptStop)
	}
	defer func() {
		// Hosts are not used as ordinary destinations again.
		for _, h := range hosts {
			h.RemoveStreamHandler(proto.ProtoIDv2Stop)
		}
	}()
	const batch = 100
	for done := 0; done < n; done += batch {
		now := min(batch, n-done)
		streams := make([]network.Stream, now)
		err := m.add(&r.Open, now, func() error {
			return each(now, k, func(i int) (err error) {
				src := hosts[i%len(hosts)]
				dst := hosts[(i+1+i/len(hosts))%len(hosts)]
				streams[i], err = connect(ctx, src, ai.ID, dst.ID())
				return err
			})
		})
		if err == nil {
			err = m.add(&r.Close, now, func() error {
				return each(now, k, func(i int) error { return streams[i].Close() })
			})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func acceptStop(s network.Stream) {
	var msg pb.StopMessage
	rd := util.NewDelimitedReader(s, 4096)
	defer rd.Close()
	if err := rd.ReadMsg(&msg); err != nil {
		s.Reset()
		return
	}
	ok := pb.StopMessage{Type: pb.StopMessage_STATUS.Enum(), Status: pb.Status_OK.Enum()}
	if err := util.NewDelimitedWriter(s).WriteMsg(&ok); err != nil {
		s.Reset()
		return
	}
	// Until the other end closes.
	s.Read(make([]byte, 1))
	s.Close()
}

func connect(ctx context.Context, src host.Host, relay, dst peer.ID) (network.Stream, error) {
	s, err := src.NewStream(ctx, relay, proto.ProtoIDv2Hop)
	if err != nil {
		return nil, err
	}
	s.SetDeadline(time.Now().Add(20 * time.Second))
	ask := pb.HopMessage{Type: pb.HopMessage_CONNECT.Enum(), Peer: &pb.Peer{Id: []byte(dst)}}
	if err := util.NewDelimitedWriter(s).WriteMsg(&ask); err != nil {
		s.Reset()
		return nil, err
	}
	var msg pb.HopMessage
	rd := util.NewDelimitedReader(s, 4096)
	defer rd.Close()
	if err := rd.ReadMsg(&msg); err != nil {
		s.Reset()
		return nil, err
	}
	if msg.GetStatus() != pb.Status_OK {
		s.Reset()
		return nil, fmt.Errorf("circuit refused: %s", msg.GetStatus())
	}
	s.SetDeadline(time.Time{})
	return s, nil
}

// fullMany opens circuits as peers do, with their own Noise, Yamux and identify in them.
func fullMany(ctx context.Context, m meter, ai peer.AddrInfo, hosts []host.Host, n, k int, r *setupResult) error {
	n = min(n, len(hosts))
	var srcs []host.Host
	defer func() { closeAll(srcs) }()
	var dsts []host.Host
	defer func() { closeAll(dsts) }()
	for range n {
		src, err := newPeer(nil, "")
		if err != nil {
			return err
		}
		srcs = append(srcs, src)
		if err := src.Connect(ctx, ai); err != nil {
			return err
		}
		dst, err := newReserved(ctx, nil, ai, "")
		if err != nil {
			return err
		}
		dsts = append(dsts, dst)
	}
	// Identify of the last peers is still under way.
	time.Sleep(300 * time.Millisecond)
	return m.add(&r.Full, n, func() error {
		return each(n, k, func(i int) error {
			return srcs[i].Connect(ctx, through(ai, dsts[i].ID()))
		})
	})
}
