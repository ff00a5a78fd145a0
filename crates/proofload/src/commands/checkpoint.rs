//! Signed checkpoints of a log: keys, creation, verification.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use harness::{Inspection, inspect};
use jsonl_storage::{Checkpoint, CheckpointSigner, Seq, verify_log};

use crate::arguments::{CheckpointCommand, CheckpointCreateArguments, KeygenArguments};
use crate::commands::report::print;
use crate::commands::verify;
use crate::exit::Exit;

pub(crate) fn run(command: &CheckpointCommand) -> anyhow::Result<Exit> {
    match command {
        CheckpointCommand::Keygen(arguments) => keygen(arguments),
        CheckpointCommand::Create(arguments) => create(arguments),
        CheckpointCommand::Verify(arguments) => {
            ensure!(
                arguments.checkpoint.is_some(),
                "give the --checkpoint to compare the log with"
            );
            verify::run(arguments)
        }
    }
}

fn keygen(arguments: &KeygenArguments) -> anyhow::Result<Exit> {
    let mut secret = [0; 32];
    fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut secret))
        .context("cannot read random bytes from /dev/urandom")?;
    let signer = CheckpointSigner::new(&arguments.name, secret)?;
    let cannot = || format!("cannot create {}", arguments.out.display());
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&arguments.out)
        .with_context(cannot)?;
    writeln!(file, "{}", signer.secret_text())
        .and_then(|()| file.sync_all())
        .with_context(cannot)?;
    print(&format!("{}\n", signer.key()))?;
    Ok(Exit::Held)
}

fn create(arguments: &CheckpointCreateArguments) -> anyhow::Result<Exit> {
    let key = arguments.key.display();
    let secret =
        fs::read_to_string(&arguments.key).with_context(|| format!("cannot read {key}"))?;
    let signer: CheckpointSigner = secret
        .parse()
        .with_context(|| format!("{key} has no secret key of `proofload checkpoint keygen`"))?;
    let directory = chained_log(&inspect(&arguments.directory)?, &arguments.directory)?;
    let shown = directory.display();
    let found = verify_log(&directory)?;
    ensure!(
        found.breaks.is_empty(),
        "{shown} is damaged or has a torn tail: see `proofload verify {shown}`"
    );
    let Some(hash) = found.head.filter(|_| found.last > Seq::ZERO) else {
        bail!("{shown} has no records to sign");
    };
    let note = signer.sign(&Checkpoint {
        origin: origin(arguments, &signer),
        last: found.last,
        hash,
        log: found.identity,
    });
    match &arguments.out {
        Some(out) => {
            fs::write(out, note).with_context(|| format!("cannot write {}", out.display()))?;
        }
        None => print(&note)?,
    }
    Ok(Exit::Held)
}

fn origin(arguments: &CheckpointCreateArguments, signer: &CheckpointSigner) -> String {
    let of_key = || signer.key().name().to_owned();
    arguments.origin.clone().unwrap_or_else(of_key)
}

/// The one log with a chain.
fn chained_log(found: &Inspection, directory: &Path) -> anyhow::Result<PathBuf> {
    let mut chained = found.logs.iter().filter(|log| log.chained);
    match (chained.next(), chained.next()) {
        (Some(log), None) => Ok(log.directory.clone()),
        (None, _) => bail!(
            "no log in {} has a hash chain, which a checkpoint is of",
            directory.display()
        ),
        (Some(one), Some(other)) => bail!(
            "{} holds several logs: name one, such as {} or {}",
            directory.display(),
            one.directory.display(),
            other.directory.display()
        ),
    }
}
