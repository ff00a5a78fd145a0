//! The running figures over HTTP, in Prometheus's text format, for whoever scrapes this machine.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use harness::Progress;
use load_engine::{Plan, Progress as RunProgress, Threshold};
use report::{ScenarioResult, render};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The longest request that is read: a scraper sends a few hundred bytes.
const MAX_REQUEST: usize = 8 << 10;

/// How long one connection may take from its first byte to its last.
const MAX_CONNECTION_TIME: Duration = Duration::from_secs(2);

/// Connections that may be open without having asked.
const MAX_WAITING: usize = 64;

/// The load that goes on, by its scenario's name.
type Now = Option<(String, RunProgress)>;

/// A thread that answers requests; dropped, it ends.
pub(crate) struct Server {
    address: SocketAddr,
    now: Arc<Mutex<Now>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on an address of this machine; port 0 takes a free one.
    pub(crate) fn start(address: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address)
            .with_context(|| format!("cannot listen on {address} for Prometheus"))?;
        let address = listener.local_addr().context("cannot tell the address")?;
        listener
            .set_nonblocking(true)
            .with_context(|| format!("cannot listen on {address} without blocking"))?;
        let (now, over) = (Arc::new(Mutex::new(None)), Arc::new(AtomicBool::new(false)));
        let (told, ended) = (Arc::clone(&now), Arc::clone(&over));
        let thread = Builder::new()
            .name("cli:prometheus".to_owned())
            .spawn(move || serve(&listener, &told, &ended))
            .context("cannot start a thread for Prometheus")?;
        Ok(Self {
            address,
            now,
            over,
            thread: Some(thread),
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn tell(&self, now: Now) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // The thread waits for a connection: here is one.
        let woken = TcpStream::connect_timeout(&self.address, MAX_CONNECTION_TIME).is_ok();
        if let Some(thread) = self.thread.take()
            && woken
        {
            // A panic has been printed by the hook, and the run's result does not depend on it.
            drop(thread.join());
        }
    }
}

/// Answers every connection that has sent its request, however many others say nothing.
fn serve(listener: &TcpListener, now: &Mutex<Now>, over: &AtomicBool) {
    let mut waiting: Vec<Waiting> = Vec::new();
    loop {
        wait_for_one_of(listener, &waiting);
        if over.load(Ordering::SeqCst) {
            return;
        }
        while let Ok((stream, _)) = listener.accept() {
            // The oldest makes room: it had the most time to ask.
            if waiting.len() == MAX_WAITING {
                waiting.remove(0);
            }
            waiting.extend(Waiting::begin(stream));
        }
        // A scraper that went away is its own affair.
        waiting.retain_mut(|one| one.progress(now).unwrap_or(false));
    }
}

/// Returns when a connection or a request may be there, and once a second to look at the deadlines.
fn wait_for_one_of(listener: &TcpListener, waiting: &[Waiting]) {
    let mut sources = vec![PollFd::new(listener, PollFlags::IN)];
    sources.extend(
        waiting
            .iter()
            .map(|one| PollFd::new(&one.stream, PollFlags::IN)),
    );
    let second = Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    if poll(&mut sources, Some(&second)).is_err() {
        // Interrupted, or out of memory: it may pass, and until then the processor is the load's.
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A connection that has not sent its whole request yet.
struct Waiting {
    stream: TcpStream,
    head: Vec<u8>,
    until: Instant,
}

impl Waiting {
    fn begin(stream: TcpStream) -> Option<Self> {
        stream.set_nonblocking(true).ok()?;
        Some(Self {
            stream,
            head: Vec::new(),
            until: Instant::now() + MAX_CONNECTION_TIME,
        })
    }

    /// Reads what has come, and answers a whole request; whether to go on waiting.
    fn progress(&mut self, now: &Mutex<Now>) -> std::io::Result<bool> {
        let mut part = [0; 1024];
        loop {
            match self.stream.read(&mut part) {
                Ok(0) => return Ok(false),
                Ok(read) => self.head.extend_from_slice(&part[..read]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            if self.head.len() >= MAX_REQUEST {
                break;
            }
        }
        if self.head.windows(4).any(|end| end == b"\r\n\r\n") {
            self.send(response(&self.head, now))?;
            return Ok(false);
        }
        if self.head.len() >= MAX_REQUEST {
            self.send(Response::of("431 Request Header Fields Too Large", ""))?;
            return Ok(false);
        }
        Ok(Instant::now() < self.until)
    }

    fn send(&mut self, response: Response) -> std::io::Result<()> {
        self.stream.set_nonblocking(false)?;
        self.stream.set_write_timeout(Some(MAX_CONNECTION_TIME))?;
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            response.status,
            response.kind,
            response.body.len()
        );
        let mut bytes = head.into_bytes();
        if !response.head_only {
            bytes.extend(&response.body);
        }
        self.stream.write_all(&bytes)
    }
}

struct Response {
    status: &'static str,
    /// What the body is written in.
    kind: &'static str,
    body: Vec<u8>,
    /// Whether the body is only announced, as `HEAD` asks.
    head_only: bool,
}

impl Response {
    fn of(status: &'static str, body: impl Into<String>) -> Self {
        Self {
            status,
            kind: "text/plain; version=0.0.4; charset=utf-8",
            body: body.into().into_bytes(),
            head_only: false,
        }
    }
}

fn response(head: &[u8], now: &Mutex<Now>) -> Response {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target) = (words.next(), words.next().unwrap_or_default());
    let path = target.split(|byte| *byte == b'?').next();
    let is_head = method == Some(b"HEAD");
    if !is_head && method != Some(b"GET") {
        return Response::of("405 Method Not Allowed", "");
    }
    let mut response = if path == Some(b"/metrics") {
        // Copied, so that the load's thread never waits for a page to be written.
        let now = now.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = now
            .as_ref()
            .map(|(name, progress)| (name.as_str(), progress));
        match accepts_protobuf(head) {
            // Native histograms have no text form.
            true => Response {
                kind: render::PROTOBUF,
                body: render::prometheus_now_protobuf(now),
                ..Response::of("200 OK", "")
            },
            false => Response::of("200 OK", render::prometheus_now(now)),
        }
    } else {
        Response::of("404 Not Found", "see /metrics\n")
    };
    response.head_only = is_head;
    response
}

/// Whether the request prefers the format in which Prometheus has native histograms: it names that format
/// first, as Prometheus does where its `scrape_native_histograms` is set.
fn accepts_protobuf(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head);
    let accept = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("accept").then_some(value.trim())
    });
    accept.is_some_and(|value| value.starts_with("application/vnd.google.protobuf"))
}

