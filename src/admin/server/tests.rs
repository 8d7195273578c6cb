//! Over a real Unix socket, with a thread in the place of the control core.

use super::super::api::{BindingFilter, BindingRow, PAGE_MAX, Page};
use super::super::channel::{Questions, channel};
use super::super::client::{Client as Ctl, ClientError};
use super::*;
use crate::addr::MnId;
use serde_json::json;
use std::fmt::Write as _;
use std::io::{BufRead, Read, Write};
use std::net::Ipv6Addr;
use std::os::unix::net::UnixStream as Raw;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// A directory of its own for each test, removed at the end.
struct Dir(PathBuf);

impl Dir {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("anchor-admin-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a temporary directory");
        Self(dir)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("admin.sock")
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// A server, and a control core that answers with `reply`.
struct Lab {
    server: Option<Server>,
    dir: Dir,
    stop: Arc<AtomicBool>,
    core: Option<JoinHandle<()>>,
}

impl Lab {
    fn new(limits: Limits, reply: impl Fn(&Request) -> Option<Reply> + Send + 'static) -> Self {
        let dir = Dir::new();
        let (asker, questions) = channel(4);
        let server = Server::start_with(setup(&dir.socket()), asker, limits).expect("it starts");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let core = std::thread::spawn(move || answer_all(questions, &stopped, &reply));
        Self { server: Some(server), dir, stop, core: Some(core) }
    }

    fn ctl(&self) -> Ctl {
        Ctl::connect(&self.dir.socket()).expect("a connection")
    }

    fn raw(&self) -> std::io::BufReader<Raw> {
        let raw = Raw::connect(self.dir.socket()).expect("a connection");
        raw.set_read_timeout(Some(Duration::from_secs(10))).expect("a time-out");
        let mut raw = std::io::BufReader::new(raw);
        assert_eq!(line(&mut raw)["method"], "hello");
        raw
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.server.take());
        self.stop.store(true, Ordering::Relaxed);
        if let Some(core) = self.core.take() {
            core.join().expect("the control core did not panic");
        }
    }
}

/// A thread in the place of the one that reloads: it finds a fault, and one change.
fn reload_thread() -> ConfigAsker {
    let (reload, mut jobs) = super::super::reload::channel();
    std::thread::spawn(move || {
        while let Some(asked) = jobs.wait() {
            let outcome = match asked.job {
                Job::Diff => Ok(ConfigChanges { changes: Vec::new(), nodes: NODES }),
                Job::Reload => Err(format!("a.toml:7: node.name: {}", asked.by)),
            };
            asked.answer(outcome);
        }
    });
    reload
}

const NODES: crate::config::NodeChanges =
    crate::config::NodeChanges { added: 3, removed: 0, changed: 1 };

#[test]
fn configuration_is_compared_and_reloaded_by_the_thread_that_reads_it() {
    let lab = Lab::new(LIMITS, |_| None);
    let mut ctl = lab.ctl();
    let diff: ConfigChanges = ctl.call(&Call::Config(Job::Diff)).expect("an answer");
    assert_eq!(diff, ConfigChanges { changes: Vec::new(), nodes: NODES });
    let refused = ctl.call::<ConfigChanges>(&Call::Config(Job::Reload)).expect_err("a fault");
    let uid = rustix::process::getuid().as_raw();
    let ClientError::Refused { code, message } = refused else { panic!("{refused}") };
    assert_eq!((code, message), (REFUSED, format!("a.toml:7: node.name: uid {uid}")));
}

fn setup(socket: &Path) -> Setup {
    let reload = reload_thread();
    Setup {
        socket: socket.into(),
        group: None,
        node: "lab".into(),
        config: watch::channel(json!({ "node": { "name": "lab" } })).1,
        reload,
        set_log: Box::new(|f| if f == "info" { Ok(()) } else { Err("bad level".into()) }),
    }
}

fn answer_all(
    mut questions: Questions,
    stop: &AtomicBool,
    reply: &dyn Fn(&Request) -> Option<Reply>,
) {
    let mut unanswered = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        while let Some(asked) = questions.try_next() {
            match reply(&asked.request) {
                Some(reply) => asked.answer(reply),
                None => unanswered.push(asked),
            }
        }
        std::thread::park_timeout(Duration::from_micros(100));
    }
}

fn line(raw: &mut std::io::BufReader<Raw>) -> Value {
    let mut text = String::new();
    raw.read_line(&mut text).expect("a line");
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text:?}"))
}

fn refused(answer: Result<Value, ClientError>) -> (i32, String) {
    match answer {
        Err(ClientError::Refused { code, message }) => (code, message),
        other => panic!("not refused: {other:?}"),
    }
}

