//! `lab-stream`: one UDP stream in each direction between two hosts of a lab, with numbered
//! packets.
//!
//! ```text
//!   run (in mn)                                   reflect (in cn)
//!     Start ------------------------------------>   begins to send downlink
//!     <------------------------------------ Start
//!     Data 0, 1, 2 .. at `rate` -----------------> counted: uplink
//!     counted: downlink <----- Data 0, 1, 2 .. at `rate`
//!     Stop ------------------------------------->   stops
//!     <-------------------- Report (what it saw)
//! ```
//! `run` prints both directions as one JSON object. It ends after `--seconds`, or at SIGTERM.

use clap::{Parser, Subcommand};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::UdpSocket;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

#[derive(Parser)]
#[command(about = "A numbered UDP stream in both directions, for the lab")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Answers `run`: counts what arrives and sends a stream of its own back.
    Reflect {
        /// Where to listen, for instance `[2001:db8:f::1]:5213`.
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Sends to a reflector, counts what comes back, prints both directions as JSON.
    Run {
        /// The reflector.
        #[arg(long)]
        to: SocketAddr,
        /// The address to send from.
        #[arg(long)]
        from: SocketAddr,
        /// Packets a second in each direction.
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=20_000))]
        rate: u32,
        /// UDP payload in bytes.
        #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(64..=8_000))]
        size: u16,
        /// How long; SIGTERM ends it earlier.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
    },
}

/// One datagram: magic and kind, session, six words; padded to the size asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Message {
    Start { rate: u32, size: u16 },
    Data { seq: u64 },
    Stop,
    Report { sent: u64, seen: Seen },
}

/// What one side saw of the other's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Seen {
    received: u64,
    reordered: u64,
    duplicated: u64,
    longest_gap_ms: u64,
}

/// One direction of the result. `lost` is what was sent and never arrived.
#[derive(Debug, Serialize)]
struct Direction {
    sent: u64,
    received: u64,
    lost: u64,
    reordered: u64,
    duplicated: u64,
    longest_gap_ms: u64,
}

impl Direction {
    fn new(sent: u64, seen: Seen) -> Self {
        let Seen { received, reordered, duplicated, longest_gap_ms } = seen;
        let lost = sent.saturating_sub(received);
        Self { sent, received, lost, reordered, duplicated, longest_gap_ms }
    }
}

/// The result of a run.
#[derive(Debug, Serialize)]
struct Outcome {
    uplink: Direction,
    downlink: Direction,
}

/// Counts a stream. Numbers beyond [`Counting::SEQ_MAX`] are not counted: they are not ours.
#[derive(Debug, Default)]
struct Counting {
    seen: Seen,
    arrived: Vec<bool>,
    last: Option<Instant>,
}

impl Counting {
    const SEQ_MAX: u64 = 10_000_000;

    fn count(&mut self, seq: u64, now: Instant) {
        let Some(at) = usize::try_from(seq).ok().filter(|_| seq < Self::SEQ_MAX) else { return };
        let late = at < self.arrived.len();
        if !late {
            self.arrived.resize(at + 1, false);
        }
        if std::mem::replace(&mut self.arrived[at], true) {
            self.seen.duplicated += 1;
            return;
        }
        self.seen.received += 1;
        self.seen.reordered += u64::from(late);
        if let Some(last) = self.last.replace(now) {
            let gap_ms = u64::try_from((now - last).as_millis()).unwrap_or(u64::MAX);
            self.seen.longest_gap_ms = self.seen.longest_gap_ms.max(gap_ms);
        }
    }
}

/// Sends numbered packets at a rate; after a delay it catches up.
struct Sending {
    rate: u32,
    size: u16,
    began: Instant,
    sent: u64,
}

impl Sending {
    fn new(rate: u32, size: u16) -> Self {
        Self { rate, size, began: Instant::now(), sent: 0 }
    }

    async fn send_due(&mut self, socket: &UdpSocket, session: u64, to: SocketAddr) {
        let due = self.began.elapsed().as_micros() * u128::from(self.rate) / 1_000_000;
        while u128::from(self.sent) < due {
            // A refused send (no route, full queue) is a lost packet, as on any other hop.
            let data = Message::Data { seq: self.sent };
            let _ = socket.send_to(&data.emit(session, self.size.into()), to).await;
            self.sent += 1;
        }
    }
}

impl Message {
    const MAGIC: u32 = 0x6c61_6273; // "labs"
    const LEN: usize = 60;

