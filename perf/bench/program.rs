//! Programs that are measured on the generator's device (`perf/pgen`), each in a process of its
//! own: testpmd, l3fwd, the floor, and this bench with `anchord`'s worker.

use crate::case::Case;
use crate::churn::Changes;
use crate::cores::Cores;
use crate::output::Output;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The device's driver (`perf/pgen/build` makes it, and the programs).
pub(crate) const GENERATOR: &str = "target/pgen/librte_net_pgen.so";
const FLOOR: &str = "target/pgen/floor";
const L3FWD: &str = "target/pgen/l3fwd";

/// What is measured of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// `dpdk-testpmd` in a forwarding mode: `io` does nothing with a frame, `macswap` reads and
    /// writes its first cache line.
    Testpmd(&'static str),
    /// DPDK's `l3fwd` with a lookup method, `lpm`, `fib` or `em`, and a rule for each binding. No
    /// tunnels.
    L3fwd(&'static str),
    /// The floor (`perf/pgen/floor.c`), with counters for each binding or without.
    Floor { counters: bool },
    /// The worker, while a binding moves every so many nanoseconds; 0: none does.
    Anchord { move_every_ns: u64 },
}

impl Program {
    /// For people.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Testpmd(mode) => format!("testpmd {mode}"),
            Self::L3fwd(lookup) => format!("l3fwd {lookup}"),
            Self::Floor { counters: true } => "floor".into(),
            Self::Floor { counters: false } => "floor without counters".into(),
            Self::Anchord { move_every_ns: 0 } => "anchord".into(),
            Self::Anchord { move_every_ns } => {
                format!("anchord, an update every {} us", move_every_ns / 1000)
            }
        }
    }
}

/// Where programs run, and on what memory.
pub(crate) struct Place {
    pub(crate) cores: Cores,
    /// Whether there are hugepages.
    pub(crate) huge: bool,
    /// For files that programs read.
    pub(crate) work: PathBuf,
}

impl Place {
    /// Measures a program.
    pub(crate) fn measure(&self, program: Program, case: Case) -> Result<Output, String> {
        match program {
            Program::Testpmd(mode) => self.testpmd(mode, case),
            Program::L3fwd(lookup) => self.l3fwd(lookup, case),
            Program::Floor { counters } => self.floor(counters, case),
            Program::Anchord { move_every_ns: 0 } => self.anchord(case, &[]),
            Program::Anchord { move_every_ns } => {
                let changes = format!("--changes={}", Changes::Move.name());
                self.anchord(case, &[changes, format!("--change-every-ns={move_every_ns}")])
            }
        }
    }

    fn testpmd(&self, mode: &str, case: Case) -> Result<Output, String> {
        // The first lcore reads commands.
        let mut command = self.peer("dpdk-testpmd", &[self.cores.other, self.cores.cpu], PEER);
        command.args(["--vdev", &case.device(UNCHANGED), "--", "--interactive"]);
        // Else it takes frames before it starts, and drops them.
        command.args(["--no-flush-rx", "--burst=64", "--nb-cores=1", "--total-num-mbufs=16383"]);
        command.arg(format!("--forward-mode={mode}"));
        self.run(command, "start\n").map_err(|e| format!("{e} (Debian: dpdk-dev)"))
    }

    fn l3fwd(&self, lookup: &str, case: Case) -> Result<Output, String> {
        let rules = self.rules(lookup == "em", case.bindings).map_err(|e| format!("rules: {e}"))?;
        let memory = if lookup == "em" { EXACT_MATCH } else { PEER };
        let mut command = self.peer(L3FWD, &[self.cores.cpu], memory);
        command.args(["--vdev", &case.device(UNCHANGED), "--", "-p", "1", "-P", "--parse-ptype"]);
        command.args(["--config", "(0,0,0)", "--eth-dest=0,02:00:00:00:00:0a"]);
        command.arg(format!("--lookup={lookup}"));
        for (family, path) in [("4", &rules[0]), ("6", &rules[1])] {
            command.arg(format!("--rule_ipv{family}={}", path.display()));
        }
        self.run(command, "")
    }

