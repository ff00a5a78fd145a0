//! Reading effects back: as often as the request's placeholders say, page by page.

use std::collections::{BTreeMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use drivers::{Code, Failure, Row, Slot, Value, Values, is_valid_json};
use load_engine::{Digest, Found};
use tokio::task::JoinSet;

use super::program::{EffectKind, Program, ReadPlan, ReadScope, Request};
use super::user::User;

/// Users and keys that are read at the same time.
const AT_ONCE: usize = 16;

/// How long a read-back that cannot connect is tried again.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// Whose values a request is made with, and for which keys.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) program: Arc<Program>,
    /// What the set-up for the whole run captured.
    pub(super) run_values: Values,
    pub(super) users: Arc<BTreeMap<u32, Values>>,
}

/// What was read of one effect.
#[derive(Default)]
pub(super) struct Reading {
    pub(super) found: Vec<Found>,
    /// The contents of a sum, by key.
    pub(super) texts: BTreeMap<String, String>,
    /// Rows that are not of this run.
    pub(super) foreign: u64,
    /// The place of a list that an answer did not have.
    missing: Option<String>,
    /// What could not be read: a key, or everything.
    pub(super) unreadable: Vec<(Option<String>, String)>,
}

/// A key of the ledger, and the user who wrote it.
pub(super) type Keys = BTreeMap<String, u32>;

/// One request for a user's values, for a key or for all that a listing gives.
struct Task {
    values: Values,
    keys: Vec<String>,
}

impl Reader {
    /// Reads an effect back. `keys` are those that the load wrote or tried to write.
    pub(super) async fn read(&self, effect: usize, keys: &Keys) -> Reading {
        let Some(plan) = &self.program.effects[effect].read else {
            return Reading::default();
        };
        let mut reading = Reading::default();
        let parts = self.each(plan.scope, keys, |reader, task| async move {
            let kind = &reader.program.effects[effect];
            let plan = kind
                .read
                .as_ref()
                .expect("there is a read, or nothing is asked");
            reader.read_task(kind, plan, task).await
        });
        for part in parts.await {
            reading.found.extend(part.found);
            reading.texts.extend(part.texts);
            reading.unreadable.extend(part.unreadable);
            reading.missing = reading.missing.or(part.missing);
        }
        // No list may be an empty one. Where something has to be in it, the file may as well look in the wrong place,
        // and nothing is lost then.
        if let Some(missing) = reading.missing.take()
            && reading.found.is_empty()
            && !keys.is_empty()
        {
            let told = format!("the answer has no `{missing}`, which `read.rows` names");
            reading.unreadable.push((None, told));
        }
        if plan.scope != ReadScope::PerKey {
            self.leave_foreign(effect, keys, &mut reading);
        }
        reading
    }

    /// Makes the request that removes an effect, for as much as it says; gives what failed.
    pub(super) async fn delete(&self, effect: usize, keys: &Keys) -> Vec<String> {
        let Some(delete) = &self.program.effects[effect].delete else {
            return Vec::new();
        };
        let scope = ReadScope::of(delete.traits);
        let parts = self.each(scope, keys, |reader, task| async move {
            let kind = &reader.program.effects[effect];
            let delete = kind
                .delete
                .as_ref()
                .expect("there is a delete, or nothing is asked");
            reader.delete_task(delete, task).await
        });
        parts.await.into_iter().flatten().collect()
    }

