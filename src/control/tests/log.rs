//! The log as machines read it.

use super::*;
use crate::telemetry;
use crossbeam::channel::unbounded;
use serde_json::Value;
use std::io::{self, Write};
use tracing_subscriber::layer::SubscriberExt;

/// Hands on what is written.
struct Writer(Sender<Vec<u8>>);

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is logged in JSON while `work` runs.
fn logged(work: impl FnOnce()) -> String {
    let (lines, written) = unbounded();
    let layer = telemetry::lines(true, move || Writer(lines.clone()));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        // Another test, which logs to nobody, may be the first at a log statement just as we begin:
        // then `tracing` remembers that nobody listens there, until it is told to ask again.
        Bench::new(Shape::default()).register(MAG1, "mn0");
        tracing::callsite::rebuild_interest_cache();
        while written.try_recv().is_ok() {}
        work();
    });
    String::from_utf8(written.try_iter().flatten().collect()).expect("text")
}

#[test]
fn json_log_is_one_object_a_line_with_fields_named_as_in_the_glossary() {
    const HOSTILE: &str = "mn\"2\"\n{}\u{1b}[31m@example.org";
    let text = logged(|| {
        let mut bench = Bench::new(Shape::default());
        bench.register(MAG1, "mn1@example.org");
        bench.register(MAG2, HOSTILE);
        let stranger = "2001:db8:a::66".parse().expect("valid");
        let pbu = bench.pbu(stranger, "mn3@example.org", 1, 600);
        bench.arrive(&pbu);
        bench.settle();
    });
    let objects: Vec<Value> =
        text.lines().map(|l| serde_json::from_str(l).expect("a JSON object")).collect();
    for object in &objects {
        for field in ["timestamp", "level", "target"] {
            assert!(object[field].is_string(), "{object}");
        }
        assert!(object["fields"]["message"].is_string(), "{object}");
    }
    let of_bindings = objects.iter().map(|o| &o["fields"]).filter(|f| f["message"] == "binding");
    let rows: Vec<[&str; 3]> = of_bindings
        .map(|f| ["mn_id", "mag", "kind"].map(|field| f[field].as_str().expect("text")))
        .collect();
    let hostile = MnId::nai(HOSTILE).expect("short").to_string();
    let expected = [
        ["mn1@example.org", "2001:db8:a::11", "Created"],
        [&hostile, "2001:db8:a::12", "Created"],
        ["mn3@example.org", "2001:db8:a::66", "Refused(154)"],
    ];
    assert_eq!(rows, expected);
}
