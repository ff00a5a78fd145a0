//! A target of one's own: a type that implements `RegisteredTarget`, and a line in a list. Scenario files can
//! name it then, with its own options, and its data can be verified again.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use harness::targets::{LoadFacts, NoOptions, OpenContext, RegisteredTarget, TARGETS, TargetEntry};
use harness::{
    EffectsFound, Journal, KeyPath, NoProgress, Overrides, ScenarioFile, SpecError, Suite, Target,
    scenario_schema_of, verify_directory,
};
use load_engine::{Digest, Failure, Found, Iteration, StepSpec, Workload};
use report::render;
use schemars::JsonSchema;
use serde::Deserialize;

const NOTE: StepSpec = StepSpec::effectful("note");

/// A file with a line for each note.
struct Notes {
    path: PathBuf,
    file: Mutex<File>,
    prefix: String,
    journal: Journal,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NotesOptions {
    /// What each line begins with.
    prefix: String,
}

impl Notes {
    fn open_with(dir: &Path, prefix: &str, journal: Journal) -> Result<Self, Failure> {
        let path = dir.join("notes");
        let file = OpenOptions::new().create(true).append(true).open(&path)?;
        Ok(Self {
            path,
            file: Mutex::new(file),
            prefix: prefix.to_owned(),
            journal,
        })
    }
}

impl Workload for Notes {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![NOTE]
    }

    fn set_up(&self, _: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), it: &mut Iteration<'_>) -> Result<(), Failure> {
        let line = format!("{}-{}-{}", self.prefix, it.user(), it.index());
        it.step(&NOTE, |effects| {
            let mut file = self.file.lock().unwrap();
            writeln!(file, "{line}")?;
            file.sync_all()?;
            self.journal
                .created(effects, "note", &line, Digest::of(line.as_bytes()));
            Ok(())
        })
    }
}

impl Target for Notes {
    fn close(self) -> Result<(), Failure> {
        Ok(())
    }

    fn effects(&self) -> Result<EffectsFound<'_>, Failure> {
        let text = fs::read_to_string(&self.path)?;
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        Ok(Box::new(lines.into_iter().map(|line| {
            let digest = Digest::of(line.as_bytes());
            Ok(Found::new("note", line, digest))
        })))
    }
}

impl RegisteredTarget for Notes {
    const NAME: &'static str = "notes";
    type Options = NotesOptions;
    type PhaseOptions = NoOptions;
    type Prepared = String;

    fn prepare(
        options: NotesOptions,
        _: Vec<NoOptions>,
        _: &LoadFacts,
    ) -> Result<String, SpecError> {
        if options.prefix.is_empty() {
            let at = KeyPath::to("target").then("prefix");
            return Err(SpecError::new(at, "a prefix has at least one letter"));
        }
        Ok(options.prefix)
    }

    fn steps(_: &String) -> Vec<StepSpec> {
        vec![NOTE]
    }

    fn open(dir: &Path, prefix: &String, context: OpenContext) -> Result<Self, Failure> {
        Self::open_with(dir, prefix, context.journal)
    }

    fn reopen(dir: &Path) -> Result<Self, Failure> {
        Self::open_with(dir, "", Journal::none())
    }
}

/// The list of targets with one more line.
fn targets() -> Vec<TargetEntry> {
    [TARGETS, &[TargetEntry::of::<Notes>()]].concat()
}

const TEXT: &str = "name = \"mine\"\nthresholds = ['operations(note) == 30']\n\
                    target = { kind = \"notes\", prefix = \"n\" }\n[model]\nusers = 3\niterations = 10\n";

fn parsed(text: &str) -> Result<ScenarioFile, harness::Error> {
    ScenarioFile::parse_for(&targets(), "mine.toml", text, &Overrides::default())
}

#[test]
fn a_file_names_the_target_and_its_effects_are_verified() {
    let out = tempfile::tempdir().unwrap();
    let journal = out.path().join("journal");
    let suite = Suite::new([parsed(TEXT).unwrap()])
        .journal(Journal::append_to(&journal).unwrap())
        .keep(true);
    let report = suite.run(out.path(), &mut NoProgress).unwrap();
    assert!(
        report.verdict.conclusion.is_pass(),
        "{}",
        render::markdown(&report)
    );
    assert_eq!(report.verified_effects(), 30);

    let data = report.scenarios[0].data_kept_in.clone().unwrap();
    let open = |dir: &Path| Notes::open_with(dir, "", Journal::none());
    let again = verify_directory(Path::new(&data), &journal, open).unwrap();
    assert!(again.holds());
    assert_eq!(again.verification.verified, 30);
    let notes = Path::new(&data).join("notes");
    let kept = fs::read_to_string(&notes).unwrap();
    fs::write(&notes, &kept[kept.find('\n').unwrap() + 1..]).unwrap();
    let after_a_loss = verify_directory(Path::new(&data), &journal, open).unwrap();
    assert_eq!(after_a_loss.verification.lost, 1);
    let unknown = harness::reread(Path::new(&data), &journal).unwrap_err();
    assert!(
        unknown
            .to_string()
            .ends_with("was not written by a known target: it names the target \"notes\""),
        "{unknown}"
    );
}

#[test]
fn a_mistake_in_its_options_is_told_with_its_place() {
    let mistake = |from: &str, to: &str| {
        let text = TEXT.replace(from, to);
        parsed(&text).unwrap_err().to_string()
    };
    assert_eq!(
        mistake("prefix = \"n\"", "prefix = \"\""),
        "mine.toml:3:37: a prefix has at least one letter"
    );
    assert!(mistake("prefix =", "perfix =").starts_with("mine.toml:3:28: unknown field `perfix`"));
    assert!(mistake("\"notes\"", "\"note\"").ends_with("did you mean `notes`?"));
}

#[test]
fn the_schema_has_it_beside_the_others() {
    let schema = scenario_schema_of(&targets());
    let validator = jsonschema::validator_for(&schema).unwrap();
    let json =
        |text: &str| serde_json::to_value(toml::from_str::<toml::Table>(text).unwrap()).unwrap();
    assert!(validator.is_valid(&json(TEXT)));
    assert!(!validator.is_valid(&json(&TEXT.replace("prefix", "perfix"))));
}
