//! Remembers what happened in a build, and recalls it by words, by edges and by tag.

#![allow(clippy::print_stdout, reason = "an example prints what it does")]

use std::sync::Arc;

use memory_store::{
    Edge, Filter, HashedNgrams, MemoryStore, Namespace, NewMemory, Query, Relation, Timestamp,
    Traversal,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    // Without a model: words and parts of words. A model is another `Embedder`.
    let options = MemoryStore::options().embedder(Arc::new(HashedNgrams::default()));
    let store = options.open(directory.path())?;
    let team = Namespace::new("team-a")?;
    let now = Timestamp::from_millis(1_767_225_600_000);

    let cause = NewMemory::new(team.clone(), "the linker ran out of memory", now).tag("failure");
    let cause = store.remember(cause)?;
    let effect = NewMemory::new(team.clone(), "the nightly build failed", now);
    let effect = store.remember(effect)?;
    let caused = Relation::new("caused")?;
    store.link(Edge::new(team.clone(), cause, caused, effect, now))?;

    let query = Query::new().text("why do linkers fail?");
    for found in store.recall(&team, &query)? {
        println!("{} (score {:.3})", found.memory.text, found.score);
    }
    let consequences = Query::new().related(Traversal::new(cause));
    assert_eq!(store.recall(&team, &consequences)?[0].memory.id, effect);
    let failures = Query::new().only(Filter::new().tag("failure"));
    assert_eq!(store.recall(&team, &failures)?.len(), 1);
    Ok(())
}
