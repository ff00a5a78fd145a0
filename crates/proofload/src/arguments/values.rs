//! Values of arguments, read from their text.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use harness::{ScenarioFile, Time};
use load_engine::quantity::{self, Dimension};

use super::Runnable;

/// The most threads: more than this is a slip of the finger, and would only fail later and worse.
const MOST_THREADS: u32 = 10_000;

/// A file is told from a name by its ending or by a separator: a name that is misspelt is no file.
pub(super) fn runnable(name: &str) -> Result<Runnable, String> {
    if name.ends_with(".toml") || name.contains('/') {
        return Ok(Runnable::File(name.into()));
    }
    embedded(name).map_err(|error| format!("{error}, or a file that ends in .toml"))
}

/// A scenario that comes with the program.
pub(super) fn embedded(name: &str) -> Result<Runnable, String> {
    embedded_name(name).map(Runnable::Embedded)
}

/// The name of a scenario that comes with the program.
fn embedded_name(name: &str) -> Result<String, String> {
    ScenarioFile::embedded_text(name)
        .map(|_| name.to_owned())
        .map_err(|error| error.to_string())
}

/// What `init --from` may name.
pub(super) fn init_from(name: &str) -> Result<String, String> {
    match name {
        "services" => Ok(name.to_owned()),
        name => embedded_name(name).map_err(|error| format!("{error}, services")),
    }
}

pub(super) fn threads(text: &str) -> Result<NonZeroU32, String> {
    let number: u32 = text
        .parse()
        .map_err(|_| "expected a whole number".to_owned())?;
    match NonZeroU32::new(number) {
        Some(number) if number.get() <= MOST_THREADS => Ok(number),
        _ => Err(format!("expected 1 to {MOST_THREADS} threads")),
    }
}

/// A path as it is seen from everywhere.
pub(super) fn absolute(text: &str) -> Result<PathBuf, String> {
    std::path::absolute(text).map_err(|error| error.to_string())
}

pub(super) fn time(text: &str) -> Result<Duration, String> {
    text.parse().map(|Time(time)| time)
}

/// A rate; a number without a unit is one a second.
pub(super) fn per_second(text: &str) -> Result<f64, String> {
    let rate = match text.parse::<f64>() {
        Ok(rate) => rate,
        Err(_) => quantity::parse(text, Dimension::Rate)?,
    };
    match rate.is_finite() && rate > 0.0 {
        true => Ok(rate),
        false => Err("expected a rate above 0, such as 200 or 200/s".to_owned()),
    }
}

/// The id of a run, which stands in keys, paths and names of files.
pub(super) fn run_id(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    match (4..=16).contains(&text.len()) && text.chars().all(plain) {
        true => Ok(text.to_owned()),
        false => Err("expected 4 to 16 small letters and digits".to_owned()),
    }
}

/// A share, which `5%` and `0.05` say alike.
pub(super) fn percentage(text: &str) -> Result<f64, String> {
    match quantity::parse(text, Dimension::Share)? {
        share if (0.001..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a share from 0.1% to 100%, such as 5%".to_owned()),
    }
}

/// The figures of a load are for this machine: whoever wants them elsewhere puts a proxy before them.
pub(super) fn loopback(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Ok(address),
        _ => Err("expected a loopback address with a port, such as 127.0.0.1:9464".to_owned()),
    }
}
