mod file;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::embeddings::Embeddings;
use crate::error::Error;

/// Where a server listens unless it is told otherwise.
pub const DEFAULT_ADDRESS: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8787);

/// How a server runs. Its policy and its reviewers are files of the directory: see [`DataDir`](crate::DataDir).
#[derive(Debug, Clone)]
pub struct Config {
    /// The directory that holds everything; it is made if it is missing.
    pub dir: PathBuf,
    /// Where to listen: without TLS and a token, an address of this machine alone. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where people find the pages, if a proxy on this machine gives them another name than the address, such as
    /// `https://gate.example.com`.
    pub public_url: Option<String>,
    /// The server's certificate. Without it, it speaks plain HTTP.
    pub tls: Option<Tls>,
    /// How many requests each caller may make.
    pub rates: Rates,
    /// How many connections at a time; those above are closed at once.
    pub connections: usize,
    /// How long requests under way may take to end once the server is told to stop.
    pub shutdown_deadline: Duration,
    /// What embeds the texts of memories; without it they are found by their words alone.
    pub embeddings: Option<Embeddings>,
    /// Set once, at the first start after the directory was put back from a copy.
    pub restored: Option<Restored>,
}

/// Files of PEM, which are read anew on SIGHUP.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The certificate, followed by those of the authorities that it rests on.
    pub certificate: PathBuf,
    /// Its key, which nobody but its owner may read.
    pub key: PathBuf,
}

/// Requests a second of one caller; none is no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rates {
    /// Of an agent.
    pub agent: Option<NonZeroU32>,
    /// Of a reviewer or an operator.
    pub person: Option<NonZeroU32>,
}

/// Who put the directory back from a copy.
#[derive(Debug, Clone)]
pub struct Restored {
    /// By whom.
    pub by: String,
    /// The highest fencing token that the systems which are acted on have seen, if somebody knows it.
    pub highest_token: Option<u64>,
}

impl Config {
    /// Starts with every default.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            listen: DEFAULT_ADDRESS,
            public_url: None,
            tls: None,
            rates: Rates::default(),
            connections: 4096,
            shutdown_deadline: Duration::from_secs(20),
            embeddings: None,
            restored: None,
        }
    }

    /// Lays a file of TOML over it: `listen`, `public_url`, `tls.cert`, `tls.key`, `limits.connections`,
    /// `limits.rate.agent`, `limits.rate.person`, `shutdown.deadline`.
    ///
    /// # Errors
    ///
    /// [`Error::File`]; [`Error::ConfigFile`] with the line.
    pub fn lay_over(&mut self, file: &Path) -> Result<(), Error> {
        file::lay_over(self, file)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some(url) = self.public_url.as_ref().filter(|url| !is_origin(url)) {
            return Err(Error::PublicUrl { url: url.clone() });
        }
        let address = self.listen;
        if address.ip().is_loopback() || self.tls.is_some() {
            Ok(())
        } else {
            Err(Error::NotLoopback { address })
        }
    }
}

/// Whether it is a scheme and a host, with a port or without, and no more.
fn is_origin(url: &str) -> bool {
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let host = host.map(|host| host.strip_suffix('/').unwrap_or(host));
    host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_others_can_reach_is_refused() {
        let check = |address: &str| {
            let mut config = Config::new("data");
            config.listen = address.parse().unwrap();
            config.check().is_ok()
        };
        assert!(check("127.0.0.1:0") && check("[::1]:8787") && check("127.9.9.9:1"));
        for address in [
            "0.0.0.0:8787",
            "[::]:8787",
            "192.168.0.7:8787",
            "[::ffff:10.0.0.1]:80",
        ] {
            assert!(!check(address), "{address}");
        }
    }
}
