//! Services: the keys that every kind has, and those of the protocol.

use std::num::NonZeroUsize;
use std::sync::LazyLock;
use std::time::Duration;

use drivers::{
    Action, ActionSpec, AnyDriver, AnyOptions, HttpAction, Purpose, Scope, ServiceContext, Template,
};
use schemars::{JsonSchema as _, SchemaGenerator};
use serde::Deserialize as _;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::super::program::{PoolPlan, Service};
use super::super::spec::ServiceSpec;
use super::places::placed;
use crate::scenario::key_path::{unknown, unknown_field};
use crate::targets::{Mistake, Permissions};
use crate::{KeyPath, SpecError};

/// What a file says about one service.
#[derive(Clone, Debug)]
pub(in crate::services) struct ServiceFile {
    pub(in crate::services) name: String,
    pub(in crate::services) spec: ServiceSpec,
    /// The keys of the protocol.
    pub(in crate::services) options: toml::Table,
}

/// A compiled service, and what its steps do unless they say.
pub(super) struct Declared {
    pub(super) service: Service,
    pub(super) spec: ServiceSpec,
    pub(super) at: KeyPath,
}

/// How long an action may take whose service says nothing.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The keys of a service that every kind has.
static COMMON: LazyLock<Vec<String>> = LazyLock::new(|| {
    let schema = ServiceSpec::json_schema(&mut SchemaGenerator::default());
    properties(&schema)
});

fn properties(schema: &schemars::Schema) -> Vec<String> {
    let properties = schema.get("properties").and_then(|value| value.as_object());
    properties
        .into_iter()
        .flatten()
        .map(|(key, _)| key.clone())
        .collect()
}

/// The protocol's own keys, of each kind.
static OWN: LazyLock<Vec<(&'static str, Vec<String>)>> = LazyLock::new(|| {
    let mut generator = SchemaGenerator::new(
        schemars::generate::SchemaSettings::default()
            .with(|settings| settings.inline_subschemas = true),
    );
    let schemas = AnyOptions::schemas(&mut generator).into_iter();
    schemas
        .map(|(kind, schema)| (kind, properties(&schema)))
        .collect()
});

/// The keys of a service of a kind.
fn service_keys(kind: &str) -> Vec<&'static str> {
    let own = OWN.iter().find(|(known, _)| *known == kind);
    let own = own.into_iter().flat_map(|(_, keys)| keys);
    COMMON.iter().chain(own).map(String::as_str).collect()
}

/// Reads `[services]`, each key with its place.
pub(in crate::services) fn service_files(
    services: Spanned<DeValue<'_>>,
) -> Result<Vec<ServiceFile>, Mistake> {
    let at = KeyPath::to("services");
    let DeValue::Table(table) = services.into_inner() else {
        let problem = "expected a table of services, such as [services.shop]";
        return Err(SpecError::new(at, problem).into());
    };
    let mut files = Vec::new();
    for (name, service) in table {
        let name = name.into_inner().into_owned();
        let at = at.then(name.as_str());
        files.push(service_file(name, service, &at)?);
    }
    match files.is_empty() {
        true => Err(SpecError::new(at, "there is no service: write [services.NAME]").into()),
        false => Ok(files),
    }
}

fn service_file(
    name: String,
    service: Spanned<DeValue<'_>>,
    at: &KeyPath,
) -> Result<ServiceFile, Mistake> {
    let span = service.span();
    let DeValue::Table(table) = service.into_inner() else {
        let problem = "a service is a table, such as { kind = \"http\", url = \"…\" }";
        return Err(SpecError::new(at.clone(), problem).into());
    };
    let kind = match table.get("kind").map(Spanned::get_ref) {
        Some(DeValue::String(kind)) => kind.clone().into_owned(),
        _ => String::new(),
    };
    if table.contains_key("kind") && !drivers::KINDS.contains(&&*kind) {
        let problem = unknown("kind of service", &kind, drivers::KINDS.iter().copied());
        return Err(SpecError::new(at.then("kind"), problem).into());
    }
    let (mut common, mut own) = (DeTable::new(), DeTable::new());
    let known = service_keys(&kind);
    for (key, value) in table {
        let word = key.get_ref().as_ref();
        if COMMON.iter().any(|common| common == word) {
            common.insert(key, value);
        } else if kind.is_empty() || known.contains(&word) {
            own.insert(key, value);
        } else {
            let problem = unknown_field(word, &known);
            return Err(SpecError::of_key(at.then(word), problem).into());
        }
    }
    let whole = |table| Spanned::new(span.clone(), DeValue::Table(table));
    let spec = ServiceSpec::deserialize(ValueDeserializer::from(whole(common)))?;
    // Read twice: here for the places of mistakes, and from the table for each run.
    let options = toml::Table::deserialize(ValueDeserializer::from(whole(own.clone())))?;
    if let Err(error) = AnyOptions::deserialize(&kind, ValueDeserializer::from(whole(own))) {
        return Err(missing(&kind, at, error));
    }
    Ok(ServiceFile {
        name,
        spec,
        options,
    })
}

/// What is missing, with an example of it; any other mistake as it is.
fn missing(kind: &str, at: &KeyPath, error: toml::de::Error) -> Mistake {
    let example = match (error.message(), kind) {
        ("missing field `url`", "redis") => "url = \"redis://127.0.0.1:6379/9\"",
        ("missing field `url`", "postgres") => "url = \"postgres://postgres@127.0.0.1/shop_test\"",
        ("missing field `url`", _) => "url = \"http://127.0.0.1:8000\"",
        ("missing field `command`", _) => "command = [\"python3\", \"server.py\"]",
        _ => return error.into(),
    };
    let key = example.split(' ').next().unwrap_or_default();
    SpecError::new(at.clone(), format!("`{key}` is missing, such as {example}")).into()
}

