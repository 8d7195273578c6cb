//! The control socket: one JSON object a line, a request and its reply.

use crate::addr::AnchorAddr;
use crate::mag::counter::Counters;
use crate::mag::retry;
use crate::mobility::mag::BindingRow;
use crate::mobility::mag::event::{Family, HandoffHint};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

/// The longest request, in bytes.
const REQUEST_MAX: u64 = 4096;
/// Clients at a time; the next one waits.
const CLIENTS_MAX: usize = 16;
/// A client that says nothing, or does not read, for so long is dropped.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(10);

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "do", deny_unknown_fields)]
pub(super) enum Request {
    /// A node is on the link.
    Attach { interface: String, mn_id: Option<String>, handoff: Option<HandoffHint> },
    /// It left, or, with `terminate`, its session is ended.
    Detach { interface: String, terminate: bool },
    /// Administrative action (RFC 5213 6.9.1.2).
    Retry { interface: String },
    /// A node that stays gives up one family (RFC 5844 3.2.3.3).
    Release { interface: String, family: Family },
    /// All sessions with an anchor end by one message (RFC 5846 9.2).
    Revoke { lma_address: AnchorAddr },
    /// The Binding Update List and the counters.
    Show,
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Reply {
    Done,
    Shown(Shown),
    Error(String),
}

/// The answer to [`Request::Show`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) bindings: Vec<ShownBinding>,
    pub(super) counters: BTreeMap<String, u64>,
}

/// A binding and the interface of its link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ShownBinding {
    pub(super) interface: String,
    #[serde(flatten)]
    pub(super) binding: BindingRow,
}

impl From<String> for Reply {
    fn from(error: String) -> Self {
        Self::Error(error)
    }
}

/// A request and where its answer goes.
pub(crate) type Call<Q, R> = (Q, oneshot::Sender<R>);

/// The listening socket; its file goes when it is dropped.
pub(crate) struct Server {
    listener: UnixListener,
    path: PathBuf,
}

impl Server {
    /// Listens at `path`, mode 0660. A socket that nobody listens to is replaced.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        if std::os::unix::net::UnixStream::connect(path).is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there"));
        }
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
        Ok(Self { listener, path: path.into() })
    }

    /// Serves clients, until who answers is gone. `R` is made of a text where there is only an
    /// error to tell.
    pub(crate) async fn run<Q, R>(self, gateway: mpsc::Sender<Call<Q, R>>, counters: Arc<Counters>)
    where
        Q: DeserializeOwned + Send + 'static,
        R: Serialize + From<String> + Send + 'static,
    {
        let clients = Arc::new(Semaphore::new(CLIENTS_MAX));
        while let Ok(permit) = Arc::clone(&clients).acquire_owned().await {
            let accepted = self.listener.accept().await;
            // Without descriptors left the connection waits, and so do we.
            let accepted = retry::ok_or_pause("control", &counters, accepted).await;
            let Some((stream, _)) = accepted else { continue };
            let gateway = gateway.clone();
            tokio::spawn(async move {
                if let Err(error) = serve(stream, gateway).await {
                    tracing::debug!(%error, "control client");
                }
                drop(permit);
            });
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.path) {
            tracing::debug!(%error, "control socket");
        }
    }
}

async fn serve<Q, R>(mut stream: UnixStream, gateway: mpsc::Sender<Call<Q, R>>) -> io::Result<()>
where
    Q: DeserializeOwned,
    R: Serialize + From<String>,
{
    let (read, mut write) = stream.split();
    let mut line = String::new();
    let mut read = BufReader::new(read).take(REQUEST_MAX);
    timeout(CLIENT_TIMEOUT, read.read_line(&mut line)).await??;
    let reply = match serde_json::from_str(&line) {
        Ok(request) => {
            let (answer, answered) = oneshot::channel();
            let sent = gateway.send((request, answer)).await;
            match sent {
                Ok(()) => answered.await.unwrap_or_else(|_| stopping()),
                Err(_) => stopping(),
            }
        }
        Err(e) => format!("not a request: {e}").into(),
    };
    let mut text = serde_json::to_string(&reply)?;
    text.push('\n');
    timeout(CLIENT_TIMEOUT, write.write_all(text.as_bytes())).await?
}

fn stopping<R: From<String>>() -> R {
    "the process is stopping".to_owned().into()
}

/// Asks the process that listens at `path`.
pub(crate) fn ask<Q: Serialize, R: DeserializeOwned>(path: &Path, request: &Q) -> io::Result<R> {
    use std::io::{BufRead, Write};
    let mut stream = std::os::unix::net::UnixStream::connect(path)?;
    stream.set_read_timeout(Some(CLIENT_TIMEOUT))?;
    let mut text = serde_json::to_string(request)?;
    text.push('\n');
    stream.write_all(text.as_bytes())?;
    let mut line = String::new();
    std::io::BufReader::new(stream).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}
