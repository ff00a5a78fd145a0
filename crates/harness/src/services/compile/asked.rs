//! Requests: the one action of a table, for the service that understands it.

use std::time::Duration;

use drivers::{
    Action, ActionSpec, AnyRequest, CallAction, ExecAction, FileAction, HttpAction, Purpose,
    RedisAction, Scope, SqlAction,
};

use super::super::program::Request;
use super::super::spec::{CommandsSpec, ReadSpec, RequestSpec, SqlSpec, StepSpec};
use super::places::placed;
use super::services::Declared;
use crate::scenario::key_path::unknown;
use crate::{KeyPath, SpecError};

/// A request as a table of the file has it.
pub(super) struct Asked<'s> {
    pub(super) service: Option<&'s str>,
    pub(super) action: Option<Action>,
    pub(super) timeout: Option<Duration>,
    pub(super) purpose: Purpose,
}

/// The keys of a table of which one is its action.
struct Actions<'s> {
    http: Option<HttpAction>,
    redis: Option<&'s CommandsSpec>,
    scan: Option<&'s String>,
    sql: Option<SqlAction>,
    call: Option<&'s String>,
    args: Option<&'s String>,
    exec: Option<&'s String>,
    files: FileActions<'s>,
}

/// The keys of a table that are about files.
#[derive(Default)]
struct FileActions<'s> {
    write: Option<&'s String>,
    content: Option<&'s String>,
    read: Option<&'s String>,
    remove: Option<&'s String>,
    list: Option<&'s String>,
}

impl FileActions<'_> {
    fn all(&self, at: &KeyPath) -> Result<[Option<FileAction>; 4], SpecError> {
        let write = match (self.write, self.content) {
            (Some(path), Some(content)) => Some(FileAction::Write {
                path: path.clone(),
                content: content.clone(),
            }),
            (Some(_), None) => {
                let problem = "`write_file` needs `content`";
                return Err(SpecError::of_key(at.then("write_file"), problem));
            }
            (None, Some(_)) => {
                let problem = "`content` belongs to `write_file`";
                return Err(SpecError::of_key(at.then("content"), problem));
            }
            (None, None) => None,
        };
        Ok([
            write,
            self.read.cloned().map(FileAction::Read),
            self.remove.cloned().map(FileAction::Remove),
            self.list.cloned().map(FileAction::List),
        ])
    }
}

impl Actions<'_> {
    /// The one action that there is, none if there is none.
    fn only(self, at: &KeyPath) -> Result<Option<Action>, SpecError> {
        let redis = self.redis.map(|commands| match commands {
            CommandsSpec::One(words) => vec![words.clone()],
            CommandsSpec::Many(commands) => commands.clone(),
        });
        if self.args.is_some() && self.call.is_none() {
            let problem = "`args` belongs to `call`";
            return Err(SpecError::of_key(at.then("args"), problem));
        }
        let all = [
            self.http.map(Action::Http),
            redis.map(|commands| Action::Redis(RedisAction::Commands(commands))),
            self.scan
                .map(|pattern| Action::Redis(RedisAction::Scan(pattern.clone()))),
            self.sql.map(Action::Sql),
            self.call.map(|tool| {
                Action::Call(CallAction {
                    tool: tool.clone(),
                    args: self.args.cloned(),
                })
            }),
            self.exec
                .map(|line| Action::Exec(ExecAction { line: line.clone() })),
        ];
        let files = self.files.all(at)?.map(|file| file.map(Action::File));
        let mut actions = all.into_iter().chain(files).flatten();
        match (actions.next(), actions.next()) {
            (only, None) => Ok(only),
            (Some(one), Some(other)) => {
                let problem = format!(
                    "a step has one action, and this one has `{}` and `{}`: make two steps",
                    one.name(),
                    other.name()
                );
                Err(SpecError::new(at.clone(), problem))
            }
            (None, Some(_)) => unreachable!("the first of two comes first"),
        }
    }
}

impl<'s> Asked<'s> {
    pub(super) fn by_step(
        spec: &'s StepSpec,
        purpose: Purpose,
        at: &KeyPath,
    ) -> Result<Self, SpecError> {
        let http = spec.http.as_ref().map(|request| HttpAction {
            request: request.clone(),
            multipart: spec.multipart.clone(),
            stream: spec.stream,
        });
        for (key, is_set) in [
            ("multipart", spec.multipart.is_some()),
            ("stream", spec.stream.is_some()),
        ] {
            if is_set && http.is_none() {
                let problem = format!("`{key}` belongs to `http`");
                return Err(SpecError::of_key(at.then(key), problem));
            }
        }
        let sql = spec.sql.as_ref().map(|sql| SqlAction {
            isolation: spec.isolation,
            ..sql.action()
        });
        if spec.isolation.is_some() && sql.is_none() {
            let problem = "`isolation` is for a list of statements, which is one transaction";
            return Err(SpecError::of_key(at.then("isolation"), problem));
        }
        let actions = Actions {
            http,
            redis: spec.redis.as_ref(),
            scan: None,
            sql,
            call: spec.call.as_ref(),
            args: spec.args.as_ref(),
            exec: spec.exec.as_ref(),
            files: FileActions {
                write: spec.write_file.as_ref(),
                content: spec.content.as_ref(),
                read: spec.read_file.as_ref(),
                remove: spec.remove_file.as_ref(),
                list: None,
            },
        };
        Ok(Self {
            service: spec.service.as_deref(),
            action: actions.only(at)?,
            timeout: spec.timeout.map(|time| time.0),
            purpose,
        })
    }

