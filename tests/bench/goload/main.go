// SPDX-License-Identifier: Apache-2.0 OR MIT

// Command goload is the go-libp2p side of `make bench`: a stock circuit-relay-v2
// relay to compare with, and the load under which every relay is measured. It
// speaks TCP on loopback, Noise and Yamux, and nothing else; each subcommand ends
// by itself after --max-seconds, or when its standard input closes.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/gologshim"
	"golang.org/x/sys/unix"
)

type command struct {
	name, help string
	run        func(ctx context.Context, args []string) error
}

var commands = []command{
	{"relay", "a stock relay, limits lifted", cmdRelay},
	{"circuits", "circuits that carry bytes one way", cmdCircuits},
	{"flood", "circuits that carry frames of one size, until the relay is slow", cmdFlood},
	{"shares", "circuits that join one after the other, each with its own count", cmdShares},
	{"setup", "what connect+reserve and a circuit cost the relay", cmdSetup},
	{"echo", "a peer that is reached directly and through relays", cmdEcho},
	{"latency", "ping-pong with it over each path, by turns", cmdLatency},
	{"idle", "connections that reserve and then do nothing", cmdIdle},
}

func main() {
	// What goes wrong here is returned. go-libp2p complains of each dialed connection
	// that it cannot set keep-alive on a counted one.
	gologshim.SetDefaultHandler(slog.DiscardHandler)
	if len(os.Args) > 1 {
		for _, c := range commands {
			if c.name != os.Args[1] {
				continue
			}
			if err := c.run(context.Background(), os.Args[2:]); err != nil {
				fmt.Fprintf(os.Stderr, "goload %s: %v\n", c.name, err)
				os.Exit(1)
			}
			return
		}
	}
	fmt.Fprintln(os.Stderr, "usage: goload COMMAND [options]   (COMMAND --help for its options)")
	for _, c := range commands {
		fmt.Fprintf(os.Stderr, "  %-10s %s\n", c.name, c.help)
	}
	os.Exit(2)
}

// maxSeconds adds --max-seconds, the bound on a run, whatever happens to the driver.
func maxSeconds(fs *flag.FlagSet) *int {
	return fs.Int("max-seconds", 300, "end by itself after so long")
}

func bounded(ctx context.Context, seconds int) (context.Context, context.CancelFunc) {
	d := time.Duration(seconds) * time.Second
	// A hung call must not outlive the bound either.
	time.AfterFunc(d+5*time.Second, func() {
		fmt.Fprintln(os.Stderr, "goload: out of time")
		os.Exit(3)
	})
	return context.WithTimeout(ctx, d)
}

// lines gives the words of each line of standard input, and closes at its end.
func lines(ctx context.Context) <-chan []string {
	ch := make(chan []string)
	go func() {
		defer close(ch)
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			select {
			case ch <- strings.Fields(in.Text()):
			case <-ctx.Done():
				return
			}
		}
	}()
	return ch
}

// serve answers each line of standard input with one JSON object on standard output.
func serve(ctx context.Context, answer func(words []string) (any, error)) error {
	in := lines(ctx)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case words, ok := <-in:
			if !ok {
				return nil
			}
			v, err := answer(words)
			if err != nil {
				return err
			}
			if err := print(v); err != nil {
				return err
			}
		}
	}
}

func print(v any) error {
	return json.NewEncoder(os.Stdout).Encode(v)
}

// processCPU is the CPU time that a process used in all its threads, dead ones
// included. The clock id is the kernel's: ~pid in the upper bits, CPUCLOCK_SCHED.
func processCPU(pid int) (time.Duration, error) {
	if pid <= 0 {
		return 0, nil
	}
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &ts); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

func parse(fs *flag.FlagSet, args []string) error {
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 {
		return errors.New("no such argument: " + fs.Arg(0))
	}
	return nil
}
