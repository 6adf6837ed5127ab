#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Write tests/vectors/asn.mmdb, a small database of autonomous systems.

    asn.py FILE

In the format of https://maxmind.github.io/MaxMind-DB/ (2.0): IPv6 with IPv4
in ::/96 and, as real ones have it, once more in ::ffff:0:0/96.  Numbers are
those that RFC 5398 and RFC 6996 leave to documents and private use.
"""
import ipaddress
import struct
import sys

NETWORKS = [
    ('192.0.2.0/24', 64500, 'Documentation'),
    ('198.51.100.0/25', 64501, 'Half a network'),
    ('10.1.0.0/16', 64510, 'One of memory links'),
    ('10.2.0.0/16', 64511, 'Another of memory links'),
    ('127.1.0.0/16', 64520, 'One of loopback'),
    ('127.2.0.0/16', 64521, 'Another of loopback'),
    ('2001:db8::/32', 64502, 'Documentation, IPv6'),
    ('2001:db8:1::/48', 4200000001, 'Within the former'),
]
RECORD_BITS = 24


def control(kind, n):
    assert n < 29 + 256
    size, more = (n, b'') if n < 29 else (29, bytes([n - 29]))
    if kind > 7:
        return bytes([size, kind - 7]) + more
    return bytes([kind << 5 | size]) + more


def number(kind, v):
    b = v.to_bytes((v.bit_length() + 7) // 8, 'big')
    return control(kind, len(b)) + b


def encode(v):
    if isinstance(v, str):
        b = v.encode()
        return control(2, len(b)) + b
    if isinstance(v, tuple):  # (type, number): 5 uint16, 6 uint32, 9 uint64
        return number(*v)
    if isinstance(v, list):
        return control(11, len(v)) + b''.join(map(encode, v))
    return control(7, len(v)) + b''.join(encode(k) + encode(x)
                                         for k, x in v.items())


class Tree:
    """Nodes are pairs of: None, ('data', offset), or another node."""

    def __init__(self):
        self.root = [None, None]

    def insert(self, bits, leaf):
        node = self.root
        for b in bits[:-1]:
            if not isinstance(node[b], list):
                node[b] = [node[b], node[b]]
            node = node[b]
        node[bits[-1]] = leaf

    def find(self, bits):
        node = self.root
        for b in bits:
            node = node[b]
        return node

    def nodes(self):
        order, index, todo = [], {}, [self.root]
        while todo:
            n = todo.pop(0)
            if id(n) in index:
                continue
            index[id(n)] = len(order)
            order.append(n)
            todo += [r for r in n if isinstance(r, list)]
        return order, index


def bits_of(net):
    if net.version == 4:
        return [0] * 96 + bits(int(net.network_address), 32)[:net.prefixlen]
    return bits(int(net.network_address), 128)[:net.prefixlen]


def bits(v, n):
    return [v >> (n - 1 - i) & 1 for i in range(n)]


def main(argv):
    if len(argv) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    tree, data = Tree(), b''
    nets = sorted((ipaddress.ip_network(n), asn, org)
                  for n, asn, org in NETWORKS if ':' not in n)
    nets += sorted((ipaddress.ip_network(n), asn, org)
                   for n, asn, org in NETWORKS if ':' in n)
    for net, asn, org in nets:
        tree.insert(bits_of(net), ('data', len(data)))
        data += encode({'autonomous_system_number': (6, asn),
                        'autonomous_system_organization': org})
    tree.insert([0] * 80 + [1] * 16, tree.find([0] * 96))
    order, index = tree.nodes()

    def record(r):
        if r is None:
            v = len(order)
        elif isinstance(r, list):
            v = index[id(r)]
        else:
            v = len(order) + 16 + r[1]
        return struct.pack('>I', v)[1:]

    meta = encode({
        'binary_format_major_version': (5, 2),
        'binary_format_minor_version': (5, 0),
        'build_epoch': (9, 1700000000),
        'database_type': 'adit-test-ASN',
        'description': {'en': 'made by asn.py'},
        'ip_version': (5, 6),
        'languages': ['en'],
        'node_count': (6, len(order)),
        'record_size': (5, RECORD_BITS),
    })
    with open(argv[0], 'wb') as f:
        for n in order:
            f.write(record(n[0]) + record(n[1]))
        f.write(bytes(16) + data + b'\xab\xcd\xefMaxMind.com' + meta)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
