//! A socket that is read and written with a deadline.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Buffer, Deadline, Stream};

/// How a connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The deadline passed.
    Timeout,
    /// The other side closed it in good order.
    Closed,
    /// It was reset, or TLS broke.
    Reset,
}

/// How much of an answer is read while the request is still being written.
const MOST_EARLY: usize = 1 << 20;

/// A socket that is read and written with a deadline.
pub(crate) struct Link {
    stream: Stream,
    deadline: Deadline,
}

impl Link {
    pub(crate) fn new(stream: Stream, timeout: Duration) -> Self {
        Self {
            stream,
            deadline: Deadline::new(Instant::now() + timeout),
        }
    }

    /// Everything from here on has to be done by then.
    pub(crate) fn set_deadline(&mut self, deadline: Instant) {
        self.deadline.set(deadline);
    }

    /// Writes everything. What comes meanwhile is read, so that a service that answers before it has
    /// read everything is not kept from either. Tells how much was written when it broke.
    pub(crate) async fn write(
        &mut self,
        bytes: &[u8],
        input: &mut Buffer,
    ) -> Result<(), (usize, Broken)> {
        let mut written = 0;
        poll_fn(|context| {
            while written < bytes.len() {
                match Pin::new(&mut self.stream).poll_write(context, &bytes[written..]) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(Broken::Reset)),
                    Poll::Ready(Ok(count)) => written += count,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(broken(&error))),
                    Poll::Pending => {
                        // An end of the input is no error yet: the rest may still be read.
                        while input.len() < MOST_EARLY
                            && matches!(self.poll_input(context, input)?, Poll::Ready(1..))
                        {
                        }
                        return self.poll_deadline(context).map(Err);
                    }
                }
            }
            match Pin::new(&mut self.stream).poll_flush(context) {
                Poll::Ready(Ok(())) => Poll::Ready(Ok(())),
                Poll::Ready(Err(error)) => Poll::Ready(Err(broken(&error))),
                Poll::Pending => self.poll_deadline(context).map(Err),
            }
        })
        .await
        .map_err(|broken| (written, broken))
    }

    /// Reads at least one byte.
    pub(crate) async fn read(&mut self, input: &mut Buffer) -> Result<(), Broken> {
        poll_fn(|context| match self.poll_input(context, input) {
            Poll::Ready(Ok(0)) => Poll::Ready(Err(Broken::Closed)),
            Poll::Ready(Ok(_)) => Poll::Ready(Ok(())),
            Poll::Ready(Err(broken)) => Poll::Ready(Err(broken)),
            Poll::Pending => self.poll_deadline(context).map(Err),
        })
        .await
    }

    /// Whether the connection is open and silent, as it has to be between two requests.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut context = Context::from_waker(std::task::Waker::noop());
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        Pin::new(&mut self.stream)
            .poll_read(&mut context, &mut buffer)
            .is_pending()
    }

    fn poll_input(
        &mut self,
        context: &mut Context<'_>,
        input: &mut Buffer,
    ) -> Poll<Result<usize, Broken>> {
        let mut buffer = ReadBuf::new(input.space());
        match Pin::new(&mut self.stream).poll_read(context, &mut buffer) {
            Poll::Ready(Ok(())) => {
                let count = buffer.filled().len();
                input.fill(count);
                Poll::Ready(Ok(count))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(broken(&error))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_deadline(&mut self, context: &mut Context<'_>) -> Poll<Broken> {
        self.deadline.poll(context).map(|()| Broken::Timeout)
    }
}

fn broken(error: &io::Error) -> Broken {
    match error.kind() {
        // rustls: the other side left without saying so, which may cut an answer short.
        io::ErrorKind::UnexpectedEof => Broken::Reset,
        io::ErrorKind::TimedOut => Broken::Timeout,
        _ => Broken::Reset,
    }
}
