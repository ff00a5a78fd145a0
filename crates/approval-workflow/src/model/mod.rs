//! The terms of the workflow: requests, bindings, grants, names, times and the lifecycle that joins them.

pub(crate) mod binding;
pub(crate) mod content;
pub(crate) mod event;
pub(crate) mod grant;
pub(crate) mod input;
pub(crate) mod keys;
pub(crate) mod lifecycle;
pub(crate) mod names;
pub(crate) mod permission;
pub(crate) mod request;
pub(crate) mod secrets;
pub(crate) mod time;
