// SPDX-License-Identifier: Apache-2.0 OR MIT

// A stock js-libp2p node for the interop table: one relay, one listener or one
// dialer, driven by flags, telling what happened as one JSON object a line.
// The contract is in ../README.md and is the same for every language.

import './node20.js'
import { createHash, createCipheriv } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { identify, identifyPush } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const CAT = '/adit/cat/1'
const PUSHED = '/adit/pushed/1' // added late, so that a push goes out
const PUSH = '/ipfs/id/push/1.0.0'
const CHUNK = 16 * 1024

function emit (event, more = {}) {
  process.stdout.write(JSON.stringify({ event, ...more }) + '\n')
}

// What the library keeps of the relay's word with a connection.
function limitsOf (conn) {
  return {
    limited: conn.limits != null,
    limit_seconds: Number(conn.limits?.seconds ?? 0),
    limit_bytes: Number(conn.limits?.bytes ?? 0)
  }
}

const [verb, ...rest] = process.argv.slice(2)
const { values: o, positionals } = parseArgs({
  args: rest,
  allowPositionals: true,
  options: {
    listen: { type: 'string' },
    relay: { type: 'string' },
    key: { type: 'string' },
    'key-type': { type: 'string', default: 'ed25519' },
    'limit-data': { type: 'string' },
    'limit-seconds': { type: 'string' },
    unlimited: { type: 'boolean' },
    renew: { type: 'boolean' },
    'no-early-muxer': { type: 'boolean' },
    'noise-only': { type: 'boolean' },
    push: { type: 'boolean' },
    bytes: { type: 'string', default: '0' },
    ping: { type: 'string', default: '0' }
  }
})

async function identity () {
  if (o.key != null && existsSync(o.key)) {
    return privateKeyFromProtobuf(readFileSync(o.key))
  }
  const names = { ed25519: 'Ed25519', rsa: 'RSA', secp256k1: 'secp256k1', ecdsa: 'ECDSA' }
  const type = names[o['key-type']]
  if (type == null) {
    throw new Error(`key type ${o['key-type']} is not known`)
  }
  const key = type === 'RSA' ? await generateKeyPair(type, 2048) : await generateKeyPair(type)
  if (o.key != null) {
    writeFileSync(o.key, privateKeyToProtobuf(key), { mode: 0o600 })
  }
  return key
}

// Connections whose muxer came out of the Noise handshake, by the peer: the
// library does not tell.
const early = new Set()

// The stock transport, perhaps told to leave the muxers out: the library's own
// switch, which it uses where the transport below brings a muxer.
function watchedNoise (leaveOut) {
  const make = noise()
  return components => {
    const n = make(components)
    for (const way of ['secureInbound', 'secureOutbound']) {
      const plain = n[way].bind(n)
      n[way] = async (conn, options) => {
        if (leaveOut) {
          const done = await plain(conn, { ...options, skipStreamMuxerNegotiation: true })
          return { ...done, streamMuxer: undefined }
        }
        const done = await plain(conn, options)
        if (done.streamMuxer != null) {
          early.add(done.remotePeer.toString())
        }
        return done
      }
    }
    return n
  }
}

async function newNode (listen) {
  const noiseMake = watchedNoise(o['no-early-muxer'] === true)
  const services = {
    identify: identify(),
    identifyPush: identifyPush(),
    ping: ping()
  }
  if (verb === 'relay') {
    const reservations = { maxReservations: 1024, applyDefaultLimit: o.unlimited !== true }
    if (o['limit-data'] != null) {
      reservations.defaultDataLimit = BigInt(o['limit-data'])
    }
    if (o['limit-seconds'] != null) {
      reservations.defaultDurationLimit = Number(o['limit-seconds']) * 1000
    }
    services.relay = circuitRelayServer({ reservations })
  }
  const node = await createLibp2p({
    privateKey: await identity(),
    // js announces a public address only once others have confirmed it, and a
    // relay must announce one from the start.
    addresses: { listen, appendAnnounce: o.listen != null ? [o.listen] : [] },
    transports: [tcp(), circuitRelayTransport()],
    connectionEncrypters: o['noise-only'] === true ? [noiseMake] : [tls(), noiseMake],
    streamMuxers: [yamux()],
    // Every peer of a test has one address, so the cap per address goes; and
    // addresses that are not public may be dialled.
    connectionManager: { inboundConnectionThreshold: 10000 },
    connectionGater: { denyDialMultiaddr: () => false },
    services,
    start: false
  })
  const seen = new Map()
  node.addEventListener('peer:identify', ({ detail: d }) => {
    const peer = d.peerId.toString()
    const id = d.connection?.id
    const kind = seen.get(peer) === id ? 'push' : 'identified'
    seen.set(peer, id)
    emit(kind, {
      peer,
      from: peer,
      agent: d.agentVersion,
      protocols: d.protocols,
      addrs: d.listenAddrs.map(a => a.toString()),
      observed: d.observedAddr?.toString() ?? '',
      signed_record: d.signedPeerRecord != null,
      security: d.connection?.encryption,
      muxer: d.connection?.multiplexer,
      early_muxer: early.has(peer),
      limited: d.connection?.limits != null
    })
  })
  node.addEventListener('connection:close', ({ detail: c }) => {
    emit('disconnected', { peer: c.remotePeer.toString(), limited: c.limits != null })
  })
  node.addEventListener('connection:open', ({ detail: c }) => {
    // A push says nothing when it is done, so its stream is watched.
    const plain = c.newStream.bind(c)
    c.newStream = async (protocols, options) => {
      const stream = await plain(protocols, options)
      if (stream.protocol === PUSH) {
        emit('pushed', { to: c.remotePeer.toString() })
      }
      return stream
    }
  })
  return node
}