pub(super) fn compile(
    services: &[ServiceFile],
    permissions: &Permissions,
    scope: &mut Scope,
) -> Result<Vec<Declared>, SpecError> {
    let declare = |service| declare(permissions, service, scope);
    services.iter().map(declare).collect()
}

fn declare(
    permissions: &Permissions,
    service: &ServiceFile,
    scope: &mut Scope,
) -> Result<Declared, SpecError> {
    let at = KeyPath::to("services").then(service.name.as_str());
    let spec = &service.spec;
    let context = ServiceContext {
        timeout: spec.timeout.map_or(TIMEOUT, |time| time.0),
        folder: permissions.folder.clone(),
        allowed_hosts: permissions.allow_hosts.clone(),
        allowed_paths: permissions.allow_paths.clone(),
        ..ServiceContext::new(&service.name)
    };
    if permissions.no_commands && service.options.contains_key("command") {
        let problem = "`command` starts a program, which --no-commands refuses";
        return Err(SpecError::of_key(at.then("command"), problem));
    }
    let options = AnyOptions::deserialize(&spec.kind, service.options.clone())
        .map_err(|error| SpecError::new(at.clone(), error.message()))?;
    let driver = AnyDriver::new(options, &context, scope).map_err(|error| placed(&at, error))?;
    if !scope.take_draws().is_empty() {
        let problem =
            "a function in a service would be drawn for no step: put it into a step's `vars`";
        return Err(SpecError::new(at, problem));
    }
    if spec.stop_signal.is_some() && spec.start.is_none() {
        let problem = "`stop_signal` needs `start`";
        return Err(SpecError::of_key(at.then("stop_signal"), problem));
    }
    let start = command(permissions, spec.start.as_ref(), &at, "start", scope)?;
    let restart = command(permissions, spec.restart.as_ref(), &at, "restart", scope)?;
    if spec.ready.is_some() && !driver.actions().contains(&"http") {
        let problem = format!(
            "`ready` is a request of HTTP, and `{}` is asked by connecting",
            spec.kind
        );
        return Err(SpecError::of_key(at.then("ready"), problem));
    }
    let ready = spec.ready.as_ref().map(|ready| {
        let spec = ActionSpec {
            purpose: Purpose::Read,
            ..ActionSpec::new(Action::Http(HttpAction::new(ready)))
        };
        // The driver names the key of a step, which is another one here.
        let here = |mut error: drivers::SpecError| {
            error.at.clear();
            placed(&at.then("ready"), error)
        };
        driver.compile(&spec, scope).map_err(here)
    });
    Ok(Declared {
        service: Service {
            name: service.name.as_str().into(),
            ready: ready.transpose()?,
            connect_part: 0,
            pool: pool(spec, &driver, context.timeout, &at)?,
            detour: context.detour.clone(),
            require: require(spec, &at)?,
            is_program: spec.kind == "mcp" && service.options.contains_key("command"),
            driver,
            timeout: context.timeout,
            start,
            restart,
            stop_signal: spec.stop_signal.unwrap_or_default(),
        },
        spec: spec.clone(),
        at,
    })
}

/// The connections that users share.
fn pool(
    spec: &ServiceSpec,
    driver: &AnyDriver,
    timeout: Duration,
    at: &KeyPath,
) -> Result<Option<PoolPlan>, SpecError> {
    let Some(pool) = spec.pool else {
        return Ok(None);
    };
    let at = at.then("pool");
    if driver.address().is_none() {
        let problem = "a pool is of connections to a `url`, which this service does not have";
        return Err(SpecError::of_key(at, problem));
    }
    let Some(size) = NonZeroUsize::new(pool.size as usize) else {
        let problem = "a pool has at least 1 connection";
        return Err(SpecError::new(at.then("size"), problem));
    };
    Ok(Some(PoolPlan {
        size,
        wait: pool.wait.map_or(timeout, |time| time.0),
        wait_part: 0,
    }))
}

/// The settings that a service has to have, as texts.
fn require(spec: &ServiceSpec, at: &KeyPath) -> Result<Vec<(String, String)>, SpecError> {
    let at = at.then("require");
    if !spec.require.is_empty() && !matches!(&*spec.kind, "redis" | "postgres" | "mcp") {
        let problem = format!(
            "a service of kind `{}` has no settings to ask for: leave it out",
            spec.kind
        );
        return Err(SpecError::of_key(at, problem));
    }
    let text = |(name, value): (&String, &toml::Value)| {
        let text = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Integer(number) => number.to_string(),
            _ => {
                let problem = "a setting is a text or a whole number";
                return Err(SpecError::new(at.then(name.as_str()), problem));
            }
        };
        Ok((name.clone(), text))
    };
    spec.require.iter().map(text).collect()
}

/// A program and its arguments, filled in.
fn command(
    permissions: &Permissions,
    words: Option<&Vec<String>>,
    at: &KeyPath,
    key: &str,
    scope: &mut Scope,
) -> Result<Option<Vec<String>>, SpecError> {
    let Some(words) = words else {
        return Ok(None);
    };
    let at = at.then(key);
    if permissions.no_commands {
        let problem = format!("`{key}` starts a program, which --no-commands refuses");
        return Err(SpecError::of_key(at, problem));
    }
    if words.is_empty() {
        let problem = format!("`{key}` is a list of a program and its arguments, without a shell");
        return Err(SpecError::new(at, problem));
    }
    scope.show_dir(true);
    let filled = words.iter().enumerate().map(|(number, word)| {
        Template::constant(word, scope).map_err(|error| placed(&at.then(number), error))
    });
    let filled = filled.collect::<Result<Vec<_>, _>>();
    scope.show_dir(false);
    filled.map(Some)
}
