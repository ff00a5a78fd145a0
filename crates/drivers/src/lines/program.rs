//! A program whose standard input and output are pipes of the runtime.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

use tokio::net::unix::pipe::{Receiver, Sender};

use crate::driver::ServiceContext;
use crate::error::SpecError;
use crate::outcome::{Code, Failure};
use crate::template::Template;
use crate::values::Scope;

/// A program and its arguments, filled in.
pub(super) fn command(words: &[String], scope: &mut Scope) -> Result<Box<[String]>, SpecError> {
    if words.is_empty() {
        let told = "`command` is a list of a program and its arguments, without a shell";
        return Err(SpecError::new(0, told).under("command"));
    }
    scope.show_dir(true);
    let filled = words.iter().enumerate().map(|(number, word)| {
        Template::constant(word, scope).map_err(|error| error.under(number).under("command"))
    });
    let filled = filled.collect();
    scope.show_dir(false);
    filled
}

/// A program that was started. It is killed when this is dropped.
pub(super) struct Program {
    child: Child,
}

/// Its standard streams.
pub(super) struct Streams {
    pub(super) input: Sender,
    pub(super) output: Receiver,
    pub(super) errors: Receiver,
}

impl Program {
    /// Starts a program in a folder.
    pub(super) fn start(
        words: &[String],
        context: &ServiceContext,
    ) -> Result<(Self, Streams), Failure> {
        let failed = |error: io::Error| {
            let told = format!(
                "cannot start `{}`, which is `{}`: {error}",
                words[0], context.name
            );
            Failure::with_code(&told, Code::Connect)
        };
        let mut command = Command::new(&words[0]);
        if context.folder != Path::new("") {
            command.current_dir(&context.folder);
        }
        let mut child = command
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Ctrl-C is for Proofload, which ends the program when it has read everything back.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let streams = streams(&mut child);
        // Whoever drops it ends the program as well.
        let program = Self { child };
        Ok((program, streams.map_err(failed)?))
    }

    /// How it ended, once it has closed its output.
    pub(super) fn ended(&mut self) -> String {
        match self.child.wait() {
            Ok(status) => describe(status),
            Err(error) => format!("ended: {error}"),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // One that has ended by itself cannot be killed, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("ended with code {code}"),
        None => "was ended by a signal".to_owned(),
    }
}

fn streams(child: &mut Child) -> io::Result<Streams> {
    let missing = || io::Error::other("a stream is missing");
    let input: OwnedFd = child.stdin.take().ok_or_else(missing)?.into();
    let output: OwnedFd = child.stdout.take().ok_or_else(missing)?.into();
    let errors: OwnedFd = child.stderr.take().ok_or_else(missing)?.into();
    Ok(Streams {
        input: Sender::from_owned_fd(input)?,
        output: Receiver::from_owned_fd(output)?,
        errors: Receiver::from_owned_fd(errors)?,
    })
}
