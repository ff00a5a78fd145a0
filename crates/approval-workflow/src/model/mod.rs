//! The terms of the workflow: requests, what they are bound to, what a policy says about them, the
//! events of their lives, and the names and times in all of these.

pub(crate) mod binding;
pub(crate) mod content;
pub(crate) mod emergency;
pub(crate) mod event;
pub(crate) mod grant;
pub(crate) mod input;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod names;
pub(crate) mod permission;
pub(crate) mod request;
pub(crate) mod requirement;
pub(crate) mod restore;
pub(crate) mod secrets;
pub(crate) mod signature;
pub(crate) mod terms;
pub(crate) mod time;
pub(crate) mod token;