    /// Does a task once, for each user or for each key, several at once.
    async fn each<T, F>(
        &self,
        scope: ReadScope,
        keys: &Keys,
        work: impl Fn(Self, Task) -> F,
    ) -> Vec<T>
    where
        T: 'static,
        F: Future<Output = T> + 'static,
    {
        let mut tasks = self.tasks(scope, keys).into_iter();
        let (mut running, mut done) = (JoinSet::new(), Vec::new());
        loop {
            while running.len() < AT_ONCE
                && let Some(task) = tasks.next()
            {
                running.spawn_local(work(self.clone(), task));
            }
            match running.join_next().await {
                None => return done,
                Some(ended) => done.push(
                    ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())),
                ),
            }
        }
    }

    fn tasks(&self, scope: ReadScope, keys: &Keys) -> Vec<Task> {
        let of_user = |user: &u32| self.users.get(user).cloned();
        match scope {
            ReadScope::Listing => vec![Task {
                values: self.run_values.clone(),
                keys: Vec::new(),
            }],
            ReadScope::PerUser => self
                .users
                .values()
                .map(|values| Task {
                    values: values.clone(),
                    keys: Vec::new(),
                })
                .collect(),
            ReadScope::PerKey => {
                let mut by_user: BTreeMap<u32, Vec<String>> = BTreeMap::new();
                for (key, user) in keys {
                    by_user.entry(*user).or_default().push(key.clone());
                }
                let share = keys.len().div_ceil(AT_ONCE).max(1);
                let tasks = by_user.into_iter().flat_map(|(user, keys)| {
                    let values = of_user(&user).unwrap_or_else(|| self.run_values.clone());
                    let parts: Vec<Task> = keys
                        .chunks(share)
                        .map(|keys| Task {
                            values: values.clone(),
                            keys: keys.to_vec(),
                        })
                        .collect();
                    parts
                });
                tasks.collect()
            }
        }
    }

    async fn read_task(&self, kind: &EffectKind, plan: &ReadPlan, task: Task) -> Reading {
        let mut user = User::new(&self.program, task.values);
        let mut reading = Reading::default();
        if plan.scope != ReadScope::PerKey {
            if let Err(failure) = self.pages(&mut user, kind, plan, None, &mut reading).await {
                reading.unreadable.push((None, failure.to_string()));
            }
            return reading;
        }
        for key in task.keys {
            user.values.end_iteration();
            user.values.set(Slot::KEY, Value::Text(key.as_bytes()));
            let read = self.pages(&mut user, kind, plan, Some(&key), &mut reading);
            if let Err(failure) = read.await
                && !is_absence(failure.code)
            {
                reading.unreadable.push((Some(key), failure.to_string()));
            }
        }
        reading
    }

    async fn delete_task(&self, delete: &Request, task: Task) -> Vec<String> {
        let mut user = User::new(&self.program, task.values);
        let mut failed = Vec::new();
        let whole = [String::new()];
        let keys = if task.keys.is_empty() {
            &whole[..]
        } else {
            &task.keys
        };
        for key in keys {
            user.values.end_iteration();
            user.values.set(Slot::KEY, Value::Text(key.as_bytes()));
            let outcome = user.ask(&self.program, delete).await;
            if outcome != drivers::Outcome::Acknowledged && !is_absence(user.answer.code) {
                failed.push(outcome.to_string());
            }
        }
        failed
    }

    /// Reads page after page, until there is no next one.
    async fn pages(
        &self,
        user: &mut User,
        kind: &EffectKind,
        plan: &ReadPlan,
        key: Option<&str>,
        reading: &mut Reading,
    ) -> Result<(), Failure> {
        let mut cursors: HashSet<Vec<u8>> = HashSet::new();
        user.values.set(Slot::CURSOR, Value::Text(b""));
        loop {
            let mut rows = Rows {
                kind,
                plan,
                key,
                number: 0,
                reading,
                next: None,
                failed: None,
            };
            self.page(user, &plan.request, &mut rows).await?;
            if let Some(failed) = rows.failed {
                return Err(failed);
            }
            let Some(next) = rows.next else { return Ok(()) };
            user.values.set(Slot::CURSOR, Value::Text(&next));
            if !cursors.insert(next) {
                return Err(Failure::new("a cursor came twice: the pages have no end"));
            }
        }
    }

    /// Reads one page. One that cannot connect is tried again for a while: a service may be on its way up.
    async fn page(
        &self,
        user: &mut User,
        request: &Request,
        rows: &mut Rows<'_>,
    ) -> Result<(), Failure> {
        let until = Instant::now() + CONNECT_WITHIN;
        loop {
            user.connect(&self.program, request.service).await;
            let code = user.answer.code;
            let told = String::from_utf8_lossy(&user.answer.body).into_owned();
            match user.link(request.service) {
                Some((connection, session, values)) => {
                    let driver = &self.program.services[request.service].driver;
                    let mut each = |row: Row<'_>| rows.take(row);
                    let read = driver
                        .rows(connection, session, &request.request, values, &mut each)
                        .await;
                    if read.is_err() {
                        user.drop_link(request.service);
                    }
                    return read;
                }
                None if Instant::now() >= until => return Err(Failure::with_code(&told, code)),
                None => {}
            }
        }
    }

    /// Takes out the rows that are not of this run.
    fn leave_foreign(&self, effect: usize, keys: &Keys, reading: &mut Reading) {
        // Where the service gives the keys, the request names the run, and every row is of it.
        if self.program.effects[effect].has_captured_keys {
            return;
        }
        let run = &*self.program.run;
        let before = reading.found.len();
        reading
            .found
            .retain(|found| found.key.contains(run) || keys.contains_key(&found.key));
        reading.foreign = (before - reading.found.len()) as u64;
    }
}

