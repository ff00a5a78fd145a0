use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use harness::{ScenarioFile, scenario_schema};
use report::report_schema;
use serde_json::Value;

use super::import;
use crate::arguments::{InitArguments, SchemaArguments, SchemaKind};
use crate::exit::Exit;
use crate::terminal::{print, shown};

/// A scenario with every part, and comments that say what each is for.
const TEMPLATE: &str = include_str!("init.toml");

/// The same for a service of the user's own.
const SERVICES_TEMPLATE: &str = include_str!("init_services.toml");

/// Tells editors where the schema is, by which they complete and check the file.
const SCHEMA_LINE: &str = "#:schema https://raw.githubusercontent.com/proofload/proofload/main/crates/harness/schemas/scenario.v1.json\n\n";

/// What `--from` names the template for services.
pub(crate) const SERVICES: &str = "services";

/// Writes the template or a scenario that comes with the program, but never over a file that exists.
pub(crate) fn run(arguments: &InitArguments) -> anyhow::Result<Exit> {
    let path = &arguments.file;
    let text = text(arguments)?;
    let mut file = match File::create_new(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} already exists: choose another name", path.display())
        }
        Err(error) => return Err(error).with_context(|| format!("cannot make {}", path.display())),
    };
    file.write_all(format!("{SCHEMA_LINE}{text}").as_bytes())
        .with_context(|| format!("cannot write {}", path.display()))?;
    let path = shown(path);
    print(&format!(
        "{path} is written; a first look: proofload run {path} --quick\n"
    ))?;
    Ok(Exit::Held)
}

fn text(arguments: &InitArguments) -> anyhow::Result<String> {
    let made_of = |path: &Path, make: fn(&Value) -> anyhow::Result<String>| {
        make(&import::read(path)?).with_context(|| shown(path))
    };
    if let Some(path) = &arguments.from_hurl {
        let text = fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read {}", shown(path)))?;
        return import::from_hurl(&text).with_context(|| shown(path));
    }
    match (&arguments.from_openapi, &arguments.from_har) {
        (Some(path), _) => return made_of(path, import::from_openapi),
        (_, Some(path)) => return made_of(path, import::from_har),
        (None, None) => {}
    }
    Ok(match &arguments.from {
        Some(name) if name == SERVICES => SERVICES_TEMPLATE.to_owned(),
        Some(name) => ScenarioFile::embedded_text(name)?.to_owned(),
        None => TEMPLATE.to_owned(),
    })
}

pub(crate) fn print_schema(arguments: &SchemaArguments) -> anyhow::Result<Exit> {
    let schema = match arguments.of {
        SchemaKind::Report => report_schema(),
        SchemaKind::Scenario => scenario_schema(),
        SchemaKind::Actions => forensic_simulator::Schema::json_schema(),
        SchemaKind::Simulation => forensic_simulator::Examination::json_schema(),
    };
    print(&format!("{schema:#}\n"))?;
    Ok(Exit::Held)
}
