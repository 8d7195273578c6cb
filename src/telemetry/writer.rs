//! The thread that writes log lines.

use crossbeam::channel::{Receiver, Sender, bounded};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use tracing_subscriber::fmt::MakeWriter;

/// Makes one writer for each log line.
#[derive(Debug, Clone)]
pub(super) struct LineWriter {
    lines: Sender<Option<Box<[u8]>>>,
    dropped: Arc<AtomicU64>,
}

/// Ends the thread, everything written, when it is dropped.
#[derive(Debug)]
pub struct LogDrain {
    lines: Sender<Option<Box<[u8]>>>,
    thread: Option<JoinHandle<()>>,
}

/// Collects the bytes of one line.
pub(super) struct Line<'a> {
    bytes: Vec<u8>,
    writer: &'a LineWriter,
}

pub(super) fn start() -> io::Result<(LineWriter, LogDrain)> {
    let (lines, lines_rx) = bounded(CHANNEL_LEN);
    let dropped = Arc::new(AtomicU64::new(0));
    let writer = LineWriter { lines: lines.clone(), dropped: Arc::clone(&dropped) };
    let thread = std::thread::Builder::new()
        .name("log".into())
        .spawn(move || write_lines(&lines_rx, &dropped, &mut io::stderr()))?;
    Ok((writer, LogDrain { lines, thread: Some(thread) }))
}

/// Returns at the end mark, or when standard error is closed.
fn write_lines(lines: &Receiver<Option<Box<[u8]>>>, dropped: &AtomicU64, out: &mut impl Write) {
    for line in lines {
        let Some(line) = line else { return };
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            // If standard error is gone, there is nobody to tell.
            drop(writeln!(out, "{lost} log lines dropped: standard error is too slow"));
        }
        if out.write_all(&line).is_err() {
            return;
        }
    }
}

impl<'a> MakeWriter<'a> for LineWriter {
    type Writer = Line<'a>;
    fn make_writer(&'a self) -> Line<'a> {
        Line { bytes: Vec::new(), writer: self }
    }
}

impl Write for Line<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let line = std::mem::take(&mut self.bytes).into_boxed_slice();
        if !line.is_empty() && self.writer.lines.try_send(Some(line)).is_err() {
            self.writer.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for LogDrain {
    fn drop(&mut self) {
        // Both fail only if the thread is gone already.
        drop(self.lines.send(None));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

const CHANNEL_LEN: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_channel_drops_lines_and_says_how_many() {
        let (lines, lines_rx) = bounded(1);
        let dropped = Arc::new(AtomicU64::new(0));
        let writer = LineWriter { lines, dropped: Arc::clone(&dropped) };
        for text in ["first\n", "second\n", "third\n"] {
            writer.make_writer().write_all(text.as_bytes()).expect("never fails");
        }
        drop(writer);
        let mut out = Vec::new();
        write_lines(&lines_rx, &dropped, &mut out);
        let out = String::from_utf8(out).expect("text");
        assert_eq!(out, "2 log lines dropped: standard error is too slow\nfirst\n");
    }
}
