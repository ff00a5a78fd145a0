//! Plans in the formats of other tools.

pub(crate) mod kubernetes;
pub(crate) mod mcp;
pub(crate) mod pddl;
pub(crate) mod plan_file;
pub(crate) mod planned;
pub(crate) mod pulumi;
pub(crate) mod replay;
pub(crate) mod terraform;
pub(crate) mod unread;