/// Whether a code says that there is nothing under a key.
fn is_absence(code: Code) -> bool {
    matches!(code, Code::Status(404 | 410)) || code == Code::word("ENOENT")
}

/// Takes rows out of answers.
struct Rows<'r> {
    kind: &'r EffectKind,
    plan: &'r ReadPlan,
    key: Option<&'r str>,
    number: u64,
    reading: &'r mut Reading,
    next: Option<Vec<u8>>,
    failed: Option<Failure>,
}

impl Rows<'_> {
    fn take(&mut self, row: Row<'_>) -> ControlFlow<()> {
        match row {
            Row::Element(element) => self.row(element),
            Row::Document(document) => self.document(document),
        }
    }

    fn document(&mut self, json: &[u8]) -> ControlFlow<()> {
        // That there is an answer is all that is asked for.
        if let (Some(key), None, false) = (self.key, &self.plan.key, self.kind.has_content) {
            if json.trim_ascii() == b"null" {
                return ControlFlow::Continue(());
            }
            let found = Found::new(self.kind.name, key, Digest::of(b""));
            self.reading.found.push(found);
            return ControlFlow::Continue(());
        }
        if !is_valid_json(json) {
            return self.fail("the answer is not JSON");
        }
        let mut space = Vec::new();
        let next = self.plan.next.as_ref().and_then(|next| next.first(json));
        let next = next.and_then(|next| Value::from_json(next, &mut space).text());
        self.next = next
            .filter(|next| !next.is_empty())
            .map(|next| next.to_vec());
        let plan = self.plan;
        let missing = plan.list.as_ref().filter(|list| list.first(json).is_none());
        if let Some(missing) = missing {
            self.reading.missing = Some(missing.as_str().to_owned());
        }
        plan.rows.each(json, &mut |row| self.row(row))
    }

    fn row(&mut self, row: &[u8]) -> ControlFlow<()> {
        self.number += 1;
        let mut space = Vec::new();
        let key = match (&self.plan.key, self.key) {
            (None, asked) => asked.unwrap_or_default().to_owned(),
            (Some(path), _) => {
                let key = path.first(row).map(|key| Value::from_json(key, &mut space));
                match key.and_then(Value::text) {
                    Some(key) => String::from_utf8_lossy(&key).into_owned(),
                    None => return self.fail(&format!("row {} has no `{path}`", self.number)),
                }
            }
        };
        let mut space = Vec::new();
        let content = match (self.kind.has_content, self.plan.content.first(row)) {
            (false, _) => Some(Default::default()),
            (true, None) => {
                let told = format!("row {} has no `{}`", self.number, self.plan.content);
                return self.fail(&told);
            }
            (true, Some(content)) => Value::from_json(content, &mut space).text(),
        };
        // A null content is absence.
        if let Some(content) = content {
            if self.kind.is_sum {
                let text = String::from_utf8_lossy(&content).into_owned();
                self.reading.texts.insert(key.clone(), text);
            }
            let digest = Digest::of(&content);
            self.reading
                .found
                .push(Found::new(self.kind.name, key, digest));
        }
        ControlFlow::Continue(())
    }

    fn fail(&mut self, told: &str) -> ControlFlow<()> {
        self.failed = Some(Failure::new(told));
        ControlFlow::Break(())
    }
}
