//! The inbox in a real browser, driven over Chromium's pipe. Where there is no Chromium the test says that it did not
//! run, unless `PROOFLOAD_REQUIRE_CHROMIUM` is set; `PROOFLOAD_CHROMIUM` names another one.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::inbox::Browser;
use crate::server::{Team, of};

/// Long, since a machine may be busy; what is waited for is there within a second otherwise.
const PATIENCE: Duration = Duration::from_secs(60);

/// The browser, if there is one.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("PROOFLOAD_CHROMIUM") {
        return Some(named.into());
    }
    let folders = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&folders)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|path| path.is_file());
    if found.is_none() {
        let required = std::env::var_os("PROOFLOAD_REQUIRE_CHROMIUM").is_some();
        assert!(
            !required,
            "no Chromium, although PROOFLOAD_REQUIRE_CHROMIUM is set"
        );
        let line = b"the test of the inbox in a browser did not run: there is no Chromium\n";
        std::io::stderr().write_all(line).unwrap();
    }
    found
}

/// A window of a phone's width. Its messages end with a zero byte.
struct Window {
    child: Child,
    to: File,
    from: Receiver<Value>,
    session: Option<String>,
    next: u64,
    _profile: TempDir,
}

impl Window {
    fn open(program: &Path) -> Self {
        let profile = tempfile::tempdir().unwrap();
        let fifo = |name: &str| {
            let path = profile.path().join(name);
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
            path
        };
        let (to, from) = (fifo("to"), fifo("from"));
        // The shell opens both before the browser begins, so neither end waits for one that never comes.
        let script = r#"exec "$0" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
            --disable-extensions --remote-debugging-pipe --user-data-dir="$1" about:blank 3<"$2" 4>"$3""#;
        let child = Command::new("sh")
            .args(["-c", script])
            .args([program, &profile.path().join("profile"), &to, &from])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = OpenOptions::new().write(true).open(to).unwrap();
        let reader = BufReader::new(File::open(from).unwrap());
        let (sender, receiver) = sync_channel(1024);
        let reading = thread::Builder::new().name("test:chromium".to_owned());
        let read = move || {
            for message in reader.split(0).map_while(Result::ok) {
                if sender
                    .send(serde_json::from_slice(&message).unwrap())
                    .is_err()
                {
                    return;
                }
            }
        };
        reading.spawn(read).unwrap();
        let mut window = Self {
            child,
            to,
            from: receiver,
            session: None,
            next: 0,
            _profile: profile,
        };
        let target = window.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = window.call("Target.attachToTarget", attach);
        window.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        let phone = json!({ "width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": true });
        window.call("Emulation.setDeviceMetricsOverride", phone);
        window
    }

    /// The result of a command.
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let mut message = json!({ "id": self.next, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to
            .write_all(format!("{message}\0").as_bytes())
            .unwrap();
        loop {
            let answer = self
                .from
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("no answer to {message}"));
            if answer["id"] == self.next {
                return answer["result"].clone();
            }
        }
    }

    /// What an expression is on the page; null also while the page is left for another.
    fn ask(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "returnByValue": true });
        self.call("Runtime.evaluate", params)["result"]["value"].clone()
    }

    /// Waits until a condition holds on the page.
    fn until(&mut self, condition: &str) {
        let end = Instant::now() + PATIENCE;
        while self.ask(&format!("Boolean({condition})")) != true {
            assert!(
                Instant::now() < end,
                "{condition}: {}",
                self.ask("document.documentElement.outerHTML")
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn go(&mut self, url: &str) {
        self.call("Page.navigate", json!({ "url": url }));
        let path = url.splitn(4, '/').nth(3).unwrap_or_default();
        self.until(&format!("document.readyState === 'complete' && location.href.endsWith({}) && document.querySelector('main')", json!(path)));
    }

    /// A page that is wider than the screen has to be moved about to be read.
    fn fits(&mut self) {
        assert_eq!(
            self.ask("document.documentElement.scrollWidth"),
            360,
            "{}",
            self.ask("location.pathname")
        );
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_reviewer_decides_on_a_phone_while_the_pages_follow_what_happens() {
    let Some(program) = program() else { return };
    let Team {
        agent,
        alice,
        bob,
        server,
        dir: _dir,
        ..
    } = Team::new();
    let mut window = Window::open(&program);
    let Browser { cookie, .. } = Browser::sign_in(&server, &alice.token);
    let (name, value) = cookie.split_once('=').unwrap();
    window.call(
        "Network.setCookie",
        json!({ "name": name, "value": value, "url": server.url }),
    );
    let attack = "<img src=x onerror=\"window.hit=1\"><script>window.hit=1</script>";
    let ask = |name: &str| {
        let action = json!({ "path": "payments/refund", "name": format!("{name} {attack}"), "description": attack,
            "parameters": { attack: attack, "long": "x".repeat(500) } });
        let body = json!({ "action": action, "context": { attack: [attack] } });
        agent.post("/api/v1/approvals", &body).ok(201)
    };
    let (first, url) = (ask("first"), server.url.clone());
    window.go(&format!("{url}/"));
    window.until("document.querySelectorAll('ul.requests li').length === 1");
    window.fits();
    // The list follows: also what is asked before the page listens is found, since one more is asked until it does.
    let end = Instant::now() + PATIENCE;
    while window.ask("document.querySelectorAll('ul.requests li').length > 1") != true {
        assert!(Instant::now() < end, "the list does not follow");
        ask("second");
        thread::sleep(Duration::from_millis(500));
    }

    window.go(&format!("{url}/requests/{}", first["id"].as_str().unwrap()));
    window.fits();
    window.until("document.querySelector('form.decision')");
    window.ask("document.getElementById('reason').value = 'half a reason'; document.getElementById('reason').focus()");
    let wish = json!({ "verdict": "request_changes", "shown": first["digest"], "reason": "less" });
    let end = Instant::now() + PATIENCE;
    while window.ask("document.body.textContent.includes('asked for changes')") != true {
        assert!(Instant::now() < end, "the page does not follow");
        bob.post(&of(&first, "/decisions"), &wish).ok(201);
        thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(
        window.ask("document.getElementById('reason').value"),
        "half a reason",
        "what was typed stays"
    );
    assert_eq!(window.ask("document.activeElement.id"), "reason");
    window.ask("document.querySelector('button[value=approve]').click()");
    window.until("document.querySelector('.state').textContent.startsWith('Approved')");
    assert_eq!(
        alice.get(&of(&first, "")).ok(200)["reviews"][0]["reason"],
        "half a reason"
    );

    let second = ask("third");
    window.go(&format!(
        "{url}/requests/{}",
        second["id"].as_str().unwrap()
    ));
    window.ask("document.getElementById('reason').value = 'no'; document.querySelector('button[value=deny]').click()");
    window.until("document.querySelector('.state').textContent.startsWith('Denied')");

    let third = ask("fourth");
    window.go(&format!("{url}/requests/{}", third["id"].as_str().unwrap()));
    window.until("document.querySelector('form.decision')");
    bob.approve(&third).ok(201);
    window.ask("document.querySelector('button[value=approve]')?.click()");
    window.until("!document.querySelector('form.decision') && document.querySelector('.state').textContent.startsWith('Approved')");
    window.go(&format!("{url}/audit"));
    window.fits();
    assert_eq!(
        window.ask("window.hit ?? 'nothing of it ran'"),
        "nothing of it ran"
    );
}
