// SPDX-License-Identifier: Apache-2.0 OR MIT

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/util"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	idpb "github.com/libp2p/go-libp2p/p2p/protocol/identify/pb"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-yamux/v5"
	manet "github.com/multiformats/go-multiaddr/net"
	mss "github.com/multiformats/go-multistream"
)

// idlePeer is a peer as the relay sees one, made of go-libp2p's parts without its
// host: fifteen thousand hosts would not fit. It identifies itself, asks the relay
// to, reserves, answers pings, and does nothing more.
type idlePeer struct {
	id      peer.ID
	tcp     net.Conn
	conn    net.Conn // Noise over tcp
	session *yamux.Session
}

type idle struct {
	relay   peer.AddrInfo
	addr    string
	pid     int
	perIP   int
	workers int
	peers   []*idlePeer
}

type idleResult struct {
	N       int     `json:"n"`
	Made    int     `json:"made"`
	Alive   int     `json:"alive"`
	Seconds float64 `json:"seconds"`
	CPUUS   float64 `json:"cpu_us"` // of the relay, per peer made
}

func cmdIdle(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("idle", flag.ExitOnError)
	relayText := fs.String("relay", "", "multiaddr of the relay, with /p2p/")
	pid := fs.Int("relay-pid", 0, "the relay's process, whose CPU is read")
	perIP := fs.Int("per-ip", 500, "peers per source address; these are 127.1.0.1, 127.1.0.2, …")
	workers := fs.Int("parallel", 8, "peers that connect at once")
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
	d.perIP, d.workers = *perIP, *workers
	defer d.close()
	fmt.Fprintln(os.Stderr, "goload.ready")
	// A line is how many peers there shall be.
	return serve(ctx, func(w []string) (any, error) {
		if len(w) != 1 {
			return nil, errors.New("a line is the number of peers")
		}
		n, err := strconv.Atoi(w[0])
		if err != nil || n < len(d.peers) || n > 20000 {
			return nil, fmt.Errorf("cannot have %q peers", w[0])
		}
		return d.grow(ctx, n)
	})
}

func newIdle(relay string, pid int) (*idle, error) {
	ai, err := relayInfo(relay)
	if err != nil {
		return nil, err
	}
	_, addr, err := manet.DialArgs(ai.Addrs[0])
	if err != nil {
		return nil, err
	}
	return &idle{relay: ai, addr: addr, pid: pid, perIP: 500, workers: 8}, nil
}

func (d *idle) grow(ctx context.Context, n int) (idleResult, error) {
	had, t := len(d.peers), time.Now()
	from, err := processCPU(d.pid)
	if err != nil {
		return idleResult{}, err
	}
	var mu sync.Mutex
	err = each(n-had, d.workers, func(i int) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		p, err := d.open(ctx, had+i, nil, nil)
		if err != nil {
			return fmt.Errorf("peer %d: %w", had+i, err)
		}
		mu.Lock()
		defer mu.Unlock()
		d.peers = append(d.peers, p)
		return nil
	})
	if err != nil {
		return idleResult{}, err
	}
	took := time.Since(t).Seconds()
	// The relay's own questions and its garbage come to rest.
	time.Sleep(time.Second)
	to, err := processCPU(d.pid)
	r := idleResult{N: n, Made: n - had, Seconds: took}
	for _, p := range d.peers {
		if !p.session.IsClosed() {
			r.Alive++
		}
	}
	if r.Made > 0 {
		r.CPUUS = float64((to - from).Nanoseconds()) / 1e3 / float64(r.Made)
	}
	return r, err
}

// open makes peer i. Its connection may be wrapped; its first circuit goes to accepted.
func (d *idle) open(ctx context.Context, i int, wrap func(*net.TCPConn) net.Conn,
	accepted chan<- *yamux.Stream) (*idlePeer, error) {
	k := i / d.perIP
	from := &net.TCPAddr{IP: net.IPv4(127, 1, byte(k/250), byte(1+k%250))}
	c, err := (&net.Dialer{LocalAddr: from}).DialContext(ctx, "tcp4", d.addr)
	if err != nil {
		return nil, err
	}
	tcp := c.(*net.TCPConn)
	// A reset leaves no TIME-WAIT behind.
	tcp.SetLinger(0)
	if wrap != nil {
		c = wrap(tcp)
	}
	p, err := d.upgrade(ctx, c, accepted)
	if err != nil {
		tcp.Close()
	}
	return p, err
}

