//! The built-in targets: each puts a load on one subsystem, and reads back what it left there.

mod agents;
mod approval;
mod data_feed;
mod forensic;
mod integrated;
mod memory;
mod phased;
mod storage;

pub(crate) use self::agents::{AgentOperation, AgentOptions, AgentsTarget, PoolOptions};
pub use self::approval::ApprovalTarget;
pub(crate) use self::data_feed::DataFeed;
pub use self::forensic::ForensicTarget;
pub use self::integrated::IntegratedTarget;
pub use self::memory::MemoryTarget;
pub(crate) use self::memory::{MemoryOptions, Turn};
pub(crate) use self::phased::{Phased, Weights};
pub use self::storage::{Operation, RecordStore, Status, StorageTarget};
pub(crate) use self::storage::{StorageOperation, StorageOptions};