// Reads to the end.  The library's own iterator never ends when the peer's FIN
// came before the iteration began, so its events are used.
function readAll (stream, onChunk) {
  return new Promise((resolve, reject) => {
    stream.addEventListener('message', ({ data }) => onChunk(data))
    stream.addEventListener('end', () => resolve())
    stream.addEventListener('close', ({ error }) => {
      error != null ? reject(error) : resolve()
    })
    if (stream.readableEnded) {
      resolve()
    }
  })
}

// Sends in small pieces and waits where the library asks for it.  Its own
// onDrain() waits but once in the life of a stream; what then piles up leaves
// in one frame, and rust ends a connection on a frame of more than a megabyte.
async function sendAll (stream, chunk) {
  for (let at = 0; at < chunk.byteLength; at += CHUNK) {
    stream.send(chunk.subarray(at, Math.min(at + CHUNK, chunk.byteLength)))
    while (stream.writableNeedsDrain) {
      await new Promise((resolve, reject) => {
        const done = evt => {
          stream.removeEventListener('drain', done)
          stream.removeEventListener('close', done)
          evt.type === 'drain' ? resolve() : reject(evt.error ?? new Error('closed while writing'))
        }
        stream.addEventListener('drain', done)
        stream.addEventListener('close', done)
      })
    }
  }
}

async function echo (stream, connection) {
  const from = connection.remotePeer.toString()
  emit('stream', { from, ...limitsOf(connection) })
  let bytes = 0
  let why = null
  let sending = Promise.resolve()
  let queued = 0
  // A window that was granted before a pause may still be used up, and it grows
  // to 16 MiB; the library's 4 MiB would end the stream.
  stream.maxReadBufferLength = 32 * 1024 * 1024
  // A pause from inside resume() is undone by the rest of resume().
  const hold = () => {
    if (queued > 4 * CHUNK && stream.readStatus === 'readable') {
      stream.pause()
    }
  }
  try {
    await readAll(stream, chunk => {
      bytes += chunk.byteLength
      queued += chunk.byteLength
      queueMicrotask(hold)
      sending = sending.then(async () => {
        if (why == null) {
          await sendAll(stream, chunk)
        }
        queued -= chunk.byteLength
        if (queued === 0 && stream.readStatus === 'paused') {
          stream.resume()
        }
      }).catch(err => { why ??= String(err.message ?? err) })
    })
    await sending
    await stream.close()
  } catch (err) {
    why ??= String(err.message ?? err)
    stream.abort(err)
  }
  emit('stream_end', { from, bytes, why })
}

const late = () => {}