fn row(n: u64) -> BindingRow {
    BindingRow {
        mn_id: MnId::nai(&format!("mn{n}@example.org")).expect("short"),
        kind: "proxy".into(),
        home_address: None,
        hnp: vec![],
        customer: None,
        service: None,
        ipv4: None,
        default_router: None,
        proxy_coa: Ipv6Addr::LOCALHOST.into(),
        mag: Ipv6Addr::LOCALHOST.into(),
        encapsulation: "ip".into(),
        udp_port: None,
        downlink_key: None,
        uplink_key: None,
        access_network: None,
        state: "active".into(),
        seq: None,
        flags: None,
        handoff: 1,
        att: 4,
        mn_ll_id: None,
        link_local: None,
        lifetime_s: 60,
        lifetime_left_s: 59,
        handoffs: 0,
        advertisement: None,
        counters: None,
    }
}

#[test]
fn client_is_greeted_with_name_version_and_commit() {
    let lab = Lab::new(LIMITS, |_| None);
    let mut ctl = lab.ctl();
    assert_eq!(*ctl.hello(), Hello::of("lab"));
    assert_eq!(ctl.call::<Value>(&Call::Version).expect("a version"), json!(Hello::of("lab")));
    assert_eq!(ctl.call::<Value>(&Call::ConfigShow).expect("it")["node"]["name"], "lab");
}

#[test]
fn control_core_answers_and_refuses() {
    let lab = Lab::new(LIMITS, |request| match request {
        Request::PoolShow => Some(Reply::Pools(vec![])),
        Request::MagDel { .. } => Some(Reply::Done),
        _ => Some(Reply::Error("there is no such node".into())),
    });
    let mut ctl = lab.ctl();
    assert_eq!(ctl.call::<Value>(&Call::Control(Request::PoolShow)).expect("rows"), json!([]));
    let del = Call::Control(Request::MagDel { address: Ipv6Addr::LOCALHOST.into(), revoke: false });
    ctl.call::<()>(&del).expect("done");
    let refusal = refused(ctl.call(&Call::Control(Request::MagShow)));
    assert_eq!(refusal, (REFUSED, "there is no such node".into()));
}

#[test]
fn log_filter_is_put_in_force_or_refused_with_the_reason() {
    let lab = Lab::new(LIMITS, |_| None);
    let mut ctl = lab.ctl();
    ctl.call::<()>(&Call::LogSet { filter: "info".into() }).expect("it is a filter");
    let (code, message) = refused(ctl.call(&Call::LogSet { filter: "loud".into() }));
    assert!(code == REFUSED && message.contains("bad level"), "{message}");
}

#[test]
fn requests_sent_at_once_are_answered_in_order_with_their_ids() {
    let lab = Lab::new(LIMITS, |_| Some(Reply::Drops(vec![])));
    let mut raw = lab.raw();
    let mut text = String::new();
    for id in 0..100 {
        writeln!(text, "{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"drop.show\"}}")
            .expect("text");
    }
    text += "[]\nnonsense\n{\"jsonrpc\":\"2.0\",\"id\":\"last\",\"method\":\"version\"}\n";
    raw.get_mut().write_all(text.as_bytes()).expect("sent");
    for id in 0..100 {
        assert_eq!(line(&mut raw), json!({ "jsonrpc": "2.0", "id": id, "result": [] }));
    }
    assert_eq!(line(&mut raw)["error"]["code"], INVALID_REQUEST);
    let parse_error = line(&mut raw);
    assert_eq!((&parse_error["id"], &parse_error["error"]["code"]), (&Value::Null, &json!(-32700)));
    assert_eq!(line(&mut raw)["id"], "last");
}

#[test]
fn too_long_a_line_is_refused_and_the_connection_closed() {
    let lab = Lab::new(LIMITS, |_| None);
    let mut raw = lab.raw();
    let long = vec![b' '; LINE_MAX + 1];
    raw.get_mut().write_all(&long).expect("sent");
    assert_eq!(line(&mut raw)["error"]["code"], INVALID_REQUEST);
    assert_eq!(raw.read(&mut [0]).expect("the end"), 0);
}

#[test]
fn longest_line_is_taken() {
    let lab = Lab::new(LIMITS, |_| None);
    let mut raw = lab.raw();
    let mut longest = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}".to_vec();
    longest.resize(LINE_MAX, b' ');
    longest.push(b'\n');
    raw.get_mut().write_all(&longest).expect("sent");
    assert_eq!(line(&mut raw)["result"]["program"], "anchord");
}

