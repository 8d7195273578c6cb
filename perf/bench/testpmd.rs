//! The peer: `dpdk-testpmd` on the same CPU, the same devices and as many frames on the wire. It
//! counts its own cycles.

use crate::cores::Cores;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

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

/// Bursts of 64 that each of the two looped ports has on the wire, as the harness has.
const BURSTS: usize = 15;

/// Runs it for a moment; cycles a packet.
pub(crate) fn run(cores: &Cores, huge: bool, mode: Mode) -> Result<f64, String> {
    cores.elsewhere(|| forward(cores, huge, mode)).map_err(|e| format!("CPU affinity: {e}"))?
}

fn forward(cores: &Cores, huge: bool, mode: Mode) -> Result<f64, String> {
    let lcores = format!("0@{},1@{}", cores.other, cores.cpu); // the first only reads commands
    let prefix = format!("--file-prefix=anchord-testpmd-{}", std::process::id());
    let memory = if huge { "--in-memory" } else { "--no-huge" };
    let mut child = Command::new("dpdk-testpmd")
        .args(["-m", "128", "--no-pci", "--no-telemetry", memory, &prefix, "--lcores", &lcores])
        .args(["--vdev", "net_ring0", "--vdev", "net_ring1", "--", "--interactive"])
        .args(["--burst=64", "--nb-cores=1", "--total-num-mbufs=16383", "--record-core-cycles"])
        .arg(format!("--forward-mode={}", mode.name()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("dpdk-testpmd (Debian: dpdk-dev): {e}"))?;
    let told = tell(&mut child);
    let out = child.wait_with_output().map_err(|e| format!("dpdk-testpmd: {e}"))?;
    told.map_err(|e| format!("dpdk-testpmd: {e}"))?;
    cycles(&String::from_utf8_lossy(&out.stdout))
}

#[allow(clippy::disallowed_methods)] // testpmd forwards while we wait: there is nothing to poll for
fn tell(child: &mut std::process::Child) -> std::io::Result<()> {
    let mut commands = child.stdin.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
    writeln!(commands, "start tx_first {BURSTS}")?;
    std::thread::sleep(Duration::from_millis(1500));
    writeln!(commands, "stop\nquit")
}

/// From `CPU cycles/packet=3.26 (total cycles=4773498890 / total io packets=1465370112) at ...`.
fn cycles(text: &str) -> Result<f64, String> {
    let number = text.split("CPU cycles/packet=").nth(1).and_then(|t| t.split_whitespace().next());
    number
        .and_then(|n| n.parse().ok())
        .ok_or_else(|| format!("dpdk-testpmd did not say its cycles per packet:\n{text}"))
}
