//! A shop over HTTP that tells the truth or lies, as a thread of the test or as a program of its own.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// How the shop lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Not at all.
    None,
    /// It acknowledges each tenth order and forgets it.
    Drops,
    /// It stores each tenth order with another quantity.
    Alters,
    /// It stores each tenth order twice.
    Duplicates,
    /// It refuses each tenth order and stores it.
    RefusesAndStores,
    /// It fails each tenth order with 503, and stores each other of these.
    Fails,
    /// It acknowledges before it writes, and never writes.
    Forgets,
    /// It takes orders away as if it removed them, and keeps them.
    KeepsRemoved,
    /// It answers listings with an error.
    CannotList,
    /// It lists nothing before it was asked four times.
    Lags,
    /// Its total is wrong the second time that it is asked.
    Leaks,
    /// It lists each page backwards.
    Reorders,
    /// It takes its time for each order.
    Dawdles,
    /// It answers each tenth question for an order with what was there before.
    Caches,
}

const LIES: [(&str, Lie); 14] = [
    ("none", Lie::None),
    ("drops", Lie::Drops),
    ("alters", Lie::Alters),
    ("duplicates", Lie::Duplicates),
    ("refuses-and-stores", Lie::RefusesAndStores),
    ("fails", Lie::Fails),
    ("forgets", Lie::Forgets),
    ("keeps-removed", Lie::KeepsRemoved),
    ("cannot-list", Lie::CannotList),
    ("lags", Lie::Lags),
    ("leaks", Lie::Leaks),
    ("reorders", Lie::Reorders),
    ("dawdles", Lie::Dawdles),
    ("caches", Lie::Caches),
];

impl FromStr for Lie {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = LIES.iter().find(|(name, _)| *name == text);
        found.map(|(_, lie)| *lie).ok_or_else(|| text.to_owned())
    }
}

impl Lie {
    pub(crate) fn name(self) -> &'static str {
        LIES.iter().find(|(_, lie)| *lie == self).unwrap().0
    }
}

/// The shop's orders: a number for each row, so that one key may come twice.
pub(crate) struct Shop {
    lie: Lie,
    state: Mutex<State>,
    /// Where orders are written before they are acknowledged, if they outlast the program.
    store: Option<PathBuf>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<u64, (String, Value)>,
    next: u64,
    asked: u64,
    logins: u64,
    listed: u64,
    totals: u64,
    receipts: Vec<String>,
    before: BTreeMap<String, Value>,
    questions: u64,
}

impl Shop {
    pub(crate) fn new(lie: Lie) -> Arc<Self> {
        Arc::new(Self {
            lie,
            state: Mutex::default(),
            store: None,
        })
    }