    /// The datagram, padded to `size`.
    fn emit(self, session: u64, size: usize) -> Vec<u8> {
        let (kind, fields) = match self {
            Self::Start { rate, size } => (1, [u64::from(rate), u64::from(size), 0, 0, 0, 0]),
            Self::Data { seq } => (2, [seq, 0, 0, 0, 0, 0]),
            Self::Stop => (3, [0; 6]),
            Self::Report { sent, seen } => {
                (4, [sent, seen.received, seen.reordered, seen.duplicated, seen.longest_gap_ms, 0])
            }
        };
        let mut bytes = Vec::with_capacity(size.max(Self::LEN));
        bytes.extend_from_slice(&(Self::MAGIC + kind).to_be_bytes());
        bytes.extend_from_slice(&session.to_be_bytes());
        for field in fields {
            bytes.extend_from_slice(&field.to_be_bytes());
        }
        bytes.resize(size.max(Self::LEN), 0);
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<(u64, Self)> {
        let kind = u32::from_be_bytes(*bytes.first_chunk()?).checked_sub(Self::MAGIC)?;
        let word = |n: usize| {
            bytes.get(4 + 8 * n..).and_then(|b| b.first_chunk()).map(|b| u64::from_be_bytes(*b))
        };
        let message = match kind {
            1 => Self::Start {
                rate: u32::try_from(word(1)?).ok()?,
                size: u16::try_from(word(2)?).ok()?,
            },
            2 => Self::Data { seq: word(1)? },
            3 => Self::Stop,
            4 => Self::Report {
                sent: word(1)?,
                seen: Seen {
                    received: word(2)?,
                    reordered: word(3)?,
                    duplicated: word(4)?,
                    longest_gap_ms: word(5)?,
                },
            },
            _ => return None,
        };
        Some((word(0)?, message))
    }
}

/// How often the due packets are sent; several at once above 200 packets a second.
const TICK: Duration = Duration::from_millis(5);
/// How often a message without an answer is sent again, and for how long.
const RETRY: Duration = Duration::from_millis(100);
const GIVE_UP: Duration = Duration::from_secs(10);
/// How long to wait for late packets of a stream that has stopped.
const DRAIN: Duration = Duration::from_millis(300);

/// The stream of one session, at the reflector.
struct Session {
    id: u64,
    peer: SocketAddr,
    counting: Counting,
    sending: Sending,
    running: bool,
}

/// Serves one session after the other until SIGTERM.
async fn reflect(listen: SocketAddr) -> std::io::Result<()> {
    let socket = UdpSocket::bind(listen).await?;
    let mut term = signal(SignalKind::terminate())?;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut session: Option<Session> = None;
    let mut buf = [0; 9000];
    loop {
        tokio::select! {
            _ = term.recv() => return Ok(()),
            _ = tick.tick() => if let Some(s) = session.as_mut().filter(|s| s.running) {
                s.sending.send_due(&socket, s.id, s.peer).await;
            },
            got = socket.recv_from(&mut buf) => {
                // An ICMP error for an earlier packet comes back here; the stream goes on.
                let Ok((len, peer)) = got else { continue };
                let Some((id, message)) = Message::parse(&buf[..len]) else { continue };
                let answer = on_message(&mut session, id, message, peer);
                if let Some(answer) = answer {
                    let _ = socket.send_to(&answer.emit(id, 0), peer).await;
                }
            }
        }
    }
}

/// The reflector's side of the protocol: what to answer.
fn on_message(
    session: &mut Option<Session>,
    id: u64,
    message: Message,
    peer: SocketAddr,
) -> Option<Message> {
    match (message, session.as_mut().filter(|s| s.id == id)) {
        (Message::Start { rate, size }, known) => {
            if known.is_none() {
                let (counting, sending) = (Counting::default(), Sending::new(rate, size));
                *session = Some(Session { id, peer, counting, sending, running: true });
            }
            Some(message)
        }
        (Message::Data { seq }, Some(s)) => {
            s.counting.count(seq, Instant::now());
            None
        }
        (Message::Stop, Some(s)) => {
            s.running = false;
            Some(Message::Report { sent: s.sending.sent, seen: s.counting.seen })
        }
        _ => None,
    }
}

/// The parameters of a run.
#[derive(Clone, Copy)]
struct Run {
    to: SocketAddr,
    rate: u32,
    size: u16,
    length: Duration,
}

async fn run(from: SocketAddr, run: Run) -> Result<Outcome, String> {
    let socket = UdpSocket::bind(from).await.map_err(|e| format!("cannot bind {from}: {e}"))?;
    let session = session_id();
    let mut counting = Counting::default();

    let start = Message::Start { rate: run.rate, size: run.size };
    ask(&socket, run.to, session, start, &mut counting, |m| (m == start).then_some(()))
        .await
        .ok_or_else(|| format!("no answer from {}", run.to))?;
    let _ = writeln!(std::io::stderr(), "the stream flows");

    let sent = stream(&socket, session, run, &mut counting).await?;
    receive(&socket, session, &mut counting, DRAIN, |_| None::<()>).await;

    let (their_sent, seen) =
        ask(&socket, run.to, session, Message::Stop, &mut counting, |m| match m {
            Message::Report { sent, seen } => Some((sent, seen)),
            _ => None,
        })
        .await
        .ok_or_else(|| format!("no report from {}", run.to))?;
    receive(&socket, session, &mut counting, DRAIN, |_| None::<()>).await;

    Ok(Outcome {
        uplink: Direction::new(sent, seen),
        downlink: Direction::new(their_sent, counting.seen),
    })
}

/// Both streams, until the time is over or SIGTERM comes. Returns how many were sent.
async fn stream(
    socket: &UdpSocket,
    session: u64,
    run: Run,
    counting: &mut Counting,
) -> Result<u64, String> {
    let mut term = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sending = Sending::new(run.rate, run.size);
    let mut buf = [0; 9000];
    while sending.began.elapsed() < run.length {
        tokio::select! {
            _ = term.recv() => break,
            _ = tick.tick() => sending.send_due(socket, session, run.to).await,
            got = socket.recv_from(&mut buf) => if let Ok((len, _)) = got {
                count_data(counting, session, &buf[..len]);
            },
        }
    }
    Ok(sending.sent)
}

/// Sends `question` until `answer` accepts what comes back.
async fn ask<T>(
    socket: &UdpSocket,
    to: SocketAddr,
    session: u64,
    question: Message,
    counting: &mut Counting,
    answer: impl Fn(Message) -> Option<T>,
) -> Option<T> {
    let began = Instant::now();
    while began.elapsed() < GIVE_UP {
        // A refused send is repeated like a lost one.
        let _ = socket.send_to(&question.emit(session, 0), to).await;
        if let Some(got) = receive(socket, session, counting, RETRY, &answer).await {
            return Some(got);
        }
    }
    None
}

/// Counts data for `length`, or until `answer` accepts another message.
async fn receive<T>(
    socket: &UdpSocket,
    session: u64,
    counting: &mut Counting,
    length: Duration,
    answer: impl Fn(Message) -> Option<T>,
) -> Option<T> {
    let until = Instant::now() + length;
    let mut buf = [0; 9000];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let Ok(got) = timeout(left, socket.recv_from(&mut buf)).await else { return None };
        let Ok((len, _)) = got else { continue };
        match count_data(counting, session, &buf[..len]).and_then(&answer) {
            Some(t) => return Some(t),
            None if left.is_zero() => return None,
            None => {}
        }
    }
}

