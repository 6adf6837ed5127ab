// SPDX-License-Identifier: Apache-2.0 OR MIT

package main

import (
	"net"
	"sync/atomic"
)

// frames counts the Noise frames of the connections to a relay by their plaintext
// size: written by us, read by us. Their lengths are in the clear; the bytes before
// them are two multistream messages each way.
type frames struct {
	written, read [65536]atomic.Uint32
}

// tally is what happened in a window, ready for JSON: size, count.
type tally [][2]int

func (f *frames) snapshot(dir *[65536]atomic.Uint32) []uint32 {
	s := make([]uint32, len(dir))
	for i := range dir {
		s[i] = dir[i].Load()
	}
	return s
}

func since(dir *[65536]atomic.Uint32, from []uint32) tally {
	t := tally{}
	for i := range dir {
		if n := dir[i].Load() - from[i]; n > 0 {
			t = append(t, [2]int{i, int(n)})
		}
	}
	return t
}

type countedConn struct {
	*net.TCPConn
	frames *frames
	rd, wr framer
}

func (c *countedConn) Read(p []byte) (int, error) {
	n, err := c.TCPConn.Read(p)
	c.rd.see(p[:n], &c.frames.read)
	return n, err
}

func (c *countedConn) Write(p []byte) (int, error) {
	n, err := c.TCPConn.Write(p)
	c.wr.see(p[:n], &c.frames.written)
	return n, err
}

// framer finds the frames' lengths in a stream that comes in pieces.
type framer struct {
	hello int // multistream messages seen
	head  int // length bytes seen of the current message
	size  int // its length so far
	left  int // bytes of it that are still to come
}

func (f *framer) see(p []byte, count *[65536]atomic.Uint32) {
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, len(p))
			f.left -= n
			p = p[n:]
			continue
		}
		b := int(p[0])
		p = p[1:]
		if f.hello < 2 {
			// Both messages are shorter than 128 bytes: one byte of length.
			f.hello++
			f.left = b
			continue
		}
		f.size = f.size<<8 | b
		if f.head++; f.head < 2 {
			continue
		}
		f.left = f.size
		count[max(f.size-16, 0)].Add(1)
		f.head, f.size = 0, 0
	}
}
