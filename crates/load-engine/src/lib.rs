//! load-engine.
