// SPDX-License-Identifier: Apache-2.0 OR MIT

// A stock go-libp2p node for the interop table: one relay, one listener or one
// dialer, driven by flags, telling what happened as one JSON object a line.
// The contract is in ../README.md and is the same for every language.
package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	mathrand "math/rand"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/autorelay"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	tptu "github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	relayv2 "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/libp2p/go-libp2p/p2p/protocol/ping"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/x/rate"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	catProtocol  = protocol.ID("/adit/cat/1")
	pushProtocol = protocol.ID("/adit/pushed/1") // added late, so that a push goes out
	chunk        = 16 * 1024
)

type options struct {
	listen, relay, key, keyType   string
	limitData, limitSeconds       int64
	unlimited, autorelay, renew   bool
	noEarlyMuxer, noiseOnly, push bool
	raw                           bool
	bytes, answer                 int64
	pings                         int
	registry                      *prometheus.Registry
}

var outMu sync.Mutex

func emit(kind string, more map[string]any) {
	if more == nil {
		more = map[string]any{}
	}
	more["event"] = kind
	line, err := json.Marshal(more)
	if err != nil {
		panic(err)
	}
	outMu.Lock()
	defer outMu.Unlock()
	os.Stdout.Write(append(line, '\n'))
}

func fail(err error) int {
	emit("error", map[string]any{"why": err.Error()})
	return 1
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: peer relay|listen|dial ... (see README.md)")
		os.Exit(2)
	}
	var o options
	fs := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	fs.StringVar(&o.listen, "listen", "", "multiaddr to listen on")
	fs.StringVar(&o.relay, "relay", "", "multiaddr of the relay to reserve on")
	fs.StringVar(&o.key, "key", "", "private key file (libp2p protobuf); made if missing")
	fs.StringVar(&o.keyType, "key-type", "ed25519", "ed25519, rsa, secp256k1 or ecdsa")
	fs.Int64Var(&o.limitData, "limit-data", 0, "relay: bytes per direction")
	fs.Int64Var(&o.limitSeconds, "limit-seconds", 0, "relay: seconds per circuit")
	fs.BoolVar(&o.unlimited, "unlimited", false, "relay: no limits")
	fs.BoolVar(&o.autorelay, "autorelay", false, "listen: let AutoRelay reserve")
	fs.BoolVar(&o.renew, "renew", false, "listen: reserve a second time")
	fs.BoolVar(&o.noEarlyMuxer, "no-early-muxer", false, "do not offer muxers inside Noise")
	fs.BoolVar(&o.noiseOnly, "noise-only", false, "do not offer TLS")
	fs.BoolVar(&o.push, "push", false, "add a protocol once connected, so that identify pushes")
	fs.Int64Var(&o.bytes, "bytes", 0, "dial: bytes to send through the echo")
	fs.Int64Var(&o.answer, "answer", 0, "listen --raw: bytes to send behind the other's end")
	fs.BoolVar(&o.raw, "raw", false, "bytes on the circuit itself, without Noise and Yamux")
	fs.IntVar(&o.pings, "ping", 0, "dial: number of pings")
	// Flags may stand before or after the address.
	args := os.Args[2:]
	addr := ""
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		addr, args = args[0], args[1:]
	}
	fs.Parse(args)
	if addr == "" && fs.NArg() > 0 {
		addr = fs.Arg(0)
	}
	o.registry = prometheus.NewRegistry()

	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	switch os.Args[1] {
	case "relay":
		os.Exit(runRelay(ctx, &o))
	case "listen":
		os.Exit(runListen(ctx, &o))
	case "dial":
		os.Exit(runDial(ctx, &o, addr))
	}
	fmt.Fprintln(os.Stderr, "unknown verb", os.Args[1])
	os.Exit(2)
}

