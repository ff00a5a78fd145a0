//! HTTP/2: requests, answers, and what a service says instead of one.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use drivers::{HttpAction, HttpOptions, StreamKind, Version, Versions};
use h2::Reason;
use h2::server::{Connection, SendResponse};
use http::{Request, Response};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::service::{User, run};

type Asked = Request<h2::RecvStream>;
type Answer = SendResponse<Bytes>;

/// A service over HTTP/2 that treats each request in its own way.
async fn serve(
    treat: impl AsyncFn(Asked, Answer, &mut Connection<TcpStream, Bytes>) + Copy + 'static,
) -> HttpOptions {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::task::spawn_local(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::task::spawn_local(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((asked, answer))) = connection.accept().await {
                    treat(asked, answer, &mut connection).await;
                }
            });
        }
    });
    options(&address.to_string())
}

fn options(address: &str) -> HttpOptions {
    let mut options = HttpOptions::new(&format!("http://{address}"));
    options.version = Versions(vec![Version::Http2]);
    options
}

fn run_local<T>(test: impl Future<Output = T>) -> T {
    run(tokio::task::LocalSet::new().run_until(test))
}

fn respond(mut answer: Answer, status: u16, headers: &[(&str, &str)], parts: &[&str]) {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let mut stream = answer
        .send_response(response.body(()).unwrap(), parts.is_empty())
        .unwrap();
    for (index, part) in parts.iter().enumerate() {
        let part = Bytes::copy_from_slice(part.as_bytes());
        stream.send_data(part, index + 1 == parts.len()).unwrap();
    }
}

#[test]
fn requests_and_answers_are_as_over_http_1() {
    run_local(async {
        let options = serve(async |asked: Asked, answer, connection| {
            assert_eq!(
                asked.headers().get("idempotency-key").unwrap(),
                "k3v9q2xz-0-0"
            );
            assert_eq!(asked.uri().path_and_query().unwrap(), "/orders?x=0");
            assert!(asked.uri().authority().is_some() && asked.headers().get("host").is_none());
            let length = asked
                .headers()
                .get("content-length")
                .unwrap()
                .to_str()
                .unwrap();
            let length: usize = length.parse().unwrap();
            let mut body = asked.into_body();
            // The connection has to go on while the body is read.
            let mut read = std::pin::pin!(async {
                let mut got = 0;
                while let Some(part) = body.data().await {
                    let part = part.unwrap();
                    body.flow_control().release_capacity(part.len()).unwrap();
                    got += part.len();
                }
                got
            });
            let got = poll_fn(|context| {
                let _ = connection.poll_closed(context);
                read.as_mut().poll(context)
            })
            .await;
            assert_eq!(got, length);
            respond(
                answer,
                201,
                &[("x-cart", "1"), ("set-cookie", "a=b")],
                &["{\"id\":", "7}"],
            );
        })
        .await;
        let mut user = User::new(options).unwrap();
        // More than the window that a service opens by default.
        let body = "x".repeat(200_000);
        let request = user.compile(&format!(
            "POST /orders?x=${{user}}\nidempotency-key: ${{id}}\n\n{{ \"body\": \"{body}\" }}"
        ));
        for _ in 0..3 {
            assert_eq!(user.send(&request).await.to_string(), "acknowledged");
            assert_eq!(user.body(), "{\"id\":7}");
            assert_eq!(user.answer.header("x-cart"), Some(&b"1"[..]));
        }
        assert_eq!(user.connection.as_ref().unwrap().version(), "2");
    });
}

#[test]
fn a_stream_of_events_is_timed_over_http_2_as_well() {
    run_local(async {
        let options = serve(async |_, answer, _| {
            let parts = ["data: 1\n\nda", "ta: 2\n\n"];
            respond(
                answer,
                200,
                &[("content-type", "text/event-stream")],
                &parts,
            );
        })
        .await;
        let mut user = User::new(options).unwrap();
        let action = HttpAction {
            stream: Some(StreamKind::Sse),
            ..HttpAction::new("GET /")
        };
        let request = user.compile_action(action, None);
        assert_eq!(user.send(&request).await.to_string(), "acknowledged");
        assert_eq!((user.body(), user.answer.events.count), ("2", 2));
    });
}

