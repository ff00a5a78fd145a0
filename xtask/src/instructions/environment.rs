//! What counts of instructions depend on, beside the code.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// What has to be the same for two counts to be comparable to a few in a hundred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Environment(pub(super) Vec<(String, String)>); // in the order of their names

impl Environment {
    /// Of this machine.
    ///
    /// # Errors
    ///
    /// When there is no valgrind, or the compiler does not answer.
    pub(crate) fn here() -> Result<Self> {
        let valgrind = said("valgrind", &["--version"])
            .context("valgrind is missing: apt-get install valgrind")?;
        let rustc = said("rustc", &["--version", "--verbose"])?;
        let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
        let compiler = rustc.lines().next().unwrap_or_default();
        let mut parts = vec![
            ("c_library", said("getconf", &["GNU_LIBC_VERSION"])?),
            ("compiler", compiler.to_owned()),
            ("processor", vectors()?.to_owned()),
            ("target", host.unwrap_or("unknown").to_owned()),
            ("valgrind", valgrind),
        ];
        parts.sort();
        let owned = |(name, value): (&str, String)| (name.to_owned(), value);
        Ok(Self(parts.into_iter().map(owned).collect()))
    }

    pub(super) fn from_json(value: &Value) -> Option<Self> {
        let parts = value.as_object()?.iter();
        let mut parts: Vec<_> = parts
            .map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
            .collect::<Option<_>>()?;
        parts.sort();
        Some(Self(parts))
    }

    pub(super) fn to_json(&self) -> Value {
        let parts = self.0.iter();
        let parts: Map<_, _> = parts
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect();
        parts.into()
    }

    /// A sentence for each part that is another one here.
    pub(super) fn differences(&self, here: &Self) -> Vec<String> {
        let find = |name: &str| here.0.iter().find(|(other, _)| other == name);
        let different = self.0.iter().filter_map(|(name, value)| {
            let found = find(name).map_or("unknown", |(_, value)| value);
            (found != value).then(|| format!("{name}: {found} here, {value} in the file"))
        });
        different.collect()
    }
}

/// What a program prints, without the line's end.
fn said(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} {} failed: {}",
            arguments.join(" "),
            output.status
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The instructions among which code chooses at run time. Valgrind shows programs a processor of its
/// own: one with AVX2 if the machine has it, a lesser one if not.
fn vectors() -> Result<&'static str> {
    let text = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let has = |flag: &str| text.split_whitespace().any(|word| word == flag);
    Ok(if has("avx2") {
        "with AVX2"
    } else {
        "without AVX2"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(parts: &[(&str, &str)]) -> Environment {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Environment(parts.iter().map(owned).collect())
    }

    #[test]
    fn each_difference_is_named_with_both_values() {
        let stored = environment(&[("compiler", "rustc 1.95.0"), ("valgrind", "3.19.0")]);
        assert_eq!(stored.differences(&stored), Vec::<String>::new());
        let here = environment(&[("compiler", "rustc 1.96.0"), ("valgrind", "3.19.0")]);
        assert_eq!(
            stored.differences(&here),
            ["compiler: rustc 1.96.0 here, rustc 1.95.0 in the file"]
        );
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let stored = environment(&[("compiler", "rustc 1.95.0"), ("valgrind", "3.19.0")]);
        assert_eq!(Environment::from_json(&stored.to_json()), Some(stored));
    }
}
