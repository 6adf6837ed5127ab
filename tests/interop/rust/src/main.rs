// SPDX-License-Identifier: Apache-2.0 OR MIT

//! A stock rust-libp2p node for the interop table: one relay, one listener or
//! one dialer, driven by flags, telling what happened as one JSON object a
//! line.  The contract is in ../README.md and is the same for every language.

use std::{
    collections::HashMap,
    error::Error,
    io::Write,
    process::ExitCode,
    time::{Duration, Instant},
};

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt};
use libp2p::{
    identify,
    identity::Keypair,
    multiaddr::Protocol,
    noise, ping, relay,
    swarm::{behaviour::toggle::Toggle, NetworkBehaviour, SwarmEvent},
    tcp, tls, yamux, Multiaddr, PeerId, Stream, StreamProtocol, Swarm, SwarmBuilder,
};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

const CAT: StreamProtocol = StreamProtocol::new("/adit/cat/1");
/// Added late, so that an identify push has something to say.
const PUSHED: StreamProtocol = StreamProtocol::new("/adit/pushed/1");
const CHUNK: usize = 16 * 1024;
/// Several times as long as from one ping to the next.
const OUTLIVE: Duration = Duration::from_secs(5);

type Failure = Box<dyn Error + Send + Sync>;

#[derive(NetworkBehaviour)]
struct Behaviour {
    relay: Toggle<relay::Behaviour>,
    relay_client: relay::client::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    stream: libp2p_stream::Behaviour,
}

fn emit(kind: &str, mut more: Value) {
    more["event"] = kind.into();
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{more}");
    let _ = out.flush();
}

/// Flags: those that take a value and those that do not.
struct Args {
    verb: String,
    addr: Option<String>,
    values: HashMap<String, String>,
    switches: Vec<String>,
}

impl Args {
    fn parse() -> Result<Self, Failure> {
        const VALUES: &[&str] = &[
            "listen", "relay", "key", "key-type", "limit-data", "limit-seconds", "bytes", "ping",
            "ttl-seconds",
        ];
        // --no-early-muxer is how rust always is; --renew is what it does anyway.
        const SWITCHES: &[&str] =
            &["unlimited", "no-early-muxer", "noise-only", "push", "renew"];
        let mut rest = std::env::args().skip(1);
        let verb = rest.next().ok_or("usage: peer relay|listen|dial ...")?;
        let mut args = Args { verb, addr: None, values: HashMap::new(), switches: Vec::new() };
        while let Some(arg) = rest.next() {
            match arg.strip_prefix("--") {
                Some(name) if VALUES.contains(&name) => {
                    let value = rest.next().ok_or(format!("--{name} needs a value"))?;
                    args.values.insert(name.to_owned(), value);
                }
                Some(name) if SWITCHES.contains(&name) => args.switches.push(name.to_owned()),
                Some(name) => return Err(format!("--{name} is not known here").into()),
                None => args.addr = Some(arg),
            }
        }
        Ok(args)
    }

