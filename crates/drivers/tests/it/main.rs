//! Tests of the drivers against services: hostile ones of our own, and real ones where they are
//! installed.

mod hostile;
mod http2;
mod proxy;
mod requests;
mod service;
mod tls;
