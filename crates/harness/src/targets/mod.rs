//! The targets that come with the program: each puts a load on one subsystem, and reads back what it left
//! there.

mod agents;
mod approval;
mod data_feed;
mod forensic;
mod integrated;
mod memory;
mod phased;
mod registry;
mod storage;

pub use self::approval::ApprovalTarget;
pub use self::data_feed::DataFeed;
pub use self::forensic::ForensicTarget;
pub use self::integrated::IntegratedTarget;
pub use self::memory::MemoryTarget;
pub use self::registry::{
    DiskUse, LoadFacts, NoOptions, OpenContext, Permissions, RegisteredTarget, TARGETS, TargetEntry,
};
pub(crate) use self::registry::{Mistake, OptionTables, PreparedTarget, read_back};
pub use self::storage::{Operation, RecordStore, Status, StorageTarget};
