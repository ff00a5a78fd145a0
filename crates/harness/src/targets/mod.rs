//! The built-in targets: each puts a load on one subsystem, and reads back what it left there.

mod approval;
mod forensic;
mod integrated;
mod memory;
mod storage;

pub use self::approval::ApprovalTarget;
pub use self::forensic::ForensicTarget;
pub use self::integrated::IntegratedTarget;
pub use self::memory::MemoryTarget;
pub use self::storage::{Operation, RecordStore, Status, StorageTarget};
