//! Everything, one after the other: what `perf/run` calls.

use crate::cores::Cores;
use crate::program::Place;
use crate::table::Table;
use crate::{plan, registration, rounds, scaling, stall};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// What is to be measured, and where to.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Fewer rounds, 1,000 and 1,000,000 bindings, IPv6 in IPv6 only.
    #[arg(long)]
    quick: bool,
    /// Rounds; in each every forwarding figure is measured once.
    #[arg(long)]
    rounds: Option<usize>,
    /// The directory for figures.
    #[arg(long)]
    out: PathBuf,
    /// For files that are gone afterwards.
    #[arg(long, default_value = "target/perf")]
    work: PathBuf,
    /// The CPU that is measured.
    #[arg(long, default_value_t = 1)]
    cpu: usize,
    /// Without hugepages: figures that cannot be compared.
    #[arg(long)]
    no_huge: bool,
}

/// What a part of it returns.
pub(crate) type Measured = Result<(), Box<dyn std::error::Error>>;

/// Measures something and reports it.
type Part<'a> = dyn Fn(&mut Files<'_>) -> Measured + 'a;

/// Where results go.
pub(crate) struct Files<'a> {
    dir: &'a Path,
    /// For people, in the end.
    pub(crate) report: Vec<u8>,
}

impl Files<'_> {
    /// A file of figures.
    pub(crate) fn create(&self, name: &str) -> io::Result<BufWriter<File>> {
        Ok(BufWriter::new(File::create(self.dir.join(name))?))
    }
}

/// Says what is being done.
pub(crate) fn progress(what: &str) -> io::Result<()> {
    writeln!(io::stderr(), "{what}")
}

/// Measures; what could not be measured is said, and is an error in the end.
pub(crate) fn run(args: &Args, out: &mut impl Write) -> Measured {
    let quick = args.quick;
    std::fs::create_dir_all(&args.out)?;
    std::fs::create_dir_all(&args.work)?;
    let place =
        Place { cores: Cores::new(args.cpu)?, huge: !args.no_huge, work: args.work.clone() };
    let mut files = Files { dir: &args.out, report: Vec::new() };

    let count = args.rounds.unwrap_or(if quick { 3 } else { 5 });
    let groups = plan::groups(quick);
    let samples = rounds::run(&groups, count, &place, &mut io::stderr())?;
    let table = Table::new(&groups, &samples);
    table.write_samples(&mut files.create("samples.csv")?)?;
    table.write_summary(&mut files.create("summary.csv")?)?;
    table.print(&mut files.report)?;

    let mut failures = samples.failures;
    let (entries, load, nodes) =
        if quick { (1_000_000, 100_000, 100_000) } else { (4_000_000, 1_000_000, 1_000_000) };
    let parts: [(&str, &Part<'_>); 4] = [
        ("two workers", &|files| scaling::measure(&place, if quick { 1 } else { 3 }, files)),
        ("turns", &|files| stall::measure(&place, entries, files)),
        ("latency", &|files| registration::latency(&place, load, 10_000, files)),
        ("updates", &|files| registration::updates(&place, nodes, files)),
    ];
    for (name, part) in parts {
        if let Err(why) = part(&mut files) {
            writeln!(files.report, "\n{name}: no figure: {why}")?;
            failures += 1;
        }
    }
    out.write_all(&files.report)?;
    match failures {
        0 => Ok(()),
        _ => Err(format!("{failures} measurements failed").into()),
    }
}
