//! Services that answer wrongly: each has its own outcome, and a message that says what is wrong.

use std::time::Duration;

use drivers::{HttpAction, StreamKind};

use crate::service::{Service, Then, User, run};

/// One hostile answer, what is asked for, and what has to be told.
struct Case {
    answer: Vec<u8>,
    then: Then,
    request: &'static str,
    stream: bool,
    told: &'static str,
}

fn case(answer: impl AsRef<[u8]>, told: &'static str) -> Case {
    Case {
        answer: answer.as_ref().to_vec(),
        then: Then::Keep,
        request: "GET /",
        stream: false,
        told,
    }
}

impl Case {
    fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }

    fn asked(self, request: &'static str) -> Self {
        Self { request, ..self }
    }

    fn stream(self) -> Self {
        Self {
            stream: true,
            ..self
        }
    }
}

fn ok(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}")
}

const CHUNKED: &str = "transfer-encoding: chunked\r\n";
const EVENTS: &str = "content-type: text/event-stream\r\n";

/// Answers without a valid head.
fn heads() -> Vec<Case> {
    let long_head = ok(&"x-filler: 0123456789abcdef\r\n".repeat(100), "");
    let endless = format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(1 << 17));
    let many = ok(&"a: b\r\n".repeat(129), "");
    assert!(long_head.len() < 64 << 10);
    vec![
        case(
            "",
            "unknown: the connection was closed before an answer (reset)",
        )
        .then(Then::Close),
        case(
            "",
            "unknown: the connection was reset before an answer (reset)",
        )
        .then(Then::Reset),
        case("", "unknown: no answer within 300ms (timeout)"),
        case(
            "HTTP/1.1 200 OK\r\ncont",
            "unknown: the answer was cut in its head (reset)",
        )
        .then(Then::Close),
        case(
            "HTTP/1.1 200 OK\r\ncont",
            "unknown: the answer was not complete within 300ms (timeout)",
        ),
        case(
            "220 smtp.example.com ready\r\n",
            "unknown: malformed answer: it does not begin with HTTP/1.0 or HTTP/1.1 (none)",
        ),
        case(
            "HTTP/2.0 200 OK\r\n\r\n",
            "unknown: malformed answer: it does not begin with HTTP/1.0 or HTTP/1.1 (none)",
        ),
        case(
            "HTTP/1.1 2x0 OK\r\n\r\n",
            "unknown: malformed answer: its status is not three digits (none)",
        ),
        case(
            "HTTP/1.1 042 OK\r\n\r\n",
            "unknown: malformed answer: its status is less than 100 (none)",
        ),
        case(
            ok("bad name: x\r\n", ""),
            "unknown: malformed answer: a header's name is not valid (none)",
        ),
        case(
            ok("a: b\0c\r\n", ""),
            "unknown: malformed answer: a header's value is not valid (none)",
        ),
        case(
            ok("a: b\r\n folded\r\n", ""),
            "unknown: malformed answer: a header's name is not valid (none)",
        ),
        case(
            endless,
            "unknown: malformed answer: its head is larger than 64 KiB (none)",
        ),
        case(
            many,
            "unknown: malformed answer: it has more than 128 headers (none)",
        ),
        case(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n",
            "unknown: malformed answer: it switches to another protocol, unasked (none)",
        ),
        case(
            "HTTP/1.1 100 Continue\r\n\r\n".repeat(40),
            "unknown: malformed answer: it only says that it goes on, again and again (none)",
        ),
        case(
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
            "unknown: no answer within 300ms (timeout)",
        ),
    ]
}

