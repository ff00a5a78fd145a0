//! The memory of a service: of the one that grows in the phase in which it grows.

use std::io::{BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Mutex;
use std::{env, fs, thread};

use load_engine::Ruling;
use serde_json::json;

use crate::effects::run;
use crate::server::read_request;

/// What tells this program to be a service that keeps a quarter of a megabyte for each request at `/keep`.
const ASKED: &str = "PROOFLOAD_TEST_HOARD";

static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Not a test but the service as a program, which ends with the scenario that started it.
#[test]
fn hoards_if_it_is_asked_to() {
    let Ok(socket) = env::var(ASKED) else { return };
    // Who was killed left its socket.
    let _ = fs::remove_file(&socket);
    let listener = UnixListener::bind(socket).unwrap();
    for stream in listener.incoming().flatten() {
        thread::spawn(move || hoard(stream));
    }
}

fn hoard(mut to: UnixStream) {
    let mut from = BufReader::new(to.try_clone().unwrap());
    while let Ok(Some(request)) = read_request(&mut from) {
        if request.path == "/keep" {
            KEPT.lock().unwrap().push(vec![1; 1 << 18]);
        }
        if to
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            .is_err()
        {
            return;
        }
    }
}

const HOARD: &str = r#"
name = "hoard"
thresholds = [
    'memory_growth(hoard @ keeps) > 8MB',
    'memory_growth(hoard @ quiet) < 8MB',
    'memory_growth(hoard) > 8MB',
    'memory_peak(hoard @ keeps) > 8MB',
    'memory_growth(near) < 100GB',
    'memory_growth(@ keeps) < 1GB',
]

[services.hoard]
kind = "http"
START

[services.near]
kind = "http"
url = "NEAR"

[[flows.look]]
service = "hoard"
http = "GET /"
think_time = "10ms"

[[flows.keep]]
service = "hoard"
http = "GET /keep"
think_time = "5ms"

[[phases]]
name = "quiet"
for = "1s"
users = 2
mix = { look = 1 }

[[phases]]
name = "keeps"
for = "1500ms"
users = 2
mix = { keep = 1 }
"#;

#[test]
fn the_memory_of_a_service_is_judged_phase_by_phase() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket").display().to_string();
    let this = env::current_exe().unwrap().display().to_string();
    let start = json!([
        "env",
        format!("{ASKED}={socket}"),
        this,
        "memory::hoards_if_it_is_asked_to",
        "--exact",
        "--nocapture"
    ]);
    let start = format!("url = \"unix:{socket}\"\nstart = {start}");
    // Of the other one it is known by its address that this process is it.
    let near = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = format!("http://{}", near.local_addr().unwrap());
    let text = HOARD.replace("START", &start).replace("NEAR", &near);
    let out = tempfile::tempdir().unwrap();
    let (report, result) = run(&text, out.path());
    let page = crate::page(&report);
    let about_memory = result.judgements.iter();
    let about_memory =
        about_memory.filter(|judged| judged.threshold.to_string().contains("memory"));
    let mut judged = 0;
    for one in about_memory {
        // On a busy machine it may not be judged.
        assert!(one.observed.is_some(), "{}\n{page}", one.threshold);
        assert_ne!(one.ruling, Ruling::Violated, "{}\n{page}", one.threshold);
        judged += 1;
    }
    assert_eq!(judged, 6, "{page}");
    assert!(page.contains("memory of hoard, services-"), "{page}");
    let near = format!("({}): ", std::process::id());
    assert!(page.contains(&near), "{page}");
}
