//! What is sent, and what is read of good answers.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::time::Duration;

use drivers::{
    Action, ActionSpec, Driver as _, HttpAction, HttpOptions, PartSpec, Purpose, Reach, Row,
    StreamKind, Traits, Value,
};

use crate::service::{Service, Then, User, run};

fn ok(headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n",
        body.as_ref().len()
    )
    .into_bytes();
    answer.extend_from_slice(body.as_ref());
    answer
}

#[test]
fn a_request_is_sent_as_it_is_written_with_its_values_encoded() {
    run(async {
        let service = Service::new(&[(&ok("", "{}"), Then::Keep)]).await;
        let mut options = service.options();
        options.url.push_str("/base/");
        options.headers.insert("X-Run".into(), "${run}".into());
        options
            .headers
            .insert("authorization".into(), "Bearer ${token}".into());
        let mut scope_user = User::new(HttpOptions::new("http://localhost")).unwrap();
        let token = scope_user
            .scope
            .define("token", Reach::User, Traits::CAPTURED)
            .unwrap();
        let context = drivers::ServiceContext::new("shop");
        let driver = drivers::Http::new(options, &context, &mut scope_user.scope).unwrap();
        let mut user = User {
            driver,
            ..scope_user
        };
        let name = user
            .scope
            .define("name", Reach::Iteration, Traits::default())
            .unwrap();
        user.values.set(name, Value::Text("a/b \"é\"".as_bytes()));

        let request = "\nPOST /orders/${name}?n=${name}&u=${user}\nidempotency-key: ${id}\n\n\
                       { \"name\": \"${name}\", \"n\": ${user} }\n";
        assert_eq!(user.told(request).await, "acknowledged (200)");
        let host = service.address;
        assert_eq!(
            service.asked().pop().unwrap(),
            format!(
                "POST /base/orders/a%2Fb%20%22%C3%A9%22?n=a%2Fb%20%22%C3%A9%22&u=0 HTTP/1.1\r\n\
                 idempotency-key: k3v9q2xz-0-0\r\n\
                 content-type: application/json\r\n\
                 x-run: k3v9q2xz\r\nhost: {host}\r\nuser-agent: proofload\r\n\
                 content-length: 32\r\n\r\n{{ \"name\": \"a/b \\\"é\\\"\", \"n\": 0 }}"
            )
        );

        // The token was not captured yet, so its header was left out; now it is there.
        user.values.set(token, Value::Text(b"t0k"));
        let form = "PUT /\ncontent-type: application/x-www-form-urlencoded\n\nname=${name}";
        assert_eq!(user.told(form).await, "acknowledged (200)");
        let asked = service.asked().pop().unwrap();
        assert!(
            asked.contains("\r\nauthorization: Bearer t0k\r\n"),
            "{asked}"
        );
        assert!(
            asked.ends_with("\r\n\r\nname=a%2Fb+%22%C3%A9%22"),
            "{asked}"
        );
        assert_eq!(*service.connections.lock().unwrap(), 1);

        // A step's own header replaces the service's; a POST without a body has a length.
        let own = "POST /\nAuthorization: none";
        assert_eq!(user.told(own).await, "acknowledged (200)");
        let asked = service.asked().pop().unwrap();
        assert!(
            asked.contains("\r\nauthorization: none\r\n")
                || asked.contains("authorization: none\r\n")
        );
        assert!(!asked.contains("t0k"), "{asked}");
        assert!(asked.ends_with("content-length: 0\r\n\r\n"), "{asked}");
    });
}

#[test]
fn the_first_page_has_no_cursor() {
    run(async {
        let service = Service::new(&[(&ok("", "{}"), Then::Keep)]).await;
        let mut user = User::new(service.options()).unwrap();
        user.scope.define_key_and_cursor();
        let read = user.compile("GET /items?prefix=${run}&after=${cursor}");
        assert!(user.driver.traits(&read).has(Traits::CURSOR));
        user.send(&read).await;
        user.values.set(drivers::Slot::CURSOR, Value::Text(b"a b"));
        user.send(&read).await;
        let lines: Vec<String> = service
            .asked()
            .iter()
            .map(|asked| asked.lines().next().unwrap().to_owned())
            .collect();
        assert_eq!(
            lines,
            [
                "GET /items?prefix=k3v9q2xz HTTP/1.1",
                "GET /items?prefix=k3v9q2xz&after=a%20b HTTP/1.1"
            ]
        );
    });
}

