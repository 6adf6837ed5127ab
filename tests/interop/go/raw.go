// SPDX-License-Identifier: Apache-2.0 OR MIT

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	pbv2 "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/util"
	ma "github.com/multiformats/go-multiaddr"
)

// What follows speaks hop and stop with the library's own messages over the
// library's own streams, and leaves out what it would put on top: Noise and
// Yamux end with the direction that carried them, and then nobody sees what
// the other one still does, nor the exact byte.

const (
	maxMessage = 4096
	rawChunk   = 64 * 1024
	rawAnswer  = 60 * time.Second
)

// withLimit adds what a message or a connection says of a circuit's limit.
func withLimit(to map[string]any, has bool, seconds int64, bytes uint64) map[string]any {
	to["limited"] = has
	to["limit_seconds"] = seconds
	to["limit_bytes"] = bytes
	return to
}

func limitOf(l *pbv2.Limit) (bool, int64, uint64) {
	return l != nil, int64(l.GetDuration()), l.GetData()
}

// connLimit is what the library keeps of it with the connection.
func connLimit(c network.Conn) (bool, int64, uint64) {
	st := c.Stat()
	d, _ := st.Extra[client.StatLimitDuration].(time.Duration)
	n, _ := st.Extra[client.StatLimitData].(uint64)
	return st.Limited, int64(d / time.Second), n
}

// takeRaw answers STOP, reads to the end, then sends answer bytes and ends.
func takeRaw(answer int64) network.StreamHandler {
	return func(s network.Stream) {
		rd, wr := util.NewDelimitedReader(s, maxMessage), util.NewDelimitedWriter(s)
		defer rd.Close()
		var msg pbv2.StopMessage
		if err := rd.ReadMsg(&msg); err != nil {
			s.Reset()
			return
		}
		from, err := peer.IDFromBytes(msg.GetPeer().GetId())
		if err != nil {
			s.Reset()
			return
		}
		ok := pbv2.StopMessage{Type: pbv2.StopMessage_STATUS.Enum(), Status: pbv2.Status_OK.Enum()}
		has, seconds, bytes := limitOf(msg.GetLimit())
		emit("stream", withLimit(map[string]any{"from": from.String()}, has, seconds, bytes))
		if err := wr.WriteMsg(&ok); err != nil {
			s.Reset()
			return
		}
		end := map[string]any{"from": from.String()}
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{s}, make([]byte, rawChunk))
		emit("got_end", map[string]any{"from": from.String(), "bytes": n, "why": whyOf(err)})
		if err == nil {
			err = sendZeroes(s, answer)
		}
		if err == nil {
			err = s.CloseWrite()
		}
		if err != nil {
			s.Reset()
		} else {
			s.Close()
		}
		end["bytes"], end["why"] = n, whyOf(err)
		emit("stream_end", end)
	}
}

func whyOf(err error) any {
	if err == nil {
		return nil
	}
	return err.Error()
}

func sendZeroes(s network.Stream, n int64) error {
	buf := make([]byte, rawChunk)
	for n > 0 {
		part := min(n, int64(len(buf)))
		if _, err := s.Write(buf[:part]); err != nil {
			return err
		}
		n -= part
	}
	return nil
}

// dialRaw asks for a circuit, sends n bytes at once, and does not end: what
// the other end says of its own end comes back, and is read to its end.
func dialRaw(ctx context.Context, o *options, addr string) int {
	a, err := ma.NewMultiaddr(addr)
	if err != nil {
		return fail(err)
	}
	via, _ := ma.SplitFunc(a, func(c ma.Component) bool { return c.Protocol().Code == ma.P_CIRCUIT })
	relay, err := peer.AddrInfoFromP2pAddr(via)
	if err != nil {
		return fail(err)
	}
	_, dst := peer.SplitAddr(a)
	if dst == "" {
		return fail(errors.New("the address must end in /p2p/ID"))
	}
	h, err := newHost(o)
	if err != nil {
		return fail(err)
	}
	defer h.Close()
	if err := h.Connect(ctx, *relay); err != nil {
		return fail(err)
	}
	s, err := rawConnect(ctx, h, relay.ID, dst)
	if err != nil {
		return fail(err)
	}
	start := time.Now()
	go func() {
		err := sendZeroes(s, o.bytes)
		emit("sent", map[string]any{"bytes": o.bytes, "why": whyOf(err)})
	}()
	back, err := io.Copy(io.Discard, s)
	emit("echo", map[string]any{"bytes": back, "ok": err == nil, "why": whyOf(err),
		"seconds": time.Since(start).Seconds()})
	s.Reset()
	if err != nil {
		return 1
	}
	return 0
}

func rawConnect(ctx context.Context, h host.Host, relay, dst peer.ID) (network.Stream, error) {
	s, err := h.NewStream(ctx, relay, proto.ProtoIDv2Hop)
	if err != nil {
		return nil, err
	}
	rd, wr := util.NewDelimitedReader(s, maxMessage), util.NewDelimitedWriter(s)
	defer rd.Close()
	ask := pbv2.HopMessage{Type: pbv2.HopMessage_CONNECT.Enum(), Peer: util.PeerInfoToPeerV2(peer.AddrInfo{ID: dst})}
	s.SetReadDeadline(time.Now().Add(rawAnswer))
	if err := wr.WriteMsg(&ask); err != nil {
		return nil, err
	}
	var msg pbv2.HopMessage
	if err := rd.ReadMsg(&msg); err != nil {
		return nil, err
	}
	s.SetReadDeadline(time.Time{})
	if st := msg.GetStatus(); st != pbv2.Status_OK {
		return nil, fmt.Errorf("error opening relay circuit: %s (%d)", st, st)
	}
	has, seconds, bytes := limitOf(msg.GetLimit())
	emit("dialed", withLimit(map[string]any{"remote": dst.String()}, has, seconds, bytes))
	return s, nil
}
