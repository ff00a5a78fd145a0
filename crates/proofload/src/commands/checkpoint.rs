//! Signed checkpoints of a log: keys, creation, verification.

use std::fs::{self, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use action::visible;
use anyhow::{Context as _, bail, ensure};
use harness::{Inspection, inspect};
use jsonl_storage::{Checkpoint, CheckpointSigner, Seq, VerifyOptions, verify_log};
use report::Report;

use crate::arguments::{
    CheckpointCommand, CheckpointCreateArguments, CosignArguments, KeygenArguments,
};
use crate::commands::verify;
use crate::exit::Exit;
use crate::terminal::{print, shown};

pub(crate) fn run(command: &CheckpointCommand) -> anyhow::Result<Exit> {
    match command {
        CheckpointCommand::Keygen(arguments) => keygen(arguments),
        CheckpointCommand::Create(arguments) => create(arguments),
        CheckpointCommand::Cosign(arguments) => cosign(arguments),
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
    let public = match arguments.witness {
        true => signer.witness_key().to_string(),
        false => signer.key().to_string(),
    };
    print(&format!("{public}\n"))?;
    Ok(Exit::Held)
}

fn create(arguments: &CheckpointCreateArguments) -> anyhow::Result<Exit> {
    let signer = signer(&arguments.key)?;
    let directory = chained_log(&inspect(&arguments.directory)?, &arguments.directory)?;
    let origin = arguments.origin.as_deref();
    let note = note_of(&directory, origin.unwrap_or(signer.key().name()), &signer)?;
    match &arguments.out {
        Some(out) => {
            fs::write(out, note).with_context(|| format!("cannot write {}", out.display()))?;
        }
        None => print(&note)?,
    }
    Ok(Exit::Held)
}

/// Signs a checkpoint of each chained log that a run has kept, in the folder of its report.
pub(crate) fn of_run(report: &Report, folder: &Path, key: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let signer = signer(key)?;
    let mut written = Vec::new();
    for scenario in &report.scenarios {
        let Some(data) = &scenario.data_kept_in else {
            continue;
        };
        let found = inspect(Path::new(data))?;
        for (at, log) in (1..).zip(found.logs.iter().filter(|log| log.chained)) {
            let note = note_of(&log.directory, signer.key().name(), &signer)?;
            let path = folder.join(format!("checkpoint-{}-{at}.txt", scenario.name));
            fs::write(&path, note).with_context(|| format!("cannot write {}", path.display()))?;
            written.push(path);
        }
    }
    Ok(written)
}

/// Adds a witness's signature, for what the witness has seen for itself.
fn cosign(arguments: &CosignArguments) -> anyhow::Result<Exit> {
    let path = &arguments.checkpoint;
    let cannot = || format!("cannot take {} for a checkpoint", path.display());
    let note = fs::read_to_string(path).with_context(cannot)?;
    let checkpoint =
        Checkpoint::from_note(&note, &arguments.signed_by.parse()?).with_context(cannot)?;
    let witness = signer(&arguments.key)?;
    let directory = chained_log(&inspect(&arguments.log)?, &arguments.log)?;
    let mut expected = VerifyOptions::new().against(checkpoint.clone());
    if let Some(previous) = &arguments.previous {
        let cannot = || format!("cannot take {} for a checkpoint", previous.display());
        let text = fs::read_to_string(previous).with_context(cannot)?;
        let before = Checkpoint::from_note(&text, &witness.witness_key()).with_context(cannot)?;
        ensure!(
            before.last <= checkpoint.last,
            "{} is of record {}, and {} only of record {}: the log went back",
            previous.display(),
            before.last,
            path.display(),
            checkpoint.last
        );
        expected = expected.against(before);
    }
    let found = expected.verify(&directory)?;
    if let Some(broken) = found.corruptions().next() {
        print(&format!(
            "not cosigned: {}: {}\n",
            shown(&directory),
            visible(&broken.kind.to_string())
        ))?;
        return Ok(Exit::Failed);
    }
    let now = seconds_since_1970()?;
    let cosigned = witness.cosign(&note, now).with_context(cannot)?;
    fs::write(path, cosigned).with_context(|| format!("cannot write {}", path.display()))?;
    print(&format!(
        "cosigned up to record {} by {}\n",
        checkpoint.last,
        visible(witness.key().name())
    ))?;
    Ok(Exit::Held)
}

#[expect(
    clippy::disallowed_methods,
    reason = "a witness states when it cosigned"
)]
fn seconds_since_1970() -> anyhow::Result<u64> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Ok(now.context("the clock stands before 1970")?.as_secs())
}

fn signer(key: &Path) -> anyhow::Result<CheckpointSigner> {
    let shown = key.display();
    let secret = fs::read_to_string(key).with_context(|| format!("cannot read {shown}"))?;
    secret
        .parse()
        .with_context(|| format!("{shown} has no secret key of `proofload checkpoint keygen`"))
}

/// The signed checkpoint of what a log is now.
fn note_of(log: &Path, origin: &str, signer: &CheckpointSigner) -> anyhow::Result<String> {
    let shown = log.display();
    let found = verify_log(log)?;
    ensure!(
        found.breaks.is_empty(),
        "{shown} is damaged or has a torn tail: see `proofload verify {shown}`"
    );
    let Some(hash) = found.head.filter(|_| found.last > Seq::ZERO) else {
        bail!("{shown} has no records to sign");
    };
    Ok(signer.sign(&Checkpoint {
        origin: origin.to_owned(),
        last: found.last,
        hash,
        log: found.identity,
    }))
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
