//! Services that a scenario starts: programs in their own process group, which ends with Proofload.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use load_engine::Failure;
use rustix::process::{Pid, Signal, kill_process_group};

use super::spec::StopSignal;

/// How long a program may take to end when it is asked to.
const END_WITHIN: Duration = Duration::from_secs(5);

/// How often is looked whether it has ended.
const LOOK_EACH: Duration = Duration::from_millis(5);

/// How long a `restart` command may take.
const RESTART_WITHIN: Duration = Duration::from_secs(60);

/// How many bytes of a program's output are shown when it fails.
const SHOWN_OUTPUT: usize = 1000;

/// A program that was started. It is ended when this is dropped.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    group: Pid,
    /// Ends the group if Proofload is killed.
    watch: Child,
    log: PathBuf,
}

impl Running {
    /// Starts a program without a shell, with its output in a file.
    pub(super) fn start(words: &[String], folder: &Path, log: &Path) -> Result<Self, Failure> {
        let told = |error: io::Error| {
            let program = words.first().map_or("", String::as_str);
            Failure::new(format!("cannot start `{program}`: {error}"))
        };
        let output = File::options().create(true).append(true).open(log)?;
        let child = command(words, folder)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .map_err(told)?;
        let group = Pid::from_child(&child);
        Ok(Self {
            watch: watch(group)?,
            child,
            group,
            log: log.to_owned(),
        })
    }

    /// The number of the process.
    pub(super) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Whether it is still there; otherwise how it ended, with its last output.
    pub(super) fn check(&mut self) -> Result<(), Failure> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => Err(Failure::new(format!(
                "it ended with {status}{}",
                self.last_output()
            ))),
        }
    }

    /// Ends it by a signal, and if that takes too long by SIGKILL.
    pub(super) fn stop(mut self, signal: StopSignal) {
        let signal = match signal {
            StopSignal::Kill => Signal::KILL,
            StopSignal::Terminate => Signal::TERM,
            StopSignal::Interrupt => Signal::INT,
            StopSignal::Quit => Signal::QUIT,
        };
        self.end(signal);
    }

    /// Stops it where it is, or has it go on.
    pub(super) fn pause(&self, pauses: bool) {
        let signal = if pauses { Signal::STOP } else { Signal::CONT };
        // One that has ended is neither stopped nor goes on.
        let _ = kill_process_group(self.group, signal);
    }

    fn end(&mut self, signal: Signal) {
        // A group that is gone cannot be signalled, which is what is wanted.
        let _ = kill_process_group(self.group, signal);
        let until = Instant::now() + END_WITHIN;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(LOOK_EACH);
        }
        let _ = kill_process_group(self.group, Signal::KILL);
        let _ = self.child.wait();
        // First the group, then the watch: it would signal whoever got the number next.
        let _ = self.watch.kill();
        let _ = self.watch.wait();
    }

    fn last_output(&self) -> String {
        let output = std::fs::read(&self.log).unwrap_or_default();
        let from = output.len().saturating_sub(SHOWN_OUTPUT);
        let text = String::from_utf8_lossy(&output[from..]);
        match text.trim() {
            "" => String::new(),
            text => format!("; its last output: {text}"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.watch.try_wait(), Ok(None)) {
            self.end(Signal::TERM);
        }
    }
}

/// A shell that waits for the end of its input, which comes when this process ends in whatever way, and then
/// kills the group.
fn watch(group: Pid) -> Result<Child, Failure> {
    let group = group.as_raw_nonzero().to_string();
    let script = "read -r _; kill -s KILL -- -\"$1\" 2>/dev/null";
    let watch = Command::new("sh")
        .args(["-c", script, "sh", &group])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    watch.map_err(|error| Failure::new(format!("cannot start `sh`: {error}")))
}

fn command(words: &[String], folder: &Path) -> Command {
    let (program, arguments) = words.split_first().expect("a command has a program");
    let mut command = Command::new(program);
    command.args(arguments);
    if !folder.as_os_str().is_empty() {
        command.current_dir(folder);
    }
    command
}

/// Runs a command to its end. What it leaves behind, such as a service in the background, stays.
pub(super) fn run(words: &[String], folder: &Path) -> Result<(), Failure> {
    let program = words.first().map_or("", String::as_str);
    let failed = |told: String| Failure::new(format!("`{program}` {told}"));
    let mut child = command(words, folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}")))?;
    let until = Instant::now() + RESTART_WITHIN;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(failed(format!("ended with {status}"))),
            None if Instant::now() >= until => {
                child.kill()?;
                child.wait()?;
                return Err(failed(format!("did not end within {RESTART_WITHIN:?}")));
            }
            None => std::thread::sleep(LOOK_EACH),
        }
    }
}
