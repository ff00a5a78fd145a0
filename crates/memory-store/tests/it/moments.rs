//! Moments are microseconds to the caller, and stored in whole milliseconds.

use memory_store::{Filter, Memory, MemoryStore, Moment, Query, Timestamp, When};

use super::{at, edge, id, memory, namespace, open_temporary};

fn micros(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

#[test]
fn what_is_finer_than_a_millisecond_is_cut_off_before_anything_is_derived_from_it() {
    let (directory, store) = open_temporary();
    let mut new = memory("fine")
        .valid_until(micros(9_999))
        .expires_at(micros(20_001));
    new.at = micros(-1);
    let digest = new.digest();
    store.remember(new.id(id(1))).unwrap();
    store.remember(memory("other").id(id(2))).unwrap();
    let mut link = edge(id(1), "r", id(2)).valid_from(micros(1_500));
    link.at = micros(1_999);
    store.link(link).unwrap();
    let look = |store: &MemoryStore| {
        let read = store.get(&namespace(), id(1)).unwrap().unwrap();
        assert_eq!(read.digest(), digest);
        assert_eq!((read.at, read.valid_until), (at(-1), Some(at(9))));
        let found = |filter: Filter| {
            let query = Query::new().text("fine").only(filter.when(When::Ever));
            let by_text = store.recall(&namespace(), &query).unwrap().len();
            let mut query = query;
            query.text = None;
            let listed = store.recall(&namespace(), &query).unwrap();
            let listed = listed
                .iter()
                .filter(|found| found.memory.id == id(1))
                .count();
            assert_eq!(by_text, listed);
            by_text
        };
        assert_eq!(found(Filter::new().from(micros(-1))), 1);
        assert_eq!(
            found(Filter::new().from(micros(-1_000)).until(micros(-1))),
            0
        );
        assert_eq!(found(Filter::new().from(micros(-999)).until(micros(1))), 1);
        let true_at = |moment| {
            let read = store.get_when(&namespace(), id(1), Moment::TrueAt(moment));
            read.unwrap().is_some()
        };
        assert_eq!(
            [true_at(micros(8_999)), true_at(micros(9_000))],
            [true, false]
        );
        let edges = store.edges_of(&namespace(), id(1), Default::default(), When::Ever);
        assert_eq!((edges[0].at, edges[0].valid_from), (at(1), at(1)));
        let report = store.check().unwrap();
        assert!(report.is_clean(), "{:?}", report.disagreements);
    };
    look(&store);
    drop(store);
    look(&MemoryStore::open(directory.path()).unwrap());
}

#[test]
fn as_json_moments_are_milliseconds_as_they_were() {
    let (_directory, store) = open_temporary();
    let mut new = memory("m");
    new.at = at(1_767_225_600_123);
    store.remember(new).unwrap();
    let read = store.get(&namespace(), id(1)).unwrap().unwrap();
    let json = serde_json::to_value(&*read).unwrap();
    assert_eq!(json["at"], 1_767_225_600_123_i64);
    assert_eq!(json["valid_until"], serde_json::Value::Null);
    assert_eq!(serde_json::from_value::<Memory>(json).unwrap(), *read);
    let when = serde_json::to_string(&When::AsOf(at(7))).unwrap();
    assert_eq!(when, "{\"as-of\":7}");
}
