//! A program that answers many requests at once, told apart by their numbers: JSON-RPC over its standard
//! streams. One thread has its pipes; users on any thread ask it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use super::program::{Program, Streams};
use crate::driver::ServiceContext;
use crate::json::JsonPath;
use crate::outcome::{Code, Failure};

/// Requests that wait to be written.
const MOST_WAITING: usize = 1024;

/// How much of what it says beside is shown when it ends.
const SHOWN_ERRORS: usize = 300;

/// A line with its number, and whoever waits for the answer; nobody waits for that of a notification.
struct Asked {
    line: Vec<u8>,
    waiting: Option<(u64, Answered)>,
}

type Answered = oneshot::Sender<Result<Vec<u8>, String>>;

/// A program that answers JSON-RPC requests. It ends when the last user of it is gone.
pub(super) struct Server {
    requests: mpsc::Sender<Asked>,
    next: AtomicU64,
    is_open: Arc<AtomicBool>,
}

impl Server {
    /// Starts a program, with a thread for its pipes.
    pub(super) fn start(words: &[String], context: &ServiceContext) -> Result<Self, Failure> {
        let (requests, inbox) = mpsc::channel(MOST_WAITING);
        let is_open = Arc::new(AtomicBool::new(true));
        let (words, context, open) = (words.to_vec(), context.clone(), Arc::clone(&is_open));
        let (started, start) = std::sync::mpsc::sync_channel(1);
        let live = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let outcome = match runtime {
                Ok(runtime) => {
                    let _in_runtime = runtime.enter();
                    match Program::start(&words, &context) {
                        Ok((program, streams)) => {
                            // Whoever asked for it waits, so somebody takes the message.
                            let _ = started.send(Ok(()));
                            LocalSet::new().block_on(&runtime, serve(program, streams, inbox));
                            Ok(())
                        }
                        Err(failure) => Err(failure),
                    }
                }
                Err(error) => Err(Failure::new(&error.to_string())),
            };
            open.store(false, Ordering::Release);
            if let Err(failure) = outcome {
                let _ = started.send(Err(failure));
            }
        };
        let thread = thread::Builder::new().name("drivers:program".to_owned());
        thread
            .spawn(live)
            .map_err(|error| Failure::new(&format!("cannot start a thread: {error}")))?;
        match start.recv() {
            Ok(Ok(())) => Ok(Self {
                requests,
                next: AtomicU64::new(1),
                is_open,
            }),
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Failure::new("the program's thread ended")),
        }
    }

    /// Whether the program still answers.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// The number of the next request.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Writes a line and waits for the line with its number.
    pub(super) async fn ask(&self, number: u64, line: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let (waiting, answer) = oneshot::channel();
        let asked = Asked {
            line,
            waiting: Some((number, waiting)),
        };
        let gone = || Failure::with_code("the program has ended", Code::Reset);
        self.requests.send(asked).await.map_err(|_| gone())?;
        match answer.await {
            Ok(Ok(line)) => Ok(line),
            Ok(Err(told)) => Err(Failure::with_code(&told, Code::Reset)),
            Err(_) => Err(gone()),
        }
    }

    /// Writes a line that has no answer.
    pub(super) async fn tell(&self, line: &str) -> Result<(), Failure> {
        let asked = Asked {
            line: line.into(),
            waiting: None,
        };
        let gone = |_| Failure::with_code("the program has ended", Code::Reset);
        self.requests.send(asked).await.map_err(gone)
    }
}

type Waiting = Rc<RefCell<HashMap<u64, Answered>>>;

/// Writes requests and reads answers until the program or the last user is gone.
async fn serve(mut program: Program, streams: Streams, inbox: mpsc::Receiver<Asked>) {
    let waiting = Waiting::default();
    let beside: Rc<RefCell<Vec<u8>>> = Rc::default();
    let listening = tokio::task::spawn_local(listen(streams.errors, Rc::clone(&beside)));
    let told = tokio::select! {
        told = write(streams.input, inbox, Rc::clone(&waiting)) => told,
        () = read(streams.output, Rc::clone(&waiting)) => {
            let ended = program.ended();
            // What it said last is on its way through another pipe.
            tokio::task::yield_now().await;
            let beside = String::from_utf8_lossy(&beside.borrow()).trim().to_owned();
            match beside.is_empty() {
                true => format!("the program {ended}"),
                false => format!("the program {ended}, and said: {beside}"),
            }
        }
    };
    listening.abort();
    for (_, waiting) in waiting.borrow_mut().drain() {
        // Whoever does not wait any more needs no answer.
        let _ = waiting.send(Err(told.clone()));
    }
}

async fn write(mut input: Sender, mut inbox: mpsc::Receiver<Asked>, waiting: Waiting) -> String {
    while let Some(mut asked) = inbox.recv().await {
        if let Some((number, answer)) = asked.waiting {
            waiting.borrow_mut().insert(number, answer);
        }
        asked.line.push(b'\n');
        if let Err(error) = input.write_all(&asked.line).await {
            return format!("the program does not listen: {error}");
        }
    }
    "the program is needed no more".to_owned()
}

async fn read(output: Receiver, waiting: Waiting) {
    let id = JsonPath::parse("$.id").expect("a path of this program can be read");
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while let Ok(1..) = output.read_until(b'\n', &mut line).await {
        let number = id
            .first(&line)
            .and_then(|id| std::str::from_utf8(id).ok()?.parse().ok());
        let waiting = number.and_then(|number: u64| waiting.borrow_mut().remove(&number));
        // Requests and notifications of the program have no number of ours: nobody waits for them.
        if let Some(waiting) = waiting {
            let _ = waiting.send(Ok(std::mem::take(&mut line)));
        }
        line.clear();
    }
}

/// Keeps the end of what the program says beside, and its pipe from filling up.
async fn listen(mut errors: Receiver, kept: Rc<RefCell<Vec<u8>>>) {
    let mut read = [0; 4096];
    while let Ok(count @ 1..) = errors.read(&mut read).await {
        let mut kept = kept.borrow_mut();
        kept.extend_from_slice(&read[..count]);
        let surplus = kept.len().saturating_sub(SHOWN_ERRORS);
        kept.drain(..surplus);
    }
}
