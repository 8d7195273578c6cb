//! `anchorctl`: talks to the admin socket of `anchord`. Links no DPDK.

use anchord::ctl::{Screen, run};
use std::io::{BufWriter, IsTerminal};
use std::process::ExitCode;

fn main() -> ExitCode {
    let stdout = std::io::stdout();
    let screen = screen(&stdout);
    let mut out = BufWriter::new(stdout.lock());
    ExitCode::from(run(std::env::args_os(), &mut out, &mut std::io::stderr(), screen))
}

/// The terminal that we write to, if it is one.
fn screen(stdout: &std::io::Stdout) -> Option<Screen> {
    if !stdout.is_terminal() {
        return None;
    }
    let size = rustix::termios::tcgetwinsize(stdout).ok()?;
    let (columns, rows) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (columns > 0 && rows > 0).then_some(Screen { columns, rows })
}
