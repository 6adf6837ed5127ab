// SPDX-License-Identifier: Apache-2.0 OR MIT

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/util"
	"github.com/libp2p/go-yamux/v5"
	"golang.org/x/sys/unix"
)

// cmdFlood loads a relay until the relay is what is slow. Its circuits carry
// bare bytes, no handshake and no second cipher, in Yamux frames of one size;
// its sinks read at first, so that the frames are seen, and then throw away
// what comes without decrypting it. That is the load of the bare loop.
func cmdFlood(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("flood", flag.ExitOnError)
	relayText := fs.String("relay", "", "multiaddr of the relay, with /p2p/")
	pid := fs.Int("relay-pid", 0, "the relay's process, whose CPU is read")
	n := fs.Int("n", 8, "circuits, each between two peers of its own")
	max := maxSeconds(fs)
	if err := parse(fs, args); err != nil {
		return err
	}
	ctx, cancel := bounded(ctx, *max)
	defer cancel()
	d, err := newIdle(*relayText, *pid)
	if err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "goload.ready")
	// A line is: bytes per Yamux frame, its header apart; seconds.
	return serve(ctx, func(w []string) (any, error) {
		if len(w) != 2 {
			return nil, errors.New("a line is: bytes per frame, seconds")
		}
		size, err1 := strconv.Atoi(w[0])
		s, err2 := strconv.ParseFloat(w[1], 64)
		if err1 != nil || err2 != nil || size < 1 || size > 65507 || s <= 0 || s > 20 {
			return nil, fmt.Errorf("cannot send frames of %q bytes for %q seconds", w[0], w[1])
		}
		return d.runFlood(ctx, *n, size, time.Duration(s*float64(time.Second)))
	})
}

// trapConn is a sink's connection: counted while it is read, emptied when it is trapped.
type trapConn struct {
	countedConn
	trapped atomic.Bool
	got     *atomic.Int64
	grant   func(n int) error // window for bytes that nobody will read
}

