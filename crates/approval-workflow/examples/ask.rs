//! How long `can_execute` takes, as percentiles, among a thousand requests and among many.
//!
//! ```text
//! cargo run --release -p proofload-approval-workflow --example ask -- 1000000
//! ```
//!
//! Questions are timed in batches, in turns of both sizes, each about another request far away in the
//! table. The median of the batches is what a question takes when the machine does nothing else.
//!
//! Between them a bare look is timed: at one cache line of as many as there are requests, of which each
//! says where the next one is, and nothing else. No table that is read one cache line a question
//! answers faster than that where the caches do not hold it.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use action::{Action, ActionDigest, ActionPath, Timestamp};
use approval_workflow::{ApprovalWorkflow, Durability, NewRequest, PersonId, Policy, RequestId};

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);
const BATCH: usize = 32;
const BATCHES: usize = 200_000 / BATCH;
const FEW: usize = 1_000;

struct Gate {
    workflow: ApprovalWorkflow,
    /// In the order in which they are asked, so that they come from the caller's cache.
    questions: Vec<(RequestId, ActionDigest)>,
    next: usize,
    nanos: Vec<f64>, // a question, one for each batch
    _dir: tempfile::TempDir,
}

fn main() -> Result<(), Box<dyn Error>> {
    let many = std::env::args()
        .nth(1)
        .map_or(Ok(100_000), |text| text.parse())?;
    let mut gates = [filled(FEW)?, filled(many)?];
    let mut bare = [Bare::new(FEW), Bare::new(many)];
    for _ in 0..BATCHES {
        for (gate, bare) in gates.iter_mut().zip(&mut bare) {
            gate.ask();
            bare.look();
        }
    }
    for (gate, bare) in gates.iter_mut().zip(&mut bare) {
        let requests = gate.questions.len();
        say(&format!(
            "{requests} requests: {}",
            summary(&mut gate.nanos)
        ));
        say(&format!(
            "{requests} bare lines: {}",
            summary(&mut bare.nanos)
        ));
    }
    Ok(())
}

fn summary(nanos: &mut [f64]) -> String {
    nanos.sort_by(f64::total_cmp);
    let at = |percent: usize| nanos[(nanos.len() - 1) * percent / 100];
    let (p10, p50, p90) = (at(10), at(50), at(90));
    format!("p10 {p10:.0} ns, p50 {p50:.0} ns, p90 {p90:.0} ns")
}

/// As many cache lines, in one circle.
struct Bare {
    lines: Vec<[u64; 8]>,
    at: u64,
    nanos: Vec<f64>,
}

impl Bare {
    fn new(lines: usize) -> Self {
        // A step that has no divisor in common with the number, and is far: a circle through all.
        let step = (lines * 618 / 1000..).find(|step| gcd(*step, lines) == 1);
        let step = step.unwrap_or(1);
        let line = |at: usize| [((at + step) % lines) as u64; 8];
        Self {
            lines: (0..lines).map(line).collect(),
            at: 0,
            nanos: Vec::with_capacity(BATCHES),
        }
    }

    fn look(&mut self) {
        let watch = Instant::now();
        for _ in 0..BATCH {
            self.at = self.lines[self.at as usize][0];
        }
        self.nanos
            .push(watch.elapsed().as_nanos() as f64 / BATCH as f64);
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

impl Gate {
    fn ask(&mut self) {
        let (before, from) = self.questions.split_at(self.next);
        let questions = from.iter().chain(before).take(BATCH);
        let watch = Instant::now();
        for (id, digest) in questions {
            let permission = self.workflow.can_execute_digest(black_box(id), digest, NOW);
            assert!(permission.is_allowed());
        }
        self.nanos
            .push(watch.elapsed().as_nanos() as f64 / BATCH as f64);
        self.next = (self.next + BATCH) % self.questions.len();
    }
}

/// A workflow with so many approved requests.
fn filled(requests: usize) -> Result<Gate, Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let text = "[[rules]]\npattern = \"**\"\nsensitivity = \"none\"";
    let workflow = ApprovalWorkflow::options()
        .durability(Durability::Buffered)
        .without_snapshots()
        .unchained()
        .open(dir.path(), Policy::from_toml(text)?)?;
    let (path, agent) = (
        ActionPath::new("payments/refund")?,
        PersonId::new("agent-7")?,
    );
    let mut asked = Vec::with_capacity(requests);
    for number in 0..requests {
        let action = Action::new(path.clone(), "Refund").with_parameter("number", number);
        let id = RequestId::new(&format!("request-{number:07}"))?;
        let new = NewRequest::new(action, agent.clone(), NOW).with_id(id.clone());
        asked.push((id, workflow.request(new)?.submission.digest));
    }
    let far = (0..requests).map(|number| &asked[number * 7_919 % requests]);
    let questions = far.map(|(id, digest)| Ok((RequestId::new(id.as_str())?, *digest)));
    Ok(Gate {
        workflow,
        questions: questions.collect::<Result<_, approval_workflow::Error>>()?,
        next: 0,
        nanos: Vec::with_capacity(BATCHES),
        _dir: dir,
    })
}

#[expect(clippy::print_stdout, reason = "the result of the measurement")]
fn say(text: &str) {
    println!("{text}");
}
