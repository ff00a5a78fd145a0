//! Reports on disk. A run's folder appears whole under its name or not at all.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{Error, Report, render, sums, v1};

/// Where a report was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The run's folder.
    pub folder: PathBuf,
    /// The report as data.
    pub json: PathBuf,
    /// The report to read as text.
    pub markdown: PathBuf,
    /// The report to look at, in any browser.
    pub html: PathBuf,
    /// The fixed name under which the newest run's folder is found.
    pub latest: PathBuf,
}

/// A folder that is being filled, under a name that no reader looks at.
#[derive(Debug)]
pub struct Draft {
    folder: tempfile::TempDir,
}

impl Draft {
    /// Begins a folder below `out`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be made.
    pub fn begin(out: &Path) -> Result<Self, Error> {
        fs::create_dir_all(out).map_err(Error::io("create directory", out))?;
        let folder = tempfile::Builder::new()
            .prefix(".draft-")
            .tempdir_in(out)
            .map_err(Error::io("create a directory in", out))?;
        Ok(Self { folder })
    }

    /// Where it lies until it is published.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Saves a report in a folder of its own below `out`.
///
/// # Errors
///
/// [`Error::Io`] when it cannot be written; nothing is left under the final name then.
pub fn save(report: &Report, out: &Path) -> Result<Saved, Error> {
    save_draft(report, out, Draft::begin(out)?)
}

/// As [`save`], with the files that the draft holds already.
///
/// # Errors
///
/// As [`save`].
pub fn save_draft(report: &Report, out: &Path, draft: Draft) -> Result<Saved, Error> {
    let json = serde_json::to_vec_pretty(report).expect("a report has only text and numbers");
    write(&draft.path().join("report.json"), &json)?;
    write(
        &draft.path().join("report.md"),
        render::markdown(report).as_bytes(),
    )?;
    write(
        &draft.path().join("report.html"),
        render::html(report).as_bytes(),
    )?;
    let (name, sums) = sums::of_folder(draft.path())?;
    write(&draft.path().join(name), sums.as_bytes())?;
    let folder = publish(draft, out, &report.started_at)?;
    let latest = point_latest(out, &folder)?;
    Ok(Saved {
        json: folder.join("report.json"),
        markdown: folder.join("report.md"),
        html: folder.join("report.html"),
        folder,
        latest,
    })
}

/// Reads a saved report: the file, or the folder that holds it.
///
/// # Errors
///
/// [`Error::Io`], [`Error::NotAReport`], [`Error::ReportVersion`] or [`Error::Inconsistent`].
pub fn load(path: &Path) -> Result<Report, Error> {
    /// What every version has.
    #[derive(Deserialize)]
    struct Header {
        format: String,
        version: u64,
    }
    let file = if path.is_dir() {
        path.join("report.json")
    } else {
        path.to_owned()
    };
    let text = fs::read(&file).map_err(Error::io("read", &file))?;
    let not_a_report = |reason: String| Error::NotAReport {
        path: file.clone(),
        reason,
    };
    let header: Header =
        serde_json::from_slice(&text).map_err(|error| not_a_report(error.to_string()))?;
    if header.format != Report::FORMAT {
        return Err(not_a_report(format!("its format is {:?}", header.format)));
    }
    let report: Report = match header.version {
        1 => v1::read(&text).map_err(not_a_report)?,
        2 => serde_json::from_slice(&text).map_err(|error| not_a_report(error.to_string()))?,
        found => return Err(Error::ReportVersion { path: file, found }),
    };
    check_figures(&report, &file)?;
    // They become labels in the text format of Prometheus, where a name cannot be escaped.
    let mut tags = report
        .scenarios
        .iter()
        .flat_map(|scenario| scenario.tags.keys());
    match tags.find(|tag| !is_label(tag)) {
        Some(tag) => Err(not_a_report(format!("{tag:?} is no name of a tag"))),
        None => Ok(report),
    }
}

/// A report whose numbers do not add up was damaged or changed: no verdict on it means anything.
fn check_figures(report: &Report, file: &Path) -> Result<(), Error> {
    for scenario in &report.scenarios {
        let problem = scenario
            .run
            .inconsistency()
            .or_else(|| scenario.verification.inconsistency());
        if let Some(problem) = problem {
            return Err(Error::Inconsistent {
                path: file.to_owned(),
                scenario: scenario.name.clone(),
                problem,
            });
        }
    }
    Ok(())
}

/// Whether a tag has a name that a scenario file could give it.
fn is_label(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(plain)
        && name != "scenario"
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    fs::File::create(path)
        .and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        })
        .map_err(Error::io("write", path))
}

/// Gives the draft its name: `run-<time>`, with a number behind it if there is one already.
fn publish(draft: Draft, out: &Path, started_at: &str) -> Result<PathBuf, Error> {
    let stamp: String = started_at
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(15)
        .collect();
    // A temporary directory is for its owner only; a report is for whoever reads the others.
    let permissions = fs::metadata(out)
        .map_err(Error::io("examine", out))?
        .permissions();
    fs::set_permissions(draft.path(), permissions)
        .map_err(Error::io("set the permissions of", draft.path()))?;
    for attempt in 1u32.. {
        let name = if attempt == 1 {
            format!("run-{stamp}")
        } else {
            format!("run-{stamp}-{attempt}")
        };
        let folder = out.join(name);
        if folder.exists() {
            continue;
        }
        match fs::rename(draft.path(), &folder) {
            Ok(()) => {
                // It has another name now, so there is nothing left to remove.
                let _ = draft.folder.keep();
                return Ok(folder);
            }
            // Another run took the name in between.
            Err(_) if folder.exists() => {}
            Err(error) => return Err(Error::io("create directory", &folder)(error)),
        }
    }
    unreachable!("there are fewer than 2^32 runs in a second")
}

/// Points `latest` to a folder in one step, so that it never points nowhere.
fn point_latest(out: &Path, folder: &Path) -> Result<PathBuf, Error> {
    let latest = out.join("latest");
    let name = folder.file_name().unwrap_or(folder.as_os_str());
    let draft = out.join(format!(".latest-{}", name.to_string_lossy()));
    std::os::unix::fs::symlink(name, &draft)
        .and_then(|()| fs::rename(&draft, &latest))
        .map_err(|source| {
            let _ = fs::remove_file(&draft);
            Error::io("link", &latest)(source)
        })?;
    Ok(latest)
}