    /// Files of l3fwd's rules: one that no packet meets for IPv4, all bindings for IPv6.
    fn rules(&self, exact: bool, bindings: u32) -> std::io::Result<[PathBuf; 2]> {
        let paths = ["l3fwd.ipv4", "l3fwd.ipv6"].map(|name| self.work.join(name));
        let (ipv4, ports) = if exact {
            ("R198.18.0.1 198.18.0.2 9 9 0x11 0\n", "::1 2600::1 4321 1234 0x11 0")
        } else {
            ("R198.18.0.0/24 0\n", "::/64 0")
        };
        std::fs::write(&paths[0], ipv4)?;
        let mut file = std::io::BufWriter::new(std::fs::File::create(&paths[1])?);
        for i in 0..bindings {
            writeln!(file, "R2001:db8:{:x}:{:x}{ports}", i >> 16, i & 0xffff)?;
        }
        file.flush()?;
        Ok(paths)
    }

    fn floor(&self, counters: bool, case: Case) -> Result<Output, String> {
        let mut command = self.peer(FLOOR, &[self.cores.cpu], PEER);
        command.args(["--vdev", &case.device(""), "--"]);
        command.args(["-n", &case.bindings.to_string(), "-m", &case.mags.to_string()]);
        command.args(["-t", &MILLISECONDS.to_string()]);
        command.args(counters.then_some("-c"));
        command.args(case.kind.is_uplink().then_some("-u"));
        self.run(command, "")
    }

    /// The worker alone, with these arguments besides.
    pub(crate) fn anchord(&self, case: Case, more: &[String]) -> Result<Output, String> {
        let milliseconds = format!("--milliseconds={MILLISECONDS}");
        let cpu = format!("--cpu={}", self.cores.cpu);
        self.bench("forward", &[&case.arguments()[..], &[milliseconds, cpu], more].concat())
    }

    /// Another command of this program.
    pub(crate) fn bench(&self, name: &str, arguments: &[String]) -> Result<Output, String> {
        let bench = std::env::current_exe().map_err(|e| format!("this program: {e}"))?;
        let mut command = Command::new(bench);
        command.arg(name).args(arguments);
        command.args((!self.huge).then_some("--no-huge"));
        self.run(command, "")
    }

    /// A program of DPDK's on these CPUs, with so much memory, in megabytes.
    fn peer(&self, program: impl AsRef<Path>, cpus: &[usize], memory: u32) -> Command {
        let lcores: Vec<_> = cpus.iter().enumerate().map(|(i, cpu)| format!("{i}@{cpu}")).collect();
        let mut command = Command::new(program.as_ref());
        command.args(["-m", &memory.to_string(), "--no-pci", "--no-telemetry"]);
        command.arg(if self.huge { "--in-memory" } else { "--no-huge" });
        command.arg(format!("--file-prefix=anchord-peer-{}", std::process::id()));
        command.args(["--log-level", "lib.*:error", "--lcores", &lcores.join(",")]);
        command.args(["-d", GENERATOR]);
        command
    }

    /// Runs a program to its end, which the device brings about if nothing else does.
    fn run(&self, mut command: Command, commands: &str) -> Result<Output, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let failed = |e: std::io::Error| format!("{name}: {e}");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.cores.elsewhere(|| command.spawn()).map_err(failed)?;
        let mut child = child.map_err(failed)?;
        // Open until the end: testpmd leaves when there is nothing more to read.
        let mut stdin = child.stdin.take().ok_or("no pipe")?;
        stdin.write_all(commands.as_bytes()).map_err(failed)?;
        let out = child.wait_with_output().map_err(failed)?;
        drop(stdin);
        let text = String::from_utf8_lossy(&out.stdout);
        if out.status.success() || out.status.signal() == Some(INTERRUPTED) {
            return Ok(Output::new(&text));
        }
        let errors = String::from_utf8_lossy(&out.stderr);
        Err(format!("{name}: {}\n{}{}", out.status, tail(&text), tail(&errors)))
    }
}

/// What a program said last.
fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(10)..].iter().flat_map(|line| [line, "\n"]).collect()
}

/// How long a program is measured.
const MILLISECONDS: u64 = 500;
/// For peers that make no tunnels; the device ends them by a signal.
const UNCHANGED: &str = ",check=same,interrupt=100";
/// SIGINT.
const INTERRUPTED: i32 = 2;
/// Megabytes: the floor's tables for four million bindings.
const PEER: u32 = 384;
/// Megabytes: l3fwd's tables for exact matches are four million entries for each family.
const EXACT_MATCH: u32 = 1024;