#[test]
fn a_target_that_is_one_value_is_taken_whole_and_stays_on_its_host() {
    run(async {
        let service = Service::new(&[(&ok("", "{}"), Then::Keep)]).await;
        let mut user = User::new(service.options()).unwrap();
        let next = user
            .scope
            .define("next", Reach::Iteration, Traits::CAPTURED)
            .unwrap();
        let request = user.compile("GET ${next}");
        let here = format!("HTTP://{}/c?d=1#e", service.address);
        for given in ["/a?b=%20", &here] {
            user.values.set(next, Value::Text(given.as_bytes()));
            assert_eq!(user.send(&request).await.to_string(), "acknowledged");
        }
        let asked = service.asked();
        assert!(
            asked[0].starts_with("GET /a?b=%20 HTTP/1.1\r\n"),
            "{asked:?}"
        );
        assert!(asked[1].starts_with("GET /c?d=1 HTTP/1.1\r\n"), "{asked:?}");

        user.values.set(next, Value::Text(b"http://elsewhere/c"));
        assert_eq!(
            user.send(&request).await.to_string(),
            "refused: a URL leads to http://elsewhere, away from `shop`, and is not followed"
        );
        user.values.set(next, Value::Text(b"/a b"));
        assert_eq!(
            user.send(&request).await.to_string(),
            "refused: the value of `next` has a space or a control character, which a request target \
             cannot carry"
        );
        assert_eq!(service.asked().len(), 2);
    });
}