#[test]
fn client_that_stops_reading_is_cut_off_and_holds_up_nobody() {
    let limits = Limits { write_timeout: Duration::from_millis(300), ..LIMITS };
    let lab = Lab::new(limits, |_| {
        Some(Reply::Bindings(Page { rows: (0..512).map(row).collect(), next: Some(512) }))
    });
    let mut lazy = lab.raw();
    let request = b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"binding.show\"}\n";
    lazy.get_mut().write_all(&request.repeat(200)).expect("sent");
    let mut ctl = lab.ctl();
    for _ in 0..20 {
        ctl.call::<Value>(&Call::Control(Request::MagShow))
            .expect("an answer while the other one sleeps");
    }
    // What the kernel had buffered can be read, then the connection is over, long before the 200.
    std::thread::park_timeout(Duration::from_millis(600));
    let mut rest = Vec::new();
    let end = lazy.read_to_end(&mut rest);
    let answers = rest.split(|b| *b == b'\n').count() - 1;
    assert!(end.is_ok() || !rest.is_empty(), "{end:?}");
    assert!(answers < 100, "{answers} answers were kept for a client that did not read");
}

#[test]
fn idle_client_is_cut_off() {
    let limits = Limits { idle_timeout: Duration::from_millis(50), ..LIMITS };
    let lab = Lab::new(limits, |_| None);
    let mut raw = lab.raw();
    assert_eq!(raw.read(&mut [0]).expect("the end"), 0);
}

#[test]
fn one_client_too_many_is_told_so_and_the_place_of_one_that_left_is_free() {
    let lab = Lab::new(Limits { clients: 2, ..LIMITS }, |_| None);
    let (first, _second) = (lab.raw(), lab.raw());
    let connect = || Ctl::connect(&lab.dir.socket());
    match connect() {
        Err(ClientError::Refused { code, .. }) => assert_eq!(code, BUSY),
        other => panic!("let in: {other:?}"),
    }
    drop(first);
    let freed = (0..200).any(|_| {
        std::thread::park_timeout(Duration::from_millis(10));
        connect().is_ok()
    });
    assert!(freed, "the place is not given to the next one");
}

#[test]
fn silent_control_core_is_reported_and_full_queue_refused() {
    let limits = Limits { answer_timeout: Duration::from_millis(50), ..LIMITS };
    let lab = Lab::new(limits, |_| None);
    let (code, message) = refused(lab.ctl().call(&Call::Control(Request::MagShow)));
    assert!(code == BUSY && message.ends_with("try again"), "{message}");
    let del = Call::Control(Request::MagDel { address: Ipv6Addr::LOCALHOST.into(), revoke: false });
    let (_, message) = refused(lab.ctl().call(&del));
    assert!(message.ends_with("look before repeating"), "{message}");
}

#[test]
fn live_socket_is_not_stolen_and_a_stale_one_is_replaced() {
    let lab = Lab::new(LIMITS, |_| None);
    let socket = lab.dir.socket();
    let (asker, _questions) = channel(1);
    let second = Server::start(setup(&socket), asker.clone()).expect_err("it is taken");
    assert!(second.to_string().contains("another anchord is running"), "{second}");
    assert_eq!(lab.ctl().hello().node, "lab", "the first one still answers");

    let dir = Dir::new();
    // A process that was killed leaves its socket behind.
    drop(std::os::unix::net::UnixListener::bind(dir.socket()).expect("bound"));
    let server = Server::start(setup(&dir.socket()), asker).expect("the stale one is replaced");
    assert!(Ctl::connect(&dir.socket()).is_ok());
    drop(server);
    assert!(!dir.socket().exists(), "it is removed at the end");
}

#[test]
fn file_that_is_no_socket_is_left_alone() {
    let dir = Dir::new();
    std::fs::write(dir.socket(), "precious").expect("written");
    let (asker, _questions) = channel(1);
    let error = Server::start(setup(&dir.socket()), asker).expect_err("not ours");
    assert!(error.to_string().contains("is no socket"), "{error}");
    assert_eq!(std::fs::read_to_string(dir.socket()).expect("still there"), "precious");
}

#[test]
fn socket_is_open_to_its_owner_and_group_only() {
    use std::os::unix::fs::PermissionsExt;
    let lab = Lab::new(LIMITS, |_| None);
    let mode = std::fs::metadata(lab.dir.socket()).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
}

#[test]
fn a_million_bindings_are_listed_page_by_page() {
    const ALL: u64 = 1_000_000;
    let lab = Lab::new(LIMITS, |request| {
        let Request::BindingShow { cursor, limit, .. } = request else { return None };
        let end = (cursor + u64::try_from(*limit).ok()?).min(ALL);
        let next = (end < ALL).then_some(end);
        Some(Reply::Bindings(Page { rows: (*cursor..end).map(row).collect(), next }))
    });
    let mut ctl = lab.ctl();
    let (mut cursor, mut seen) = (0, 0);
    loop {
        let filter = BindingFilter::default();
        let request = Request::BindingShow { filter, cursor, limit: PAGE_MAX, counters: false };
        let page: Page<BindingRow> = ctl.call(&Call::Control(request)).expect("a page");
        assert_eq!(page.rows.first(), Some(&row(seen)), "pages follow each other");
        seen += u64::try_from(page.rows.len()).expect("small");
        match page.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
    assert_eq!(seen, ALL);
}
