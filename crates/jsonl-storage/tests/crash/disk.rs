//! A disk in memory that keeps apart what was written and what is durable.
//!
//! Reads see every write at once, as a page cache shows it. A power cut keeps what was synced, and
//! of the rest whatever [`Survival`] says: nothing, everything, a prefix, or for each sector of its
//! own the content of any moment since the last sync.

use std::collections::BTreeMap;

use crate::rng::Rng;

/// What a disk writes as a whole or not at all.
pub(crate) const SECTOR: usize = 512;

/// What of the unsynced a power cut leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Survival {
    Nothing,
    Everything,
    /// Of each file the first few operations, the next one torn at any byte.
    Prefix,
    /// Of each sector any moment's content, and any moment's length.
    Sectors,
    /// As `Sectors`, and what was never synced may hold anything.
    Garbage,
}

impl Survival {
    pub(crate) const ALL: [Self; 5] = [
        Self::Nothing,
        Self::Everything,
        Self::Prefix,
        Self::Sectors,
        Self::Garbage,
    ];
}

/// The files and names; no faults here, these are in [`crate::backend`].
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    files: Vec<Inode>,
    /// What a listing shows.
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending_names: Vec<NameChange>,
}

#[derive(Debug, Clone, Default)]
struct Inode {
    /// What reads see.
    cached: Vec<u8>,
    /// What a power cut leaves for sure.
    durable: Vec<u8>,
    /// What came since the last sync, in order.
    pending: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

#[derive(Debug, Clone)]
enum NameChange {
    Insert {
        name: String,
        inode: usize,
    },
    Rename {
        from: String,
        to: String,
        inode: usize,
    },
    Remove {
        name: String,
    },
}

impl Change {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[*offset..end].copy_from_slice(bytes);
            }
            Self::SetLen(len) => content.resize(*len, 0),
        }
    }

    /// What is left of it when the power goes while it happens.
    fn torn(&self, rng: &mut Rng) -> Self {
        match self {
            Self::Write { offset, bytes } => {
                let bytes = bytes[..rng.below(bytes.len() + 1)].to_vec();
                Self::Write {
                    offset: *offset,
                    bytes,
                }
            }
            Self::SetLen(len) => Self::SetLen(*len),
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Insert { name, inode } => {
                names.insert(name.clone(), *inode);
            }
            Self::Rename { from, to, inode } => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
            Self::Remove { name } => {
                names.remove(name);
            }
        }
    }
}

impl Disk {
    /// One file, durable.
    pub(crate) fn with_file(name: &str, bytes: &[u8]) -> Self {
        let mut disk = Self::default();
        let inode = disk.create(name);
        disk.write(inode, 0, bytes);
        disk.sync(inode);
        disk.sync_names();
        disk
    }

    pub(crate) fn list(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.names.get(name).copied()
    }

    pub(crate) fn create(&mut self, name: &str) -> usize {
        self.files.push(Inode::default());
        let inode = self.files.len() - 1;
        self.change_names(NameChange::Insert {
            name: name.to_owned(),
            inode,
        });
        inode
    }

    pub(crate) fn rename(&mut self, from: &str, to: &str, inode: usize) {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.change_names(NameChange::Rename { from, to, inode });
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.change_names(NameChange::Remove {
            name: name.to_owned(),
        });
    }

    fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.pending_names.push(change);
    }

    pub(crate) fn sync_names(&mut self) {
        for change in self.pending_names.drain(..) {
            change.apply(&mut self.durable_names);
        }
    }

    /// The sync of the directory fails: some names are durable, the others never will be by it.
    pub(crate) fn fail_to_sync_names(&mut self, rng: &mut Rng) {
        for change in self.pending_names.drain(..) {
            if rng.chance(50) {
                change.apply(&mut self.durable_names);
            }
        }
    }

    pub(crate) fn content(&self, inode: usize) -> &[u8] {
        &self.files[inode].cached
    }

    pub(crate) fn write(&mut self, inode: usize, offset: usize, bytes: &[u8]) {
        let bytes = bytes.to_vec();
        self.files[inode].change(Change::Write { offset, bytes });
    }

    pub(crate) fn set_len(&mut self, inode: usize, len: usize) {
        self.files[inode].change(Change::SetLen(len));
    }

    pub(crate) fn sync(&mut self, inode: usize) {
        let file = &mut self.files[inode];
        for change in file.pending.drain(..) {
            change.apply(&mut file.durable);
        }
    }

    /// The sync fails as on Linux: some sectors were written, and the others are taken for clean,
    /// so that reads still show them and a second sync says that all is well.
    pub(crate) fn fail_to_sync(&mut self, inode: usize, rng: &mut Rng) {
        let file = &mut self.files[inode];
        file.durable = file.survive(Survival::Sectors, rng);
        file.pending.clear();
    }

    /// The bytes of all files that have a name.
    pub(crate) fn used(&self) -> usize {
        self.names
            .values()
            .map(|&inode| self.files[inode].cached.len())
            .sum()
    }

    /// The disk as it is found after a power cut.
    pub(crate) fn after_power_cut(&self, survival: Survival, rng: &mut Rng) -> Self {
        let names = self.surviving_names(survival, rng);
        let files = self.files.iter().map(|file| {
            let content = file.survive(survival, rng);
            Inode {
                cached: content.clone(),
                durable: content,
                pending: Vec::new(),
            }
        });
        Self {
            files: files.collect(),
            durable_names: names.clone(),
            names,
            pending_names: Vec::new(),
        }
    }

    fn surviving_names(&self, survival: Survival, rng: &mut Rng) -> BTreeMap<String, usize> {
        let mut names = self.durable_names.clone();
        let kept = match survival {
            Survival::Nothing => 0,
            Survival::Everything => self.pending_names.len(),
            _ => rng.below(self.pending_names.len() + 1),
        };
        let in_order = survival == Survival::Prefix;
        for (at, change) in self.pending_names.iter().enumerate() {
            let random = !matches!(survival, Survival::Nothing | Survival::Everything);
            if if in_order || !random {
                at < kept
            } else {
                rng.chance(50)
            } {
                change.apply(&mut names);
            }
        }
        names
    }
}

