//! The other end of the admin socket, for `anchorctl`: connect, check the hello, call.

use super::api::PROTOCOL_VERSION;
use super::protocol::{Call, Hello};
use crate::time::Duration;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

/// A connection to a running `anchord`.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    hello: Hello,
    last_id: u64,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens, or not for us.
    #[error("cannot connect to {}: {_1}", _0.display())]
    Connect(PathBuf, io::Error),
    /// The connection broke, or was silent for too long.
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
    /// The other side does not speak this protocol, or another version of it.
    #[error("{0}")]
    Protocol(String),
    /// `anchord` says no.
    #[error("{message}")]
    Refused {
        /// One of the codes of `protocol`.
        code: i32,
        /// Its sentence.
        message: String,
    },
}

/// The longest line that is taken from the server.
const ANSWER_MAX: u64 = 16 << 20;

/// Longer than the server lets the control core take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The same while a configuration is read, with a file of a million nodes.
const CONFIG_TIMEOUT: Duration = Duration::from_secs(120);

#[derive(Deserialize)]
struct Greeting {
    method: Option<String>,
    params: Option<Value>,
    error: Option<ErrorObject>,
}

#[derive(Deserialize)]
struct Answer<T> {
    id: Option<Value>,
    // `default` alone would ask for `T: Default`.
    #[serde(default = "none")]
    result: Option<T>,
    error: Option<ErrorObject>,
}

fn none<T>() -> Option<T> {
    None
}

#[derive(Deserialize)]
struct ErrorObject {
    code: i32,
    message: String,
}

impl Client {
    /// Connects and reads the hello.
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).map_err(|e| ClientError::Connect(path.into(), e))?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        let mut stream = BufReader::new(stream);
        let line: Greeting = read_line(&mut stream)?;
        if let Some(ErrorObject { code, message }) = line.error {
            return Err(ClientError::Refused { code, message });
        }
        let hello = (line.method.as_deref() == Some("hello")).then_some(line.params).flatten();
        let hello = hello.and_then(|params| serde_json::from_value::<Hello>(params).ok());
        let Some(hello) = hello else {
            let what = format!("{} is no admin socket of anchord", path.display());
            return Err(ClientError::Protocol(what));
        };
        if hello.protocol != PROTOCOL_VERSION {
            let what = format!(
                "anchord {} speaks version {} of the admin protocol, this program version \
                 {PROTOCOL_VERSION}: use the anchorctl that came with it",
                hello.version, hello.protocol
            );
            return Err(ClientError::Protocol(what));
        }
        Ok(Self { stream, hello, last_id: 0 })
    }

    /// What the server said of itself.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Asks, and waits for the answer.
    pub fn call<T: DeserializeOwned>(&mut self, call: &Call) -> Result<T, ClientError> {
        self.last_id += 1;
        let patience =
            if matches!(call, Call::Config(_)) { CONFIG_TIMEOUT } else { ANSWER_TIMEOUT };
        self.stream.get_ref().set_read_timeout(Some(patience))?;
        self.stream.get_mut().write_all(&call.to_line(self.last_id))?;
        let answer: Answer<T> = read_line(&mut self.stream)?;
        if let Some(ErrorObject { code, message }) = answer.error {
            return Err(ClientError::Refused { code, message });
        }
        if answer.id != Some(Value::from(self.last_id)) {
            return Err(ClientError::Protocol("anchord answered something else".into()));
        }
        match answer.result {
            Some(result) => Ok(result),
            // "Done" is null, which is a value of `()`.
            None => serde_json::from_value(Value::Null).map_err(|e| unreadable(&e)),
        }
    }
}

fn unreadable(e: &serde_json::Error) -> ClientError {
    ClientError::Protocol(format!("anchord sent a line that is no answer: {e}"))
}

fn read_line<T: DeserializeOwned>(stream: &mut BufReader<UnixStream>) -> Result<T, ClientError> {
    let mut bytes = Vec::new();
    stream.take(ANSWER_MAX).read_until(b'\n', &mut bytes)?;
    if bytes.last() != Some(&b'\n') {
        let what = "anchord closed the connection";
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, what).into());
    }
    serde_json::from_slice(&bytes).map_err(|e| unreadable(&e))
}