/// Tells a server, and passes everything on.
pub(crate) struct Served {
    pub(crate) server: Server,
    pub(crate) inner: Box<dyn Progress>,
}

impl Progress for Served {
    fn scenario_began(&mut self, name: &str, load: &str) {
        self.inner.scenario_began(name, load);
    }

    fn will_be_judged(&mut self, thresholds: &[Threshold]) {
        self.inner.will_be_judged(thresholds);
    }

    fn load_planned(&mut self, plan: &Plan) {
        self.inner.load_planned(plan);
    }

    fn wants_record(&self) -> bool {
        true
    }

    fn load_goes_on(&mut self, name: &str, progress: &RunProgress) {
        self.server.tell(Some((name.to_owned(), progress.clone())));
        self.inner.load_goes_on(name, progress);
    }

    fn verification_began(&mut self, name: &str) {
        self.server.tell(None);
        self.inner.verification_began(name);
    }

    fn scenario_ended(&mut self, result: &ScenarioResult) {
        self.inner.scenario_ended(result);
    }

    fn is_interrupted(&self) -> bool {
        self.inner.is_interrupted()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use load_engine::{Failure, Iteration, Model, StepSpec, StopHandle, Workload, run};

    use super::*;

    const CALL: StepSpec = StepSpec::new("call");

    struct Idle;

    impl Workload for Idle {
        type User = ();

        fn steps(&self) -> Vec<StepSpec> {
            vec![CALL]
        }

        fn set_up(&self, _user: u32) -> Result<(), Failure> {
            Ok(())
        }

        fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
            it.step(&CALL, |_| Ok(()))
        }
    }

    fn server() -> Server {
        Server::start("127.0.0.1:0".parse().unwrap()).unwrap()
    }

