//! Services that answer what a test says, and a user who asks them.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drivers::{
    Action, ActionSpec, Answer, Constants, Driver as _, Http, HttpAction, HttpConnection,
    HttpOptions, HttpRequest, HttpSession, Outcome, Scope, ServiceContext, Slot, SpecError, Value,
    Values, Wanted,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Runs a test on one thread, as the load engine runs a user.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test)
}

/// What a service does with the connection once it has answered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Then {
    Keep,
    Close,
    Reset,
}

/// A service that gives answers in turn, the last one again and again, and keeps what it was asked.
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) asked: Arc<Mutex<Vec<String>>>,
    pub(crate) connections: Arc<Mutex<usize>>,
}

impl Service {
    pub(crate) async fn new(answers: &[(&[u8], Then)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answers: Vec<(Vec<u8>, Then)> = answers
            .iter()
            .map(|(answer, then)| (answer.to_vec(), *then))
            .collect();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(0));
        let service = Self {
            address,
            asked: asked.clone(),
            connections: connections.clone(),
        };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                *connections.lock().unwrap() += 1;
                tokio::spawn(serve(stream, answers.clone(), asked.clone()));
            }
        });
        service
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn options(&self) -> HttpOptions {
        HttpOptions::new(&format!("http://{}", self.address))
    }
}

async fn serve(
    mut stream: TcpStream,
    answers: Vec<(Vec<u8>, Then)>,
    asked: Arc<Mutex<Vec<String>>>,
) {
    while let Some(request) = read_request(&mut stream).await {
        let turn = {
            let mut asked = asked.lock().unwrap();
            asked.push(request);
            asked.len() - 1
        };
        let (answer, then) = &answers[turn.min(answers.len() - 1)];
        if stream.write_all(answer).await.is_err() {
            return;
        }
        match then {
            Then::Keep => {}
            Then::Close => return,
            Then::Reset => {
                // What was written is sent before the reset only if the other side has read it.
                tokio::time::sleep(Duration::from_millis(50)).await;
                stream.set_zero_linger().unwrap();
                return;
            }
        }
    }
}

/// A request with its body, as text.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(end) = text.find("\r\n\r\n") {
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some(text);
            }
        }
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&part[..count]),
        }
    }
}

/// One user of one service.
pub(crate) struct User {
    pub(crate) driver: Http,
    pub(crate) scope: Scope,
    pub(crate) values: Values,
    pub(crate) session: HttpSession,
    pub(crate) answer: Answer,
    pub(crate) connection: Option<HttpConnection>,
}

impl User {
    pub(crate) fn new(options: HttpOptions) -> Result<Self, SpecError> {
        let constants = Constants::new("k3v9q2xz");
        let mut scope = Scope::new(constants);
        let context = ServiceContext {
            timeout: Duration::from_secs(20),
            ..ServiceContext::new("shop")
        };
        let mut values = Values::default();
        values.set(Slot::ID, Value::Text(b"k3v9q2xz-0-0"));
        values.set(Slot::USER, Value::Int(0));
        Ok(Self {
            driver: Http::new(options, &context, &mut scope)?,
            scope,
            values,
            session: HttpSession::default(),
            answer: Answer {
                wanted: Wanted::PARSED,
                wants_headers: true,
                ..Answer::default()
            },
            connection: None,
        })
    }

    pub(crate) fn compile(&mut self, request: &str) -> HttpRequest {
        self.compile_action(HttpAction::new(request), None)
    }

    pub(crate) fn compile_action(
        &mut self,
        action: HttpAction,
        timeout: Option<Duration>,
    ) -> HttpRequest {
        let spec = ActionSpec {
            timeout,
            ..ActionSpec::new(Action::Http(action))
        };
        self.driver.compile(&spec, &mut self.scope).unwrap()
    }

    /// Sends a request, over a new connection if the last one is not open, and tells the outcome.
    pub(crate) async fn send(&mut self, request: &HttpRequest) -> Outcome {
        let is_open = match &mut self.connection {
            Some(connection) => self.driver.is_open(connection),
            None => false,
        };
        if !is_open {
            match self.driver.connect(&self.values).await {
                Ok(connection) => self.connection = Some(connection),
                Err(failure) => {
                    self.answer.code = failure.code;
                    return Outcome::Refused(failure.reason);
                }
            }
        }
        self.driver
            .exchange(
                self.connection.as_mut().unwrap(),
                &mut self.session,
                request,
                &self.values,
                &mut self.answer,
            )
            .await
    }

    /// The outcome of a request as text, with its code.
    pub(crate) async fn told(&mut self, request: &str) -> String {
        let request = self.compile(request);
        let outcome = self.send(&request).await;
        format!("{outcome} ({})", self.answer.code)
    }

    pub(crate) fn body(&self) -> &str {
        std::str::from_utf8(&self.answer.body).unwrap()
    }
}
