use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use server::{Embeddings, Role};

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Where everything is kept; made if it is missing
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// A file of TOML with the configuration; what the command line says counts more
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Where to listen (default: 127.0.0.1:8787); beyond this machine only with TLS and a token; port 0 takes a free one
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// The server's certificate in PEM, followed by those that it rests on; read anew on SIGHUP
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of the certificate in PEM, which nobody but its owner may read
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Where people find the inbox, if a proxy on this machine gives it another name
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Say, once, that DIR was put back from a copy, and by whom: no approval from before it is used any more
    #[arg(long, value_name = "NAME")]
    pub(crate) restored_by: Option<String>,
    /// The highest fencing token that the systems which are acted on have seen, if it is known
    #[arg(long, value_name = "N", requires = "restored_by")]
    pub(crate) highest_token: Option<u64>,
    /// A model that embeds the texts of memories, behind OpenAI's interface: the base address, such as
    /// http://127.0.0.1:11434/v1. PROOFLOAD_EMBEDDINGS_KEY is sent as its key
    #[arg(long, value_name = "URL", requires = "embeddings_model")]
    pub(crate) embeddings: Option<String>,
    /// The model's name there
    #[arg(long, value_name = "NAME", requires = "embeddings_dimension")]
    pub(crate) embeddings_model: Option<String>,
    /// The dimension of its vectors
    #[arg(long, value_name = "N", requires = "embeddings")]
    pub(crate) embeddings_dimension: Option<NonZeroUsize>,
    /// Embed anew, before listening, what another model has embedded
    #[arg(long, requires = "embeddings")]
    pub(crate) embed_anew: bool,
}

impl ServeArguments {
    /// The model, with its key from the environment.
    pub(crate) fn model(&self) -> Option<Embeddings> {
        let key = std::env::var("PROOFLOAD_EMBEDDINGS_KEY").ok();
        Some(Embeddings {
            url: self.embeddings.clone()?,
            model: self.embeddings_model.clone()?,
            dimension: self.embeddings_dimension?,
            key: key.filter(|key| !key.is_empty()),
            anew: self.embed_anew,
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct TokenArguments {
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it, once; it counts at once, also for a running server
    Create {
        /// Who calls with it: lower-case letters, digits, '-', '_', '.' and '@'
        name: String,
        /// agent asks and uses, reviewer decides, operator looks after the server
        #[arg(long, value_name = "ROLE")]
        role: Role,
        /// How long it is good
        #[arg(long, value_name = "N", default_value_t = 90)]
        days: u16,
        /// The directory of the server
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
    /// Print all tokens, without what they say
    List {
        /// The directory of the server
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token: it is refused from then on
    Revoke {
        /// The token's id, from `token list`
        id: String,
        /// The directory of the server
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
}
