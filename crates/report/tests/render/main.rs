//! Every renderer, over stored runs.
//!
//! The runs are in `tests/fixtures` and what is drawn of them in `tests/snapshots`, in files that can
//! be opened as what they are. `PROOFLOAD_UPDATE=snapshots` writes the snapshots anew;
//! `PROOFLOAD_UPDATE=fixtures` the runs, which are needed anew when the format of reports changes:
//!
//! ```console
//! $ PROOFLOAD_UPDATE=fixtures cargo test -p proofload-report --test render
//! $ PROOFLOAD_UPDATE=snapshots cargo test -p proofload-report --test render
//! ```

mod browser;
mod build;
mod hostile;
mod runs;
mod size;
mod snapshots;
mod stored;
mod v1;