/// Answers whose length is told wrongly.
fn lengths() -> Vec<Case> {
    vec![
        case(
            ok("content-length: five\r\n", "hello"),
            "unknown: malformed answer: its content-length is no number (none)",
        ),
        case(
            ok("content-length: -5\r\n", ""),
            "unknown: malformed answer: its content-length is no number (none)",
        ),
        case(
            ok("content-length: 99999999999999999999\r\n", ""),
            "unknown: malformed answer: its content-length is no number (none)",
        ),
        case(
            ok("content-length: 5\r\ncontent-length: 6\r\n", "hello!"),
            "unknown: malformed answer: it has two different content-lengths (none)",
        ),
        case(
            ok("content-length: 5, 5\r\n", "hello"),
            "acknowledged (200)",
        ),
        case(
            ok(
                "content-length: 5\r\ntransfer-encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            "unknown: malformed answer: it has a content-length and is chunked (none)",
        ),
        case(
            ok("content-length: 9\r\n", "hello"),
            "unknown: the answer was cut in its body (reset)",
        )
        .then(Then::Close),
        case(
            ok("content-length: 9\r\n", "hello"),
            "unknown: the connection was reset within the answer (reset)",
        )
        .then(Then::Reset),
        case(
            ok("content-length: 9\r\n", "hello"),
            "unknown: the answer was not complete within 300ms (timeout)",
        ),
        case(
            ok("content-length: 3\r\n", "hello"),
            "unknown: malformed answer: more bytes follow it than it said (none)",
        ),
        case(
            ok("content-length: 5\r\n", "hello"),
            "unknown: malformed answer: more bytes follow it than it said (none)",
        )
        .asked("HEAD /"),
        case(
            "HTTP/1.1 204 No Content\r\n\r\nhello",
            "unknown: malformed answer: more bytes follow it than it said (none)",
        ),
        case(
            ok("content-length: 2000000\r\n", &"x".repeat(2_000_000)),
            "unknown: malformed answer: it is larger than the 1048576 bytes that are looked at (none)",
        ),
    ]
}

/// Answers in chunks that are none.
fn chunks() -> Vec<Case> {
    let chunked = |body: &str| ok(CHUNKED, body);
    vec![
        case(
            ok("transfer-encoding: gzip\r\n", ""),
            "unknown: malformed answer: its transfer-encoding is not `chunked` (none)",
        ),
        case(
            ok(
                "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
                "0\r\n\r\n",
            ),
            "unknown: malformed answer: it is chunked twice (none)",
        ),
        case(
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "unknown: malformed answer: it is chunked in HTTP/1.0 (none)",
        ),
        case(
            chunked("hello\r\n"),
            "unknown: malformed answer: the size of a chunk is no hexadecimal number (none)",
        ),
        case(
            chunked("5 hello\r\n"),
            "unknown: malformed answer: the size of a chunk is no hexadecimal number (none)",
        ),
        case(
            chunked("-5\r\nhello\r\n"),
            "unknown: malformed answer: the size of a chunk is no hexadecimal number (none)",
        ),
        case(
            chunked("fffffffffffffffff\r\n"),
            "unknown: malformed answer: the size of a chunk has more than 15 digits (none)",
        ),
        case(
            chunked("5\r\nhello world\r\n0\r\n\r\n"),
            "unknown: malformed answer: a chunk is longer than it says (none)",
        ),
        case(
            chunked("5\nhello\n0\n\n"),
            "unknown: malformed answer: a line of its chunks ends without \\r (none)",
        ),
        case(
            chunked(&"1".repeat(10_000)),
            "unknown: malformed answer: a line of its chunks is longer than 8 KiB (none)",
        ),
        case(
            chunked("5\r\nhel"),
            "unknown: the answer was cut in its body (reset)",
        )
        .then(Then::Close),
        case(
            chunked("5\r\nhello\r\n"),
            "unknown: the answer was not complete within 300ms (timeout)",
        ),
        case(
            chunked(&format!(
                "0\r\n{}\r\n",
                "a: bcdefghijklmnopq\r\n".repeat(5000)
            )),
            "unknown: malformed answer: its trailers are larger than 64 KiB (none)",
        ),
        case(
            chunked("0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"),
            "unknown: malformed answer: more bytes follow it than it said (none)",
        ),
    ]
}

/// Answers whose content is not what it is said to be.
fn contents() -> Vec<Case> {
    vec![
        case(
            ok("content-encoding: br\r\ncontent-length: 5\r\n", "hello"),
            "unknown: malformed answer: its content-encoding is not gzip or deflate (none)",
        ),
        case(
            ok("content-encoding: gzip\r\ncontent-length: 5\r\n", "hello"),
            "unknown: malformed answer: its content-encoding is broken (none)",
        ),
        case(
            ok(
                "content-type: application/json\r\ncontent-length: 2\r\n",
                "{}",
            ),
            "unknown: malformed answer: it is no stream of events: its content-type is not \
             text/event-stream (none)",
        )
        .stream(),
        case(
            ok(&format!("{EVENTS}content-length: 8\r\n"), ": ping\n\n"),
            "unknown: malformed answer: the stream ended without an event (none)",
        )
        .stream(),
        case(
            ok(EVENTS, "data: 1\n\ndata: 2"),
            "unknown: malformed answer: the stream ended within an event (none)",
        )
        .stream()
        .then(Then::Close),
        case(
            ok(&format!("{EVENTS}{CHUNKED}"), "9\r\ndata: 1\n\n\r\n"),
            "unknown: the answer was cut in its body (reset)",
        )
        .stream()
        .then(Then::Close),
        case(
            ok(EVENTS, &format!("data: {}\n\n", "x".repeat(1_100_000))),
            "unknown: malformed answer: an event is larger than 1 MiB (none)",
        )
        .stream()
        .then(Then::Close),
    ]
}

#[test]
fn each_wrong_answer_has_its_own_outcome_and_message() {
    let cases: Vec<Case> = [heads(), lengths(), chunks(), contents()]
        .into_iter()
        .flatten()
        .collect();
    assert!(cases.len() >= 30, "{}", cases.len());
    for (number, case) in cases.iter().enumerate() {
        let told = run(told(case));
        let shown = String::from_utf8_lossy(&case.answer[..case.answer.len().min(90)]);
        assert_eq!(told, case.told, "case {number}: {shown:?}");
    }
}

async fn told(case: &Case) -> String {
    let service = Service::new(&[(&case.answer, case.then)]).await;
    let mut user = User::new(service.options()).unwrap();
    let action = HttpAction {
        stream: case.stream.then_some(StreamKind::Sse),
        ..HttpAction::new(case.request)
    };
    // Only the cases that wait for it need a short time; in the others it must not pass.
    let waits = case.told.ends_with("(timeout)");
    let timeout = if waits { 300 } else { 20_000 };
    let request = user.compile_action(action, Some(Duration::from_millis(timeout)));
    let outcome = user.send(&request).await;
    format!("{outcome} ({})", user.answer.code)
}

#[test]
fn what_nobody_looks_at_may_be_as_large_as_it_likes() {
    run(async {
        let large = ok("content-length: 2000000\r\n", &"x".repeat(2_000_000));
        let service = Service::new(&[(large.as_bytes(), Then::Keep)]).await;
        let mut user = User::new(service.options()).unwrap();
        user.answer.wanted = drivers::Wanted::Nothing;
        assert_eq!(user.told("GET /").await, "acknowledged (200)");
        assert_eq!(user.told("GET /").await, "acknowledged (200)");
        assert_eq!(*service.connections.lock().unwrap(), 1);
        assert_eq!(user.answer.body.capacity(), 0);
    });
}

#[test]
fn a_request_that_could_not_be_sent_is_refused() {
    run(async {
        // Bound, but not listening: nobody else can take the port meanwhile.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = socket.local_addr().unwrap();
        let options = drivers::HttpOptions::new(&format!("http://{address}"));
        let mut user = User::new(options).unwrap();
        assert_eq!(
            user.told("GET /").await,
            format!("refused: `shop` does not listen at {address}: connection refused (connect)")
        );

        let service = Service::new(&[(ok("", "").as_bytes(), Then::Close)]).await;
        let mut user = User::new(service.options()).unwrap();
        let name = user
            .scope
            .define(
                "name",
                drivers::Reach::Iteration,
                drivers::Traits::default(),
            )
            .unwrap();
        user.values.set(name, drivers::Value::Text(b"a\r\nb: c"));
        assert_eq!(
            user.told("GET /\nx-name: ${name}").await,
            "refused: the value of `name` has a line end or NUL, which a header cannot carry (none)"
        );
        assert_eq!(service.asked(), [""; 0]);
    });
}
