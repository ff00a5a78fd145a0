//! Runs a scenario file again and again, in search of what its target bears.

mod outlook;
mod rates;
mod table;
mod users;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use harness::{Progress, Suite};
use load_engine::RunError;
use report::Report;

use crate::arguments::{LoadArguments, Runnable, SearchArguments, What};
use crate::commands::suite::read;
use crate::exit::Exit;
use crate::interrupt::Interrupt;
use crate::live;

pub(crate) fn run(arguments: &SearchArguments) -> anyhow::Result<Exit> {
    match &arguments.what {
        What::BreakingPoint(search) => rates::run(search),
        What::Scalability(search) => users::run(search),
    }
}

/// Why a search ended before it was through.
enum Halt {
    Interrupted,
    Failed(anyhow::Error),
}

impl From<anyhow::Error> for Halt {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<RunError> for Halt {
    fn from(error: RunError) -> Self {
        Self::Failed(error.into())
    }
}

/// What was found, if nobody interrupted the search.
fn unless_interrupted<T>(found: Result<T, Halt>) -> anyhow::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Halt::Interrupted) => Ok(None),
        Err(Halt::Failed(error)) => Err(error),
    }
}

/// Runs one file, each time with something else set over it.
struct Runner<'a> {
    load: &'a LoadArguments,
    path: &'a Path,
    set: &'a [String],
    /// Where the runs are saved.
    folder: PathBuf,
    progress: Box<dyn Progress>,
}

impl<'a> Runner<'a> {
    fn new(load: &'a LoadArguments, path: &'a Path, set: &'a [String]) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&load.output.out)
            .with_context(|| format!("cannot create {}", load.output.out.display()))?;
        let folder = tempfile::Builder::new()
            .prefix("search-")
            .tempdir_in(&load.output.out)
            .with_context(|| format!("cannot create a folder in {}", load.output.out.display()))?;
        Ok(Self {
            load,
            path,
            set,
            folder: folder.keep(),
            progress: live::progress(&load.output, load.json, Interrupt::listen()?)?,
        })
    }

    /// Makes one run, and gives its report and where it was saved.
    fn run(&mut self, set: Vec<String>) -> Result<(Report, PathBuf), Halt> {
        let all = [self.set, set.as_slice()].concat();
        let file = read(self.load, &Runnable::File(self.path.to_owned()), &all)?;
        let suite = Suite::new([file]);
        let done = suite.run_and_save(&self.folder, &mut *self.progress);
        let (report, saved) = done.map_err(|error| Halt::Failed(error.into()))?;
        if report.interrupted {
            return Err(Halt::Interrupted);
        }
        Ok((report, saved.folder))
    }
}