impl Inode {
    fn change(&mut self, change: Change) {
        change.apply(&mut self.cached);
        self.pending.push(change);
    }

    fn survive(&self, survival: Survival, rng: &mut Rng) -> Vec<u8> {
        match survival {
            Survival::Nothing => self.durable.clone(),
            Survival::Everything => self.at(self.pending.len()),
            Survival::Prefix => {
                let kept = rng.below(self.pending.len() + 1);
                let mut content = self.at(kept);
                if let Some(next) = self.pending.get(kept) {
                    next.torn(rng).apply(&mut content);
                }
                content
            }
            Survival::Sectors => self.sectors(rng, false),
            Survival::Garbage => self.sectors(rng, true),
        }
    }

    /// The content after the first few pending changes.
    fn at(&self, changes: usize) -> Vec<u8> {
        let mut content = self.durable.clone();
        for change in &self.pending[..changes] {
            change.apply(&mut content);
        }
        content
    }

    fn sectors(&self, rng: &mut Rng, garbage: bool) -> Vec<u8> {
        if self.pending.is_empty() {
            return self.durable.clone();
        }
        let moments: Vec<_> = (0..=self.pending.len())
            .map(|changes| self.at(changes))
            .collect();
        // So that runs in which nearly all and nearly nothing survived are as likely as a mixture.
        let latest_percent = rng.pick(&[5, 50, 95]);
        let mut content = vec![0; surviving_length(&moments, rng)];
        for (at, sector) in content.chunks_mut(SECTOR).enumerate() {
            let begin = at * SECTOR;
            let latest = rng.chance(latest_percent);
            let moment = if latest {
                moments.len() - 1
            } else {
                rng.below(moments.len())
            };
            let source = moments[moment].get(begin..).unwrap_or_default();
            let length = source.len().min(sector.len());
            sector[..length].copy_from_slice(&source[..length]);
            if garbage && begin >= self.durable.len() && rng.chance(20) {
                sector.fill_with(|| rng.next().to_le_bytes()[0]);
            }
        }
        content
    }
}

/// Any moment's length, or any one between the shortest and the longest.
fn surviving_length(moments: &[Vec<u8>], rng: &mut Rng) -> usize {
    let lengths = || moments.iter().map(Vec::len);
    let shortest = lengths().min().unwrap_or(0);
    let longest = lengths().max().unwrap_or(0);
    if rng.chance(50) {
        moments[rng.below(moments.len())].len()
    } else {
        shortest + rng.below(longest - shortest + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(synced: &[u8], unsynced: &[u8]) -> Disk {
        let mut disk = Disk::default();
        let inode = disk.create("a");
        disk.sync_names();
        disk.write(inode, 0, synced);
        disk.sync(inode);
        disk.write(inode, synced.len(), unsynced);
        disk
    }

    #[test]
    fn what_was_synced_survives_every_power_cut_and_nothing_else_has_to() {
        let disk = written(&[1; 700], &[2; 2000]);
        let mut lengths = std::collections::BTreeSet::new();
        for seed in 0..500 {
            let mut rng = Rng::new(seed);
            let survival = rng.pick(&Survival::ALL);
            let after = disk.after_power_cut(survival, &mut rng);
            assert_eq!(after.content(0)[..700], [1; 700], "{survival:?}");
            lengths.insert(after.content(0).len());
        }
        assert_eq!((lengths.first(), lengths.last()), (Some(&700), Some(&2700)));
        assert!(
            lengths.len() > 50,
            "only {} different lengths",
            lengths.len()
        );
    }

    #[test]
    fn a_name_is_durable_with_its_directory_only() {
        let mut disk = Disk::default();
        let inode = disk.create("a");
        disk.write(inode, 0, b"bytes");
        disk.sync(inode);
        let after = disk.after_power_cut(Survival::Nothing, &mut Rng::new(1));
        assert_eq!(after.list(), Vec::<String>::new());
        disk.sync_names();
        let after = disk.after_power_cut(Survival::Nothing, &mut Rng::new(1));
        assert_eq!(
            (after.list(), after.content(inode)),
            (vec!["a".to_owned()], &b"bytes"[..])
        );
    }

    #[test]
    fn after_a_failed_sync_reads_show_what_a_power_cut_takes_in_spite_of_a_second_sync() {
        let mut disk = written(b"kept", &[7; 4 * SECTOR]);
        disk.fail_to_sync(0, &mut Rng::new(3));
        disk.sync(0);
        assert_eq!(disk.content(0).len(), 4 + 4 * SECTOR);
        let after = disk.after_power_cut(Survival::Everything, &mut Rng::new(1));
        assert_eq!(after.content(0)[..4], *b"kept");
        assert_ne!(after.content(0), disk.content(0));
    }
}