func (c *trapConn) Read(p []byte) (int, error) {
	if !c.trapped.Load() {
		n, err := c.countedConn.Read(p)
		c.got.Add(int64(n))
		if !c.trapped.Load() || err != nil {
			return n, err
		}
		// What was read in the moment of the change no longer has a reader.
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	waste := make([]byte, 1<<20)
	owed := 0
	for {
		var n int
		var rerr error
		err := raw.Read(func(fd uintptr) bool {
			// MSG_TRUNC: the kernel drops the bytes and copies none.
			n, _, rerr = unix.Recvfrom(int(fd), waste, unix.MSG_TRUNC|unix.MSG_DONTWAIT)
			return rerr != unix.EAGAIN
		})
		if err = errors.Join(err, rerr); err != nil {
			return 0, err
		}
		if n == 0 {
			return 0, net.ErrClosed
		}
		c.got.Add(int64(n))
		// Frame overhead is granted too: the window may only grow.
		if owed += n; owed >= 64<<10 {
			if err := c.grant(owed); err != nil {
				return 0, err
			}
			owed = 0
		}
	}
}

// pair is one circuit of bare bytes.
type pair struct {
	src, dst *idlePeer
	out      *yamux.Stream
	trap     *trapConn
}

func (p *pair) close() {
	for _, e := range []*idlePeer{p.src, p.dst} {
		if e != nil {
			e.tcp.Close()
			e.session.Close()
		}
	}
}

func (d *idle) openPair(ctx context.Context, i int, in, out *frames, got *atomic.Int64) (*pair, error) {
	p := &pair{}
	accepted := make(chan *yamux.Stream, 1)
	var err error
	p.dst, err = d.open(ctx, 2*i, func(c *net.TCPConn) net.Conn {
		p.trap = &trapConn{countedConn: countedConn{TCPConn: c, frames: out}, got: got}
		return p.trap
	}, accepted)
	if err != nil {
		return p, err
	}
	p.src, err = d.open(ctx, 2*i+1, func(c *net.TCPConn) net.Conn {
		return &countedConn{TCPConn: c, frames: in}
	}, nil)
	if err != nil {
		return p, err
	}
	p.out, err = d.stream(ctx, p.src.session, proto.ProtoIDv2Hop)
	if err != nil {
		return p, err
	}
	ask := pb.HopMessage{Type: pb.HopMessage_CONNECT.Enum(), Peer: &pb.Peer{Id: []byte(p.dst.id)}}
	if err := util.NewDelimitedWriter(p.out).WriteMsg(&ask); err != nil {
		return p, err
	}
	var msg pb.HopMessage
	rd := util.NewDelimitedReader(p.out, 4096)
	defer rd.Close()
	if err := rd.ReadMsg(&msg); err != nil {
		return p, fmt.Errorf("connect: %w", err)
	}
	if msg.GetStatus() != pb.Status_OK {
		return p, errors.New(msg.GetStatus().String())
	}
	p.out.SetDeadline(time.Time{})
	select {
	case st := <-accepted:
		conn, id := p.dst.conn, st.StreamID()
		p.trap.grant = func(n int) error {
			_, err := conn.Write(windowUpdate(id, n))
			return err
		}
		go func() {
			buf := make([]byte, 128<<10)
			for {
				if _, err := st.Read(buf); err != nil {
					return
				}
			}
		}()
	case <-ctx.Done():
		return p, ctx.Err()
	}
	return p, nil
}

func windowUpdate(id uint32, n int) []byte {
	return []byte{0, 1, 0, 0, byte(id >> 24), byte(id >> 16), byte(id >> 8), byte(id),
		byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}
}

func (d *idle) runFlood(ctx context.Context, n, size int, dur time.Duration) (loadResult, error) {
	var in, out frames
	var got atomic.Int64
	ctx, cancel := context.WithTimeout(ctx, dur+30*time.Second)
	defer cancel()
	pairs := make([]*pair, n)
	defer func() {
		for _, p := range pairs {
			if p != nil {
				p.close()
			}
		}
	}()
	err := each(n, 2, func(i int) (err error) {
		pairs[i], err = d.openPair(ctx, i, &in, &out, &got)
		return err
	})
	if err != nil {
		return loadResult{}, err
	}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for _, p := range pairs {
		wg.Go(func() {
			buf := make([]byte, size)
			for !stop.Load() {
				if _, err := p.out.Write(buf); err != nil {
					return
				}
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	var zero [65536]uint32
	seen := since(&out.read, zero[:])
	for _, p := range pairs {
		p.trap.trapped.Store(true)
	}
	time.Sleep(200 * time.Millisecond)
	l := load{pid: d.pid}
	from, err := l.mark()
	fromIn, fromGot := in.snapshot(&in.written), got.Load()
	time.Sleep(dur)
	to, err2 := l.mark()
	r := loadResult{
		Bytes: got.Load() - fromGot, WallS: to.at.Sub(from.at).Seconds(),
		CPUS: (to.cpu - from.cpu).Seconds(), OwnCPUS: (to.own - from.own).Seconds(),
		In: since(&in.written, fromIn), Out: seen,
	}
	stop.Store(true)
	for _, p := range pairs {
		p.close()
	}
	wg.Wait()
	if r.Bytes == 0 {
		err = errors.Join(err, errors.New("nothing came through"))
	}
	return r, errors.Join(err, err2)
}

// answerStop accepts one circuit and hands its stream over.
func answerStop(st *yamux.Stream, accepted chan<- *yamux.Stream) {
	var msg pb.StopMessage
	rd := util.NewDelimitedReader(st, 4096)
	defer rd.Close()
	ok := pb.StopMessage{Type: pb.StopMessage_STATUS.Enum(), Status: pb.Status_OK.Enum()}
	if rd.ReadMsg(&msg) != nil || util.NewDelimitedWriter(st).WriteMsg(&ok) != nil {
		st.Reset()
		return
	}
	st.SetDeadline(time.Time{})
	accepted <- st
}
