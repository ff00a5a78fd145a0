use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::LoadArguments;
use super::values::{per_second, percentage};

#[derive(Debug, Args)]
pub(crate) struct SearchArguments {
    #[command(subcommand)]
    pub(crate) what: What,
}

#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// Find the highest rate at which the file's thresholds still hold
    ///
    /// Doubles the rate until they do not, then bisects. The file has an open model; the highest rate of
    /// its phases is what is searched, and their other rates follow in proportion.
    BreakingPoint(BreakingPointArguments),
    /// Measure how throughput grows with users, and fit the Universal Scalability Law
    ///
    /// The file has a closed model; each phase gets the same number of users. Think time keeps users
    /// from loading the target: leave it out.
    Scalability(ScalabilityArguments),
}

#[derive(Debug, Args)]
pub(crate) struct BreakingPointArguments {
    /// A scenario file with an open model
    pub(crate) file: PathBuf,
    /// The rate to begin with, in arrivals a second [default: the highest of the file]
    #[arg(long, value_name = "RATE", value_parser = per_second, allow_negative_numbers = true)]
    pub(crate) from: Option<f64>,
    /// The highest rate to try [default: 1,000 times the first]
    #[arg(long, value_name = "RATE", value_parser = per_second, allow_negative_numbers = true)]
    pub(crate) to: Option<f64>,
    /// How near the rates that hold and that do not are to come
    #[arg(long, value_name = "SHARE", value_parser = percentage, default_value = "10%")]
    pub(crate) precision: f64,
    /// How many runs have to agree at each end: all at the lower rate sustained, none at the higher one
    #[arg(
        long,
        value_name = "N",
        default_value = "4",
        allow_negative_numbers = true
    )]
    pub(crate) agreeing: NonZeroU32,
    /// Try each rate once: quick, and wrong where runs differ
    #[arg(long, conflicts_with = "agreeing")]
    pub(crate) fast: bool,
    /// Set a value over that of the file
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
}

#[derive(Debug, Args)]
pub(crate) struct ScalabilityArguments {
    /// A scenario file with a closed model
    pub(crate) file: PathBuf,
    /// The numbers of users to measure: at least six, the most of them 8 times the fewest
    #[arg(
        long,
        value_name = "N,N,…",
        value_delimiter = ',',
        default_value = "1,2,4,8,16,32"
    )]
    pub(crate) users: Vec<NonZeroU32>,
    /// How often each number is measured
    #[arg(
        long,
        value_name = "N",
        default_value = "5",
        allow_negative_numbers = true
    )]
    pub(crate) repeats: NonZeroU32,
    /// Set a value over that of the file
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    #[command(flatten)]
    pub(crate) load: LoadArguments,
}
