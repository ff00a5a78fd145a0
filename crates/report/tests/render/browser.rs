//! The page in a real browser. Where there is no Chromium the test says that it did not run, unless
//! `PROOFLOAD_REQUIRE_CHROMIUM` is set; `PROOFLOAD_CHROMIUM` names another one. The same holds for axe-core, which
//! `cargo xtask services` installs, and `PROOFLOAD_REQUIRE_SERVICES`.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use report::{Report, render};

use crate::stored::load;

/// The browser, if there is one.
fn chromium() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("PROOFLOAD_CHROMIUM") {
        return Some(named.into());
    }
    let folders = std::env::var_os("PATH")?;
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let found = std::env::split_paths(&folders)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .find(|path| path.is_file());
    if found.is_none() {
        let required = std::env::var_os("PROOFLOAD_REQUIRE_CHROMIUM").is_some();
        assert!(
            !required,
            "no Chromium, although PROOFLOAD_REQUIRE_CHROMIUM is set"
        );
        let line = b"the test of the page in a browser did not run: there is no Chromium\n";
        std::io::stderr().write_all(line).unwrap();
    }
    found
}

/// Opens a page without a window; what it logs goes to stderr.
fn open(browser: &Path, page: &Path, arguments: &[&str]) -> Output {
    let profile = tempfile::tempdir().unwrap();
    Command::new(browser)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .args([
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-extensions",
        ])
        .args(["--enable-logging=stderr", "--virtual-time-budget=3000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(arguments)
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap()
}

struct Opened {
    /// The page after its script ran.
    dom: String,
    /// What it wrote to its console.
    console: Vec<String>,
}

fn opened(browser: &Path, report: &Report) -> Opened {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    fs::write(&page, render::html(report)).unwrap();
    let output = open(browser, &page, &["--dump-dom"]);
    let log = String::from_utf8_lossy(&output.stderr);
    Opened {
        dom: String::from_utf8(output.stdout).unwrap(),
        console: log
            .lines()
            .filter(|line| line.contains("CONSOLE"))
            .map(str::to_owned)
            .collect(),
    }
}

#[test]
fn a_browser_shows_the_verdict_and_the_plots_and_logs_nothing() {
    let Some(browser) = chromium() else { return };
    let Opened { dom, console } = opened(&browser, &load("fail"));
    assert_eq!(console, [""; 0], "the console is silent");
    assert!(dom.contains("Fail</h1>"), "the verdict is there");
    for plot in [
        "percentiles",
        "load",
        "throughput",
        "latency",
        "heat-map",
        "memory",
        "processor",
    ] {
        assert!(dom.contains(&format!("id=\"scenario-1-{plot}\"")), "{plot}");
    }
    // What only the script adds: it ran, to its end.
    assert!(dom.contains("<button type=\"button\">operations</button>"));
    assert!(!dom.contains("plots show\" hidden") && dom.contains("fill=\"transparent\""));
}

#[test]
fn in_a_browser_no_name_becomes_an_element() {
    let Some(browser) = chromium() else { return };
    let hostile = load("hostile_names");
    let scripts = render::html(&hostile).matches("<script").count();
    let Opened { dom, console } = opened(&browser, &hostile);
    assert_eq!(console, [""; 0], "the console is silent");
    assert_eq!(dom.matches("<script").count(), scripts);
    assert!(!dom.contains("<img") && dom.contains("&lt;script&gt;alert(1)"));
}

#[test]
fn the_picture_of_a_page_is_taken() {
    let Some(browser) = chromium() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (page, picture) = (
        folder.path().join("report.html"),
        folder.path().join("report.png"),
    );
    fs::write(&page, render::html(&load("pass"))).unwrap();
    let screenshot = format!("--screenshot={}", picture.display());
    open(&browser, &page, &[&screenshot, "--window-size=1240,1600"]);
    let png = fs::read(&picture).unwrap();
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"));
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!((number(16), number(20)), (1240, 1600));
    assert!(png.len() > 20_000, "{} bytes are no page", png.len());
}

/// The script of axe-core, if it is installed.
fn axe() -> Option<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.services");
    let found = fs::read_to_string(folder.join("axe_playwright_python/axe.min.js")).ok();
    if found.is_none() {
        let required = std::env::var_os("PROOFLOAD_REQUIRE_SERVICES").is_some();
        assert!(
            !required,
            "no axe-core, although PROOFLOAD_REQUIRE_SERVICES is set: run `cargo xtask services`"
        );
        let line = b"the page was not looked at by axe-core: run `cargo xtask services`\n";
        std::io::stderr().write_all(line).unwrap();
    }
    found
}

/// What axe-core says keeps people from using a page of which all details are open, a line each.
fn violations(browser: &Path, axe: &str, page: &str, size: &str) -> Vec<String> {
    const RUN: &str = "document.querySelectorAll('details').forEach(one => one.open = true);
        axe.run(document, {resultTypes: ['violations']}).then(found => {
            const place = document.createElement('pre');
            place.id = 'axe';
            place.textContent = found.violations.map(one => one.nodes.map(node =>
                one.id + ': ' + node.target).join('\\n')).join('\\n');
            document.body.append(place);
        });";
    // The policy of the page lets no other script in: it is what is tested elsewhere, not here.
    let (before, policy) = page
        .split_once("<meta http-equiv=\"Content-Security-Policy\"")
        .unwrap();
    let (_, after) = policy.split_once('>').unwrap();
    let (body, end) = after.rsplit_once("</body>").unwrap();
    let axe = axe.replace("</script", "<\\/script");
    let page = format!("{before}{body}<script>{axe}</script><script>{RUN}</script></body>{end}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    fs::write(&path, page).unwrap();
    let size = format!("--window-size={size}");
    let budget = "--virtual-time-budget=30000";
    let output = open(browser, &path, &["--dump-dom", &size, budget]);
    let dom = String::from_utf8(output.stdout).unwrap();
    let (_, found) = dom
        .split_once("<pre id=\"axe\">")
        .expect("axe-core ran to its end");
    let (found, _) = found.split_once("</pre>").unwrap();
    found.lines().map(str::to_owned).collect()
}

#[test]
fn axe_core_finds_nothing_on_a_screen_and_on_a_phone() {
    let (Some(browser), Some(axe)) = (chromium(), axe()) else {
        return;
    };
    for name in ["fail", "lost_effects", "empty"] {
        let page = render::html(&load(name));
        for size in ["1240,900", "390,844"] {
            let found = violations(&browser, &axe, &page, size);
            assert_eq!(found, [""; 0], "{name} at {size}");
        }
    }
    // It does find what is wrong.
    let page = render::html(&load("pass")).replace("</body>", "<img src=\"data:,\"></body>");
    let found = violations(&browser, &axe, &page, "1240,900");
    assert!(
        found.iter().any(|line| line.starts_with("image-alt")),
        "{found:?}"
    );
}