    /// A shop whose orders are in a file.
    fn stored(lie: Lie, store: &Path) -> Arc<Self> {
        let mut state = State::default();
        for line in fs::read_to_string(store).unwrap_or_default().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            state.insert(row["reference"].as_str().unwrap(), row["quantity"].clone());
        }
        Arc::new(Self {
            lie,
            state: Mutex::new(state),
            store: Some(store.to_owned()),
        })
    }

    /// Serves on a free port of this machine for as long as the test runs; gives the address.
    pub(crate) fn listen(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shop = Arc::clone(self);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                stream.set_nodelay(true).unwrap();
                shop.serve(stream.try_clone().unwrap(), stream);
            }
        });
        address.to_string()
    }

    fn serve(self: &Arc<Self>, from: impl Read + Send + 'static, to: impl Write + Send + 'static) {
        let shop = Arc::clone(self);
        thread::spawn(move || {
            let (mut from, mut to) = (BufReader::new(from), to);
            while let Ok(Some(request)) = read_request(&mut from) {
                let (status, body) = shop.answer(&request);
                if write_answer(&mut to, status, &body).is_err() {
                    return;
                }
            }
        });
    }

    fn answer(&self, request: &Request) -> (u16, Value) {
        let mut state = self.state.lock().unwrap();
        let path = request.path.as_str();
        match (request.method.as_str(), path.strip_prefix("/orders/")) {
            ("GET", None) if path == "/health" => (200, json!({ "status": "healthy" })),
            ("POST", None) if path == "/login" => {
                state.logins += 1;
                let user = request.json()["user"].clone();
                (200, json!({ "access_token": user, "logins": state.logins }))
            }
            ("POST", None) if path == "/orders" => self.place(&mut state, request),
            ("GET", None) if path == "/orders" => {
                state.listed += 1;
                self.list(&state, request)
            }
            ("GET", None) if path == "/total" => {
                state.totals += 1;
                let leaks = self.lie == Lie::Leaks && state.totals == 2;
                (200, json!({ "total": if leaks { 99 } else { 100 } }))
            }
            ("GET", None) if path == "/receipts" => {
                let items = state.receipts.iter();
                let items: Vec<Value> = items.map(|key| json!({ "reference": key })).collect();
                (200, json!({ "items": items }))
            }
            ("POST", None) if path == "/tally" => {
                let order = request.json();
                let key = order["reference"].as_str().unwrap();
                state.asked += 1;
                let lies = self.lie == Lie::Drops && state.asked.is_multiple_of(10);
                let before = state.get(key).and_then(|n| n.as_i64()).unwrap_or(0);
                let by = if lies {
                    0
                } else {
                    order["by"].as_i64().unwrap()
                };
                state.remove(key);
                state.insert(key, json!(before + by));
                (200, json!({}))
            }
            ("GET", Some(key)) => self
                .ask(&mut state, key)
                .map_or((404, json!({})), |quantity| {
                    (
                        200,
                        json!({ "reference": key, "quantity": quantity, "status": "shipped" }),
                    )
                }),
            ("PUT", Some(key)) => {
                if let Some(before) = state.get(key) {
                    state.before.insert(key.to_owned(), before);
                }
                state.remove(key);
                state.insert(key, request.json()["quantity"].clone());
                (200, json!({}))
            }
            ("DELETE", Some(key)) => {
                if self.lie != Lie::KeepsRemoved {
                    state.remove(key);
                }
                (200, json!({}))
            }
            _ => (404, json!({ "error": path })),
        }
    }

    fn ask(&self, state: &mut State, key: &str) -> Option<Value> {
        state.questions += 1;
        let caches = self.lie == Lie::Caches && state.questions.is_multiple_of(10);
        let before = state.before.get(key).filter(|_| caches);
        before.cloned().or_else(|| state.get(key))
    }

    fn place(&self, state: &mut State, request: &Request) -> (u16, Value) {
        if self.lie == Lie::Dawdles {
            thread::sleep(std::time::Duration::from_millis(20));
        }
        let order = request.json();
        let key = order["reference"].as_str().unwrap().to_owned();
        let quantity = order["quantity"].clone();
        state.asked += 1;
        let lies = state.asked.is_multiple_of(10);
        if !lies {
            return self.store(state, &key, quantity);
        }
        match self.lie {
            Lie::Drops => {
                state.receipts.push(key);
                (201, json!({ "id": state.next }))
            }
            Lie::Alters => self.store(state, &key, json!(0)),
            Lie::Duplicates => {
                self.store(state, &key, quantity.clone());
                self.store(state, &key, quantity)
            }
            Lie::RefusesAndStores => {
                self.store(state, &key, quantity);
                (409, json!({ "error": "there is one already" }))
            }
            Lie::Fails => {
                if state.asked.is_multiple_of(20) {
                    self.store(state, &key, quantity);
                }
                (503, json!({ "error": "try again" }))
            }
            _ => self.store(state, &key, quantity),
        }
    }

    fn store(&self, state: &mut State, key: &str, quantity: Value) -> (u16, Value) {
        if let Some(store) = &self.store
            && self.lie != Lie::Forgets
        {
            let mut file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(store)
                .unwrap();
            let row = json!({ "reference": key, "quantity": quantity });
            file.write_all(format!("{row}\n").as_bytes()).unwrap();
        }
        state.receipts.push(key.to_owned());
        let number = state.insert(key, quantity);
        (201, json!({ "id": format!("o-{number}") }))
    }

    /// Twenty orders a page.
    fn list(&self, state: &State, request: &Request) -> (u16, Value) {
        if self.lie == Lie::CannotList {
            return (500, json!({ "error": "no index" }));
        }
        if self.lie == Lie::Lags && state.listed < 4 {
            return (200, json!({ "items": [], "next": null }));
        }
        let parameter = |name: &str| request.parameters.get(name).cloned();
        let prefix = parameter("prefix").unwrap_or_default();
        let after = parameter("after").map_or(0, |after| after.parse().unwrap());
        let user = request.headers.get("authorization").cloned();
        let rows = state.rows.range(after..).filter(|(_, (key, _))| {
            let is_of_user = user.as_ref().is_none_or(|user| {
                let number = user.trim_start_matches("Bearer load-");
                key.split('-').nth(1) == Some(number)
            });
            key.starts_with(&prefix) && is_of_user
        });
        let page: Vec<_> = rows.take(21).collect();
        let next = page.get(20).map(|(number, _)| number.to_string());
        let mut items: Vec<Value> = page
            .iter()
            .take(20)
            .map(|(_, (key, quantity))| json!({ "reference": key, "quantity": quantity }))
            .collect();
        if self.lie == Lie::Reorders {
            items.reverse();
        }
        (200, json!({ "items": items, "next": next }))
    }

    /// How many orders there are.
    pub(crate) fn orders(&self) -> usize {
        self.state.lock().unwrap().rows.len()
    }

    pub(crate) fn logins(&self) -> u64 {
        self.state.lock().unwrap().logins
    }
}

