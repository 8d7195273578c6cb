use super::*;
use crate::addr::AnchorAddr;
use crate::config::NodeEntry;
use crate::control::tests::{Bench, LMA, MAG1, MAG2, Shape};
use crate::mobility::Lma;
use crate::mobility::config::{LmaConfig, MagConfig, Policy, PoolConfig, Profile};
use crate::time::Duration;
use crossbeam::channel::{Sender, bounded};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};

/// An anchor that asks, the questions that it puts and the way back.
struct Asking {
    bench: Bench,
    questions: mpsc::Receiver<(QuestionId, Vec<u8>)>,
    answers: Sender<Result<Answer, String>>,
}

impl Asking {
    fn new(room: usize) -> Self {
        let mut bench = Bench::new(Shape::default());
        let pool = |prefix: &str| PoolConfig::new(prefix.parse().expect("valid"), 64);
        let base = Profile::ipv6(0, Duration::from_secs(3600));
        bench.control.anchor = Lma::new(LmaConfig {
            pools: vec![pool("2001:db8:100::/48"), pool("2001:db8:200::/48")],
            mags: [MAG1, MAG2].map(MagConfig::new).into(),
            ..LmaConfig::new(AnchorAddr(LMA), Policy::asking(base))
        })
        .into();
        bench.control.pools = vec!["home".into(), "other".into()];
        let (questions_tx, questions) = mpsc::channel(room);
        let (answers, answers_rx) = bounded(16);
        let shared = Arc::new(Shared {
            socket: "/run/policy.sock".into(),
            connected: AtomicBool::new(true),
            connections: AtomicU64::new(1),
            oldest: AtomicU64::new(0),
        });
        bench.control.policy =
            Some(PolicyLink { questions: questions_tx, answers: answers_rx, shared });
        Self { bench, questions, answers }
    }

    /// A node attaches.
    fn attach(&mut self, mn_id: &str) {
        let frame = self.bench.pbu(MAG1, mn_id, 1, 600);
        self.bench.arrive(&frame);
        self.bench.settle();
    }

    /// What the program is asked next.
    fn asked(&mut self) -> QuestionId {
        self.questions.try_recv().expect("a question").0
    }

    fn answer(&mut self, id: QuestionId, said: Said) {
        self.answers.send(Ok(Answer { id, said })).expect("room");
        self.bench.settle();
    }

    /// The status of the next acknowledgement; 255: there is none.
    fn status(&mut self) -> u8 {
        self.bench.acks().first().map_or(255, |(_, ack)| ack.status.0)
    }
}

#[test]
fn node_gets_what_the_program_says_by_name_and_refreshes_without_it() {
    let mut asking = Asking::new(16);
    asking.attach("mn1");
    assert_eq!((asking.status(), asking.bench.count(Counter::PbuParked)), (255, 1));
    let question = asking.asked();
    let entry = NodeEntry { pool: Some("other".into()), prefixes: Some(3), ..NodeEntry::default() };
    asking.answer(question, Said::Serve(Box::new(entry)));
    assert_eq!(asking.status(), 0);
    let hnp: Vec<String> = asking
        .bench
        .control
        .anchor
        .lma()
        .cache()
        .page(0, 9)
        .0
        .flat_map(|(_, b)| &b.hnp)
        .map(ToString::to_string)
        .collect();
    assert_eq!(hnp, ["2001:db8:200::/64", "2001:db8:200:1::/64", "2001:db8:200:2::/64"]);
    asking.bench.control.policy = None;
    let again = asking.bench.pbu(MAG1, "mn1", 2, 600);
    asking.bench.arrive(&again);
    asking.bench.settle();
    assert_eq!(asking.status(), 0);
}

#[test]
fn answer_that_does_not_fit_is_counted_and_refused_130() {
    let mut asking = Asking::new(16);
    let pool = |name: &str| NodeEntry { pool: Some(name.into()), ..NodeEntry::default() };
    let own = |prefix: &str| NodeEntry {
        own: vec![prefix.parse().expect("valid")],
        ..NodeEntry::default()
    };
    let service = NodeEntry { services: Some(vec!["ims".into()]), ..NodeEntry::default() };
    let wrong = [pool("nowhere"), own("2001:db8:100::/56"), own("2001:db8:100::1/128"), service];
    for (n, entry) in (1_u64..).zip(wrong) {
        asking.attach("mn1");
        let question = asking.asked();
        asking.answer(question, Said::Serve(Box::new(entry)));
        assert_eq!((asking.status(), asking.bench.count(Counter::PolicyUnusable)), (130, n));
    }
    asking.attach("mn1");
    let question = asking.asked();
    asking.answer(question, Said::NotServed);
    assert_eq!(asking.status(), 153);
    asking.answer(question, Said::NotServed);
    asking.answers.send(Err("is not JSON".into())).expect("room");
    asking.bench.settle();
    let count = |c| asking.bench.count(c);
    assert_eq!((count(Counter::PolicyStray), count(Counter::PolicyUnusable)), (1, 5));
    assert_eq!((count(Counter::PolicyAsked), count(Counter::PolicyAnswered)), (5, 1));
}

