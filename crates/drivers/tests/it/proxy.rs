//! The proxy before a service: each fault does what it says, to those that it happens to, while it is on.

use std::cell::Cell;
use std::future::Future;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::{Duration, Instant};

use drivers::Address;
use drivers::proxy::{ActiveFault, Direction, FaultProxy, NetworkFault};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};

/// A service that sends back what it is sent, and the proxy before it.
struct Echo {
    proxy: FaultProxy,
    /// How many bytes it was sent.
    asked: Rc<Cell<usize>>,
}

impl Echo {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Rc<Cell<usize>> = Rc::default();
        let counted = Rc::clone(&asked);
        spawn_local(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let counted = Rc::clone(&counted);
                spawn_local(async move {
                    let mut bytes = vec![0; 4096];
                    while let Ok(count @ 1..) = stream.read(&mut bytes).await {
                        counted.set(counted.get() + count);
                        if stream.write_all(&bytes[..count]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        let service = Address {
            tls: false,
            host: address.ip().to_string().into(),
            port: Some(address.port()),
            user: None,
            password: None,
            path: "".into(),
            query: "".into(),
        };
        let (proxy, carrier) = FaultProxy::listen(&service, 1).await.unwrap();
        spawn_local(carrier.serve());
        Self { proxy, asked }
    }

    async fn client(&self) -> TcpStream {
        TcpStream::connect(self.proxy.address()).await.unwrap()
    }

    fn begin(&self, fault: NetworkFault) {
        self.begin_for(fault, 1.0, None);
    }

    fn begin_for(&self, fault: NetworkFault, share: f64, direction: Option<Direction>) {
        self.proxy.begin(ActiveFault {
            number: 1,
            fault,
            share,
            direction,
        });
    }
}

/// Runs a test on one thread, in which no time limit is met by chance.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, test);
}

/// Sends bytes and reads as many back; gives how long that took.
async fn ask(client: &mut TcpStream, count: usize) -> std::io::Result<Duration> {
    let began = Instant::now();
    client.write_all(&vec![7; count]).await?;
    let mut back = vec![0; count];
    client.read_exact(&mut back).await?;
    assert!(back.iter().all(|byte| *byte == 7));
    Ok(began.elapsed())
}

#[test]
fn without_a_fault_every_byte_is_carried() {
    run(async {
        let echo = Echo::new().await;
        let mut client = echo.client().await;
        for count in [1, 10, 100_000] {
            let (mut from, mut to) = client.split();
            let bytes = vec![7; count];
            let mut back = vec![0; count];
            let (sent, read) = tokio::join!(to.write_all(&bytes), from.read_exact(&mut back));
            sent.unwrap();
            read.unwrap();
        }
        assert_eq!(echo.asked.get(), 100_011);
        assert!(echo.proxy.reaches().await.is_ok());
    });
}

#[test]
fn latency_is_added_each_way_and_goes_with_the_fault() {
    run(async {
        let echo = Echo::new().await;
        let mut client = echo.client().await;
        let latency = NetworkFault::Latency(Duration::from_millis(40));
        echo.begin(latency);
        assert!(ask(&mut client, 5).await.unwrap() >= Duration::from_millis(80));
        echo.proxy.end(1);
        echo.begin_for(latency, 1.0, Some(Direction::Answers));
        let one_way = ask(&mut client, 5).await.unwrap();
        assert!(one_way >= Duration::from_millis(40));
        echo.proxy.end(1);
        echo.begin_for(NetworkFault::Latency(Duration::from_secs(600)), 0.0, None);
        ask(&mut client, 5).await.unwrap();
    });
}

#[test]
fn bandwidth_is_what_gets_through_in_a_second() {
    run(async {
        let echo = Echo::new().await;
        let mut client = echo.client().await;
        echo.begin_for(
            NetworkFault::Bandwidth(10_000),
            1.0,
            Some(Direction::Requests),
        );
        // 1,000 bytes are a tenth of a second, of which the last piece need not be waited for.
        assert!(ask(&mut client, 1000).await.unwrap() >= Duration::from_millis(70));
    });
}

#[test]
fn nothing_gets_through_a_black_hole_until_it_is_over() {
    run(async {
        let echo = Echo::new().await;
        let mut client = echo.client().await;
        echo.begin(NetworkFault::Timeout);
        let asked = ask(&mut client, 5);
        tokio::pin!(asked);
        let waited = tokio::time::timeout(Duration::from_millis(50), &mut asked).await;
        assert!(waited.is_err());
        assert_eq!(echo.asked.get(), 0);
        echo.proxy.end(1);
        asked.await.unwrap();
    });
}

#[test]
fn connections_are_reset_those_that_stand_and_new_ones() {
    run(async {
        let echo = Echo::new().await;
        let mut client = echo.client().await;
        ask(&mut client, 5).await.unwrap();
        echo.begin(NetworkFault::ResetPeer);
        let standing = ask(&mut client, 5).await.unwrap_err();
        let mut new = echo.client().await;
        let new = ask(&mut new, 5).await.unwrap_err();
        for error in [standing, new] {
            let is_reset = matches!(
                error.kind(),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
            );
            assert!(is_reset, "{error:?}");
        }
        echo.proxy.end(1);
        ask(&mut echo.client().await, 5).await.unwrap();
    });
}

#[test]
fn a_connection_is_closed_after_so_many_bytes() {
    run(async {
        let echo = Echo::new().await;
        echo.begin_for(NetworkFault::LimitData(10), 1.0, Some(Direction::Answers));
        let mut client = echo.client().await;
        client.write_all(&[7; 30]).await.unwrap();
        let mut back = Vec::new();
        client.read_to_end(&mut back).await.unwrap();
        assert_eq!(back.len(), 10);
    });
}

#[test]
fn a_request_reaches_the_service_whose_answer_is_lost() {
    run(async {
        let echo = Echo::new().await;
        let mut client = echo.client().await;
        ask(&mut client, 5).await.unwrap();
        echo.begin(NetworkFault::DropAnswer);
        let error = ask(&mut client, 7).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(echo.asked.get(), 12);
    });
}

#[test]
fn some_answers_are_lost_and_others_not() {
    run(async {
        let echo = Echo::new().await;
        echo.begin_for(NetworkFault::DropAnswer, 0.3, None);
        let mut lost = 0;
        for _ in 0..200 {
            lost += usize::from(ask(&mut echo.client().await, 5).await.is_err());
        }
        // Drawn from a seed: 30 % of 200, and never another number.
        assert!((40..=80).contains(&lost), "{lost}");
    });
}

#[test]
fn a_request_reaches_the_service_twice_and_is_answered_once() {
    run(async {
        let echo = Echo::new().await;
        let mut client = echo.client().await;
        echo.begin(NetworkFault::Duplicate);
        ask(&mut client, 5).await.unwrap();
        while echo.asked.get() < 10 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        echo.proxy.end(1);
        ask(&mut client, 5).await.unwrap();
        assert_eq!(echo.asked.get(), 15);
    });
}
