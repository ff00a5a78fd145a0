//! Graphs on disk: as they were, outdated, and damaged.

use std::fs;

use super::super::file::{path_of, save};
use super::super::restore::{IndexOrigin, Restoring};
use super::*;

fn namespace() -> Namespace {
    Namespace::new("n").unwrap()
}

fn restore(
    folder: &Path,
    options: IndexOptions,
    vectors: &[(u64, Vec<f32>)],
) -> (Space, IndexOrigin) {
    let mut restoring = Restoring::begin(Some(folder), &namespace(), options.plan(), DIMENSION);
    for (number, vector) in vectors {
        let unit = options.metric.prepare(vector, String::new).unwrap();
        restoring.add(id(*number), &unit);
    }
    restoring.finish()
}

fn numbered(vectors: &[Vec<f32>]) -> Vec<(u64, Vec<f32>)> {
    (1..).zip(vectors.iter().cloned()).collect()
}

fn found(space: &Space, query: &[f32]) -> Vec<Similar> {
    space.search(&prepared(space, query), 10, Allowed::Everything)
}

#[test]
fn a_saved_graph_is_used_and_finds_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let vectors = clustered(1_300, 1);
    for metric in [Metric::Cosine, Metric::Euclidean, Metric::InnerProduct] {
        let options = options(metric);
        let space = space(options, &vectors);
        // What still waits is not in the file, and waits again.
        let waiting = 1_300 - 1_024;
        save(folder.path(), &namespace(), &space).unwrap();
        let (again, origin) = restore(folder.path(), options, &numbered(&vectors));
        let (added, removed) = (waiting, 0);
        assert_eq!(origin, IndexOrigin::Loaded { added, removed });
        assert_eq!(again.unreachable(), []);
        assert_eq!(again.len(), space.len());
        for query in clustered(40, 2) {
            assert_eq!(found(&space, &query), found(&again, &query));
        }
    }
}

#[test]
fn an_outdated_graph_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(Metric::Cosine);
    let vectors = clustered(1_536, 3);
    save(folder.path(), &namespace(), &space(options, &vectors)).unwrap();
    let mut now = numbered(&vectors);
    now.retain(|(number, _)| number % 5 != 0);
    let altered = now
        .iter_mut()
        .step_by(10)
        .map(|(_, vector)| vector[0] += 0.5)
        .count();
    now.extend((5_000..).zip(clustered(100, 4)));
    let (space, origin) = restore(folder.path(), options, &now);
    let removed = 1_536 / 5 + altered;
    let added = altered + 100;
    assert_eq!(origin, IndexOrigin::Loaded { added, removed });
    while space.work() {}
    assert_eq!(space.unreachable(), []);
    assert_eq!(space.len(), now.len());
    for (number, vector) in now.iter().step_by(7) {
        let vector = prepared(&space, vector);
        assert_eq!(
            space.with_vector(id(*number), |stored| stored == vector),
            Some(true)
        );
    }
    assert!(recall(&space, &clustered(50, 5), Allowed::Everything) >= 0.95);
}

#[test]
fn a_damaged_or_foreign_file_is_refused_and_the_reason_told() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(Metric::Cosine);
    let vectors = clustered(600, 6);
    let space = space(options, &vectors);
    save(folder.path(), &namespace(), &space).unwrap();
    let path = path_of(folder.path(), &namespace());
    let whole = fs::read(&path).unwrap();
    let reason = |options: IndexOptions| {
        let (space, origin) = restore(folder.path(), options, &numbered(&vectors));
        assert_eq!(space.len(), 600);
        match origin {
            IndexOrigin::Rebuilt { reason } => reason,
            other => panic!("{other:?}"),
        }
    };
    for place in [20, whole.len() / 2, whole.len() - 1] {
        let mut damaged = whole.clone();
        damaged[place] ^= 1;
        fs::write(&path, damaged).unwrap();
        assert_eq!(reason(options), "differs from its checksum");
    }
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    assert_eq!(reason(options), "differs from its checksum");
    fs::write(&path, b"short").unwrap();
    assert_eq!(reason(options), "is too short");
    fs::write(&path, vec![b'x'; 100]).unwrap();
    assert_eq!(reason(options), "is no index");
    fs::write(&path, &whole).unwrap();
    assert_eq!(reason(options.links(8)), "was built with other options");
    let other = Namespace::new("other").unwrap();
    save(folder.path(), &other, &space).unwrap();
    fs::rename(path_of(folder.path(), &other), &path).unwrap();
    assert_eq!(reason(options), "is of namespace other");
}
