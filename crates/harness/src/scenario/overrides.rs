//! What the command line sets over a scenario file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key_path::unknown;
use super::quoted;
use super::spec::ScenarioSpec;
use crate::targets::Permissions;
use load_engine::Threshold;
use load_engine::quantity::Time;

/// What is set over a scenario file. It is applied in this order: `quick`, the sizes, and then `set`, so
/// that what is named most exactly wins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// A small load, for a first look: the file's `quick` table; without one, 2 s at most or a tenth of
    /// the iterations.
    pub quick: bool,
    /// Where every random number comes from.
    pub seed: Option<u64>,
    /// Concurrent users.
    pub threads: Option<NonZeroU32>,
    /// Iterations of each user, in a file that has `iterations`.
    pub iterations: Option<NonZeroU64>,
    /// Iterations of all users, in a file that has `total_iterations`.
    pub records: Option<NonZeroU64>,
    /// How long the whole load is, each phase in proportion; in place of a number of iterations.
    pub duration: Option<Duration>,
    /// Thresholds that flags set: in place of those on the same figure, and beside all others.
    pub thresholds: Vec<FlagThreshold>,
    /// Values by key: `model.users=20`, `phases.peak.for=5s`.
    pub set: Vec<String>,
    /// Hosts beyond this machine that services may be at.
    pub allow_hosts: Vec<String>,
    /// Folders beyond the run's own that services of files may be in.
    pub allow_paths: Vec<PathBuf>,
    /// Whether a file may start no program.
    pub no_commands: bool,
    /// Whether effects may be without a `read`: then nothing of them is proved.
    pub unverified: bool,
    /// What `${run}` is; random unless it is set.
    pub run_id: Option<String>,
    /// Values of `${secret.…}` that are not in the environment. They are no arguments: nothing shows them.
    pub secrets: BTreeMap<String, String>,
}

impl Overrides {
    /// Only values by key.
    #[must_use]
    pub fn set(set: &[String]) -> Self {
        Self {
            set: set.to_vec(),
            ..Self::default()
        }
    }

    /// The arguments of the command line that set the same, each with a space before it.
    #[must_use]
    pub fn to_arguments(&self) -> String {
        let seed = self.seed.map(|seed| format!(" --seed {seed}"));
        let mut arguments = seed.unwrap_or_default();
        if self.quick {
            arguments.push_str(" --quick");
        }
        let sizes = [
            ("threads", self.threads.map(|number| number.to_string())),
            (
                "iterations",
                self.iterations.map(|number| number.to_string()),
            ),
            ("duration", self.duration.map(|time| Time(time).to_string())),
            ("records", self.records.map(|number| number.to_string())),
        ];
        for (name, size) in sizes {
            if let Some(size) = size {
                arguments.push_str(&format!(" --{name} {size}"));
            }
        }
        for FlagThreshold { flag, .. } in &self.thresholds {
            arguments.push_str(&format!(" {flag}"));
        }
        for setting in &self.set {
            arguments.push_str(&format!(" --set {}", quoted(setting)));
        }
        for host in &self.allow_hosts {
            arguments.push_str(&format!(" --allow-host {}", quoted(host)));
        }
        for path in &self.allow_paths {
            let path = path.display().to_string();
            arguments.push_str(&format!(" --allow-path {}", quoted(&path)));
        }
        // A run's id is not repeated: what the first run left would be taken for the second one's.
        for (flag, is_set) in [
            (" --no-commands", self.no_commands),
            (" --unverified", self.unverified),
        ] {
            arguments.push_str(if is_set { flag } else { "" });
        }
        arguments
    }

    /// What a file in this folder may do.
    pub(super) fn permissions(&self, folder: &Path) -> Permissions {
        Permissions {
            folder: folder.to_owned(),
            allow_hosts: self.allow_hosts.clone(),
            allow_paths: self.allow_paths.clone(),
            no_commands: self.no_commands,
            unverified: self.unverified,
            run_id: self.run_id.clone(),
            secrets: self.secrets.clone(),
        }
    }

    pub(super) fn flags(&self) -> Vec<Threshold> {
        let flags = self.thresholds.iter();
        flags.map(|flag| flag.threshold.clone()).collect()
    }

