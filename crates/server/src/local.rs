//! The routes without a socket: for commands over the directory of a server that is not running.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use serde_json::Value;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use crate::access::name;
use crate::access::principal::Principal;
use crate::access::tokens::{Role, random};
use crate::config::Config;
use crate::error::Error;
use crate::service;
use crate::state::App;

/// A directory, open in this process, with one person who looks at it and decides, or one agent.
///
/// Nothing vouches for who it is but the right to write to the directory, which would be enough to append to
/// its log.
pub struct Local {
    principal: Principal,
    runtime: Runtime,
    /// None once it is closed.
    open: Option<(Router, App)>,
    dir: PathBuf,
}

impl std::fmt::Debug for Local {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Local")
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

/// A key for a request that is sent once.
#[must_use]
pub fn new_key() -> String {
    random::<16>()
}

impl Local {
    /// Opens a directory for a reviewer. As long as it is open, no server can open it.
    ///
    /// # Errors
    ///
    /// As [`open_as`](Self::open_as).
    pub fn open(dir: &Path, person: &str) -> Result<Self, Error> {
        Self::open_as(dir, person, Role::Reviewer)
    }

    /// Opens a directory for somebody in a role.
    ///
    /// # Errors
    ///
    /// As [`run`](crate::run); [`Error::File`] if there is no such directory.
    pub fn open_as(dir: &Path, name: &str, role: Role) -> Result<Self, Error> {
        let person = name::check(name)?;
        if let Err(source) = std::fs::read_dir(dir) {
            let path = dir.to_owned();
            return Err(Error::File { path, source });
        }
        let (app, routes) = service::open(&Config::new(dir))?;
        let router = service::layered(routes, &app);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(Error::Runtime)?;
        Ok(Self {
            principal: Principal { person, role },
            runtime,
            open: Some((router, app)),
            dir: dir.to_owned(),
        })
    }

    /// Calls a route with JSON, under a new key; the status and the body.
    #[must_use]
    pub fn call(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, String) {
        let key = new_key();
        let headers = [
            (header::CONTENT_TYPE.as_str(), "application/json"),
            ("idempotency-key", key.as_str()),
        ];
        let body = body.map(Value::to_string).unwrap_or_default();
        self.send(method, path, &headers, &body)
    }

    /// Calls a route; the status and the body.
    ///
    /// # Panics
    ///
    /// If the path or a header is not of plain ASCII.
    #[must_use]
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String) {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .extension(self.principal.clone());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(Body::from(body.to_owned()))
            .expect("the command makes paths of ASCII");
        let (router, _) = self.open.as_ref().expect("it is open until it is dropped");
        self.runtime.block_on(async {
            let Ok(answer) = router.clone().oneshot(request).await;
            let status = answer.status().as_u16();
            let bytes = to_bytes(answer.into_body(), usize::MAX)
                .await
                .unwrap_or_default();
            (status, String::from_utf8_lossy(&bytes).into_owned())
        })
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        if let Some((router, app)) = self.open.take() {
            drop(router);
            if let Some(app) = Arc::into_inner(app) {
                // What was acknowledged is on disk; a snapshot that cannot be written costs time at the next opening.
                let _ = service::close(app, &self.dir);
            }
        }
    }
}
