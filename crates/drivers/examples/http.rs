//! Sends requests over keep-alive connections and tells how fast, with the process's own CPU time:
//! `cargo run --release -p proofload-drivers --example http -- http://127.0.0.1:8000/ 50 5`.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use drivers::{
    Action, ActionSpec, Answer, Constants, Driver as _, Http, HttpAction, HttpOptions, Outcome,
    Scope, ServiceContext, Values,
};

#[expect(clippy::print_stdout, reason = "an example prints what it found")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, connections, seconds] = &*arguments else {
        return Err("usage: http URL CONNECTIONS SECONDS".into());
    };
    let (connections, seconds): (u32, u64) = (connections.parse()?, seconds.parse()?);
    let mut scope = Scope::new(Constants::new("example0"));
    let service = Http::new(
        HttpOptions::new(url),
        &ServiceContext::new("it"),
        &mut scope,
    )?;
    let action = ActionSpec::new(Action::Http(HttpAction::new("GET /")));
    let request = service.compile(&action, &mut scope)?;
    let (service, request) = (Rc::new(service), Rc::new(request));

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (done, failed) = (Rc::new(Cell::new(0_u64)), Rc::new(Cell::new(0_u64)));
    let users = tokio::task::LocalSet::new();
    let until = Instant::now() + Duration::from_secs(seconds);
    for _ in 0..connections {
        let (service, request) = (service.clone(), request.clone());
        let (done, failed) = (done.clone(), failed.clone());
        users.spawn_local(async move {
            let values = Values::default();
            let (mut session, mut answer) = (Default::default(), Answer::default());
            let mut connection = service.connect(&values).await.expect("the service listens");
            while Instant::now() < until {
                let outcome = service
                    .exchange(
                        &mut connection,
                        &mut session,
                        &request,
                        &values,
                        &mut answer,
                    )
                    .await;
                let count = match outcome {
                    Outcome::Acknowledged => &done,
                    _ => &failed,
                };
                count.set(count.get() + 1);
                if !service.is_open(&mut connection) {
                    connection = service.connect(&values).await.expect("the service listens");
                }
            }
        });
    }
    let before = cpu_seconds()?;
    runtime.block_on(users);
    let cpu = cpu_seconds()? - before;
    let requests = done.get() + failed.get();
    println!(
        "{} requests, {} of them failed, {:.0}/s, {:.2} us of CPU each",
        requests,
        failed.get(),
        requests as f64 / seconds as f64,
        cpu / requests as f64 * 1e6
    );
    Ok(())
}

/// The CPU time of this process, from Linux's `/proc`, in seconds.
fn cpu_seconds() -> Result<f64, Box<dyn std::error::Error>> {
    let schedule = std::fs::read_to_string("/proc/self/schedstat")?;
    let nanoseconds: f64 = schedule.split(' ').next().ok_or("empty")?.parse()?;
    Ok(nanoseconds / 1e9)
}
