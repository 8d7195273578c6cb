//! Programs that are measured on the generator's device (`perf/pgen`), each in a process of its
//! own, alone on the measured CPU: testpmd, the floor, and this bench with `anchord`'s worker.

use crate::case::Case;
use crate::cores::Cores;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The device's driver (`perf/pgen/build` makes it).
pub(crate) const GENERATOR: &str = "target/pgen/librte_net_pgen.so";
/// The floor program.
const FLOOR: &str = "target/pgen/floor";

/// How long a program is measured.
const MILLISECONDS: u64 = 1000;

/// What testpmd does with a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Nothing: the cost of receiving and sending.
    Io,
    /// Swaps the MAC addresses: reads and writes the frame's first cache line.
    MacSwap,
}

impl Mode {
    /// As testpmd calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Io => "io",
            Self::MacSwap => "macswap",
        }
    }
}

/// Where programs run, and on what memory.
pub(crate) struct Place<'a> {
    /// The measured CPU and the others.
    pub(crate) cores: &'a Cores,
    /// Whether there are hugepages.
    pub(crate) huge: bool,
}

impl Place<'_> {
    /// Cycles a packet of `dpdk-testpmd`.
    pub(crate) fn testpmd(&self, mode: Mode) -> Result<f64, String> {
        let lcores = format!("0@{},1@{}", self.cores.other, self.cores.cpu); // the first reads commands
        let mut command = Command::new("dpdk-testpmd");
        command.args(self.eal(&lcores)).args(["-d", GENERATOR, "--vdev"]);
        command.args([&Case::default().device(false), "--", "--interactive"]);
        // Else it takes frames before it starts, and drops them.
        command.args(["--no-flush-rx", "--burst=64", "--nb-cores=1", "--total-num-mbufs=16383"]);
        command.arg(format!("--forward-mode={}", mode.name()));
        self.run(command, "start\n", "stop\nquit\n").map_err(|e| format!("{e} (Debian: dpdk-dev)"))
    }

    /// Cycles a packet of the floor program, with counters.
    pub(crate) fn floor(&self, case: Case) -> Result<f64, String> {
        let mut command = Command::new(FLOOR);
        command.args(self.eal(&format!("0@{}", self.cores.cpu)));
        command.args(["-d", GENERATOR, "--vdev", &case.device(true), "--", "-c"]);
        command.args(["-n", &case.bindings.to_string(), "-m", &case.mags.to_string(), "-s", "1"]);
        if case.kind.is_uplink() {
            command.arg("-u");
        }
        self.run(command, "", "")
    }

    /// Cycles a packet of `anchord`'s worker, with a binding changed every so many microseconds.
    pub(crate) fn anchord(&self, case: Case, update_every_us: u64) -> Result<f64, String> {
        let bench = std::env::current_exe().map_err(|e| format!("this program: {e}"))?;
        let mut command = Command::new(bench);
        command.arg("forward").args(case.arguments());
        command.arg(format!("--cpu={}", self.cores.cpu));
        command.arg(format!("--milliseconds={MILLISECONDS}"));
        command.arg(format!("--update-every-us={update_every_us}"));
        if !self.huge {
            command.arg("--no-huge");
        }
        self.run(command, "", "")
    }

    fn eal(&self, lcores: &str) -> Vec<String> {
        let memory = if self.huge { "--in-memory" } else { "--no-huge" };
        let prefix = format!("--file-prefix=anchord-peer-{}", std::process::id());
        let args = ["-m", "384", "--no-pci", "--no-telemetry", "--log-level", "lib.*:error"];
        let own = [memory, &prefix, "--lcores", lcores];
        args.iter().chain(&own).map(|s| (*s).to_owned()).collect()
    }

    /// Runs a program; tells it `begin`, and a moment later `end`.
    fn run(&self, mut command: Command, begin: &str, end: &str) -> Result<f64, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let failed = |e: std::io::Error| format!("{name}: {e}");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.cores.elsewhere(|| command.spawn()).map_err(failed)?;
        let mut child = child.map_err(failed)?;
        if !begin.is_empty() {
            let mut commands = child.stdin.take().ok_or("no pipe")?;
            commands.write_all(begin.as_bytes()).map_err(failed)?;
            wait(Duration::from_millis(MILLISECONDS));
            commands.write_all(end.as_bytes()).map_err(failed)?;
        }
        let out = child.wait_with_output().map_err(failed)?;
        let text = String::from_utf8_lossy(&out.stdout);
        let figure = figure(&text).map_err(|e| {
            let errors = String::from_utf8_lossy(&out.stderr);
            format!("{name}: {e}\n{text}{errors}")
        })?;
        if out.status.success() {
            Ok(figure)
        } else {
            Err(format!("{name}: {}\n{}", out.status, String::from_utf8_lossy(&out.stderr)))
        }
    }
}

#[allow(clippy::disallowed_methods)] // a program forwards while we wait: there is nothing to poll for
fn wait(time: Duration) {
    std::thread::sleep(time);
}

/// The middle window of the one queue, if all that it gave came back as it must.
fn figure(text: &str) -> Result<f64, String> {
    let line =
        text.lines().find_map(|l| l.split_once("pgen: ")).ok_or("the device said nothing")?.1;
    let value = |key: &str| {
        let word = line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        word.ok_or_else(|| format!("no {key} in: {line}"))
    };
    if value("wrong")? != "0" || value("sent")? != value("received")? {
        return Err(format!("not what must come out: {line}"));
    }
    let windows: u32 = value("windows")?.parse().map_err(|_| line.to_owned())?;
    let app: f64 = value("app")?.parse().map_err(|_| line.to_owned())?;
    if windows >= WINDOWS_MIN { Ok(app) } else { Err(format!("too short: {line}")) }
}

/// Fewer have no middle worth the name.
const WINDOWS_MIN: u32 = 10;