    pub(super) fn by_read(spec: &'s ReadSpec, at: &KeyPath) -> Result<Self, SpecError> {
        let actions = Actions {
            http: spec.http.as_deref().map(HttpAction::new),
            redis: spec.redis.as_ref(),
            scan: spec.scan.as_ref(),
            sql: spec.sql.as_deref().map(SqlAction::one),
            call: spec.call.as_ref(),
            args: spec.args.as_ref(),
            exec: spec.exec.as_ref(),
            files: FileActions {
                read: spec.read_file.as_ref(),
                list: spec.list_files.as_ref(),
                ..FileActions::default()
            },
        };
        Ok(Self {
            service: spec.service.as_deref(),
            action: actions.only(at)?,
            timeout: spec.timeout.map(|time| time.0),
            purpose: Purpose::Read,
        })
    }

    pub(super) fn by_request(spec: &'s RequestSpec, at: &KeyPath) -> Result<Self, SpecError> {
        let actions = Actions {
            http: spec.http.as_deref().map(HttpAction::new),
            redis: spec.redis.as_ref(),
            scan: None,
            sql: spec.sql.as_ref().map(SqlSpec::action),
            call: spec.call.as_ref(),
            args: spec.args.as_ref(),
            exec: spec.exec.as_ref(),
            files: FileActions {
                remove: spec.remove_file.as_ref(),
                ..FileActions::default()
            },
        };
        Ok(Self {
            service: spec.service.as_deref(),
            action: actions.only(at)?,
            timeout: spec.timeout.map(|time| time.0),
            purpose: Purpose::SetUp,
        })
    }

    /// Compiles it for the service that it names or that alone understands it.
    pub(super) fn compile(
        self,
        at: &KeyPath,
        services: &[Declared],
        scope: &mut Scope,
    ) -> Result<Request, SpecError> {
        let Some(action) = self.action else {
            let known: Vec<String> = actions(services)
                .iter()
                .map(|name| format!("`{name}`"))
                .collect();
            let problem = format!("a step needs an action: {}", known.join(" or "));
            return Err(SpecError::new(at.clone(), problem));
        };
        let service = service_of(self.service, action.name(), at, services)?;
        let spec = ActionSpec {
            action,
            purpose: self.purpose,
            timeout: self.timeout,
        };
        let driver = &services[service].service.driver;
        let request: AnyRequest = driver
            .compile(&spec, scope)
            .map_err(|error| placed(at, error))?;
        Ok(Request {
            service,
            traits: driver.traits(&request),
            request,
        })
    }
}

/// The actions that some service understands.
fn actions(services: &[Declared]) -> Vec<&'static str> {
    let mut actions: Vec<&str> = services
        .iter()
        .flat_map(|declared| declared.service.driver.actions())
        .copied()
        // These list, which only a `read` does.
        .filter(|action| !matches!(*action, "scan" | "list_files"))
        .collect();
    actions.sort_unstable();
    actions.dedup();
    actions
}

fn service_of(
    named: Option<&str>,
    action: &str,
    at: &KeyPath,
    services: &[Declared],
) -> Result<usize, SpecError> {
    let names = services.iter().map(|declared| &*declared.service.name);
    let understands = |number: &usize| services[*number].service.driver.actions().contains(&action);
    if let Some(name) = named {
        let number = names.clone().position(|known| known == name);
        let number = number
            .ok_or_else(|| SpecError::new(at.then("service"), unknown("service", name, names)))?;
        if !understands(&number) {
            let kind = services[number].service.driver.kind();
            let problem =
                format!("`{name}` is of kind `{kind}`, which does not understand `{action}`");
            return Err(SpecError::new(at.then("service"), problem));
        }
        return Ok(number);
    }
    let able: Vec<usize> = (0..services.len()).filter(understands).collect();
    match *able {
        [only] => Ok(only),
        [] => {
            let problem = format!("no service understands `{action}`");
            Err(SpecError::of_key(at.then(action), problem))
        }
        [first, ..] => {
            let names: Vec<String> = able
                .iter()
                .map(|number| format!("`{}`", services[*number].service.name))
                .collect();
            let problem = format!(
                "`{action}` is understood by {}: say which, such as service = \"{}\"",
                names.join(" and "),
                services[first].service.name
            );
            Err(SpecError::of_key(at.then(action), problem))
        }
    }
}