func (d *idle) upgrade(ctx context.Context, tcp net.Conn, accepted chan<- *yamux.Stream) (*idlePeer, error) {
	if dl, ok := ctx.Deadline(); ok {
		tcp.SetDeadline(dl)
		defer tcp.SetDeadline(time.Time{})
	}
	key, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	if err := mss.SelectProtoOrFail(protocol.ID(noise.ID), tcp); err != nil {
		return nil, err
	}
	sec, err := noise.New(noise.ID, key, nil)
	if err != nil {
		return nil, err
	}
	conn, err := sec.SecureOutbound(ctx, tcp, d.relay.ID)
	if err != nil {
		return nil, fmt.Errorf("noise: %w", err)
	}
	if err := mss.SelectProtoOrFail(protocol.ID("/yamux/1.0.0"), conn); err != nil {
		return nil, err
	}
	cfg := *yamux.DefaultConfig()
	cfg.LogOutput = io.Discard
	cfg.EnableKeepAlive = false
	s, err := yamux.Client(conn, &cfg, nil)
	if err != nil {
		return nil, err
	}
	raw, err := crypto.MarshalPublicKey(pub)
	if err != nil {
		return nil, err
	}
	go answer(s, raw, accepted)
	if err := d.identify(ctx, s); err != nil {
		s.Close()
		return nil, fmt.Errorf("identify: %w", err)
	}
	if err := d.reserve(ctx, s); err != nil {
		s.Close()
		return nil, fmt.Errorf("reserve: %w", err)
	}
	id, err := peer.IDFromPublicKey(pub)
	return &idlePeer{id: id, tcp: tcp, conn: conn, session: s}, err
}

// answer says who we are when asked, accepts a circuit if there is use for one, and
// says no to all else.
func answer(s *yamux.Session, pub []byte, accepted chan<- *yamux.Stream) {
	mux := mss.NewMultistreamMuxer[protocol.ID]()
	mux.AddHandler(identify.ID, nil)
	if accepted != nil {
		mux.AddHandler(proto.ProtoIDv2Stop, nil)
	}
	for {
		st, err := s.AcceptStream()
		if err != nil {
			return
		}
		st.SetDeadline(time.Now().Add(20 * time.Second))
		id, _, err := mux.Negotiate(st)
		switch {
		case err != nil:
			st.Reset()
		case id == proto.ProtoIDv2Stop:
			go answerStop(st, accepted)
		default:
			sayWho(st, pub)
		}
	}
}

func sayWho(st *yamux.Stream, pub []byte) {
	version, agent := "ipfs/0.1.0", "adit-goload"
	util.NewDelimitedWriter(st).WriteMsg(&idpb.Identify{
		ProtocolVersion: &version, AgentVersion: &agent, PublicKey: pub,
		Protocols: []string{identify.ID, proto.ProtoIDv2Stop},
	})
	st.Close()
}

func (d *idle) stream(ctx context.Context, s *yamux.Session, id protocol.ID) (*yamux.Stream, error) {
	st, err := s.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	st.SetDeadline(time.Now().Add(20 * time.Second))
	if err := mss.SelectProtoOrFail(id, st); err != nil {
		st.Reset()
		return nil, err
	}
	return st, nil
}

func (d *idle) identify(ctx context.Context, s *yamux.Session) error {
	st, err := d.stream(ctx, s, identify.ID)
	if err != nil {
		return err
	}
	defer st.Close()
	_, err = io.Copy(io.Discard, st)
	return err
}

func (d *idle) reserve(ctx context.Context, s *yamux.Session) error {
	st, err := d.stream(ctx, s, proto.ProtoIDv2Hop)
	if err != nil {
		return err
	}
	defer st.Close()
	ask := pb.HopMessage{Type: pb.HopMessage_RESERVE.Enum()}
	if err := util.NewDelimitedWriter(st).WriteMsg(&ask); err != nil {
		return err
	}
	var msg pb.HopMessage
	rd := util.NewDelimitedReader(st, 4096)
	defer rd.Close()
	if err := rd.ReadMsg(&msg); err != nil {
		return err
	}
	if msg.GetStatus() != pb.Status_OK {
		return errors.New(msg.GetStatus().String())
	}
	return nil
}

func (d *idle) close() {
	for _, p := range d.peers {
		p.session.Close()
	}
}
