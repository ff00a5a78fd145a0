//! The accept loop: bounds connections, headers and times, and ends within a deadline.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;

use crate::http::patience::{Patient, STALL};

/// The largest head of a request, and the piece in which a body is read.
const BUFFER_BYTES: usize = 16 << 10;
/// How long a client may take to send a head, and how long an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long to wait when the system refuses another connection, for lack of descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until `stop`; returns whether all that was under way ended within the deadline after it.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    connections: usize,
    deadline: Duration,
    stop: impl Future<Output = ()>,
) -> bool {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(connections));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(BUFFER_BYTES);
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        // Above the bound the connection is closed at once: a queue of them would only hide the overload.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        // Without it the system may hold back an answer's end until the client acknowledged its start.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let (http, watcher, tls) = (http.clone(), graceful.watcher(), tls.clone());
        let stream = Patient::new(stream, STALL);
        tokio::spawn(async move {
            // A client that breaks off, or begins no TLS in time, is told nothing.
            match tls {
                None => {
                    let connection = http.serve_connection(TokioIo::new(stream), service);
                    let _ = watcher.watch(connection).await;
                }
                Some(tls) => {
                    let begun = tokio::time::timeout(HEAD_TIMEOUT, tls.accept(stream)).await;
                    if let Ok(Ok(stream)) = begun {
                        let connection = http.serve_connection(TokioIo::new(stream), service);
                        let _ = watcher.watch(connection).await;
                    }
                }
            }
            drop(place);
        });
    }
    drop(listener);
    tokio::time::timeout(deadline, graceful.shutdown())
        .await
        .is_ok()
}