    fn asked(server: &Server, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn the_figures_of_the_load_that_goes_on_are_served() {
        let server = server();
        let request = b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n";
        let before = asked(&server, request);
        assert!(before.starts_with("HTTP/1.1 200 OK\r\n"), "{before}");
        assert!(before.contains("\nproofload_running 0\n"), "{before}");

        let (users, stop) = (NonZeroU32::new(1).unwrap(), StopHandle::new());
        let plan = Plan::new("idle", Model::elapsed(users, Duration::from_secs(60)));
        let mut during = String::new();
        run(&Idle, &plan.record_so_far(), &stop, |progress| {
            let steps = progress.record.iter().flat_map(|record| &record.steps);
            if steps.map(|step| step.attempted).sum::<u64>() > 0 && during.is_empty() {
                server.tell(Some(("idle".to_owned(), progress.clone())));
                during = asked(&server, request);
                stop.stop();
            }
        })
        .unwrap();
        for line in [
            "proofload_running 1",
            "proofload_running_users{scenario=\"idle\"} 1",
            "proofload_running_iterations_total{scenario=\"idle\",result=\"failed\"} 0",
            "proofload_running_operations_total{scenario=\"idle\",step=\"call\",result=\"failed\"} 0",
        ] {
            assert!(during.lines().any(|is| is == line), "{line}\n{during}");
        }
        let all = "proofload_running_service_time_seconds_bucket{scenario=\"idle\",step=\"call\",le=\"+Inf\"} ";
        assert!(during.contains(all), "{during}");
        let (_, body) = during.split_once("\r\n\r\n").unwrap();
        assert!(during.contains(&format!("Content-Length: {}\r\n", body.len())));
    }

    #[test]
    fn who_asks_for_native_histograms_gets_protobuf() {
        let server = server();
        let request = format!(
            "GET /metrics HTTP/1.1\r\nAccept: {};q=0.6,text/plain\r\n\r\n",
            render::PROTOBUF
        );
        let answer = asked(&server, request.as_bytes());
        let (header, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            header.contains(&format!("Content-Type: {}\r\n", render::PROTOBUF)),
            "{header}"
        );
        // A length, and the name of the first family as field 1.
        assert_eq!(&body[1..20], "\u{a}\u{11}proofload_running");
    }

    #[test]
    fn what_is_no_scrape_is_refused() {
        let server = server();
        let status = |request: &[u8]| asked(&server, request).lines().next().map(str::to_owned);
        let is = |text: &str| Some(format!("HTTP/1.1 {text}"));
        assert_eq!(status(b"GET / HTTP/1.1\r\n\r\n"), is("404 Not Found"));
        assert_eq!(
            status(b"POST /metrics HTTP/1.1\r\n\r\n"),
            is("405 Method Not Allowed")
        );
        // Exactly as much as is read: what would be left over would reset the connection.
        let endless = [b'x'; MAX_REQUEST];
        assert_eq!(status(&endless), is("431 Request Header Fields Too Large"));
    }

    /// Each idle connection used to hold the only thread for two seconds.
    #[test]
    fn two_hundred_idle_connections_keep_nobody_from_the_figures() {
        let server = server();
        let idle: Vec<_> = (0..200)
            .map(|_| TcpStream::connect(server.address()).unwrap())
            .collect();
        for _ in 0..3 {
            let answer = asked(&server, b"GET /metrics HTTP/1.1\r\n\r\n");
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        }
        drop(idle);
    }

    #[test]
    fn a_head_request_has_the_length_of_the_page_and_no_page() {
        let server = server();
        let head = asked(&server, b"HEAD /metrics HTTP/1.1\r\n\r\n");
        let get = asked(&server, b"GET /metrics HTTP/1.1\r\n\r\n");
        let (header, body) = get.split_once("\r\n\r\n").unwrap();
        assert_eq!(head, format!("{header}\r\n\r\n"));
        assert!(!body.is_empty());
    }

    #[test]
    fn a_request_that_comes_byte_by_byte_is_answered() {
        let server = server();
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        for byte in b"GET /metrics HTTP/1.1\r\n\r\n" {
            stream.write_all(&[*byte]).unwrap();
        }
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    }

    #[test]
    fn an_address_that_is_taken_is_told() {
        let server = server();
        let Err(error) = Server::start(server.address()) else {
            panic!("two servers on one address");
        };
        assert!(error.to_string().contains(&server.address().to_string()));
    }
}