impl State {
    fn insert(&mut self, key: &str, quantity: Value) -> u64 {
        self.next += 1;
        self.rows.insert(self.next, (key.to_owned(), quantity));
        self.next
    }

    fn remove(&mut self, key: &str) {
        self.rows.retain(|_, (known, _)| known != key);
    }

    fn get(&self, key: &str) -> Option<Value> {
        let mut rows = self.rows.values();
        rows.find(|(known, _)| known == key)
            .map(|(_, quantity)| quantity.clone())
    }
}

pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    parameters: BTreeMap<String, String>,
    pub(crate) headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Request {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

pub(crate) fn read_request(from: &mut impl io::BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let parameters = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let path = path.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    from.read_exact(&mut body)?;
    Ok(Some(Request {
        method,
        path,
        parameters,
        headers,
        body,
    }))
}

fn write_answer(to: &mut impl Write, status: u16, body: &Value) -> io::Result<()> {
    let body = body.to_string();
    let answer = format!(
        "HTTP/1.1 {status} It\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    to.write_all(answer.as_bytes())
}

/// What tells this program to be a shop: its socket, its file and its lie.
const ASKED: &str = "PROOFLOAD_TEST_SHOP";

/// This program again as a shop on a socket, as `start` has it.
pub(crate) fn command(socket: &Path, lie: Lie) -> String {
    let this = std::env::current_exe().unwrap();
    let words = [
        "env".to_owned(),
        format!(
            "{ASKED}={} ${{dir}}/orders {}",
            socket.display(),
            lie.name()
        ),
        this.display().to_string(),
        "server::serves_if_it_is_asked_to".to_owned(),
        "--exact".to_owned(),
        "--nocapture".to_owned(),
    ];
    json!(words).to_string()
}

/// Not a test but the shop as a program, which ends with the scenario that started it.
#[test]
fn serves_if_it_is_asked_to() {
    let Ok(asked) = std::env::var(ASKED) else {
        return;
    };
    let words: Vec<&str> = asked.split(' ').collect();
    let [socket, store, lie] = *words else {
        panic!("{asked}")
    };
    let shop = Shop::stored(lie.parse().unwrap(), Path::new(store));
    // Who was killed left its socket.
    let _ = fs::remove_file(socket);
    let listener = UnixListener::bind(socket).unwrap();
    for stream in listener.incoming().flatten() {
        shop.serve(stream.try_clone().unwrap(), stream);
    }
}

/// The number of lines of a file.
pub(crate) fn lines(path: &Path) -> usize {
    BufReader::new(File::open(path).unwrap()).lines().count()
}
