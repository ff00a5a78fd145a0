//! What somebody who can write to the directory can do to a log.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use jsonl_storage::{FsBackend, Log, LogOptions, verify_log};
use serde_json::Value;

use crate::scene::{Attacked, options};

/// One attack.
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// Whether no record is lost, altered or added by it.
    pub(crate) is_harmless: bool,
    pub(crate) act: fn(&Attacked),
}

const fn attack(name: &'static str, act: fn(&Attacked)) -> Attack {
    Attack {
        name,
        is_harmless: false,
        act,
    }
}

const fn harmless(name: &'static str, act: fn(&Attacked)) -> Attack {
    Attack {
        is_harmless: true,
        ..attack(name, act)
    }
}

pub(crate) const ATTACKS: &[Attack] = &[
    // Single records.
    attack("flip a bit of a record", |it| {
        flip(&it.segments()[2], 3_000);
    }),
    attack("flip a bit of the last record", |it| {
        let last = &it.segments()[it.last()];
        let length = fs::metadata(last).unwrap().len() as usize;
        flip(last, length - 150);
        let _ = fs::remove_file(last.with_extension("index"));
    }),
    attack("alter a record and its checksum", |it| {
        it.edit(2, |lines| {
            lines[3] = with_right_checksum(&lines[3].replacen("tools/", "fools/", 1));
        });
    }),
    attack("alter the last record and its checksum", |it| {
        it.edit(it.last(), |lines| {
            let last = lines.last_mut().unwrap();
            *last = with_right_checksum(&last.replacen("tools/", "fools/", 1));
        });
    }),
    attack("remove a record", |it| {
        it.edit(2, |lines| drop(lines.remove(3)));
    }),
    attack("remove a record and number the others anew", |it| {
        it.edit(it.last(), |lines| {
            let number = number_of(&lines[1]);
            lines.remove(1);
            for (at, line) in lines.iter_mut().enumerate().skip(1) {
                let before = number_of(line);
                *line = with_right_checksum(&line.replacen(
                    &format!("{{\"seq\":{before},"),
                    &format!("{{\"seq\":{},", number + at as u64 - 1),
                    1,
                ));
            }
        });
    }),
    attack("exchange two records", |it| {
        it.edit(2, |lines| lines.swap(3, 4));
    }),
    attack("repeat a record", |it| {
        it.edit(2, |lines| lines.insert(3, lines[3].clone()));
    }),
    attack("insert a line that is no record", |it| {
        it.edit(2, |lines| lines.insert(3, "{\"hello\":1}".to_owned()));
    }),
    attack("take a record from another log", |it| {
        let foreign =
            fs::read_to_string(it.other.join(it.segments()[2].file_name().unwrap())).unwrap();
        let foreign = foreign.lines().nth(3).unwrap().to_owned();
        it.edit(2, |lines| lines[3] = foreign);
    }),
    attack("end lines with a carriage return", |it| {
        it.edit(2, |lines| lines.iter_mut().for_each(|line| line.push('\r')));
    }),
    attack("remove the hash of a record", |it| {
        it.edit(2, |lines| {
            let (body, _) = lines[3].split_once(",\"chain\":").unwrap();
            lines[3] = with_right_checksum(&format!("{body},\"crc\":\"00000000\"}}"));
        });
    }),
    // The end.
    attack("cut the last record off", |it| {
        it.edit(it.last(), |lines| drop(lines.pop()));
    }),
    attack("tear the last record", |it| {
        let last = &it.segments()[it.last()];
        truncate(last, fs::metadata(last).unwrap().len() - 20);
        let _ = fs::remove_file(last.with_extension("index"));
    }),
    attack("cut the last record off, but leave the index", |it| {
        let last = &it.segments()[it.last()];
        let text = fs::read_to_string(last).unwrap();
        let end = text.trim_end().rfind('\n').unwrap() + 1;
        truncate(last, end as u64);
    }),
    attack("remove the last segment", |it| {
        it.remove(&it.segments()[it.last()]);
    }),
    attack("empty the last segment", |it| {
        let last = it.segments().pop().unwrap();
        truncate(&last, 0);
        let _ = fs::remove_file(last.with_extension("index"));
    }),
    harmless("append bytes that are no record", |it| {
        append(&it.segments()[it.last()], b"no record");
    }),
    harmless("append zeros, as a crash may", |it| {
        append(&it.segments()[it.last()], &[0; 4096]);
    }),
    attack("append a record through the log", |it| {
        let log = open(&it.data);
        let mut record = log.scan().unwrap().next().unwrap().unwrap().data;
        record["id"] = "op-forged".into();
        log.append(&record).unwrap();
        log.close().unwrap();
    }),
    // The beginning and the middle.
    attack("remove the first segment", |it| {
        it.remove(&it.segments()[0]);
    }),
    attack("remove the first segment, stating a removal", |it| {
        let log = open(&it.data);
        let mut left = 1;
        log.retire_while(None, |_| std::mem::take(&mut left) == 1)
            .unwrap();
        log.close().unwrap();
    }),
    attack("remove a segment in the middle", |it| {
        it.remove(&it.segments()[3]);
    }),
    attack("remove a segment, but leave its index", |it| {
        fs::remove_file(&it.segments()[3]).unwrap();
    }),
    attack("empty a segment in the middle", |it| {
        let path = &it.segments()[3];
        truncate(path, 0);
        let _ = fs::remove_file(path.with_extension("index"));
    }),
    attack("write zeros over a part of a segment", |it| {
        let path = &it.segments()[3];
        let mut bytes = fs::read(path).unwrap();
        bytes[4096..8192].fill(0);
        fs::write(path, bytes).unwrap();
    }),
    attack("exchange two segments", |it| {
        let (one, other) = (&it.segments()[2], &it.segments()[3]);
        let kept = fs::read(one).unwrap();
        fs::copy(other, one).unwrap();
        fs::write(other, kept).unwrap();
        it.indexes()
            .iter()
            .for_each(|index| fs::remove_file(index).unwrap());
    }),
    attack("take a segment from another log", |it| {
        let path = &it.segments()[2];
        fs::copy(it.other.join(path.file_name().unwrap()), path).unwrap();
        let _ = fs::remove_file(path.with_extension("index"));
    }),
    // The whole log.
    attack("write the log anew, with an identity of its own", |it| {
        rewrite(&it.data, None);
    }),
    attack("write the log anew, with the same identity", |it| {
        let identity = verify_log(&it.data).unwrap().identity.unwrap();
        rewrite(&it.data, Some(identity.0));
    }),
    attack("write the log anew, without a chain", |it| {
        let records = records(&it.data);
        clear(&it.data);
        let log: Log<Value> = LogOptions::new().open(&it.data).unwrap();
        write(&log, &records);
        log.close().unwrap();
    }),
    attack("put the data of another run in its place", |it| {
        fs::remove_dir_all(&it.data).unwrap();
        fs::rename(&it.other, &it.data).unwrap();
    }),
    attack("put the log of another run in its place", |it| {
        clear(&it.data);
        for entry in fs::read_dir(&it.other)
            .unwrap()
            .map(|entry| entry.unwrap().path())
        {
            let name = entry.file_name().unwrap();
            if name != "scenario.json" {
                fs::copy(&entry, it.data.join(name)).unwrap();
            }
        }
    }),
    attack("put an older copy back", |it| {
        let segments = it.segments();
        for path in &segments[segments.len() - 3..] {
            it.remove(path);
        }
    }),
    // Files that are none.
    attack("put a symbolic link in place of a segment", |it| {
        let path = &it.segments()[2];
        let other = it.other.join(path.file_name().unwrap());
        fs::remove_file(path).unwrap();
        symlink(other, path).unwrap();
    }),
    attack("put an endless device in place of a segment", |it| {
        let path = &it.segments()[2];
        fs::remove_file(path).unwrap();
        symlink("/dev/zero", path).unwrap();
    }),
    attack("put a pipe in place of a segment", |it| {
        let path = &it.segments()[2];
        fs::remove_file(path).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    }),
    attack("put a directory in place of a segment", |it| {
        let path = &it.segments()[2];
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    }),
    // What belongs to a log.
    harmless("flip a bit of an index", |it| flip(&it.indexes()[2], 300)),
    harmless("remove every index", |it| {
        it.indexes()
            .iter()
            .for_each(|index| fs::remove_file(index).unwrap());
    }),
    harmless("put the index of another log in its place", |it| {
        let path = &it.indexes()[2];
        fs::copy(it.other.join(path.file_name().unwrap()), path).unwrap();
    }),
    harmless("remove the lock", |it| {
        fs::remove_file(it.data.join("LOCK")).unwrap();
    }),
    attack("flip a bit of what says which run it was", |it| {
        flip(&it.data.join("scenario.json"), 50);
    }),
    attack("remove what says which run it was", |it| {
        fs::remove_file(it.data.join("scenario.json")).unwrap();
    }),
];

