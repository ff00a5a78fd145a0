//! The configuration as a file of TOML. What it does not name keeps its default; what nobody knows is refused.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::config::{Config, Tls};
use crate::error::Error;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: Option<SocketAddr>,
    public_url: Option<String>,
    tls: Option<TlsFile>,
    limits: Limits,
    shutdown: Shutdown,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsFile {
    cert: PathBuf,
    key: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Limits {
    connections: Option<NonZeroUsize>,
    rate: RateFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RateFile {
    agent: Option<NonZeroU32>,
    person: Option<NonZeroU32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Shutdown {
    #[serde(deserialize_with = "seconds")]
    deadline: Option<Duration>,
}

/// So many seconds, as "20s".
fn seconds<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let seconds = text
        .strip_suffix('s')
        .and_then(|digits| digits.parse().ok());
    let wrong = || serde::de::Error::custom(format!("{text:?} is no time such as \"20s\""));
    seconds
        .map(|seconds| Some(Duration::from_secs(seconds)))
        .ok_or_else(wrong)
}

/// Lays what a file says over a configuration. Files that it names are looked for beside it.
pub(super) fn lay_over(config: &mut Config, path: &Path) -> Result<(), Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })?;
    let file: File = toml::from_str(&text).map_err(|source| Error::ConfigFile {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    let folder = path.parent().unwrap_or(Path::new("."));
    config.listen = file.listen.unwrap_or(config.listen);
    config.public_url = file.public_url.or_else(|| config.public_url.take());
    if let Some(tls) = file.tls {
        config.tls = Some(Tls {
            certificate: folder.join(tls.cert),
            key: folder.join(tls.key),
        });
    }
    let connections = file.limits.connections.map(NonZeroUsize::get);
    config.connections = connections.unwrap_or(config.connections);
    config.rates.agent = file.limits.rate.agent.or(config.rates.agent);
    config.rates.person = file.limits.rate.person.or(config.rates.person);
    config.shutdown_deadline = file.shutdown.deadline.unwrap_or(config.shutdown_deadline);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, text).unwrap();
        let mut config = Config::new("data");
        let laid = lay_over(&mut config, &path);
        laid.map(|()| config).map_err(|error| {
            let source = std::error::Error::source(&error).unwrap();
            source.to_string()
        })
    }

    #[test]
    fn a_file_says_what_differs_and_nothing_that_nobody_knows() {
        let config = read("listen = \"127.0.0.1:1\"\n[limits]\nconnections = 7\nrate = { agent = 200 }\n[shutdown]\ndeadline = \"3s\"\n").unwrap();
        assert_eq!((config.listen.port(), config.connections), (1, 7));
        assert_eq!(
            (config.rates.agent, config.rates.person),
            (NonZeroU32::new(200), None)
        );
        assert_eq!(config.shutdown_deadline, Duration::from_secs(3));
        let tls = read("[tls]\ncert = \"a.pem\"\nkey = \"/b.pem\"\n")
            .unwrap()
            .tls
            .unwrap();
        assert!(tls.certificate.ends_with("a.pem") && tls.certificate.is_absolute());
        assert_eq!(tls.key, Path::new("/b.pem"));
        for (text, place, what) in [
            ("listn = 1", "line 1, column 1", "listn"),
            ("\n[limits]\nrate = { agent = 0 }", "line 3", "nonzero"),
            ("[limits]\nconnections = 0", "line 2", "nonzero"),
            ("[tls]\ncert = \"a\"", "line 1", "key"),
            ("[shutdown]\ndeadline = 3", "line 2", "string"),
            ("[shutdown]\ndeadline = \"soon\"", "line 2", "20s"),
        ] {
            let told = read(text).unwrap_err();
            assert!(
                told.contains(place) && told.contains(what),
                "{text}: {told}"
            );
        }
    }
}
