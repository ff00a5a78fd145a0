//! A route as one value: where it is, who may call it, what it takes and gives, and what answers it.

use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::{JsonSchema, SchemaGenerator};

use crate::access::guard::guard;
use crate::http::facts::{Access, Facts};
use crate::http::lane::Lane;
use crate::http::problem::Code;
use crate::state::App;

pub(crate) struct Route {
    pub(crate) facts: Facts,
    handler: MethodRouter<App>,
}

impl Route {
    fn new<H, T>(method: &'static str, filter: MethodFilter, path: &'static str, handler: H) -> Self
    where
        H: Handler<T, App>,
        T: 'static,
    {
        Self {
            facts: Facts {
                method,
                path,
                access: Access::Roles(&[]),
                lane: if method == "get" {
                    Lane::Read
                } else {
                    Lane::New
                },
                summary: "",
                status: 200,
                takes: None,
                gives: None,
                media_type: "application/json",
                query: &[],
                is_keyed: false,
                problems: &[],
            },
            handler: on(filter, handler),
        }
    }

    pub(crate) fn get<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new("get", MethodFilter::GET, path, handler)
    }

    pub(crate) fn post<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new("post", MethodFilter::POST, path, handler)
    }

    pub(crate) fn put<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new("put", MethodFilter::PUT, path, handler)
    }

    pub(crate) fn delete<H: Handler<T, App>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new("delete", MethodFilter::DELETE, path, handler)
    }

    /// Says what it does, in one line (default: nobody may call it).
    pub(crate) fn does(mut self, summary: &'static str, access: Access) -> Self {
        self.facts.summary = summary;
        self.facts.access = access;
        self
    }

    pub(crate) fn takes<T: JsonSchema>(mut self) -> Self {
        self.facts.takes = Some(SchemaGenerator::subschema_for::<T>);
        self
    }

    pub(crate) fn gives<T: JsonSchema>(mut self, status: u16) -> Self {
        self.facts.gives = Some(SchemaGenerator::subschema_for::<T>);
        self.facts.status = status;
        self
    }

    /// Says that it answers with something else than JSON.
    pub(crate) fn media(mut self, media_type: &'static str) -> Self {
        self.facts.media_type = media_type;
        self
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.facts.status = status;
        self
    }

    /// Lists its query parameters with what they mean.
    pub(crate) fn query(mut self, query: &'static [(&'static str, &'static str)]) -> Self {
        self.facts.query = query;
        self
    }

    /// Says that it takes an idempotency key, and cannot do without one.
    pub(crate) fn keyed(mut self) -> Self {
        self.facts.is_keyed = true;
        self
    }

    pub(crate) fn in_lane(mut self, lane: Lane) -> Self {
        self.facts.lane = lane;
        self
    }

    /// Lists the codes of its own, besides those of every route.
    pub(crate) fn refuses(mut self, problems: &'static [Code]) -> Self {
        self.facts.problems = problems;
        self
    }
}

/// The router over all routes, each behind the guard.
pub(crate) fn router(routes: Vec<Route>, app: &App) -> Router<App> {
    routes.into_iter().fold(Router::new(), |router, route| {
        let facts = Arc::new(route.facts);
        let path = facts.path;
        let guarded = from_fn_with_state((Arc::clone(app), facts), guard);
        router.route(path, route.handler.route_layer(guarded))
    })
}