    /// The sizes but `duration`, over a file that says this.
    pub(super) fn sizes(&self, spec: &ScenarioSpec) -> Vec<Edit> {
        let seed = self.seed.map(|seed| Edit::set("seed", seed));
        let users = self.threads.map(|users| Edit::set("model.users", users));
        let iterations = self.iterations.filter(|_| spec.model.iterations.is_some());
        let iterations = iterations.map(|each| Edit::set("model.iterations", each));
        let total = self
            .records
            .filter(|_| spec.model.total_iterations.is_some());
        let total = total.map(|total| Edit::set("model.total_iterations", total));
        [seed, users, iterations, total]
            .into_iter()
            .flatten()
            .collect()
    }
}

/// A threshold that a flag sets.
#[derive(Debug, Clone, PartialEq)]
pub struct FlagThreshold {
    /// The flag with its value, such as `--max-error-rate 7`.
    pub flag: String,
    /// What it says.
    pub threshold: Threshold,
}

/// One change of a file's table.
#[derive(Debug, Clone)]
pub(super) struct Edit {
    parts: Vec<String>,
    /// A line of TOML with the value, and the value's text; none to remove the key.
    value: Option<(String, String)>,
}

impl Edit {
    pub(super) fn set(key: &str, value: impl ToString) -> Self {
        let text = value.to_string();
        Self {
            parts: key.split('.').map(str::to_owned).collect(),
            value: Some((format!("value = {text}"), text)),
        }
    }

    pub(super) fn remove(key: &str) -> Self {
        Self {
            value: None,
            ..Self::set(key, "")
        }
    }

    /// A setting, `key=value`.
    ///
    /// A key's parts are separated by dots; an element of an array is named by its number from 0 or by
    /// its `name`. A value is written as in TOML, or is a text without its quotation marks.
    pub(super) fn parse(setting: &str) -> Result<Self, String> {
        let (key, value) = setting
            .split_once('=')
            .ok_or("expected key=value, such as model.users=20")?;
        let key = key.trim();
        if key.split('.').any(str::is_empty) {
            return Err(format!("the key `{key}` has an empty part"));
        }
        Ok(Self::set(key, value.trim()))
    }

    /// The number that it sets at this key, if it does.
    pub(super) fn number(&self, key: &str) -> Option<u32> {
        let (_, text) = self
            .value
            .as_ref()
            .filter(|_| self.parts.join(".") == key)?;
        text.parse().ok()
    }

    /// The setting that does the same; none where a key is removed.
    pub(super) fn to_setting(&self) -> Option<String> {
        let (_, value) = self.value.as_ref()?;
        Some(format!("{}={value}", self.parts.join(".")))
    }

    /// Makes the change.
    pub(super) fn apply<'e>(&'e self, table: &mut DeTable<'e>) -> Result<(), String> {
        let value = self.value.as_ref().map(|(line, text)| {
            let whole = DeTable::parse(line).ok();
            let value = whole.and_then(|mut table| table.get_mut().remove("value"));
            value.map_or_else(
                || DeValue::String(Cow::Borrowed(text.as_str())),
                Spanned::into_inner,
            )
        });
        let mut root = DeValue::Table(std::mem::take(table));
        let put = put(&mut root, &self.parts, value);
        if let DeValue::Table(root) = root {
            *table = root;
        }
        put
    }
}

/// The changes that a `quick` table asks for: each of its values that is no table.
pub(super) fn edits_of(quick: &DeTable<'_>, text: &str, above: &str) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (key, value) in quick {
        let key = match above {
            "" => key.get_ref().to_string(),
            above => format!("{above}.{}", key.get_ref()),
        };
        match value.get_ref() {
            DeValue::Table(table) => edits.extend(edits_of(table, text, &key)),
            _ => edits.push(Edit::set(&key, text.get(value.span()).unwrap_or_default())),
        }
    }
    edits
}

fn put<'e>(
    place: &mut DeValue<'e>,
    parts: &'e [String],
    value: Option<DeValue<'e>>,
) -> Result<(), String> {
    let [part, rest @ ..] = parts else {
        if let Some(value) = value {
            *place = value;
        }
        return Ok(());
    };
    match place {
        DeValue::Table(table) if rest.is_empty() && value.is_none() => {
            table.remove(part.as_str());
            Ok(())
        }
        DeValue::Table(table) => {
            if !table.contains_key(part.as_str()) {
                let key = Spanned::new(0..0, Cow::Borrowed(part.as_str()));
                table.insert(key, Spanned::new(0..0, DeValue::Table(DeTable::new())));
            }
            match table.get_mut(part.as_str()) {
                Some(inner) => put(inner.get_mut(), rest, value),
                None => Ok(()),
            }
        }
        DeValue::Array(list) => {
            let index = index_of(list, part)?;
            match list.get_mut(index) {
                Some(element) => put(element.get_mut(), rest, value),
                None => Ok(()),
            }
        }
        other => {
            let kind = other.type_str();
            Err(format!("there is no `{part}` in a value that is {kind}"))
        }
    }
}