#[test]
fn question_that_finds_no_room_is_refused_at_once_and_one_without_an_answer_in_time() {
    let mut asking = Asking::new(1);
    asking.attach("mn1");
    assert_eq!(asking.status(), 255);
    asking.attach("mn2");
    assert_eq!((asking.status(), asking.bench.count(Counter::PolicyUnasked)), (130, 1));
    asking.bench.pass(Duration::from_secs(2));
    assert_eq!((asking.status(), asking.bench.count(Counter::PolicyOverdue)), (130, 1));
    let rows = asking.bench.control.policy_rows();
    assert_eq!((rows[0].waiting, rows[0].asked, rows[0].overdue), (0, 1, 1));
}

/// A program at the other end of a socket of its own.
struct Program {
    path: PathBuf,
    listener: UnixListener,
}

impl Program {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("policy-{name}-{}", std::process::id()));
        drop(std::fs::remove_file(&path));
        let listener = UnixListener::bind(&path).expect("a path of our own");
        Self { path, listener }
    }

    /// Waits for the anchor, and for its hello.
    fn accept(&self) -> BufReader<UnixStream> {
        let (stream, _) = self.listener.accept().expect("the anchor connects");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        let mut stream = BufReader::new(stream);
        assert!(line(&mut stream).contains("\"method\":\"hello\""));
        stream
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.path));
    }
}

fn line(stream: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    stream.read_line(&mut line).expect("a line");
    line
}

fn put(link: &PolicyLink, id: u64) {
    let question = (QuestionId(id), format!("question {id}\n").into_bytes());
    link.questions.try_send(question).expect("room");
}

fn say(stream: &mut BufReader<UnixStream>, id: u64) {
    let answer = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":null}}\n");
    stream.get_mut().write_all(answer.as_bytes()).expect("it listens");
}

fn answered(link: &PolicyLink) -> Result<Answer, String> {
    link.answers.recv_timeout(Duration::from_secs(20)).expect("an answer")
}

#[test]
fn questions_without_an_answer_are_put_again_to_the_next_program() {
    let program = Program::new("again");
    let link = start(&program.path, "lab").expect("starts");
    let mut stream = program.accept();
    for id in 1..=4 {
        put(&link, id);
    }
    let read: Vec<String> = (0..4).map(|_| line(&mut stream)).collect();
    assert_eq!(read, ["question 1\n", "question 2\n", "question 3\n", "question 4\n"]);
    say(&mut stream, 2);
    assert_eq!(answered(&link), Ok(Answer { id: QuestionId(2), said: Said::NotServed }));
    // Nobody waits for the first any more.
    link.shared.oldest.store(2, Ordering::Relaxed);
    drop(stream);
    let mut stream = program.accept();
    assert_eq!([line(&mut stream), line(&mut stream)], ["question 3\n", "question 4\n"]);
    assert_eq!(link.shared.connections.load(Ordering::Relaxed), 2);
}

#[test]
fn line_without_an_end_ends_the_connection_and_one_that_is_no_answer_does_not() {
    let program = Program::new("line");
    let link = start(&program.path, "lab").expect("starts");
    let mut stream = program.accept();
    stream.get_mut().write_all(b"{\n").expect("it listens");
    assert!(answered(&link).is_err_and(|e| e.contains("not JSON")));
    say(&mut stream, 9);
    assert!(answered(&link).is_ok());
    // It may be closed while we write.
    drop(stream.get_mut().write_all(&vec![b'x'; 2 * LINE_MAX]));
    assert!(answered(&link).is_err_and(|e| e.contains("longer")));
    let mut stream = program.accept();
    say(&mut stream, 10);
    assert!(answered(&link).is_ok());
}

#[test]
fn thread_ends_with_the_control_core() {
    let program = Program::new("end");
    let link = start(&program.path, "lab").expect("starts");
    let mut stream = program.accept();
    drop(link);
    assert_eq!(line(&mut stream), "", "it hangs up");
}