function untilTerm (node) {
  const end = async () => {
    await Promise.race([node.stop(), new Promise(resolve => setTimeout(resolve, 500))])
    process.exit(0)
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
}

async function runRelay () {
  const node = await newNode([o.listen])
  untilTerm(node)
  await node.start()
  emit('ready', { id: node.peerId.toString(), addrs: node.getMultiaddrs().map(a => a.toString()) })
}

// The circuit transport keeps what the relay answered; no public call tells.
function reservationStore (node) {
  for (const t of node.components.transportManager.getTransports()) {
    if (t.reservationStore != null) {
      return t.reservationStore
    }
  }
  throw new Error('there is no circuit transport')
}

function reserved (node, store, renewal) {
  const found = [...store.reservations.values()]
  if (found.length !== 1) {
    throw new Error('the relay granted no reservation')
  }
  const r = found[0].reservation
  emit('reserved', {
    expire: Number(r.expire),
    limit_seconds: Number(r.limit?.duration ?? 0),
    limit_bytes: Number(r.limit?.data ?? 0),
    voucher: r.voucher != null,
    renewal,
    addrs: r.addrs.map(a => multiaddr(a).toString()),
    addr: `${o.relay}/p2p-circuit/p2p/${node.peerId}`
  })
}

async function runListen () {
  const listen = o.listen != null ? [o.listen] : []
  const node = await newNode(o.relay != null ? [...listen, `${o.relay}/p2p-circuit`] : listen)
  untilTerm(node)
  await node.handle(CAT, echo, { runOnLimitedConnection: true })
  await node.start()
  if (o.relay == null) {
    emit('ready', { id: node.peerId.toString(), addrs: node.getMultiaddrs().map(a => a.toString()) })
    return
  }
  const store = reservationStore(node)
  reserved(node, store, false)
  if (o.renew === true) {
    // What its timer does; it asks only if the end is near.
    await store.addRelay([...store.reservations.keys()][0], 'configured')
    reserved(node, store, true)
  }
  if (o.push === true) {
    await node.handle(PUSHED, late)
  }
}

function within (promise, seconds, what) {
  return Promise.race([promise, new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error(`${what}: nothing after ${seconds} s`)), seconds * 1000).unref()
  })])
}

async function runDial () {
  const node = await newNode([])
  untilTerm(node)
  await node.start()
  const target = multiaddr(positionals[0])
  const wanted = positionals[0].split('/p2p/').at(-1)
  const info = new Promise(resolve => node.addEventListener('peer:identify', ({ detail }) => {
    if (detail.peerId.toString() === wanted) {
      resolve(detail)
    }
  }))
  const conn = await node.dial(target)
  // js drops all of identify when the observed address has no IP in it, which
  // is what rust sends over a circuit; the harness knows where to excuse that.
  const who = await within(info, 4, 'identify').catch(() => null)
  emit('dialed', {
    ...limitsOf(conn),
    remote: conn.remotePeer.toString(),
    agent: who?.agentVersion ?? null,
    protocols: who?.protocols ?? null,
    security: conn.encryption
  })
  if (o.push === true) {
    const sent = new Promise(resolve => {
      const plain = conn.newStream
      conn.newStream = async (protocols, options) => {
        const stream = await plain(protocols, options)
        if (stream.protocol === PUSH) {
          stream.addEventListener('close', resolve)
        }
        return stream
      }
    })
    await node.handle(PUSHED, late)
    await within(sent, 10, 'identify push')
  }
  for (let i = 0; i < Number(o.ping); i++) {
    const t = process.hrtime.bigint()
    await node.services.ping.ping(target)
    emit('ping', { us: Number((process.hrtime.bigint() - t) / 1000n) })
  }
  let ok = true
  if (Number(o.bytes) > 0) {
    ok = await sendAndCompare(conn, Number(o.bytes))
  }
  await Promise.race([node.stop(), new Promise(resolve => setTimeout(resolve, 1000))])
  process.exit(ok ? 0 : 1)
}

async function sendAndCompare (conn, total) {
  const start = process.hrtime.bigint()
  const stream = await conn.newStream(CAT, { runOnLimitedConnection: true })
  const sent = createHash('sha256')
  const got = createHash('sha256')
  let back = 0
  let why = null
  const reading = readAll(stream, chunk => {
    const flat = chunk.subarray()
    got.update(flat)
    back += flat.byteLength
  }).catch(err => { why = `read: ${err.message ?? err}` })
  const writing = (async () => {
    // A cipher over zeroes: bytes that no one guesses and every run repeats.
    const source = createCipheriv('aes-128-ctr', Buffer.alloc(16, 7), Buffer.alloc(16))
    for (let left = total; left > 0;) {
      const part = source.update(Buffer.alloc(Math.min(left, CHUNK)))
      sent.update(part)
      left -= part.byteLength
      await sendAll(stream, part)
    }
    await stream.close()
  })().catch(err => { why ??= `write: ${err.message ?? err}`; stream.abort(err) })
  await Promise.all([reading, writing])
  const ok = why == null && back === total && got.digest('hex') === sent.digest('hex')
  emit('echo', { bytes: back, ok, seconds: Number(process.hrtime.bigint() - start) / 1e9, why })
  return ok
}

const verbs = { relay: runRelay, listen: runListen, dial: runDial }
try {
  if (verbs[verb] == null) {
    throw new Error('usage: peer relay|listen|dial ... (see README.md)')
  }
  await verbs[verb]()
} catch (err) {
  emit('error', { why: String(err.message ?? err), name: err.name })
  process.exit(1)
}
