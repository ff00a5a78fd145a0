//! One direction of a connection: bytes are read as they come, and written when they are due.

use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

use super::fault::Direction;
use super::way::{End, Way};

/// How much is read at once.
const READ: usize = 16 << 10;

/// How many reads may be under way, so that latency limits no throughput.
const UNDER_WAY: usize = 256;

/// Bytes of a limited bandwidth are written so often.
const PIECES_PER_SECOND: u64 = 50;

/// Carries one direction to its end.
pub(super) async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: &Way<'_>,
    direction: Direction,
) -> End {
    let (queue, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let read = async move {
        let mut buffer = vec![0; READ];
        loop {
            let Ok(count @ 1..) = from.read(&mut buffer).await else {
                return End::Closed;
            };
            let (carried, end) = way.arrived(direction, &buffer[..count]);
            let piece = buffer[..carried].to_vec();
            if queue.send((way.due(direction), piece)).await.is_err() {
                return End::Closed;
            }
            if let Some(end) = end {
                return end;
            }
        }
    };
    let write = async {
        // What was read before the end is still written.
        while let Some((at, bytes)) = due.recv().await {
            tokio::time::sleep_until(at.into()).await;
            if send(&mut to, &bytes, way, direction).await.is_err() {
                return End::Closed;
            }
        }
        End::Closed
    };
    tokio::pin!(write);
    tokio::select! {
        end = read => match end {
            End::Reset => End::Reset,
            End::Closed => write.await,
        },
        end = &mut write => end,
    }
}

/// Writes bytes as fast as they get through.
async fn send(
    to: &mut (impl AsyncWrite + Unpin),
    mut bytes: &[u8],
    way: &Way<'_>,
    direction: Direction,
) -> std::io::Result<()> {
    while !bytes.is_empty() {
        way.is_open(direction).await;
        let Some(rate) = way.bandwidth(direction) else {
            return to.write_all(bytes).await;
        };
        let piece = usize::try_from((rate / PIECES_PER_SECOND).max(1)).unwrap_or(usize::MAX);
        let (now, rest) = bytes.split_at(piece.min(bytes.len()));
        to.write_all(now).await?;
        bytes = rest;
        let takes = now.len() as f64 / rate.max(1) as f64;
        tokio::time::sleep(Duration::from_secs_f64(takes)).await;
    }
    Ok(())
}
