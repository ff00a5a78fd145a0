use std::fs;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The machine that a report was made on, as far as the system says. What it does not say is
/// missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Machine {
    /// Such as `linux`.
    pub os: String,
    /// Such as `x86_64`.
    pub architecture: String,
    /// The kernel's release.
    pub kernel: Option<String>,
    /// The processor's model.
    pub processor: Option<String>,
    /// How many processors this process may use.
    pub processors: Option<usize>,
    /// Memory of the machine, in bytes.
    pub memory_bytes: Option<u64>,
    /// The file system that the load wrote to, such as `ext4`. On `tmpfs` a sync costs nothing, so
    /// nothing there is durable.
    pub filesystem: Option<String>,
}

impl Machine {
    /// Examines this machine, and the file system of `data`.
    pub(crate) fn examine(data: &Path) -> Self {
        Self {
            os: std::env::consts::OS.to_owned(),
            architecture: std::env::consts::ARCH.to_owned(),
            kernel: read_trimmed("/proc/sys/kernel/osrelease"),
            processor: field("/proc/cpuinfo", "model name"),
            processors: std::thread::available_parallelism().ok().map(usize::from),
            memory_bytes: field("/proc/meminfo", "MemTotal")
                .and_then(|text| text.strip_suffix("kB")?.trim().parse::<u64>().ok())
                .map(|kib| kib * 1024),
            filesystem: filesystem(data),
        }
    }
}

/// The program that wrote a report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Build {
    /// The version of the package.
    pub version: String,
    /// `release`, or `debug` for a build whose figures say little about speed.
    pub profile: String,
    /// The BLAKE3 digest of the executable: equal digests, equal programs.
    pub executable_blake3: Option<String>,
}

impl Build {
    /// Examines the program that is running.
    pub(crate) fn examine() -> Self {
        let executable = std::env::current_exe().ok();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            profile: if cfg!(debug_assertions) {
                "debug"
            } else {
                "release"
            }
            .to_owned(),
            executable_blake3: executable.and_then(|path| digest_of(&path)),
        }
    }
}

fn digest_of(path: &Path) -> Option<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs::File::open(path).ok()?).ok()?;
    Some(hasher.finalize().to_hex().to_string())
}

fn read_trimmed(path: &str) -> Option<String> {
    fs::read_to_string(path)
        .ok()
        .map(|text| text.trim().to_owned())
}

/// The first `name: value` of a file in `/proc`.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// The type of the mount that `path` lies under: the one with the longest matching prefix.
fn filesystem(path: &Path) -> Option<String> {
    let path = path.canonicalize().ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some((words.next()?, words.next()?))
        })
        .filter(|(mount, _)| path.starts_with(mount))
        .max_by_key(|(mount, _)| mount.len())
        .map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_can_be_examined() {
        let machine = Machine::examine(Path::new("."));
        assert!(machine.processors.is_some_and(|count| count > 0));
        assert!(!machine.os.is_empty());
    }

    #[test]
    fn the_build_names_the_executable() {
        let digest = Build::examine().executable_blake3.unwrap();
        assert_eq!(digest.len(), 64);
    }
}
