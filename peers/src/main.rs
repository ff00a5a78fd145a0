//! Durable appends of JSON records, side by side: every peer writes the same record, from the same
//! number of threads, in the same rounds, with the same sync.
//!
//! A disk whose sync takes 0.1 ms in one minute and 4 ms in the next cannot tell two designs apart.
//! So the sync is replaced by a fixed sleep (see [`sync`]) on files in memory, where the best that
//! anyone can reach is known: threads divided by the length of a sync. Figures of the real disk
//! stand beside them. After each measurement the peer is closed and opened again, and its records
//! are counted: whoever acknowledged more than it kept fails the run.

mod cell;
mod peer;
mod record;
mod report;
mod sync;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;

use crate::cell::{Cell, Measured, Medium};
use crate::peer::{Kind, PEERS};

/// Measures durable appends of every peer, interleaved, and writes a table.
#[derive(Debug, Parser)]
struct Arguments {
    /// How often each cell is measured; the table shows medians.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each cell is measured, in milliseconds, after a quarter of that to warm up.
    #[arg(long, default_value_t = 500)]
    window_ms: u64,
    /// The lengths of the replaced sync, in milliseconds.
    #[arg(long, value_delimiter = ',', default_value = "5,1")]
    sync_ms: Vec<u64>,
    /// How many threads append.
    #[arg(long, value_delimiter = ',', default_value = "1,8,100")]
    threads: Vec<usize>,
    /// Only the peers whose name contains one of these.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Leaves the real disk out.
    #[arg(long)]
    no_disk: bool,
    /// The folder in memory that holds the files while the sync is replaced.
    #[arg(long, default_value = "/dev/shm")]
    memory: PathBuf,
    /// The folder on the real disk.
    #[arg(long, default_value = "target")]
    disk: PathBuf,
    /// Where `peers.md` and `peers.json` go.
    #[arg(long, default_value = "target/peers")]
    out: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let cells = cells(&arguments);
    let mut measured = Vec::new();
    for round in 0..arguments.rounds {
        for cell in &cells {
            let window = Duration::from_millis(arguments.window_ms);
            let result = cell
                .measure(folder(cell, &arguments), window)
                .with_context(|| format!("round {round}, {cell}"))?;
            eprintln!("round {}/{}  {cell}  {result}", round + 1, arguments.rounds);
            measured.push((cell.clone(), result));
        }
    }
    write(&arguments, &measured)
}

/// Peer by peer within each setting, so that neighbours in the table are neighbours in time.
fn cells(arguments: &Arguments) -> Vec<Cell> {
    let slept = arguments.sync_ms.iter().map(|&ms| Medium::Memory {
        sync: Duration::from_millis(ms),
    });
    let media = slept.chain((!arguments.no_disk).then_some(Medium::Disk));
    let wanted = |name: &str| {
        arguments.only.is_empty() || arguments.only.iter().any(|part| name.contains(part))
    };
    let mut cells = Vec::new();
    for medium in media {
        for peer in PEERS.iter().filter(|peer| wanted(peer.name)) {
            let threads: &[usize] = match peer.kind {
                Kind::Single => &arguments.threads,
                Kind::Batches(_) => &[1],
            };
            cells.extend(threads.iter().map(|&threads| Cell {
                peer,
                threads,
                medium,
            }));
        }
    }
    cells.sort_by_key(|cell| (cell.medium, cell.threads));
    cells
}

fn folder<'a>(cell: &Cell, arguments: &'a Arguments) -> &'a std::path::Path {
    match cell.medium {
        Medium::Memory { .. } => &arguments.memory,
        Medium::Disk => &arguments.disk,
    }
}

fn write(arguments: &Arguments, measured: &[(Cell, Measured)]) -> anyhow::Result<()> {
    let report = report::Report::new(arguments.rounds, arguments.window_ms, measured);
    let markdown = report.markdown();
    std::fs::create_dir_all(&arguments.out)?;
    std::fs::write(arguments.out.join("peers.md"), &markdown)?;
    let json = serde_json::to_string_pretty(&report)?;
    std::fs::write(arguments.out.join("peers.json"), json)?;
    println!("{markdown}");
    Ok(())
}
