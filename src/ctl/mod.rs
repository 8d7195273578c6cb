//! `anchorctl`: asks a running `anchord` over its admin socket, and shows the answers to people as
//! tables, to programs as JSON.
//!
//! ```text
//!  arguments --cli--> Call --admin::client--> rows --view--> Table --> screen
//!                                               \--json---------------> pipe
//! ```
//! Exit status: 0 done; 1 `anchord` refused; 2 the command is wrong; 3 no connection.

mod change;
mod cli;
mod list;
mod table;
mod unit;
mod view;

#[cfg(test)]
mod tests;

use crate::admin::api::ConfigChanges;
use crate::admin::client::{Client, ClientError};
use crate::admin::protocol::{Call, Hello};
use crate::admin::reload::Job;
use crate::time::Duration;
use clap::{CommandFactory, Parser};
use cli::{Action, Cli};
use list::List;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::io::{self, Write};

/// The size of the terminal that is written to, in columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screen {
    /// Characters in a line.
    pub columns: usize,
    /// Lines.
    pub rows: usize,
}

/// Done.
pub const EXIT_OK: u8 = 0;
/// `anchord` refused, or there was nothing of the kind.
pub const EXIT_REFUSED: u8 = 1;
/// The command is wrong.
pub const EXIT_USAGE: u8 = 2;
/// Nobody listens on the socket, or not to us.
pub const EXIT_NO_CONNECTION: u8 = 3;

/// Why a command ended early.
enum Failure {
    Anchord(ClientError),
    /// Nothing to be deleted, for instance.
    Nothing(String),
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(e: io::Error) -> Self {
        Self::Output(e)
    }
}

impl From<ClientError> for Failure {
    fn from(e: ClientError) -> Self {
        Self::Anchord(e)
    }
}

/// Runs one command line and returns its exit status. `screen` is `None` when `out` is no terminal:
/// then nothing is cut to a width.
pub fn run(
    args: impl IntoIterator<Item = OsString>,
    out: &mut dyn Write,
    err: &mut dyn Write,
    screen: Option<Screen>,
) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    let done = match Cli::try_parse_from(&args) {
        Ok(cli) => Session { out: &mut *out, screen, json: cli.json }
            .act(&cli)
            .and_then(|()| Ok(out.flush()?)),
        Err(e) => return usage(&e, &args, out, err),
    };
    let (status, what) = match done {
        Ok(()) => return EXIT_OK,
        // The reader of our output has seen enough.
        Err(Failure::Output(e)) if e.kind() == io::ErrorKind::BrokenPipe => return EXIT_OK,
        Err(Failure::Output(e)) => (EXIT_REFUSED, format!("cannot write: {e}")),
        Err(Failure::Nothing(what)) => (EXIT_REFUSED, what),
        Err(Failure::Anchord(e @ ClientError::Refused { .. })) => (EXIT_REFUSED, e.to_string()),
        Err(Failure::Anchord(e)) => (EXIT_NO_CONNECTION, e.to_string()),
    };
    // Standard error is the last resort: nothing is left to be done if it is closed.
    drop(writeln!(err, "anchorctl: {what}"));
    status
}

/// Help goes to `out`, a wrong command to `err`, with what would be right.
fn usage(e: &clap::Error, args: &[OsString], out: &mut dyn Write, err: &mut dyn Write) -> u8 {
    if !e.use_stderr() {
        drop(write!(out, "{e}"));
        return EXIT_OK;
    }
    drop(write!(err, "{e}"));
    if let Some(right) = cli::noun_first(args) {
        drop(writeln!(err, "\n  tip: the noun comes first: 'anchorctl {right}'"));
    }
    EXIT_USAGE
}

/// One run of the program.
struct Session<'o> {
    out: &'o mut dyn Write,
    screen: Option<Screen>,
    json: bool,
}

