//! A server from its start to its end.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::middleware::from_fn_with_state;
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;

use crate::access::rates::Limiter;
use crate::access::tokens::Tokens;
use crate::config::Config;
use crate::data::DataDir;
use crate::effective::Effective;
use crate::embeddings;
use crate::error::Error;
use crate::gate::Gate;
use crate::hooks::call::Calls;
use crate::http::figures::Figures;
use crate::http::lane::Lanes;
use crate::http::route::{Route, router};
use crate::http::sse::Clients;
use crate::http::tls::Certificate;
use crate::http::{accept, openapi, reply};
use crate::inbox::origin::Origins;
use crate::inbox::session::Sessions;
use crate::mcp::Api;
use crate::mcp::tools::Tools;
use crate::records::streams::Streams;
use crate::simulations::forecast::Forecaster;
use crate::state::{App, AppState, RequestIds};
use crate::{
    approvals, chat, events, hooks, inbox, mcp, memories, operations, records, simulations,
    workflows,
};

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All that was under way was answered, and the logs are closed.
    Clean,
    /// Some requests were cut off at the deadline. What was acknowledged is on disk.
    Deadline,
}

/// Calls that wait for a change at a time, of all callers.
const WAITS: usize = 4096;
/// Threads for what waits for the disk, at most.
const BLOCKING_THREADS: usize = 128;

/// Serves a data directory until SIGTERM or SIGINT. `ready` is called once, with the address, when requests
/// are answered.
///
/// # Errors
///
/// As [`DataDir`] and [`Tokens::open`]; [`Error::NotLoopback`], [`Error::Listen`], [`Error::Runtime`].
pub fn run(config: &Config, ready: impl FnOnce(SocketAddr)) -> Result<Ending, Error> {
    let certificate = config
        .tls
        .as_ref()
        .map(|tls| Certificate::open(&tls.certificate, &tls.key));
    let certificate = certificate.transpose().map_err(Error::Certificate)?;
    let (app, routes) = open(config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_name("server:worker")
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let in_time = runtime.block_on(serve(config, certificate, routes, &app, ready))?;
    runtime.shutdown_timeout(config.shutdown_deadline);
    if let Some(app) = Arc::into_inner(app) {
        close(app, &config.dir)?;
    }
    Ok(if in_time {
        Ending::Clean
    } else {
        Ending::Deadline
    })
}

/// Opens everything that a configuration names.
pub(crate) fn open(config: &Config) -> Result<(App, Vec<Route>), Error> {
    config.check()?;
    let data = DataDir::create(&config.dir)?;
    let tokens = Tokens::open(data.path())?;
    if !config.listen.ip().is_loopback() && tokens.list()?.is_empty() {
        let address = config.listen;
        return Err(Error::NoTokens { address });
    }
    let forecaster = Forecaster::open(&data.path().join("schemas"))?;
    let workflow = data.open_approvals(config.restored.as_ref())?;
    let path = data.path().join("memory");
    let memory = embeddings::open(&path, config.embeddings.as_ref());
    let memory = memory.map_err(|source| Error::Memories {
        path,
        source: Box::new(source),
    })?;
    let gate = Gate::new(workflow).map_err(Error::Runtime)?;
    let routes = routes();
    let app = Arc::new(AppState {
        forecaster: Arc::new(forecaster),
        sessions: Sessions::default(),
        origins: Origins::new(config.public_url.as_deref(), config.tls.is_some()),
        calls: Calls::default(),
        gate,
        tokens,
        limiter: Limiter::new(config.rates),
        streams: Streams::new(data.path().join("streams")),
        chat: Streams::new(data.path().join("chat")),
        memory,
        figures: Figures::default(),
        lanes: Lanes::default(),
        clients: Clients::default(),
        waits: Semaphore::new(WAITS),
        request_ids: RequestIds::new(),
        store_failed: AtomicBool::new(false),
        is_stopping: AtomicBool::new(false),
        effective: Effective::of(config),
        openapi: serde_json::to_vec(&openapi::describe(&routes)).expect("it is JSON"),
        tools: Tools::of(&routes.iter().map(|route| &route.facts).collect::<Vec<_>>()),
    });
    Ok((app, routes))
}

/// Closes every store, all of them also if one fails.
pub(crate) fn close(app: AppState, dir: &Path) -> Result<(), Error> {
    let streams = app.streams.close().map_err(|source| Error::Streams {
        path: dir.join("streams"),
        source: Box::new(source),
    });
    let chat = app.chat.close().map_err(|source| Error::Streams {
        path: dir.join("chat"),
        source: Box::new(source),
    });
    let memory = app.memory.close().map_err(|source| Error::Memories {
        path: dir.join("memory"),
        source: Box::new(source),
    });
    let approvals = app.gate.close().map_err(|source| Error::Approvals {
        path: dir.join("approvals"),
        source: Box::new(source),
    });
    approvals.and(memory).and(streams).and(chat)
}

async fn serve(
    config: &Config,
    certificate: Option<Arc<Certificate>>,
    routes: Vec<Route>,
    app: &App,
    ready: impl FnOnce(SocketAddr),
) -> Result<bool, Error> {
    let address = config.listen;
    let fails = |source| Error::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(fails)?;
    let address = listener.local_addr().map_err(fails)?;
    let stop = stop(Arc::clone(app))?;
    ready(address);
    let router = layered(routes, app);
    let tls = certificate.as_ref().map(Certificate::acceptor);
    if let Some(certificate) = certificate {
        reload(certificate)?;
    }
    Ok(accept::serve(
        listener,
        tls,
        router,
        config.connections,
        config.shutdown_deadline,
        stop,
    )
    .await)
}

/// Reads the certificate anew at each SIGHUP, so that one that ends can be replaced without a restart.
fn reload(certificate: Arc<Certificate>) -> Result<(), Error> {
    let mut hangup = signal(SignalKind::hangup()).map_err(Error::Runtime)?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            // What was read before goes on to be used; `proofload doctor` and clients see which one that is.
            let _ = certificate.reload();
        }
    });
    Ok(())
}