#[test]
fn bodies_of_every_framing_are_read() {
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let zlib = |text: &str| {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let bare = |text: &str| {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let long = "hello ".repeat(50_000);
    let cases: Vec<(Vec<u8>, Then, &str)> = vec![
        (ok("", "hello"), Then::Keep, "hello"),
        (ok("content-encoding: gzip\r\n", gzip("hello")), Then::Keep, "hello"),
        (ok("content-encoding: gzip\r\n", gzip(&long)), Then::Keep, &long),
        (ok("content-encoding: deflate\r\n", zlib("hello")), Then::Keep, "hello"),
        (ok("content-encoding: deflate\r\n", bare(&long)), Then::Keep, &long),
        (ok("content-encoding: gzip\r\n", ""), Then::Keep, ""),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n1 \r\n!\r\n\
              0\r\ndigest: x\r\n\r\n"
                .to_vec(),
            Then::Keep,
            "hello!",
        ),
        (
            b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx".to_vec(),
            Then::Keep,
            "x",
        ),
        (b"HTTP/1.1 204 No Content\r\n\r\n".to_vec(), Then::Keep, ""),
        (b"HTTP/1.1 200 OK\r\n\r\nhello".to_vec(), Then::Close, "hello"),
        (b"HTTP/1.0 200 OK\r\n\r\nhello".to_vec(), Then::Close, "hello"),
        (
            b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello".to_vec(),
            Then::Close,
            "hello",
        ),
    ];
    run(async {
        for (answer, then, body) in &cases {
            let service = Service::new(&[(answer, *then)]).await;
            let mut user = User::new(service.options()).unwrap();
            for _ in 0..2 {
                let told = user.told("GET /").await;
                let shown = String::from_utf8_lossy(&answer[..answer.len().min(80)]);
                assert!(told.starts_with("acknowledged (20"), "{told}: {shown}");
                assert_eq!(user.body(), *body);
            }
            let connections = *service.connections.lock().unwrap();
            assert_eq!(connections, if *then == Then::Keep { 1 } else { 2 });
        }
    });
}

#[test]
fn an_answer_to_head_has_no_body() {
    run(async {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
        let service = Service::new(&[(head, Then::Keep)]).await;
        let mut user = User::new(service.options()).unwrap();
        assert_eq!(user.told("HEAD /").await, "acknowledged (200)");
        assert_eq!(user.told("HEAD /").await, "acknowledged (200)");
        assert_eq!(user.answer.header("Content-Length"), Some(&b"5"[..]));
        assert_eq!(*service.connections.lock().unwrap(), 1);
    });
}

#[test]
fn a_stream_of_events_is_timed() {
    run(async {
        let stream = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\r\n\
                      data: {\"reply\":1}\n\ndata: {\"reply\":2}\n\ndata: [DONE]\n\n";
        let service = Service::new(&[(stream.as_bytes(), Then::Close)]).await;
        let mut user = User::new(service.options()).unwrap();
        let action = HttpAction {
            stream: Some(StreamKind::Sse),
            ..HttpAction::new("POST /chat\n\n{}")
        };
        let request = user.compile_action(action, None);
        assert_eq!(user.send(&request).await.to_string(), "acknowledged");
        assert_eq!(user.body(), "{\"reply\":2}");
        assert_eq!(user.answer.events.count, 3);
        assert_eq!(user.answer.events.gaps().len(), 2);
        let sent = user.answer.sent.unwrap();
        let first_byte = user.answer.first_byte.unwrap();
        assert!(sent <= first_byte && first_byte <= user.answer.events.first.unwrap());
        assert!(service.asked()[0].contains("\r\naccept: text/event-stream\r\n"));
    });
}

#[test]
fn redirects_are_followed_on_the_same_host_only() {
    let redirect = |status: u16, location: &str| {
        format!("HTTP/1.1 {status} X\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
            .into_bytes()
    };
    run(async {
        let service = Service::new(&[
            (&redirect(303, "next?x=1"), Then::Keep),
            (&redirect(307, "/last"), Then::Close),
            (&ok("", "there"), Then::Keep),
            (&redirect(302, "http://evil.example:1/"), Then::Keep),
            (&redirect(308, "/again"), Then::Keep),
            (&redirect(308, "/again"), Then::Keep),
            (&redirect(308, "/again"), Then::Keep),
        ])
        .await;
        let mut options = service.options();
        options.redirects = 2;
        let mut user = User::new(options).unwrap();
        assert_eq!(
            user.told("POST /a/b\n\n{\"a\":1}").await,
            "acknowledged (200)"
        );
        assert_eq!(user.body(), "there");
        let lines = |asked: Vec<String>| -> Vec<String> {
            asked
                .iter()
                .map(|asked| asked.lines().next().unwrap().to_owned())
                .collect()
        };
        assert_eq!(
            lines(service.asked()),
            [
                "POST /a/b HTTP/1.1",
                "GET /a/next?x=1 HTTP/1.1",
                "GET /last HTTP/1.1"
            ]
        );
        assert!(!service.asked()[1].contains("content-length"));
        assert_eq!(
            user.told("GET /").await,
            "unknown: a URL leads to http://evil.example:1, away from `shop`, and is not followed (302)"
        );
        assert_eq!(user.told("PUT /\n\nbody").await, "unknown: HTTP 308 (308)");
        let asked = service.asked();
        assert!(asked[6].starts_with("PUT /again ") && asked[6].ends_with("\r\n\r\nbody"));

        let mut not_following = User::new(service.options()).unwrap();
        assert_eq!(not_following.told("GET /").await, "unknown: HTTP 308 (308)");
    });
}

#[test]
fn each_user_has_its_own_cookies() {
    run(async {
        let service = Service::new(&[
            (
                &ok(
                    "set-cookie: sid=1; Path=/\r\nset-cookie: b=2; Secure\r\n",
                    "",
                ),
                Then::Close,
            ),
            (&ok("", ""), Then::Keep),
        ])
        .await;
        let mut first = User::new(service.options()).unwrap();
        let mut second = User::new(service.options()).unwrap();
        first.told("GET /login").await;
        first.told("GET /me").await;
        second.told("GET /me").await;
        let asked = service.asked();
        assert!(asked[1].contains("\r\ncookie: sid=1\r\n"), "{}", asked[1]);
        assert!(!asked[0].contains("cookie") && !asked[2].contains("cookie"));

        let service = Service::new(&[(&ok("set-cookie: sid=1\r\n", ""), Then::Keep)]).await;
        let mut options = service.options();
        options.cookies = false;
        let mut without = User::new(options).unwrap();
        without.told("GET /login").await;
        without.told("GET /me").await;
        assert!(!service.asked()[1].contains("cookie"));
    });
}

#[test]
fn a_multipart_body_has_its_parts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.bin");
    std::fs::write(&file, b"\0\xff").unwrap();
    run(async {
        let service = Service::new(&[(&ok("", ""), Then::Keep)]).await;
        let mut user = User::new(service.options()).unwrap();
        let action = HttpAction {
            multipart: Some(BTreeMap::from([
                ("note \"1\"".into(), PartSpec::Text("of ${id}".into())),
                (
                    "upload".into(),
                    PartSpec::File {
                        file: file.to_str().unwrap().into(),
                    },
                ),
            ])),
            ..HttpAction::new("POST /upload")
        };
        let request = user.compile_action(action, None);
        assert_eq!(user.send(&request).await.to_string(), "acknowledged");
        let asked = service.asked().pop().unwrap();
        let boundary = asked
            .split("boundary=")
            .nth(1)
            .unwrap()
            .split("\r\n")
            .next()
            .unwrap();
        let body = asked.split_once("\r\n\r\n").unwrap().1;
        assert_eq!(
            body,
            format!(
                "--{boundary}\r\ncontent-disposition: form-data; name=\"note %221%22\"\r\n\r\n\
                 of k3v9q2xz-0-0\r\n\
                 --{boundary}\r\ncontent-disposition: form-data; name=\"upload\"; filename=\"a.bin\"\r\n\
                 content-type: application/octet-stream\r\n\r\n\0\u{fffd}\r\n--{boundary}--\r\n"
            )
        );
    });
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_not_used() {
    run(async {
        let service = Service::new(&[(&ok("", "x"), Then::Close)]).await;
        let mut user = User::new(service.options()).unwrap();
        for _ in 0..3 {
            assert_eq!(user.told("GET /").await, "acknowledged (200)");
            // Until the end has come: the answer itself did not tell of it.
            while user.driver.is_open(user.connection.as_mut().unwrap()) {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(*service.connections.lock().unwrap(), 3);
    });
}

#[test]
fn an_exchange_over_a_closed_connection_is_refused_and_not_sent() {
    run(async {
        let service = Service::new(&[(&ok("", "x"), Then::Close)]).await;
        let mut user = User::new(service.options()).unwrap();
        let request = user.compile("GET /");
        user.send(&request).await;
        let mut connection = user.connection.take().unwrap();
        while user.driver.is_open(&mut connection) {
            tokio::task::yield_now().await;
        }
        let outcome = user
            .driver
            .exchange(
                &mut connection,
                &mut user.session,
                &request,
                &user.values,
                &mut user.answer,
            )
            .await;
        assert_eq!(
            outcome.to_string(),
            "refused: the connection was closed between two requests"
        );
        assert_eq!(user.answer.code, drivers::Code::Reset);
        assert_eq!(service.asked().len(), 1);
    });
}

#[test]
fn an_early_answer_to_a_large_body_is_read() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    run(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut first = [0; 100];
            stream.read_exact(&mut first).await.unwrap();
            let answer =
                b"HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(answer).await.unwrap();
            // The rest is left unread, as servers do that refuse it.
            tokio::time::sleep(Duration::from_millis(200)).await;
        });
        let mut user = User::new(HttpOptions::new(&format!("http://{address}"))).unwrap();
        let body = "x".repeat(20_000_000);
        assert_eq!(
            user.told(&format!("POST /\n\n{body}")).await,
            "refused: HTTP 413 (413)"
        );
    });
}

#[test]
fn a_read_gives_the_whole_answer_as_a_document() {
    run(async {
        let missing = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        let service = Service::new(&[
            (&ok("", r#"{"items":[1,2]}"#), Then::Keep),
            (missing, Then::Keep),
        ])
        .await;
        let mut user = User::new(service.options()).unwrap();
        let request = user.compile("GET /items");
        let mut connection = user.driver.connect(&user.values).await.unwrap();
        let mut rows = Vec::new();
        for _ in 0..2 {
            let read = user
                .driver
                .rows(
                    &mut connection,
                    &mut user.session,
                    &request,
                    &user.values,
                    &mut |row| {
                        let Row::Document(json) = row else {
                            panic!("{row:?}");
                        };
                        rows.push(String::from_utf8(json.to_vec()).unwrap());
                        ControlFlow::Continue(())
                    },
                )
                .await;
            if let Err(failure) = read {
                assert_eq!(failure.code, drivers::Code::Status(404));
            }
        }
        assert_eq!(rows, [r#"{"items":[1,2]}"#]);
    });
}

#[test]
fn a_service_may_listen_at_a_unix_socket() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    run(async {
        let listener = tokio::net::UnixListener::bind(&path).unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 1000];
            let _ = stream.read(&mut asked).await.unwrap();
            stream.write_all(&ok("", "x")).await.unwrap();
        });
        let options = HttpOptions::new(&format!("unix:{}", path.display()));
        let mut user = User::new(options).unwrap();
        assert_eq!(user.told("GET /").await, "acknowledged (200)");
    });
}

#[test]
fn mistakes_in_a_request_are_told_with_their_place() {
    let mut user = User::new(HttpOptions::new("http://localhost")).unwrap();
    let mut told = |text: &str, purpose| {
        let spec = ActionSpec {
            purpose,
            ..ActionSpec::new(Action::Http(HttpAction::new(text)))
        };
        let error = user.driver.compile(&spec, &mut user.scope).unwrap_err();
        assert_eq!(error.at, ["http".into()]);
        format!("{}: {}", error.inside, error.problem)
    };
    let flow = Purpose::Flow;
    assert_eq!(
        told("POST /a\nidempotency-key: ${idd}\n\n{}", flow),
        "27: there is no value `idd` here, there is `id`, `run`, `user`, `iteration`; did you mean \
         `id`?"
    );
    assert_eq!(
        told("POST /a\n\n{ \"a\": ${id} \"text\": 1 }", flow),
        "22: the body is not JSON: expected `,` or `}`, not `\"text\"`"
    );
    assert_eq!(
        told("GET /a\nContent-Length: 5", flow),
        "7: `content-length` is set by Proofload: leave it out"
    );
    assert_eq!(
        told("GET a", flow),
        "4: a path begins with `/`: the host stands in the service's `url`"
    );
    assert_eq!(
        told("GET /a b", flow),
        "6: ` ` cannot stand in a URL: write %20"
    );
    assert_eq!(
        told("GET /ä", flow),
        "5: `ä` cannot stand in a URL: write %C3%A4"
    );
    assert_eq!(
        told("\nPOST /a", Purpose::Read),
        "1: a `read` must not write, and POST may: GET, HEAD and OPTIONS do not"
    );
}

#[test]
fn mistakes_in_a_service_are_told_with_their_place() {
    let told = |change: fn(&mut HttpOptions)| {
        let mut options = HttpOptions::new("http://localhost");
        change(&mut options);
        User::new(options).err().unwrap().to_string()
    };
    assert_eq!(
        told(|options| options.url = "http://shop.example.com/".into()),
        "url, byte 0: `shop` is at shop.example.com: add --allow-host shop.example.com"
    );
    assert_eq!(
        told(|options| options.url = "ftp://localhost".into()),
        "url, byte 0: `url` of an http service begins with http:// or https://"
    );
    assert_eq!(
        told(|options| {
            options.headers.insert("content-length".into(), "5".into());
        }),
        "headers.content-length, byte 0: `content-length` is set by Proofload: leave it out"
    );
    assert_eq!(
        told(|options| {
            options.headers.insert("a".into(), "x${b}".into());
        }),
        "headers.a, byte 3: there is no value `b` here, there is `id`, `run`, `user`, `iteration`"
    );
    assert_eq!(
        told(|options| {
            options.url = "https://localhost".into();
            options.ca = Some("no-such.pem".into());
        }),
        "ca, byte 0: cannot read `./no-such.pem`: no such file"
    );
    assert_eq!(
        told(|options| options.ca = Some("x.pem".into())),
        "ca, byte 0: `ca` is for TLS: the `url` begins with https:// then"
    );
}

#[test]
fn a_request_is_shown_as_it_would_be_sent() {
    let mut options = HttpOptions::new("http://127.0.0.1:8000");
    options.headers.insert("x".into(), "${run}".into());
    let mut user = User::new(options).unwrap();
    let request = user.compile("POST /a?b=${user}\n\n{ \"id\": \"${id}\" }");
    assert_eq!(
        user.driver.show(&request, &user.values).unwrap(),
        "POST /a?b=0 HTTP/1.1\ncontent-type: application/json\nx: k3v9q2xz\nhost: 127.0.0.1:8000\n\
         user-agent: proofload\n\n{ \"id\": \"k3v9q2xz-0-0\" }"
    );
}
