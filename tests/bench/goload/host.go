// SPDX-License-Identifier: Apache-2.0 OR MIT

package main

import (
	"context"
	"fmt"
	"net"

	"github.com/libp2p/go-libp2p"
	coreconnmgr "github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
)

// wire is what every host here has in common, on both sides of the relay.
func wire() []libp2p.Option {
	return []libp2p.Option{
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.UserAgent("adit-goload"),
	}
}

// newPeer makes a stock peer that listens nowhere but behind relays, or also at listen.
// What it counts for itself is switched off: the load must cost less than the relay.
func newPeer(count *frames, listen string) (host.Host, error) {
	opts := append(wire(),
		libp2p.EnableRelay(),
		libp2p.DisableMetrics(),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.ConnectionManager(coreconnmgr.NullConnMgr{}),
		libp2p.Transport(tcp.NewTCPTransport, tcp.WithDialerForAddr(
			func(ma.Multiaddr) (tcp.ContextDialer, error) { return dialer{count}, nil })),
	)
	if listen == "" {
		opts = append(opts, libp2p.NoListenAddrs)
	} else {
		opts = append(opts, libp2p.ListenAddrStrings(listen))
	}
	return libp2p.New(opts...)
}

type dialer struct{ count *frames }

func (d dialer) DialContext(ctx context.Context, nw, addr string) (net.Conn, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, nw, addr)
	if err != nil || d.count == nil {
		return c, err
	}
	return &countedConn{TCPConn: c.(*net.TCPConn), frames: d.count}, nil
}

// newReserved makes a peer that holds a reservation on the relay.
func newReserved(ctx context.Context, count *frames, relay peer.AddrInfo, listen string) (host.Host, error) {
	h, err := newPeer(count, listen)
	if err != nil {
		return nil, err
	}
	if err := h.Connect(ctx, relay); err != nil {
		h.Close()
		return nil, fmt.Errorf("connect to the relay: %w", err)
	}
	if _, err := client.Reserve(ctx, h, relay); err != nil {
		h.Close()
		return nil, fmt.Errorf("reserve: %w", err)
	}
	return h, nil
}

// through is the address of a peer behind the relay.
func through(relay peer.AddrInfo, p peer.ID) peer.AddrInfo {
	a := relay.Addrs[0].Encapsulate(ma.StringCast(fmt.Sprintf("/p2p/%s/p2p-circuit", relay.ID)))
	return peer.AddrInfo{ID: p, Addrs: []ma.Multiaddr{a}}
}

func relayInfo(text string) (peer.AddrInfo, error) {
	ai, err := peer.AddrInfoFromString(text)
	if err != nil {
		return peer.AddrInfo{}, fmt.Errorf("--relay %q: %w", text, err)
	}
	return *ai, nil
}

func closeAll(hosts []host.Host) {
	for _, h := range hosts {
		h.Close()
	}
}
