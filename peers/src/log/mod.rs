//! Durable appends of JSON records: every peer writes the same record, from the same number of
//! threads, in the same rounds, with the same sync.
//!
//! A disk whose sync takes 0.1 ms in one minute and 4 ms in the next cannot tell two designs apart.
//! So the sync is replaced by a fixed sleep (see [`sync`]) on files in memory, where the best that
//! anyone can reach is known: threads divided by the length of a sync. Figures of the real disk
//! stand beside them. After each measurement the peer is closed and opened again, and its records
//! are counted: whoever acknowledged more than it kept fails the run.

mod cell;
mod peer;
mod record;
pub(crate) mod report;
mod sync;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;

use crate::comparison::Effort;
use crate::log::cell::{Cell, Medium};
use crate::log::peer::{Kind, PEERS};
use crate::log::report::Report;

/// What only the comparison of logs asks for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Only for log")]
pub(crate) struct LogArguments {
    /// The lengths of the replaced sync, in milliseconds.
    #[arg(long, value_delimiter = ',', default_value = "5,1")]
    sync_ms: Vec<u64>,
    /// How many threads append.
    #[arg(long, value_delimiter = ',', default_value = "1,8,100")]
    threads: Vec<usize>,
    /// Only the logs whose name contains one of these.
    #[arg(long, value_delimiter = ',')]
    peer: Vec<String>,
    /// Leaves the real disk out.
    #[arg(long)]
    no_disk: bool,
    /// The folder on the real disk.
    #[arg(long, default_value = "target")]
    disk: PathBuf,
}

/// Measures every log in every setting.
///
/// While the sync is replaced, the files lie in the folder in memory.
pub(crate) fn compare(
    arguments: &LogArguments,
    effort: Effort,
    memory: &Path,
) -> anyhow::Result<Report> {
    let cells = cells(arguments);
    let (rounds, window) = (effort.rounds, effort.window);
    std::fs::create_dir_all(&arguments.disk)
        .with_context(|| format!("create {}", arguments.disk.display()))?;
    let mut measured = Vec::new();
    for round in 0..rounds {
        for cell in &cells {
            let folder = match cell.medium {
                Medium::Memory { .. } => memory,
                Medium::Disk => &arguments.disk,
            };
            let result = cell
                .measure(folder, window)
                .with_context(|| format!("round {}, {cell}", round + 1))?;
            eprintln!("round {}/{rounds}  {cell}  {result}", round + 1);
            measured.push((cell.clone(), result));
        }
    }
    let window_ms = u64::try_from(window.as_millis()).context("the window is too long")?;
    Ok(Report::new(rounds, window_ms, &measured))
}

/// Peer by peer within each setting, so that neighbours in the table are neighbours in time.
fn cells(arguments: &LogArguments) -> Vec<Cell> {
    let slept = arguments.sync_ms.iter().map(|&ms| Medium::Memory {
        sync: Duration::from_millis(ms),
    });
    let media = slept.chain((!arguments.no_disk).then_some(Medium::Disk));
    let wanted = |name: &str| {
        arguments.peer.is_empty() || arguments.peer.iter().any(|part| name.contains(part))
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