/// Counts a data packet of this session; gives any other message of it back.
fn count_data(counting: &mut Counting, session: u64, bytes: &[u8]) -> Option<Message> {
    match Message::parse(bytes).filter(|(id, _)| *id == session)?.1 {
        Message::Data { seq } => {
            counting.count(seq, Instant::now());
            None
        }
        other => Some(other),
    }
}

/// Two runs against one reflector must differ; the time of day is enough for that.
#[allow(clippy::disallowed_methods)] // the program's own edge: nothing is decided by this time
fn session_id() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs() << 32 | u64::from(now.subsec_nanos())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::process::ExitCode {
    let result = match Cli::parse().command {
        Command::Reflect { listen } => reflect(listen).await.map_err(|e| format!("{listen}: {e}")),
        Command::Run { to, from, rate, size, seconds } => {
            match Duration::try_from_secs_f64(seconds) {
                Ok(length) => {
                    run(from, Run { to, rate, size, length }).await.and_then(|o| print(&o))
                }
                Err(e) => Err(format!("--seconds: {e}")),
            }
        }
    };
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(e) => {
            let _ = writeln!(std::io::stderr(), "lab-stream: {e}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn print(outcome: &Outcome) -> Result<(), String> {
    let text = serde_json::to_string(outcome).map_err(|e| e.to_string())?;
    writeln!(std::io::stdout(), "{text}").map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(order: &[u64]) -> Seen {
        let (mut c, now) = (Counting::default(), Instant::now());
        for (n, seq) in order.iter().enumerate() {
            c.count(*seq, now + Duration::from_millis(10 * n as u64));
        }
        c.seen
    }

    #[test]
    fn lost_late_and_repeated_packets_are_told_apart() {
        let seen = count(&[0, 1, 3, 2, 3, 6]);
        assert_eq!((seen.received, seen.reordered, seen.duplicated), (5, 1, 1));
        assert_eq!(seen.longest_gap_ms, 20, "the repeated packet is not an arrival");
        assert_eq!(Direction::new(8, seen).lost, 3);
    }

    #[test]
    fn a_number_out_of_bounds_takes_no_memory() {
        let mut c = Counting::default();
        c.count(u64::MAX, Instant::now());
        assert_eq!((c.seen.received, c.arrived.len()), (0, 0));
    }

    #[test]
    fn messages_come_back_as_they_were_and_short_ones_are_nothing() {
        let seen = Seen { received: 1, reordered: 2, duplicated: 3, longest_gap_ms: 4 };
        for m in [
            Message::Start { rate: 100, size: 200 },
            Message::Data { seq: 7 },
            Message::Stop,
            Message::Report { sent: 9, seen },
        ] {
            let bytes = m.emit(5, 64);
            assert_eq!((Message::parse(&bytes), bytes.len()), (Some((5, m)), 64));
            assert_eq!(Message::parse(&bytes[..11]), None);
        }
    }
}
