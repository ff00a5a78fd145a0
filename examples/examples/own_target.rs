//! Loads a folder of files, and verifies every file that was acknowledged.

#![allow(clippy::print_stdout, reason = "an example prints what it does")]

use std::fs;
use std::path::PathBuf;

use harness::{EffectsFound, NoProgress, ScenarioRun, Target, prove};
use load_engine::{Digest, Failure, Found, Iteration, Model, Plan, StepSpec, Workload};

const WRITE: StepSpec = StepSpec::effectful("write");

struct Folder(PathBuf);

impl Workload for Folder {
    type User = ();
    fn steps(&self) -> Vec<StepSpec> {
        vec![WRITE]
    }
    fn set_up(&self, _user: u32) -> Result<(), Failure> {
        Ok(fs::create_dir_all(&self.0)?)
    }
    fn iterate(&self, _: &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let key = format!("{}-{}", it.user(), it.index());
        it.step(&WRITE, |effects| {
            fs::write(self.0.join(&key), &key)?; // call your service here
            effects.created("file", &key, Digest::of(key.as_bytes()));
            Ok(())
        })
    }
}

impl Target for Folder {
    fn effects(&self) -> Result<EffectsFound<'_>, Failure> {
        Ok(Box::new(fs::read_dir(&self.0)?.map(|file| {
            let file = file?;
            let digest = Digest::of(&fs::read(file.path())?);
            Ok(Found::new(
                "file",
                file.file_name().to_string_lossy(),
                digest,
            ))
        })))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = tempfile::tempdir()?;
    let plan = Plan::new("files", Model::iterations(4.try_into()?, 25.try_into()?));
    let run = ScenarioRun::new("files", plan, out.path());
    // Opened before the load, and again after it was closed.
    let result = prove(&run, |dir| Ok(Folder(dir.join("files"))), &mut NoProgress)?;
    println!("{} files verified", result.verification.verified);
    Ok(())
}