func identity(o *options) (crypto.PrivKey, error) {
	if o.key != "" {
		if raw, err := os.ReadFile(o.key); err == nil {
			return crypto.UnmarshalPrivateKey(raw)
		} else if !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	types := map[string]int{"ed25519": crypto.Ed25519, "rsa": crypto.RSA,
		"secp256k1": crypto.Secp256k1, "ecdsa": crypto.ECDSA}
	t, ok := types[o.keyType]
	if !ok {
		return nil, fmt.Errorf("key type %q is not known", o.keyType)
	}
	priv, _, err := crypto.GenerateKeyPairWithReader(t, 2048, rand.Reader)
	if err != nil || o.key == "" {
		return priv, err
	}
	raw, err := crypto.MarshalPrivateKey(priv)
	if err != nil {
		return nil, err
	}
	return priv, os.WriteFile(o.key, raw, 0o600)
}

// noiseWithoutMuxers is the stock transport that was told of no muxer, which
// is how go-libp2p negotiates with a peer that knows no early muxer.
func noiseWithoutMuxers(id protocol.ID, key crypto.PrivKey, _ []tptu.StreamMuxer) (*noise.Transport, error) {
	return noise.New(id, key, nil)
}

func newHost(o *options, more ...libp2p.Option) (host.Host, error) {
	key, err := identity(o)
	if err != nil {
		return nil, err
	}
	// Every peer of a test has one address: the caps per address, which are
	// right on the Internet, would cut the test and not the fault.
	everywhere := func(bits int) []rcmgr.ConnLimitPerSubnet {
		return []rcmgr.ConnLimitPerSubnet{{PrefixLength: bits, ConnCount: 1 << 20}}
	}
	rm, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(rcmgr.InfiniteLimits),
		rcmgr.WithLimitPerSubnet(everywhere(32), everywhere(56)),
		rcmgr.WithConnRateLimiters(&rate.Limiter{}))
	if err != nil {
		return nil, err
	}
	opts := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.ResourceManager(rm),
		libp2p.UserAgent("adit-interop-go"),
		libp2p.PrometheusRegisterer(o.registry),
	}
	if o.listen != "" {
		opts = append(opts, libp2p.ListenAddrStrings(o.listen))
	} else {
		opts = append(opts, libp2p.NoListenAddrs)
	}
	noiseNew := any(noise.New)
	if o.noEarlyMuxer {
		noiseNew = noiseWithoutMuxers
	}
	switch {
	case o.noiseOnly:
		opts = append(opts, libp2p.Security(noise.ID, noiseNew))
	case o.noEarlyMuxer:
		opts = append(opts, libp2p.Security(libp2ptls.ID, libp2ptls.New),
			libp2p.Security(noise.ID, noiseNew))
	}
	// NoListenAddrs also turns the relay transport off.
	opts = append(append(opts, libp2p.EnableRelay()), more...)
	return libp2p.New(opts...)
}

func fullAddrs(h host.Host) []string {
	out := []string{}
	for _, a := range h.Addrs() {
		out = append(out, fmt.Sprintf("%s/p2p/%s", a, h.ID()))
	}
	return out
}

// watch reports connections, identify results and pushes.  go-libp2p has no
// event for a received push whose protocols are the old ones, so the counter
// of its own identify service is read as well.
func watch(ctx context.Context, h host.Host, o *options) error {
	sub, err := h.EventBus().Subscribe([]any{
		new(event.EvtPeerProtocolsUpdated),
		new(event.EvtPeerIdentificationCompleted),
	})
	if err != nil {
		return err
	}
	h.Network().Notify(&network.NotifyBundle{
		DisconnectedF: func(_ network.Network, c network.Conn) {
			emit("disconnected", map[string]any{"peer": c.RemotePeer().String(), "limited": c.Stat().Limited})
		},
	})
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		last := map[string]float64{}
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				for dir, name := range map[string]string{"inbound": "push", "outbound": "pushed"} {
					if n := pushes(o.registry, dir); n > last[dir] {
						last[dir] = n
						emit(name, map[string]any{"count": n})
					}
				}
			case e, ok := <-sub.Out():
				if !ok {
					return
				}
				switch e := e.(type) {
				case event.EvtPeerProtocolsUpdated:
					emit("push", map[string]any{"from": e.Peer.String(), "protocols": e.Added})
				case event.EvtPeerIdentificationCompleted:
					observed := ""
					if e.ObservedAddr != nil {
						observed = e.ObservedAddr.String()
					}
					emit("identified", map[string]any{"peer": e.Peer.String(), "agent": e.AgentVersion,
						"protocols": e.Protocols, "observed": observed,
						"signed_record": e.SignedPeerRecord != nil,
						"muxer":         string(e.Conn.ConnState().StreamMultiplexer),
						"early_muxer":   e.Conn.ConnState().UsedEarlyMuxerNegotiation,
						"security":      string(e.Conn.ConnState().Security),
						"limited":       e.Conn.Stat().Limited})
				}
			}
		}
	}()
	return nil
}

