//! The node's task: what happened goes into the core, what the core decides is done.

use crate::config::mn::{Config, Core};
use crate::mag::control::{Call, Server};
use crate::mag::failure::{Failure, doing};
use crate::mn::control::{Reply, Request, Shown};
use crate::mn::host::Host;
use crate::mn::input::{self, Event, Input};
use crate::mn::mip4::Mip4;
use crate::mn::mip6::Mip6;
use crate::mobility::mn::row::BindingRow;
use crate::time::{Duration, Instant, Now};
use std::io;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Inputs that wait for the node's task.
const INPUTS_MAX: usize = 1024;
/// Between two looks at the clock when nothing is due.
const IDLE: Duration = Duration::from_secs(3600);
/// How long the end waits for the de-registration to be acknowledged.
const STOP_TIMEOUT: Duration = Duration::from_millis(2500);

/// A protocol that a node speaks: its core, and what the core decides done on the host.
pub(super) trait Protocol {
    /// Takes in one event.
    fn handle(&mut self, event: Event, host: &mut Host);
    /// Carries out what is due.
    fn timeout(&mut self, host: &mut Host);
    /// When that is.
    fn poll_timeout(&self) -> Option<Instant>;
    /// Whether there is nothing left to wait for after [`Event::Stop`].
    fn is_stopped(&self) -> bool;
    /// The binding.
    fn row(&self, now: Now) -> BindingRow;
    /// The link came up: asks who is there.
    fn link_came_up(&self, host: &Host) -> io::Result<()>;
}

struct Node {
    name: String,
    host: Host,
    protocol: Box<dyn Protocol>,
}

/// Runs until SIGTERM or SIGINT; what was made is removed before it returns.
pub(super) async fn run(config: Config) -> Result<(), Failure> {
    let (inputs, mut received) = mpsc::channel(INPUTS_MAX);
    let (calls, mut called) = mpsc::channel::<Call<Request, Reply>>(INPUTS_MAX);
    let mut terminate = signal(SignalKind::terminate()).map_err(doing("SIGTERM"))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(doing("SIGINT"))?;
    let socket = config.socket.clone();
    let server = Server::bind(&socket).map_err(doing(socket.display().to_string()))?;
    let mut node = Node::start(config, &inputs)?;
    let server = tokio::spawn(server.run(calls, Arc::clone(&node.host.counters)));
    let tunnel = Arc::clone(&node.host.tunnel);
    let tunnelling = async { tunnel.uplink().await };
    tokio::pin!(tunnelling);
    tracing::info!(name = node.name, "node started");

    let (mut stop_at, mut tunnel_works) = (None, true);
    loop {
        let now = node.host.clock.now();
        if stop_at.is_some_and(|at| at <= now.mono || node.protocol.is_stopped()) {
            break;
        }
        let deadline = node.protocol.poll_timeout().into_iter().chain(stop_at).min();
        let wait = deadline.map_or(IDLE, |at| at.since(now.mono));
        tokio::select! {
            Some(input) = received.recv() => node.take(input),
            Some((Request::Show, answer)) = called.recv() => {
                // A client that went away does not care.
                drop(answer.send(node.shown()));
            }
            () = tokio::time::sleep(wait) => node.protocol.timeout(&mut node.host),
            _ = terminate.recv() => stop_at = Some(node.stop()),
            _ = interrupt.recv() => stop_at = Some(node.stop()),
            error = &mut tunnelling, if tunnel_works => {
                tracing::error!(%error, "the TUN failed");
                tunnel_works = false;
                stop_at = Some(node.stop());
            }
        }
    }
    server.abort();
    // Its socket file is gone once the task is.
    drop(server.await);
    node.host.kernel.clear().map_err(doing("rules and routes"))?;
    tracing::info!(name = node.name, "node stopped");
    Ok(())
}

impl Node {
    fn start(config: Config, inputs: &mpsc::Sender<Input>) -> Result<Self, Failure> {
        let mut host = Host::start(&config)?;
        // From now on nothing is missed.
        input::watch(inputs.clone()).map_err(doing("netlink"))?;
        let protocol: Box<dyn Protocol> = match config.core {
            Core::Mip6(core, auth) => Box::new(Mip6::start(core, auth, &mut host, inputs)?),
            Core::Mip4(core) => Box::new(Mip4::start(core, &host, inputs)?),
        };
        let mut node = Self { name: config.name, host, protocol };
        for address in node.host.kernel.addresses().map_err(doing("addresses"))? {
            node.host.heard(address);
        }
        node.attached();
        Ok(node)
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Message(event) => return self.protocol.handle(event, &mut self.host),
            Input::Address(address) => self.host.heard(address),
            Input::AddressGone(address) => self.host.gone(address),
            Input::Link(link) => {
                if self.host.link_changed(link) {
                    let asked = self.protocol.link_came_up(&self.host);
                    self.host.note("solicitation", asked);
                }
            }
        }
        self.attached();
    }

    fn attached(&mut self) {
        let at = self.host.attachment();
        self.protocol.handle(Event::Attached(at), &mut self.host);
    }

    /// Ends the binding; returns when to stop waiting for that.
    fn stop(&mut self) -> Instant {
        self.protocol.handle(Event::Stop, &mut self.host);
        self.host.clock.now().mono + STOP_TIMEOUT
    }

    fn shown(&self) -> Reply {
        let binding = self.protocol.row(self.host.clock.now());
        let counters = self.host.counted();
        Reply::Shown(Shown { name: self.name.clone(), binding, counters })
    }
}
