use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the server does not start, or a token is not made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address can be reached from other machines, and the server speaks plain HTTP. Give it a certificate, or
    /// listen on 127.0.0.1, and let a proxy on this machine speak TLS.
    #[error(
        "{address} is not an address of this machine alone, and tokens would cross the network readable: give it a \
         certificate (tls.cert and tls.key), or listen on 127.0.0.1 and put a proxy that speaks TLS before it"
    )]
    NotLoopback {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// Other machines can reach the address, and nobody has a token. Make one first.
    #[error(
        "{address} can be reached from other machines, and nobody has a token yet: make one by `proofload token create`"
    )]
    NoTokens {
        /// Where it was to listen.
        address: SocketAddr,
    },
    /// The certificate or its key cannot be used.
    #[error("the certificate cannot be used")]
    Certificate(#[source] io::Error),
    /// The configuration has a mistake; the cause names the line.
    #[error("{}", path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// The public address is not one of HTTP without a path. Give a scheme and a host.
    #[error("{url:?} is not a public address such as https://gate.example.com")]
    PublicUrl {
        /// The text as given.
        url: String,
    },
    /// The address is in use, or not one of this machine's. Choose another one.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where it was to listen.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A file of the data directory cannot be read or written, or holds something else than it should.
    #[error("{}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The policy, or the directory of reviewers. Correct it; the cause names the place.
    #[error("{}", path.display())]
    Policy {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<approval_workflow::Error>,
    },
    /// The directory of reviewers is no TOML that describes one.
    #[error("{}", path.display())]
    Directory {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// The schemas that say what actions do. Correct the file; the cause names the place.
    #[error("{}", path.display())]
    Schemas {
        /// The file or the folder.
        path: PathBuf,
        /// What is wrong.
        source: Box<forensic_simulator::Error>,
    },
    /// The memories cannot be opened or closed.
    #[error("memories in {}", path.display())]
    Memories {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: Box<memory_store::Error>,
    },
    /// A stream cannot be closed. What was acknowledged is on disk.
    #[error("streams in {}", path.display())]
    Streams {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: Box<jsonl_storage::Error>,
    },
    /// The approvals cannot be opened or closed. If another process has them open, that is the server of
    /// this directory: end it, or use it.
    #[error("approvals in {}", path.display())]
    Approvals {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: Box<approval_workflow::Error>,
    },
    /// The file of tokens cannot be read or written.
    #[error("tokens in {}", path.display())]
    Tokens {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A name that no token can be given to. Choose another one.
    #[error("invalid name {name:?}: {fault}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        fault: String,
    },
    /// A thread, the runtime or the signal handler could not be made.
    #[error("cannot start the runtime")]
    Runtime(#[source] io::Error),
}