/// Ends when the process is told to end; those who wait are sent away then.
fn stop(app: App) -> Result<impl Future<Output = ()>, Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Runtime)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        app.is_stopping.store(true, Ordering::SeqCst);
        app.gate.ring_all();
    })
}

/// Every route there is.
pub(crate) fn routes() -> Vec<Route> {
    let mut all = without_mcp();
    all.extend(mcp::routes());
    all
}

fn without_mcp() -> Vec<Route> {
    [
        operations::routes(),
        approvals::routes(),
        workflows::routes(),
        records::routes(),
        memories::routes(),
        chat::routes(),
        simulations::routes(),
        events::routes(),
        hooks::routes(),
        inbox::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The router, whose tools of MCP have another one to call their routes through.
pub(crate) fn layered(routes: Vec<Route>, app: &App) -> Router {
    let api = Api(finished(without_mcp(), app));
    finished(routes, app).layer(Extension(api))
}

fn finished(routes: Vec<Route>, app: &App) -> Router {
    router(routes, app)
        .fallback(reply::no_route)
        .method_not_allowed_fallback(reply::no_method)
        .layer(CatchPanicLayer::custom(reply::panicked))
        .layer(from_fn_with_state(Arc::clone(app), reply::finish))
        .with_state(Arc::clone(app))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::http::facts::Access;

    /// Every reference in the description.
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    found.insert(reference.clone());
                }
                members
                    .values()
                    .for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn the_description_has_every_route_once_and_all_that_it_refers_to() {
        let routes = routes();
        let description = openapi::describe(&routes);
        let described = description["paths"].as_object().unwrap().values();
        let described = described.map(|path| path.as_object().unwrap().len());
        let for_programs = routes.iter().filter(|route| !route.facts.access.is_page());
        assert_eq!(
            described.sum::<usize>(),
            for_programs.count(),
            "no route hides another"
        );
        let mut found = BTreeSet::new();
        references(&description, &mut found);
        assert!(found.len() > 5, "{found:?}");
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(description.pointer(pointer).is_some(), "{reference}");
        }
    }

    /// A body that tells whether it was read to its end.
    struct Watched(Vec<u8>, Arc<AtomicBool>);

    impl axum::body::HttpBody for Watched {
        type Data = hyper::body::Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Self::Data>, Self::Error>>> {
            let bytes = std::mem::take(&mut self.0);
            self.1.store(bytes.is_empty(), Ordering::Relaxed);
            let frame = (!bytes.is_empty()).then(|| Ok(hyper::body::Frame::data(bytes.into())));
            std::task::Poll::Ready(frame)
        }
    }

    #[test]
    fn under_overload_a_hook_is_refused_in_its_own_words_once_its_call_was_read() {
        use tower::ServiceExt as _;
        let dir = tempfile::tempdir().unwrap();
        let (app, routes) = open(&Config::new(dir.path())).unwrap();
        let router = layered(routes, &app);
        let lane = crate::http::lane::Lane::Health;
        let held: Vec<_> = (0..3000).map(|_| app.lanes.enter(lane).unwrap()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        for (path, refusal) in [
            ("/hooks/claude-code", "permissionDecision\":\"deny"),
            ("/hooks/cursor", "permission\":\"deny"),
            ("/hooks/gemini", "decision\":\"deny"),
        ] {
            let is_read = Arc::new(AtomicBool::new(false));
            let body = Watched(vec![b'x'; 64 << 10], Arc::clone(&is_read));
            let request = axum::http::Request::post(path)
                .body(axum::body::Body::new(body))
                .unwrap();
            let answer = runtime.block_on(async {
                let Ok(answer) = router.clone().oneshot(request).await;
                assert_eq!(answer.status(), 200);
                axum::body::to_bytes(answer.into_body(), usize::MAX)
                    .await
                    .unwrap()
            });
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(
                answer.contains(refusal) && answer.contains("overloaded"),
                "{answer}"
            );
            assert!(is_read.load(Ordering::Relaxed), "{path}");
        }
        drop(held);
    }

    #[test]
    fn every_route_says_what_it_does_and_who_may_call_it() {
        for Route { facts, .. } in routes() {
            assert!(!facts.summary.is_empty(), "{}", facts.path);
            assert_ne!(facts.access, Access::Roles(&[]), "{}", facts.path);
            let is_public = facts.access == Access::Public;
            let tells_nothing =
                facts.path.contains("/health") || facts.path.ends_with("openapi.json");
            assert_eq!(is_public, tells_nothing, "{}", facts.path);
        }
    }
}
