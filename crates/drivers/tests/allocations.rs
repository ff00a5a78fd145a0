//! Once its buffers have grown, an exchange over HTTP/1.1 allocates nothing.
#![expect(unsafe_code, reason = "an allocator that counts is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use drivers::{
    Action, ActionSpec, Answer, Constants, DrawContext, Driver as _, Http, HttpAction, HttpOptions,
    HttpSession, Outcome, Scope, ServiceContext, Slot, StreamKind, Value, Values, Var, Wanted,
};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call is passed on as it is; the counter is a thread-local without a destructor, which
// never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer came from `System`, as all of them here.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the pointer came from `System`, as all of them here.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A service on a thread of its own, whose allocations are not counted.
fn serve(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let work = move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = [0; 8192];
        // A small request comes at once over loopback.
        while stream.read(&mut asked).is_ok_and(|count| count > 0) {
            stream.write_all(answer.as_bytes()).unwrap();
        }
    };
    std::thread::Builder::new()
        .name("drivers:service".into())
        .spawn(work)
        .unwrap();
    format!("http://{address}")
}

const CONTEXT: DrawContext = DrawContext {
    seed: 1,
    who: 2,
    iteration: 3,
    now_us: || 0,
};

async fn allocations_of_an_exchange(answer: &'static str, stream: Option<StreamKind>) -> u64 {
    let mut scope = Scope::new(Constants::new("k3v9q2xz"));
    let mut options = HttpOptions::new(&serve(answer));
    options.headers.insert("x-user".into(), "${user}".into());
    let shop = Http::new(options, &ServiceContext::new("shop"), &mut scope).unwrap();
    let vars = [
        Var {
            name: "text",
            text: "${text(200)}",
        },
        Var {
            name: "name",
            text: "pl:${run}:${zipf(1, 10000)}:${uuid()}",
        },
    ];
    scope.vars(&vars).unwrap();
    let message =
        "POST /orders/${name}?n=${int(1, 9)}\n\n{ \"id\": \"${id}\", \"text\": \"${text}\" }";
    let action = HttpAction {
        stream,
        ..HttpAction::new(message)
    };
    let request = shop
        .compile(&ActionSpec::new(Action::Http(action)), &mut scope)
        .unwrap();
    let draws = scope.take_draws();
    let mut values = Values::default();
    values.set(Slot::USER, Value::Int(7));
    let mut connection = shop.connect(&values).await.unwrap();
    let mut session = HttpSession::default();
    let mut answer = Answer {
        wanted: Wanted::PARSED,
        wants_headers: true,
        ..Answer::default()
    };
    let mut before = 0;
    for round in 0..60 {
        if round == 10 {
            before = ALLOCATIONS.with(Cell::get);
        }
        values.set(Slot::ID, Value::Text(b"k3v9q2xz-7-0"));
        for draw in &draws {
            draw.draw(&CONTEXT, &mut values).unwrap();
        }
        let outcome = shop
            .exchange(
                &mut connection,
                &mut session,
                &request,
                &values,
                &mut answer,
            )
            .await;
        assert_eq!(outcome, Outcome::Acknowledged);
        values.end_iteration();
    }
    ALLOCATIONS.with(Cell::get) - before
}

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(test)
}

#[test]
fn an_exchange_allocates_nothing_once_its_buffers_have_grown() {
    let plain = "HTTP/1.1 201 Created\r\ncontent-length: 8\r\nx-a: b\r\n\r\n{\"id\":1}";
    assert_eq!(run(allocations_of_an_exchange(plain, None)), 0);
    let chunked =
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8\r\n{\"id\":1}\r\n0\r\n\r\n";
    assert_eq!(run(allocations_of_an_exchange(chunked, None)), 0);
    let events = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 18\r\n\r\n\
                  data: 1\n\ndata: 2\n\n";
    let stream = Some(StreamKind::Sse);
    assert_eq!(run(allocations_of_an_exchange(events, stream)), 0);
}
