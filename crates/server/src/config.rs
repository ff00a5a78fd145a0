use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
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
    /// Where to listen: an address of this machine alone. Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where people find the pages, if a proxy on this machine gives them another name than the address, such as
    /// `https://gate.example.com`.
    pub public_url: Option<String>,
    /// How many connections at a time; those above are closed at once.
    pub connections: usize,
    /// How long requests under way may take to end once the server is told to stop.
    pub shutdown_deadline: Duration,
    /// What embeds the texts of memories; without it they are found by their words alone.
    pub embeddings: Option<Embeddings>,
    /// Set once, at the first start after the directory was put back from a copy.
    pub restored: Option<Restored>,
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
            connections: 4096,
            shutdown_deadline: Duration::from_secs(20),
            embeddings: None,
            restored: None,
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if let Some(url) = self.public_url.as_ref().filter(|url| !is_origin(url)) {
            return Err(Error::PublicUrl { url: url.clone() });
        }
        let address = self.listen;
        if address.ip().is_loopback() {
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