func pushes(reg *prometheus.Registry, dir string) float64 {
	families, err := reg.Gather()
	if err != nil {
		return 0
	}
	for _, f := range families {
		if f.GetName() != "libp2p_identify_identify_push_total" {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "dir" && l.GetValue() == dir {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	return 0
}

// echo sends back what comes, as it comes, and half-closes after the end.
func echo(s network.Stream) {
	from := s.Conn().RemotePeer().String()
	has, seconds, bytes := connLimit(s.Conn())
	emit("stream", withLimit(map[string]any{"from": from}, has, seconds, bytes))
	n, err := io.CopyBuffer(struct{ io.Writer }{s}, struct{ io.Reader }{s}, make([]byte, chunk))
	if err == nil {
		err = s.CloseWrite()
	}
	end := map[string]any{"from": from, "bytes": n}
	if err != nil {
		end["why"] = err.Error()
		s.Reset()
	} else {
		s.Close()
	}
	emit("stream_end", end)
}

// settled waits until check is true; it looks again at each change of the
// host's own addresses or protocols.
func settled(ctx context.Context, h host.Host, check func() bool) error {
	sub, err := h.EventBus().Subscribe([]any{
		new(event.EvtLocalAddressesUpdated),
		new(event.EvtLocalProtocolsUpdated),
	})
	if err != nil {
		return err
	}
	defer sub.Close()
	for !check() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-sub.Out():
		}
	}
	return nil
}

func runRelay(ctx context.Context, o *options) int {
	res := []relayv2.Option{
		relayv2.WithReservationAddressFilter(func(ma.Multiaddr) bool { return true }),
	}
	rc := relayv2.DefaultResources()
	rc.MaxReservationsPerIP, rc.MaxReservationsPerASN = 1024, 1024
	if o.limitData > 0 {
		rc.Limit.Data = o.limitData
	}
	if o.limitSeconds > 0 {
		rc.Limit.Duration = time.Duration(o.limitSeconds) * time.Second
	}
	res = append(res, relayv2.WithResources(rc))
	if o.unlimited {
		res = append(res, relayv2.WithInfiniteLimits())
	}
	h, err := newHost(o, libp2p.ForceReachabilityPublic(), libp2p.EnableRelayService(res...))
	if err != nil {
		return fail(err)
	}
	defer h.Close()
	if err := watch(ctx, h, o); err != nil {
		return fail(err)
	}
	err = settled(ctx, h, func() bool {
		for _, p := range h.Mux().Protocols() {
			if p == proto.ProtoIDv2Hop {
				return true
			}
		}
		return false
	})
	if err != nil {
		return fail(err)
	}
	emit("ready", map[string]any{"id": h.ID().String(), "addrs": fullAddrs(h)})
	<-ctx.Done()
	return 0
}

func runListen(ctx context.Context, o *options) int {
	var opts []libp2p.Option
	var relay *peer.AddrInfo
	if o.relay != "" {
		ai, err := peer.AddrInfoFromString(o.relay)
		if err != nil {
			return fail(err)
		}
		relay = ai
	}
	if o.autorelay {
		opts = append(opts, libp2p.ForceReachabilityPrivate(),
			libp2p.EnableAutoRelayWithStaticRelays([]peer.AddrInfo{*relay},
				autorelay.WithBootDelay(0), autorelay.WithMinInterval(0)))
	}
	h, err := newHost(o, opts...)
	if err != nil {
		return fail(err)
	}
	defer h.Close()
	if err := watch(ctx, h, o); err != nil {
		return fail(err)
	}
	h.SetStreamHandler(catProtocol, echo)
	if o.raw {
		h.SetStreamHandler(proto.ProtoIDv2Stop, takeRaw(o.answer))
	}
	switch {
	case relay == nil:
		emit("ready", map[string]any{"id": h.ID().String(), "addrs": fullAddrs(h)})
	case o.autorelay:
		var found string
		err = settled(ctx, h, func() bool {
			for _, a := range h.Addrs() {
				if strings.Contains(a.String(), "/p2p-circuit") {
					found = fmt.Sprintf("%s/p2p/%s", a, h.ID())
				}
			}
			return found != ""
		})
		if err != nil {
			return fail(err)
		}
		emit("reserved", map[string]any{"addr": found, "autorelay": true})
	default:
		if err := h.Connect(ctx, *relay); err != nil {
			return fail(err)
		}
		rounds := 1
		if o.renew {
			rounds = 2
		}
		for i := 0; i < rounds; i++ {
			r, err := client.Reserve(ctx, h, *relay)
			if err != nil {
				return fail(err)
			}
			addrs := []string{}
			for _, a := range r.Addrs {
				addrs = append(addrs, a.String())
			}
			emit("reserved", map[string]any{
				"expire":        r.Expiration.Unix(),
				"limit_seconds": int64(r.LimitDuration / time.Second),
				"limit_bytes":   r.LimitData,
				"voucher":       r.Voucher != nil,
				"renewal":       i > 0,
				"addrs":         addrs,
				"addr":          fmt.Sprintf("%s/p2p-circuit/p2p/%s", o.relay, h.ID()),
			})
		}
		if o.push {
			h.SetStreamHandler(pushProtocol, func(s network.Stream) { s.Reset() })
		}
	}
	<-ctx.Done()
	return 0
}

func runDial(ctx context.Context, o *options, addr string) int {
	if o.raw {
		return dialRaw(ctx, o, addr)
	}
	ai, err := peer.AddrInfoFromString(addr)
	if err != nil {
		return fail(err)
	}
	h, err := newHost(o)
	if err != nil {
		return fail(err)
	}
	defer h.Close()
	if err := watch(ctx, h, o); err != nil {
		return fail(err)
	}
	ctx = network.WithAllowLimitedConn(ctx, "interop")
	if err := h.Connect(ctx, *ai); err != nil {
		return fail(err)
	}
	conns := h.Network().ConnsToPeer(ai.ID)
	if len(conns) == 0 {
		return fail(errors.New("connected, but there is no connection"))
	}
	c := conns[0]
	// The host is a stock one; its identify service is reachable this way.
	if svc, ok := h.(interface{ IDService() identify.IDService }); ok {
		select {
		case <-svc.IDService().IdentifyWait(c):
		case <-ctx.Done():
			return fail(ctx.Err())
		}
	}
	agent, _ := h.Peerstore().Get(ai.ID, "AgentVersion")
	protocols, _ := h.Peerstore().GetProtocols(ai.ID)
	has, seconds, bytes := connLimit(c)
	emit("dialed", withLimit(map[string]any{"remote": ai.ID.String(),
		"agent": agent, "protocols": protocols,
		"security":    string(c.ConnState().Security),
		"early_muxer": c.ConnState().UsedEarlyMuxerNegotiation}, has, seconds, bytes))
	if protocols == nil {
		return fail(errors.New("identify brought no protocols"))
	}
	if o.push {
		h.SetStreamHandler(pushProtocol, func(s network.Stream) { s.Reset() })
		deadline := time.Now().Add(10 * time.Second)
		for pushes(o.registry, "outbound") == 0 {
			if time.Now().After(deadline) {
				return fail(errors.New("no identify push was sent"))
			}
			time.Sleep(20 * time.Millisecond)
		}
		emit("pushed", map[string]any{"count": pushes(o.registry, "outbound")})
	}
	if o.pings > 0 {
		pctx, cancel := context.WithCancel(ctx)
		results := ping.Ping(pctx, h, ai.ID)
		for i := 0; i < o.pings; i++ {
			r, ok := <-results
			if !ok {
				r.Error = errors.New("ping ended early")
			}
			if r.Error != nil {
				cancel()
				return fail(r.Error)
			}
			emit("ping", map[string]any{"us": r.RTT.Microseconds()})
		}
		cancel()
	}
	if o.bytes > 0 {
		if err := sendAndCompare(ctx, h, ai.ID, o.bytes); err != nil {
			return fail(err)
		}
	}
	return 0
}

func sendAndCompare(ctx context.Context, h host.Host, to peer.ID, n int64) error {
	s, err := h.NewStream(ctx, to, catProtocol)
	if err != nil {
		return err
	}
	start := time.Now()
	sent := sha256.New()
	werr := make(chan error, 1)
	go func() {
		src := io.TeeReader(io.LimitReader(mathrand.New(mathrand.NewSource(1)), n), sent)
		_, err := io.CopyBuffer(struct{ io.Writer }{s}, src, make([]byte, chunk))
		if err == nil {
			err = s.CloseWrite()
		}
		if err != nil {
			s.Reset()
		}
		werr <- err
	}()
	got := sha256.New()
	back, rerr := io.Copy(got, s)
	if err := <-werr; err != nil {
		emit("echo", map[string]any{"bytes": back, "ok": false, "why": "write: " + err.Error()})
		return err
	}
	ok := rerr == nil && back == n && string(got.Sum(nil)) == string(sent.Sum(nil))
	e := map[string]any{"bytes": back, "ok": ok, "seconds": time.Since(start).Seconds()}
	if rerr != nil {
		e["why"] = "read: " + rerr.Error()
	}
	emit("echo", e)
	s.Close()
	if !ok {
		return errors.New("the echo differs from what was sent")
	}
	return nil
}
