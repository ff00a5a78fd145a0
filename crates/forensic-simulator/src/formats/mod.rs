//! Plans in the formats of other tools.

pub(crate) mod mcp;
pub(crate) mod plan_file;
pub(crate) mod replay;
pub(crate) mod strips;
pub(crate) mod terraform;