    fn has(&self, name: &str) -> bool {
        self.switches.iter().any(|s| s == name)
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Result<u64, Failure> {
        Ok(self.text(name).map_or(Ok(0), str::parse)?)
    }
}

fn identity(args: &Args) -> Result<Keypair, Failure> {
    if let Some(raw) = args.text("key").and_then(|path| std::fs::read(path).ok()) {
        return Ok(Keypair::from_protobuf_encoding(&raw)?);
    }
    let pair = match args.text("key-type").unwrap_or("ed25519") {
        "ed25519" => Keypair::generate_ed25519(),
        "secp256k1" => Keypair::generate_secp256k1(),
        "ecdsa" => Keypair::generate_ecdsa(),
        "rsa" => return Err("rust-libp2p makes no RSA keys: give one with --key".into()),
        other => return Err(format!("key type {other:?} is not known").into()),
    };
    if let Some(path) = args.text("key") {
        std::fs::write(path, pair.to_protobuf_encoding()?)?;
    }
    Ok(pair)
}

fn relay_config(args: &Args) -> Result<relay::Config, Failure> {
    // Every peer of a test has one address, so the caps per address go.
    let mut config = relay::Config {
        reservation_rate_limiters: vec![],
        circuit_src_rate_limiters: vec![],
        ..Default::default()
    };
    match args.number("limit-data")? {
        0 => {}
        n => config.max_circuit_bytes = n,
    }
    match args.number("limit-seconds")? {
        0 => {}
        n => config.max_circuit_duration = Duration::from_secs(n),
    }
    match args.number("ttl-seconds")? {
        0 => {}
        n => config.reservation_duration = Duration::from_secs(n),
    }
    if args.has("unlimited") {
        config.max_circuit_bytes = 0; // how rust spells "no limit"
        config.max_circuit_duration = Duration::from_secs(24 * 3600);
    }
    Ok(config)
}

fn new_swarm(args: &Args) -> Result<Swarm<Behaviour>, Failure> {
    let builder = SwarmBuilder::with_existing_identity(identity(args)?).with_tokio();
    let tcp = tcp::Config::default().nodelay(true);
    let server = match args.verb.as_str() {
        "relay" => Some(relay_config(args)?),
        _ => None,
    };
    let behaviour = |key: &Keypair, client: relay::client::Behaviour| {
        let me = key.public().to_peer_id();
        Behaviour {
            relay: server.map(|c| relay::Behaviour::new(me, c)).into(),
            relay_client: client,
            identify: identify::Behaviour::new(
                identify::Config::new("/adit/interop".into(), key.public())
                    .with_agent_version("adit-interop-rust".into())
                    .with_push_listen_addr_updates(true),
            ),
            ping: ping::Behaviour::new(
                ping::Config::new().with_interval(Duration::from_millis(500)),
            ),
            stream: libp2p_stream::Behaviour::new(),
        }
    };
    let idle = |c: libp2p::swarm::Config| {
        c.with_idle_connection_timeout(Duration::from_secs(60))
    };
    // With one security protocol rust sends its first Noise message along
    // with the proposal; with two it does not.  Both happen in the wild.
    let noise_only = args.has("noise-only");
    let swarm = if noise_only {
        builder
            .with_tcp(tcp, noise::Config::new, yamux::Config::default)?
            .with_relay_client(noise::Config::new, yamux::Config::default)?
            .with_behaviour(behaviour)?
            .with_swarm_config(idle)
            .build()
    } else {
        builder
            .with_tcp(tcp, (tls::Config::new, noise::Config::new), yamux::Config::default)?
            .with_relay_client((tls::Config::new, noise::Config::new), yamux::Config::default)?
            .with_behaviour(behaviour)?
            .with_swarm_config(idle)
            .build()
    };
    Ok(swarm)
}

fn limit_of(limit: &Option<relay_limit::Limit>) -> (bool, u64, u64) {
    match limit {
        None => (false, 0, 0),
        Some((seconds, bytes)) => (true, *seconds, *bytes),
    }
}

/// The crate does not export the type of its limits, only their methods.
mod relay_limit {
    pub type Limit = (u64, u64);
}

/// What a relay's message said of a circuit: is there a limit, seconds, bytes.
type Told = (bool, u64, u64);

macro_rules! limit {
    ($l:expr) => {
        limit_of(&$l.as_ref().map(|l| {
            (l.duration().map_or(0, |d| d.as_secs()), l.data_in_bytes().unwrap_or(0))
        }))
    };
}

/// What the verbs want to know of what the swarm did.
enum News {
    Listening(Multiaddr),
    Reserved,
    Connected(PeerId),
    Identified(PeerId, Box<identify::Info>),
    Pushed,
    Pinged(PeerId, Duration),
    /// Something that ends a verb that waits for a connection.
    Failed(Failure),
    Other,
}

struct Node {
    swarm: Swarm<Behaviour>,
    relay_addr: Option<Multiaddr>,
    /// Peers that a limited circuit leads to or comes from.
    limited: std::sync::Arc<std::sync::Mutex<HashMap<PeerId, Told>>>,
    seen: HashMap<PeerId, usize>,
}

impl Node {
    async fn next(&mut self) -> News {
        let me = *self.swarm.local_peer_id();
        match self.swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => News::Listening(address),
            SwarmEvent::ListenerClosed { reason: Err(e), .. } => News::Failed(e.into()),
            SwarmEvent::ConnectionEstablished { peer_id, .. } => News::Connected(peer_id),
            SwarmEvent::ConnectionClosed { peer_id, cause, .. } => {
                let why = cause.map(|c| c.to_string());
                emit("disconnected", json!({ "peer": peer_id.to_string(), "why": why }));
                News::Other
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => News::Failed(error.into()),
            SwarmEvent::IncomingConnectionError { error, .. } => {
                emit("incoming_failed", json!({ "why": error.to_string() }));
                News::Other
            }
            SwarmEvent::Behaviour(BehaviourEvent::RelayClient(event)) => match event {
                relay::client::Event::ReservationReqAccepted { limit, renewal, .. } => {
                    let (_, seconds, bytes) = limit!(limit);
                    let relay = self.relay_addr.clone().unwrap_or_else(Multiaddr::empty);
                    emit(
                        "reserved",
                        json!({
                            "limit_seconds": seconds, "limit_bytes": bytes, "renewal": renewal,
                            "addr": format!("{relay}/p2p-circuit/p2p/{me}"),
                        }),
                    );
                    News::Reserved
                }
                relay::client::Event::OutboundCircuitEstablished { limit, .. } => {
                    // Only one circuit is ever dialled; its target is filled in by dial.
                    self.limited.lock().unwrap().insert(me, limit!(limit));
                    News::Other
                }
                relay::client::Event::InboundCircuitEstablished { src_peer_id, limit } => {
                    self.limited.lock().unwrap().insert(src_peer_id, limit!(limit));
                    News::Other
                }
            },
            SwarmEvent::Behaviour(BehaviourEvent::Relay(event)) => {
                emit("relay", json!({ "what": format!("{event:?}") }));
                News::Other
            }
            SwarmEvent::Behaviour(BehaviourEvent::Identify(event)) => match event {
                identify::Event::Received { peer_id, info, .. } => {
                    // The same event tells of a push: the first one of a
                    // connection is the answer to our own question.
                    let times = self.seen.entry(peer_id).or_default();
                    *times += 1;
                    let protocols: Vec<_> = info.protocols.iter().map(|p| p.to_string()).collect();
                    let kind = if *times == 1 { "identified" } else { "push" };
                    emit(
                        kind,
                        json!({
                            "peer": peer_id.to_string(), "from": peer_id.to_string(),
                            "agent": info.agent_version, "protocols": protocols,
                            "observed": info.observed_addr.to_string(),
                            "addrs": info.listen_addrs.iter().map(|a| a.to_string()).collect::<Vec<_>>(),
                        }),
                    );
                    News::Identified(peer_id, Box::new(info))
                }
                identify::Event::Pushed { peer_id, .. } => {
                    emit("pushed", json!({ "to": peer_id.to_string() }));
                    News::Pushed
                }
                identify::Event::Error { error, .. } => {
                    emit("identify_failed", json!({ "why": error.to_string() }));
                    News::Other
                }
                identify::Event::Sent { .. } => News::Other,
            },
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { peer, result, .. })) => {
                match result {
                    Ok(rtt) => News::Pinged(peer, rtt),
                    Err(ping::Failure::Unsupported) => News::Other,
                    Err(e) => {
                        emit("ping_failed", json!({ "peer": peer.to_string(), "why": e.to_string() }));
                        News::Other
                    }
                }
            }
            _ => News::Other,
        }
    }

    fn listen(&mut self, args: &Args) -> Result<bool, Failure> {
        match args.text("listen") {
            Some(addr) => {
                self.swarm.listen_on(addr.parse()?)?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    async fn until_listening(&mut self) -> Result<Multiaddr, Failure> {
        loop {
            match self.next().await {
                News::Listening(addr) => return Ok(addr),
                News::Failed(e) => return Err(e),
                _ => {}
            }
        }
    }

    /// After a refusal: does the connection to the relay still work?
    async fn outlive(&mut self) {
        let answered = tokio::time::timeout(OUTLIVE, async {
            while !matches!(self.next().await, News::Pinged(..)) {}
        });
        let alive = answered.await.is_ok();
        emit("outlived", json!({ "alive": alive }));
    }

    fn ready(&self, addr: &Multiaddr) {
        let me = self.swarm.local_peer_id().to_string();
        emit("ready", json!({ "id": me, "addrs": [format!("{addr}/p2p/{me}")] }));
    }
}

async fn echo(from: PeerId, mut stream: Stream) {
    let mut buf = vec![0; CHUNK];
    let mut total = 0u64;
    let outcome: std::io::Result<()> = async {
        loop {
            let n = stream.read(&mut buf).await?;
            if n == 0 {
                return stream.close().await;
            }
            stream.write_all(&buf[..n]).await?;
            stream.flush().await?;
            total += n as u64;
        }
    }
    .await;
    let mut end = json!({ "from": from.to_string(), "bytes": total });
    if let Err(e) = outcome {
        end["why"] = e.to_string().into();
    }
    emit("stream_end", end);
}

async fn run_relay(args: &Args, node: &mut Node) -> Result<(), Failure> {
    node.listen(args)?;
    let addr = node.until_listening().await?;
    // Hop is advertised only once an external address is known.
    node.swarm.add_external_address(addr.clone());
    node.ready(&addr);
    loop {
        node.next().await;
    }
}

async fn run_listen(args: &Args, node: &mut Node) -> Result<(), Failure> {
    let mut control = node.swarm.behaviour().stream.new_control();
    let mut incoming = control.accept(CAT)?;
    let limited = node.limited.clone();
    tokio::spawn(async move {
        while let Some((from, stream)) = incoming.next().await {
            let cut = limited.lock().unwrap().get(&from).copied().unwrap_or_default();
            emit(
                "stream",
                json!({
                    "from": from.to_string(), "limited": cut.0,
                    "limit_seconds": cut.1, "limit_bytes": cut.2,
                }),
            );
            tokio::spawn(echo(from, stream));
        }
    });
    let direct = node.listen(args)?;
    if direct {
        let addr = node.until_listening().await?;
        if node.relay_addr.is_none() {
            node.ready(&addr);
        }
    }
    if let Some(relay) = node.relay_addr.clone() {
        node.swarm.listen_on(relay.with(Protocol::P2pCircuit))?;
    }
    let mut late = None;
    loop {
        match node.next().await {
            News::Failed(e) if node.relay_addr.is_some() => {
                node.outlive().await;
                return Err(e);
            }
            News::Reserved if args.has("push") && late.is_none() => {
                late = Some(control.accept(PUSHED)?);
                let peers: Vec<_> = node.swarm.connected_peers().copied().collect();
                node.swarm.behaviour_mut().identify.push(peers);
            }
            _ => {}
        }
    }
}

async fn run_dial(args: &Args, node: &mut Node) -> Result<(), Failure> {
    let addr: Multiaddr = args.addr.as_deref().ok_or("dial needs an address")?.parse()?;
    let relayed = addr.iter().any(|p| p == Protocol::P2pCircuit);
    let target = match addr.iter().last() {
        Some(Protocol::P2p(id)) => id,
        _ => return Err("the address must end in /p2p/ID".into()),
    };
    let me = *node.swarm.local_peer_id();
    node.swarm.dial(addr)?;

    let (mut connected, mut info) = (false, None);
    while !connected || info.is_none() {
        match node.next().await {
            News::Connected(peer) if peer == target => connected = true,
            News::Identified(peer, i) if peer == target => info = Some(i),
            News::Failed(e) => return Err(e),
            _ => {}
        }
    }
    let info = info.expect("the loop above ends with it");
    let told = node.limited.lock().unwrap().get(&me).copied().unwrap_or_default();
    emit(
        "dialed",
        json!({
            "limited": relayed && told.0, "limit_seconds": told.1, "limit_bytes": told.2,
            "remote": target.to_string(), "agent": info.agent_version,
            "protocols": info.protocols.iter().map(|p| p.to_string()).collect::<Vec<_>>(),
        }),
    );

    let mut control = node.swarm.behaviour().stream.new_control();
    let mut late = None;
    if args.has("push") {
        late = Some(control.accept(PUSHED)?);
        node.swarm.behaviour_mut().identify.push([target]);
        while !matches!(node.next().await, News::Pushed) {}
    }
    let mut pings = args.number("ping")?;
    while pings > 0 {
        if let News::Pinged(peer, rtt) = node.next().await {
            if peer == target {
                emit("ping", json!({ "us": rtt.as_micros() as u64 }));
                pings -= 1;
            }
        }
    }
    let bytes = args.number("bytes")?;
    if bytes > 0 {
        let (done, mut result) = mpsc::channel(1);
        tokio::spawn(async move {
            let _ = done.send(send_and_compare(control, target, bytes).await).await;
        });
        loop {
            tokio::select! {
                r = result.recv() => {
                    r.ok_or("the sender vanished")??;
                    break;
                }
                _ = node.next() => {}
            }
        }
    }
    drop(late);
    Ok(())
}

/// Bytes that no one guesses and every run repeats.
struct Noise(u64);

impl Noise {
    fn fill(&mut self, buf: &mut [u8]) {
        for word in buf.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            word.copy_from_slice(&self.0.to_le_bytes()[..word.len()]);
        }
    }
}

async fn send_and_compare(
    mut control: libp2p_stream::Control,
    to: PeerId,
    total: u64,
) -> Result<(), Failure> {
    let stream = control.open_stream(to, CAT).await?;
    let start = Instant::now();
    let (mut reader, mut writer) = stream.split();
    let writing = async {
        let (mut source, mut hash) = (Noise(0x9e37_79b9_7f4a_7c15), Sha256::new());
        let (mut buf, mut left) = (vec![0; CHUNK], total);
        while left > 0 {
            let n = left.min(CHUNK as u64) as usize;
            source.fill(&mut buf[..n]);
            hash.update(&buf[..n]);
            writer.write_all(&buf[..n]).await?;
            left -= n as u64;
        }
        writer.close().await?;
        Ok::<_, std::io::Error>(hash.finalize())
    };
    let reading = async {
        let (mut hash, mut buf, mut got) = (Sha256::new(), vec![0; 4 * CHUNK], 0u64);
        let why = loop {
            match reader.read(&mut buf).await {
                Ok(0) => break None,
                Ok(n) => {
                    hash.update(&buf[..n]);
                    got += n as u64;
                }
                Err(e) => break Some(e.to_string()),
            }
        };
        (hash.finalize(), got, why)
    };
    let (sent, (back, got, why)) = futures::join!(writing, reading);
    let (sent, why) = match sent {
        Ok(hash) => (Some(hash), why),
        Err(e) => (None, Some(format!("write: {e}"))),
    };
    let ok = why.is_none() && got == total && sent == Some(back);
    emit(
        "echo",
        json!({ "bytes": got, "ok": ok, "seconds": start.elapsed().as_secs_f64(), "why": why }),
    );
    if ok {
        Ok(())
    } else {
        Err("the echo differs from what was sent".into())
    }
}

async fn run() -> Result<(), Failure> {
    let args = Args::parse()?;
    let mut node = Node {
        swarm: new_swarm(&args)?,
        relay_addr: args.text("relay").map(str::parse).transpose()?,
        limited: Default::default(),
        seen: HashMap::new(),
    };
    match args.verb.as_str() {
        "relay" => run_relay(&args, &mut node).await,
        "listen" => run_listen(&args, &mut node).await,
        "dial" => run_dial(&args, &mut node).await,
        other => Err(format!("unknown verb {other:?}").into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .expect("a signal handler");
    tokio::select! {
        _ = term.recv() => ExitCode::SUCCESS,
        outcome = run() => match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(e) => {
                // The library's errors name what happened in their sources.
                let mut chain = vec![e.to_string()];
                let mut source = e.source();
                while let Some(inner) = source {
                    chain.push(inner.to_string());
                    source = inner.source();
                }
                emit("error", json!({ "why": chain.join(": ") }));
                ExitCode::FAILURE
            }
        },
    }
}