fn open(dir: &Path) -> Log<Value> {
    options().open(dir).unwrap()
}

fn records(dir: &Path) -> Vec<Value> {
    let log: Log<Value> = LogOptions::new().open(dir).unwrap();
    let records = log.scan().unwrap();
    records.map(|record| record.unwrap().data).collect()
}

/// Removes the files of a log.
fn clear(dir: &Path) {
    for entry in fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        if entry.file_name().unwrap() != "scenario.json" {
            fs::remove_file(entry).unwrap();
        }
    }
}

/// Records as an attacker would have them: one is missing, and one is altered.
fn write(log: &Log<Value>, records: &[Value]) {
    for (at, record) in records.iter().enumerate().filter(|(at, _)| *at != 7) {
        let mut record = record.clone();
        if at == 9 {
            record["note"] = "altered".into();
        }
        log.append(&record).unwrap();
    }
}

fn rewrite(dir: &Path, identity: Option<[u8; 16]>) {
    let records = records(dir);
    clear(dir);
    let backend = FsBackend::new(dir);
    let backend = match identity {
        Some(identity) => backend.with_identity(identity),
        None => backend,
    };
    let log: Log<Value> = options().open_on(Arc::new(backend)).unwrap();
    write(&log, &records);
    log.close().unwrap();
}

fn flip(path: &Path, byte: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[byte] ^= 1;
    fs::write(path, bytes).unwrap();
}

fn truncate(path: &Path, length: u64) {
    OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(length)
        .unwrap();
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new()
        .append(true)
        .open(path)
        .unwrap()
        .write_all(bytes)
        .unwrap();
}

fn number_of(line: &str) -> u64 {
    let digits = line.strip_prefix("{\"seq\":").unwrap();
    digits.split(',').next().unwrap().parse().unwrap()
}

/// The line with the checksum that belongs to it: it is no secret.
fn with_right_checksum(line: &str) -> String {
    let (body, _) = line.rsplit_once(",\"crc\":\"").unwrap();
    format!(
        "{body},\"crc\":\"{:08x}\"}}",
        crc32c::crc32c(body.as_bytes())
    )
}
