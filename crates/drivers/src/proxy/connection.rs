//! One connection through the proxy.

use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::fault::Direction;
use super::open::open;
use super::pump::pump;
use super::way::{Carrier, End, Way};

/// How long a copy of a request may take to be answered.
const COPY_WITHIN: Duration = Duration::from_secs(30);

/// Carries a connection to its end. `copies` sends what it is given over a connection of its own.
pub(super) async fn carry(
    mut client: TcpStream,
    carrier: Rc<Carrier>,
    copies: impl Fn(mpsc::Receiver<Vec<u8>>),
) {
    let end = match open(&carrier.service).await {
        Err(_) => End::Reset,
        Ok(service) => {
            let way = Way::new(&carrier, &copies);
            let _ = client.set_nodelay(true);
            let (from_client, to_client) = client.split();
            let (from_service, to_service) = tokio::io::split(service);
            tokio::select! {
                end = pump(from_client, to_service, &way, Direction::Requests) => end,
                end = pump(from_service, to_client, &way, Direction::Answers) => end,
                () = way.is_reset() => End::Reset,
            }
        }
    };
    if end == End::Reset {
        // Closing then sends a reset in place of what is left to be sent.
        let _ = client.set_zero_linger();
    }
}

/// Sends the bytes of a request over a connection of its own, whose answer nobody reads.
pub(super) async fn copy(carrier: Rc<Carrier>, mut bytes: mpsc::Receiver<Vec<u8>>) {
    let Ok(mut service) = open(&carrier.service).await else {
        return;
    };
    while let Some(piece) = bytes.recv().await {
        if service.write_all(&piece).await.is_err() {
            return;
        }
    }
    // The service may take back what is closed before it was answered.
    let mut answer = [0; 1024];
    let _ = tokio::time::timeout(COPY_WITHIN, service.read(&mut answer)).await;
}