#[test]
fn a_refused_stream_is_refused_and_another_reset_is_unknown() {
    run_local(async {
        let refusing = serve(async |_, mut answer: Answer, _| {
            answer.send_reset(Reason::REFUSED_STREAM);
        });
        let mut user = User::new(refusing.await).unwrap();
        let refused = "refused: HTTP/2 REFUSED_STREAM (reset)";
        assert_eq!(user.told("GET /").await, refused);
        // The connection is as good as before, but nothing says so: it is opened again.
        assert_eq!(user.told("GET /").await, refused);

        let breaking = serve(async |_, mut answer: Answer, _| {
            answer.send_reset(Reason::INTERNAL_ERROR);
        });
        let mut user = User::new(breaking.await).unwrap();
        assert_eq!(
            user.told("GET /").await,
            "unknown: HTTP/2 RST_STREAM (INTERNAL_ERROR) (reset)"
        );

        let late = serve(async |_, mut answer: Answer, _| {
            let mut stream = answer
                .send_response(Response::builder().status(200).body(()).unwrap(), false)
                .unwrap();
            stream
                .send_data(Bytes::from_static(b"half"), false)
                .unwrap();
            tokio::task::spawn_local(async move {
                tokio::time::sleep(Duration::from_millis(50)).await;
                stream.send_reset(Reason::REFUSED_STREAM);
            });
        });
        let mut user = User::new(late.await).unwrap();
        assert_eq!(
            user.told("GET /").await,
            "unknown: HTTP/2 RST_STREAM (REFUSED_STREAM) (reset)"
        );
    });
}

/// A service that answers the first bytes of an HTTP/2 connection with frames.
async fn serve_frames(frames: &'static [u8], then_closes: bool) -> HttpOptions {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let settings = b"\0\0\0\x04\0\0\0\0\0";
        stream.write_all(settings).await.unwrap();
        // The preface, the settings and the request's headers: these come last.
        let mut asked = Vec::new();
        while !has_headers(&asked) {
            let mut part = [0; 4096];
            let count = stream.read(&mut part).await.unwrap();
            asked.extend_from_slice(&part[..count]);
        }
        stream.write_all(frames).await.unwrap();
        let mut rest = [0; 4096];
        while !then_closes && stream.read(&mut rest).await.is_ok_and(|count| count > 0) {}
    });
    options(&address)
}

fn has_headers(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(24..).unwrap_or_default();
    while rest.len() >= 9 {
        if rest[3] == 1 {
            return true;
        }
        let length = usize::from(rest[0]) << 16 | usize::from(rest[1]) << 8 | usize::from(rest[2]);
        rest = rest.get(9 + length..).unwrap_or_default();
    }
    false
}

#[test]
fn a_stream_above_the_last_of_a_goaway_is_refused_and_one_below_is_unknown() {
    run(async {
        // GOAWAY: length 8, type 7, stream 0, the last stream, the error.
        let above = serve_frames(b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0", false).await;
        assert_eq!(
            User::new(above).unwrap().told("GET /").await,
            "refused: HTTP/2 GOAWAY (NO_ERROR) before this stream (reset)"
        );
        let below = serve_frames(b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\0", true).await;
        assert_eq!(
            User::new(below).unwrap().told("GET /").await,
            "unknown: the connection was closed before an answer (reset)"
        );
        let failing = serve_frames(b"\0\0\x08\x07\0\0\0\0\0\0\0\0\x01\0\0\0\x02", true).await;
        let told = User::new(failing).unwrap().told("GET /").await;
        assert!(told.starts_with("unknown: "), "{told}");
    });
}

#[test]
fn what_is_no_http_2_is_told() {
    run(async {
        let garbage = serve_frames(b"HTTP/1.1 400 Bad Request\r\n\r\n", true).await;
        let told = User::new(garbage).unwrap().told("GET /").await;
        assert!(told.starts_with("unknown: malformed answer: "), "{told}");
        let silent = serve_frames(b"", false).await;
        let mut user = User::new(silent).unwrap();
        let request =
            user.compile_action(HttpAction::new("GET /"), Some(Duration::from_millis(200)));
        assert_eq!(
            user.send(&request).await.to_string(),
            "unknown: no answer within 200ms"
        );
        let cut = serve_frames(b"", true).await;
        assert_eq!(
            User::new(cut).unwrap().told("GET /").await,
            "unknown: the connection was closed before an answer (reset)"
        );
    });
}