impl Session<'_> {
    fn act(&mut self, cli: &Cli) -> Result<(), Failure> {
        match cli.action() {
            Action::Completions(shell) => {
                let mut text = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "anchorctl", &mut text);
                Ok(self.out.write_all(&text)?)
            }
            Action::Man(dir) => {
                std::fs::create_dir_all(&dir)?;
                clap_mangen::generate_to(Cli::command(), &dir)?;
                Ok(writeln!(self.out, "man pages written to {}", dir.display())?)
            }
            Action::Version => self.version(cli),
            Action::List { list, watch } => {
                let mut client = connect(cli)?;
                let columns = self.columns();
                match watch {
                    None => list.show(&mut client, self.out, self.json, columns),
                    Some(secs) => self.watch(&mut client, &list, secs),
                }
            }
            Action::Do { call, done } => {
                let result: Value = connect(cli)?.call(&call)?;
                self.done(&result, &done)
            }
            Action::Config(job) => self.configure(cli, job),
            Action::ConfigShow => {
                let config: Value = connect(cli)?.call(&Call::ConfigShow)?;
                if self.json {
                    return Ok(writeln!(self.out, "{config}")?);
                }
                let table = toml::Table::try_from(config)
                    .map_err(|e| ClientError::Protocol(format!("config.show: {e}")))?;
                Ok(write!(self.out, "{table}")?)
            }
        }
    }

    /// Says what was done; an answer that counts nothing is a refusal.
    fn done(&mut self, result: &Value, done: &str) -> Result<(), Failure> {
        if self.json {
            let result = if result.is_null() { &json!({}) } else { result };
            writeln!(self.out, "{result}")?;
        }
        match result.get("sessions").and_then(Value::as_u64) {
            Some(0) => Err(Failure::Nothing("there is no such binding".into())),
            _ if self.json => Ok(()),
            Some(n) => {
                Ok(writeln!(self.out, "{done}: {n} session{}", if n == 1 { "" } else { "s" })?)
            }
            None => Ok(writeln!(self.out, "{done}")?),
        }
    }

    /// Shows what a reload would change, or has changed.
    fn configure(&mut self, cli: &Cli, job: Job) -> Result<(), Failure> {
        let changes: ConfigChanges = connect(cli)?.call(&Call::Config(job))?;
        if self.json {
            return Ok(writeln!(self.out, "{}", json!(changes))?);
        }
        let lines = change::lines(&changes);
        write!(self.out, "{lines}")?;
        let end = match job {
            Job::Diff if lines.is_empty() => "no difference: the file says what is in force\n",
            Job::Diff => "",
            Job::Reload => "reloaded\n",
        };
        Ok(write!(self.out, "{end}")?)
    }

    /// Our own version is told also when nobody answers.
    fn version(&mut self, cli: &Cli) -> Result<(), Failure> {
        let own = Hello::of("");
        if !self.json {
            writeln!(self.out, "anchorctl {} ({})", own.version, own.commit)?;
        }
        let client = connect(cli);
        let peer = client.as_ref().ok().map(Client::hello);
        if self.json {
            let version = json!({
                "anchorctl": { "version": own.version, "commit": own.commit },
                "anchord": peer,
            });
            writeln!(self.out, "{version}")?;
        } else if let Some(Hello { version, commit, node, protocol, .. }) = peer {
            let rest = format!("({commit}) on node {node}, admin protocol {protocol}");
            writeln!(self.out, "anchord   {version} {rest}")?;
        }
        Ok(client.map(drop)?)
    }

    /// Shows a list again and again, until the connection or the output ends.
    fn watch(&mut self, client: &mut Client, list: &List, secs: u64) -> Result<(), Failure> {
        loop {
            let mut text = Vec::new();
            if let Some(screen) = self.screen.filter(|_| !self.json) {
                // A line for the title; the rest is cut, as there is no scrolling back.
                let list = list.at_most(screen.rows.saturating_sub(2));
                list.show(client, &mut text, false, self.columns())?;
                self.redraw(&text, screen, secs, &client.hello().node)?;
            } else {
                list.show(client, &mut text, self.json, None)?;
                self.out.write_all(&text)?;
                if !self.json {
                    writeln!(self.out)?;
                }
            }
            self.out.flush()?;
            std::thread::park_timeout(Duration::from_secs(secs));
        }
    }

    /// Over what stood there before, line by line, so that nothing flickers.
    fn redraw(&mut self, text: &[u8], screen: Screen, secs: u64, node: &str) -> io::Result<()> {
        write!(self.out, "\x1b[H{node}, every {secs} s (Ctrl-C ends)\x1b[K")?;
        let text = String::from_utf8_lossy(text);
        for line in text.lines().take(screen.rows.saturating_sub(2)) {
            write!(self.out, "\r\n{line}\x1b[K")?;
        }
        write!(self.out, "\r\n\x1b[J")
    }

    /// The width to cut lines to; programs get all of it.
    fn columns(&self) -> Option<usize> {
        self.screen.map(|s| s.columns)
    }
}

fn connect(cli: &Cli) -> Result<Client, ClientError> {
    Client::connect(&cli.socket).map_err(|e| match e {
        ClientError::Connect(path, why) => ClientError::Connect(path, with_advice(why)),
        // Before the hello, a refusal means that we may not connect.
        ClientError::Refused { message, .. } => ClientError::Protocol(message),
        other => other,
    })
}

fn with_advice(e: io::Error) -> io::Error {
    let advice = match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            "is anchord running, and is this the admin.socket of its configuration (--socket)?"
        }
        io::ErrorKind::PermissionDenied => "be root or a member of admin.group",
        _ => return e,
    };
    io::Error::new(e.kind(), format!("{e}: {advice}"))
}
