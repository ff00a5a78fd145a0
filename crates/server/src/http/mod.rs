//! What all routes share: the table of routes, problems, bodies, and the accept loop.

pub(crate) mod accept;
pub(crate) mod body;
pub(crate) mod facts;
pub(crate) mod figures;
pub(crate) mod json;
pub(crate) mod key;
pub(crate) mod lane;
pub(crate) mod openapi;
pub(crate) mod params;
pub(crate) mod patience;
pub(crate) mod problem;
pub(crate) mod reply;
pub(crate) mod route;
pub(crate) mod sse;
pub(crate) mod tls;