fn index_of(list: &[Spanned<DeValue<'_>>], part: &str) -> Result<usize, String> {
    if let Ok(index) = part.parse::<usize>()
        && index < list.len()
    {
        return Ok(index);
    }
    let name = |value: &Spanned<DeValue<'_>>| {
        let name = value.get_ref().get("name")?;
        name.get_ref().as_str().map(str::to_owned)
    };
    let names: Vec<String> = list.iter().filter_map(name).collect();
    list.iter()
        .position(|value| name(value).as_deref() == Some(part))
        .ok_or_else(|| unknown("element", part, names.iter().map(String::as_str)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "seed = 1\n[model]\nusers = 5\n[[phases]]\nname = \"peak\"\nfor = \"30s\"\n";

    /// The table with what is set over it, as another text.
    fn with(settings: &[&str]) -> Result<String, String> {
        let edits = settings
            .iter()
            .map(|setting| Edit::parse(setting))
            .collect::<Result<Vec<_>, _>>()?;
        let mut table = DeTable::parse(TEXT).unwrap();
        for edit in &edits {
            edit.apply(table.get_mut())?;
        }
        let values: toml::Table =
            serde::Deserialize::deserialize(toml::de::Deserializer::from(table)).unwrap();
        Ok(serde_json::to_string(&values).unwrap())
    }

    #[test]
    fn values_are_set_by_key_by_number_and_by_name() {
        let settings = [
            "seed=7",
            "model.users = 20",
            "phases.peak.for=5s",
            "phases.0.users={ from = 1, to = 2 }",
            "target.mix.load=60",
        ];
        assert_eq!(
            with(&settings).unwrap(),
            r#"{"model":{"users":20},"phases":[{"for":"5s","name":"peak","users":{"from":1,"to":2}}],"seed":7,"target":{"mix":{"load":60}}}"#
        );
    }

    #[test]
    fn what_cannot_be_set_says_why() {
        let mistake = |setting: &str| with(&[setting]).unwrap_err();
        assert_eq!(
            mistake("seed"),
            "expected key=value, such as model.users=20"
        );
        assert_eq!(mistake("a..b=1"), "the key `a..b` has an empty part");
        assert_eq!(
            mistake("phases.peek.for=5s"),
            "there is no element `peek`, there is `peak`; did you mean `peak`?"
        );
        assert_eq!(
            mistake("seed.x=1"),
            "there is no `x` in a value that is integer"
        );
    }

    #[test]
    fn a_key_is_removed_and_a_table_becomes_its_values() {
        let edit = Edit::remove("model.users");
        let mut table = DeTable::parse(TEXT).unwrap();
        edit.apply(table.get_mut()).unwrap();
        assert!(
            !table.get_ref()["model"]
                .get_ref()
                .as_table()
                .unwrap()
                .contains_key("users")
        );
        let quick = "model = { users = 2 }\n[phases.peak]\nfor = \"1s\"\nthresholds = ['a < 1']\n";
        let edits = edits_of(DeTable::parse(quick).unwrap().get_ref(), quick, "");
        let settings: Vec<_> = edits.iter().filter_map(Edit::to_setting).collect();
        assert_eq!(
            settings,
            [
                "model.users=2",
                "phases.peak.for=\"1s\"",
                "phases.peak.thresholds=['a < 1']"
            ]
        );
    }

    #[test]
    fn the_arguments_repeat_what_was_set() {
        let overrides = Overrides {
            quick: true,
            seed: Some(3),
            records: NonZeroU64::new(500),
            duration: Some(Duration::from_millis(300)),
            set: vec!["a='b'".to_owned()],
            ..Overrides::default()
        };
        assert_eq!(
            overrides.to_arguments(),
            r" --seed 3 --quick --duration 300ms --records 500 --set 'a='\''b'\'''"
        );
    }
}
