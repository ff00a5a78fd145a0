//! A connection to Redis, with its buffers.

use std::time::{Duration, Instant};

use super::codec::{Read, argument, command, reply};
use crate::net::{Broken, Buffer, Link, Stream};
use crate::outcome::{Code, Failure, Unanswered};

/// A connection to Redis.
pub struct RedisConnection {
    link: Link,
    input: Buffer,
    output: Vec<u8>,
    is_open: bool,
}

/// The largest reply.
const LARGEST_REPLY: usize = 64 << 20;

/// What became of a pipeline.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// How many were no errors.
    pub(super) good: usize,
    /// The first error.
    pub(super) error: Option<String>,
}

impl RedisConnection {
    pub(super) fn new(stream: Stream, timeout: Duration) -> Self {
        Self {
            link: Link::new(stream, timeout),
            input: Buffer::default(),
            output: Vec::new(),
            is_open: true,
        }
    }

    pub(super) fn is_open(&mut self) -> bool {
        self.is_open = self.is_open && self.input.is_empty() && self.link.is_quiet();
        self.is_open
    }

    /// Where the commands of the next pipeline are written.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        self.output.clear();
        &mut self.output
    }

    /// Sends what was written, and appends so many replies as JSON, one after the other.
    pub(super) async fn ask(
        &mut self,
        count: usize,
        deadline: Instant,
        within: Duration,
        out: &mut Vec<u8>,
    ) -> Result<Replies, Unanswered> {
        // Whatever goes wrong from here on, and if the future is dropped, it is not used again.
        let was_open = std::mem::replace(&mut self.is_open, false);
        if !was_open {
            let told = "the connection was closed between two requests";
            let failure = Failure::with_code(told, Code::Reset);
            return Err(Unanswered::before(failure));
        }
        self.link.set_deadline(deadline);
        if let Err((written, how)) = self.link.write(&self.output, &mut self.input).await {
            return Err(Unanswered {
                failure: broken(how, within),
                sent: written > 0,
            });
        }
        let replies = self
            .replies(count, within, out)
            .await
            .map_err(Unanswered::after)?;
        self.is_open = true;
        Ok(replies)
    }

    /// Reads so many replies, with commas between them.
    async fn replies(
        &mut self,
        count: usize,
        within: Duration,
        out: &mut Vec<u8>,
    ) -> Result<Replies, Failure> {
        let mut replies = Replies::default();
        let mut left = count;
        while left > 0 {
            let begin = out.len();
            let used = match reply(self.input.filled(), out) {
                Read::Reply(used) => {
                    replies.good += 1;
                    used
                }
                Read::Error(used) => {
                    let told = String::from_utf8_lossy(&out[begin..]).into_owned();
                    out.truncate(begin);
                    out.extend_from_slice(b"null");
                    replies.error.get_or_insert(told);
                    used
                }
                Read::Malformed => return Err(Failure::new("malformed answer: this is not Redis")),
                Read::Partial if self.input.len() > LARGEST_REPLY => {
                    return Err(Failure::new("the answer is larger than 64 MiB"));
                }
                Read::Partial => {
                    let read = self.link.read(&mut self.input).await;
                    read.map_err(|how| broken(how, within))?;
                    continue;
                }
            };
            self.input.consume(used);
            left -= 1;
            if left > 0 {
                out.push(b',');
            }
        }
        Ok(replies)
    }

    /// One command with plain arguments, in so much time; gives the reply as JSON.
    pub(super) async fn plain(
        &mut self,
        arguments: &[&[u8]],
        within: Duration,
    ) -> Result<Vec<u8>, Failure> {
        let output = self.output();
        command(arguments.len(), output);
        for word in arguments {
            argument(word, output);
        }
        let mut out = Vec::new();
        let asked = self.ask(1, Instant::now() + within, within, &mut out);
        match asked.await {
            Err(unanswered) => Err(unanswered.failure),
            Ok(Replies {
                error: Some(told), ..
            }) => Err(of_error(&told)),
            Ok(_) => Ok(out),
        }
    }
}

/// An error reply: its first word is its code.
pub(super) fn of_error(told: &str) -> Failure {
    let word = told.split(' ').next().unwrap_or_default();
    Failure::with_code(told, Code::word(word))
}

fn broken(how: Broken, within: Duration) -> Failure {
    match how {
        Broken::Timeout => {
            Failure::with_code(&format!("no answer within {within:?}"), Code::Timeout)
        }
        Broken::Closed => {
            Failure::with_code("the connection was closed before an answer", Code::Reset)
        }
        Broken::Reset => {
            Failure::with_code("the connection was reset before an answer", Code::Reset)
        }
    }
}
