//! The driver: paths and contents from templates, outcomes from what the system said.

use std::io;
use std::ops::ControlFlow;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::disk::{self, WriteError};
use super::options::{FileAction, FileOptions};
use crate::answer::Answer;
use crate::driver::{Action, ActionSpec, Driver, Purpose, Row, ServiceContext, document};
use crate::error::SpecError;
use crate::outcome::{Code, Failure, Outcome, Reason};
use crate::template::{Encoding, Template};
use crate::values::{Scope, Traits, Values};

/// How many files of a listing are read before they are looked at.
const READ_AT_ONCE: usize = 64;

/// Files in a folder.
///
/// A write makes a file of another name, syncs it, renames it and syncs the folder: whoever reads the file sees
/// its old content or its new one. What fails before the rename is refused, and what fails in it or after it
/// is unknown.
pub struct Files {
    name: Box<str>,
    root: Arc<Path>,
    fsync: bool,
    timeout: Duration,
}

/// A compiled action.
pub struct FileRequest {
    kind: Kind,
    path: Template,
    content: Template,
    timeout: Duration,
}

#[derive(Clone, Copy)]
enum Kind {
    Write,
    Read,
    Remove,
    List,
}

/// A folder that is there.
pub struct FileConnection(());

impl Driver for Files {
    const KIND: &'static str = "file";
    const ACTIONS: &'static [&'static str] =
        &["write_file", "read_file", "remove_file", "list_files"];
    type Options = FileOptions;
    type Request = FileRequest;
    type Connection = FileConnection;
    type Session = ();

    fn new(
        options: FileOptions,
        context: &ServiceContext,
        scope: &mut Scope,
    ) -> Result<Self, SpecError> {
        let path = options.path.as_deref().unwrap_or(&context.name);
        scope.show_dir(true);
        let path = Template::constant(path, scope).map_err(|error| error.under("path"));
        scope.show_dir(false);
        let dir = scope.constants().dir().map(PathBuf::from);
        let dir = dir.unwrap_or_else(|| context.folder.clone());
        let root = plain(&dir.join(path?));
        let mut allowed = context.allowed_paths.iter();
        if !root.starts_with(plain(&dir)) && !allowed.any(|path| root.starts_with(plain(path))) {
            let told = format!(
                "`path` leaves the run's directory: add --allow-path {}",
                root.display()
            );
            return Err(SpecError::new(0, told).under("path"));
        }
        Ok(Self {
            name: context.name.clone(),
            root: root.into(),
            fsync: options.fsync,
            timeout: context.timeout,
        })
    }

    fn compile(&self, action: &ActionSpec, scope: &mut Scope) -> Result<FileRequest, SpecError> {
        let Action::File(file) = &action.action else {
            unreachable!("{}", crate::driver::OTHER_ACTION);
        };
        let name = action.action.name();
        let (kind, path, content) = match file {
            FileAction::Write { path, content } => (Kind::Write, path, content.as_str()),
            FileAction::Read(path) => (Kind::Read, path, ""),
            FileAction::Remove(path) => (Kind::Remove, path, ""),
            FileAction::List(pattern) => (Kind::List, pattern, ""),
        };
        let refused = match (kind, action.purpose) {
            (Kind::Write | Kind::Remove, Purpose::Read) => Some(
                "a `read` must not write, and this does: take `read_file` or `list_files`"
                    .to_owned(),
            ),
            (Kind::List, Purpose::Flow | Purpose::SetUp) => {
                Some("`list_files` lists files with their contents: it belongs to a `read`".into())
            }
            _ if !stays(path) => Some(format!("`{name}` leaves the service's folder")),
            _ => None,
        };
        if let Some(told) = refused {
            return Err(SpecError::new(0, told).under(name));
        }
        let content = Template::parsed(content, scope, Encoding::Bytes);
        Ok(FileRequest {
            kind,
            path: Template::parsed(path, scope, Encoding::PathPart)
                .map_err(|error| error.under(name))?,
            content: content.map_err(|error| error.under("content"))?,
            timeout: action.timeout.unwrap_or(self.timeout),
        })
    }

    fn traits(&self, request: &FileRequest) -> Traits {
        request.path.traits() | request.content.traits()
    }

    fn show(&self, request: &FileRequest, values: &Values) -> Result<String, Failure> {
        let (mut path, mut content) = (Vec::new(), Vec::new());
        request.path.render(values, &mut path)?;
        request.content.render(values, &mut content)?;
        let verb = match request.kind {
            Kind::Write => "write",
            Kind::Read => "read",
            Kind::Remove => "remove",
            Kind::List => "list",
        };
        let path = self.root.join(&*String::from_utf8_lossy(&path));
        let content = String::from_utf8_lossy(&content);
        Ok(format!("{verb} {}\n\n{content}", path.display()))
    }

    async fn connect(&self, _: &Values) -> Result<FileConnection, Failure> {
        let (root, fsync) = (Arc::clone(&self.root), self.fsync);
        let made = blocking(self.timeout, move || disk::make_folder(&root, fsync)).await?;
        made.map_err(|error| {
            let told = format!(
                "cannot make the folder {} of `{}`: {error}",
                self.root.display(),
                self.name
            );
            Failure::with_code(&told, Code::Connect)
        })?;
        Ok(FileConnection(()))
    }

    fn is_open(&self, _: &mut FileConnection) -> bool {
        true
    }

    async fn exchange(
        &self,
        _: &mut FileConnection,
        (): &mut (),
        request: &FileRequest,
        values: &Values,
        answer: &mut Answer,
    ) -> Outcome {
        answer.clear();
        let mut content = Vec::new();
        let path = self.path(request, values);
        let rendered = request.content.render(values, &mut content);
        let path = match path.and_then(|path| rendered.map(|()| path)) {
            Ok(path) => path,
            Err(failure) => return Outcome::Refused(failure.reason),
        };
        answer.sent = Some(Instant::now());
        let (kind, fsync) = (request.kind, self.fsync);
        let done = blocking(request.timeout, move || match kind {
            Kind::Write => disk::write(&path, &content, fsync).map(|()| None),
            Kind::Remove => disk::remove(&path, fsync).map(|()| None),
            Kind::Read | Kind::List => disk::read(&path).map(Some).map_err(WriteError::Before),
        });
        let done = done.await;
        answer.first_byte = Some(Instant::now());
        match done {
            Err(failure) => {
                answer.code = failure.code;
                Outcome::Unknown(failure.reason)
            }
            Ok(Err(WriteError::Before(error))) => {
                answer.code = code_of(&error);
                Outcome::Refused(Reason::new(&error.to_string()))
            }
            Ok(Err(WriteError::Since(error))) => {
                answer.code = code_of(&error);
                Outcome::Unknown(Reason::new(&error.to_string()))
            }
            Ok(Ok(read)) => {
                let limit = answer.wanted.limit().unwrap_or(0);
                if let Some(read) = read.filter(|read| read.len() <= limit) {
                    answer.body = json!(String::from_utf8_lossy(&read)).to_string().into();
                }
                Outcome::Acknowledged
            }
        }
    }

    async fn rows(
        &self,
        connection: &mut FileConnection,
        session: &mut (),
        request: &FileRequest,
        values: &Values,
        row: &mut dyn FnMut(Row<'_>) -> ControlFlow<()>,
    ) -> Result<(), Failure> {
        if !matches!(request.kind, Kind::List) {
            return document(self, connection, session, request, values, usize::MAX, row).await;
        }
        let mut pattern = Vec::new();
        request.path.render(values, &mut pattern)?;
        let pattern = String::from_utf8_lossy(&pattern).into_owned();
        let root = Arc::clone(&self.root);
        let listed = blocking(request.timeout, move || disk::list(&root, &pattern)).await?;
        for paths in listed
            .map_err(|error| failure(&error))?
            .chunks(READ_AT_ONCE)
        {
            let (root, paths) = (Arc::clone(&self.root), paths.to_vec());
            let read = move || {
                let read = |path: String| (disk::read(&root.join(&path)), path);
                paths.into_iter().map(read).collect::<Vec<_>>()
            };
            for (content, path) in blocking(request.timeout, read).await? {
                let content = match content {
                    Ok(content) => content,
                    // It was removed since it was listed.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(failure(&error)),
                };
                let content = String::from_utf8_lossy(&content);
                let element = json!({ "key": path, "content": content }).to_string();
                if row(Row::Element(element.as_bytes())).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn setting(&self, _: &mut FileConnection, name: &str) -> Result<String, Failure> {
        let told = format!("a folder has no setting `{name}` that could be asked for");
        Err(Failure::new(&told))
    }
}

impl Files {
    /// The file that a request is about, which values cannot lead out of the folder.
    fn path(&self, request: &FileRequest, values: &Values) -> Result<PathBuf, Failure> {
        let mut path = Vec::new();
        request.path.render(values, &mut path)?;
        let path = String::from_utf8_lossy(&path);
        match stays(&path) {
            true => Ok(self.root.join(&*path)),
            false => Err(Failure::new(&format!(
                "the path `{path}` leaves the service's folder"
            ))),
        }
    }
}

/// Whether a path leads to something below the folder that it is relative to.
fn stays(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// A path without `.` and `..`, whatever is there.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// Has a thread wait for the disk, for so long.
async fn blocking<T: Send + 'static>(
    within: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Failure> {
    match timeout(within, spawn_blocking(work)).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(Failure::new(&format!("the disk's thread failed: {error}"))),
        Err(_) => Err(Failure::no_answer(within)),
    }
}

fn failure(error: &io::Error) -> Failure {
    Failure::with_code(&error.to_string(), code_of(error))
}

/// The system's own word for the most usual errors.
fn code_of(error: &io::Error) -> Code {
    match error.kind() {
        io::ErrorKind::NotFound => Code::word("ENOENT"),
        io::ErrorKind::StorageFull => Code::word("ENOSPC"),
        io::ErrorKind::PermissionDenied => Code::word("EACCES"),
        _ => Code::None,
    }
}
