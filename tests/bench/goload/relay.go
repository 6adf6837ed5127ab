// SPDX-License-Identifier: Apache-2.0 OR MIT

package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/libp2p/go-libp2p"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"
)

// cmdRelay runs go-libp2p's relay as it comes, but for what would stop a bench:
// limits, private addresses, and a connection manager that trims.
func cmdRelay(ctx context.Context, args []string) error {
	fs := flag.NewFlagSet("relay", flag.ExitOnError)
	port := fs.Int("port", 0, "TCP port on 127.0.0.1; 0: any")
	buffer := fs.Int("buffer", relay.DefaultResources().BufferSize, "copy buffer of a circuit, bytes")
	max := maxSeconds(fs)
	if err := parse(fs, args); err != nil {
		return err
	}
	ctx, cancel := bounded(ctx, *max)
	defer cancel()

	rm, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(rcmgr.InfiniteLimits))
	if err != nil {
		return err
	}
	// Never trims at these marks.
	cm, err := connmgr.NewConnManager(1<<20, 1<<21)
	if err != nil {
		return err
	}
	h, err := libp2p.New(append(wire(),
		libp2p.ListenAddrStrings(fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", *port)),
		libp2p.ForceReachabilityPublic(),
		libp2p.DisableRelay(),
		libp2p.ResourceManager(rm),
		libp2p.ConnectionManager(cm))...)
	if err != nil {
		return err
	}
	defer h.Close()
	rc := relay.DefaultResources()
	rc.Limit = nil
	rc.ReservationTTL = time.Hour
	rc.BufferSize = *buffer
	rc.MaxReservations = math.MaxInt
	rc.MaxReservationsPerIP = math.MaxInt
	rc.MaxReservationsPerASN = math.MaxInt
	rc.MaxCircuits = math.MaxInt
	r, err := relay.New(h, relay.WithResources(rc),
		relay.WithReservationAddressFilter(func(ma.Multiaddr) bool { return true }))
	if err != nil {
		return err
	}
	defer r.Close()
	// The same line as aditd's, so that the driver waits for both alike.
	fmt.Fprintf(os.Stderr, "node.ready addr=%s/p2p/%s\n", h.Network().ListenAddresses()[0], h.ID())
	return serve(ctx, func([]string) (any, error) { return struct{}{}, nil })
}
