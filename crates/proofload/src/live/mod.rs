//! A load that goes on, drawn over the whole terminal.

mod screen;
mod server;
mod state;
mod view;

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use harness::Progress;
use load_engine::{Plan, Progress as RunProgress, Threshold};
use report::ScenarioResult;

use crate::arguments::OutputArguments;
use crate::interrupt::Interrupt;
use crate::progress::Shown;
use crate::terminal;

use self::screen::Screen;
use self::server::{Served, Server};
use self::state::State;

/// Time between two frames.
const FRAME: Duration = Duration::from_millis(250);

/// The key that ends the load as Ctrl-C does, with what there is.
const QUIT: u8 = b'q';

/// Tells of the load in the way that the arguments and the terminal allow: drawn where it can be,
/// and else in lines.
///
/// # Errors
///
/// When the figures should be served and cannot be.
pub(crate) fn progress(
    output: &OutputArguments,
    json: bool,
    interrupt: Interrupt,
) -> anyhow::Result<Box<dyn Progress>> {
    let inner = shown(output, json, interrupt);
    let Some(address) = output.prometheus else {
        return Ok(inner);
    };
    let server = Server::start(address)?;
    terminal::tell(&format!("metrics: http://{}/metrics", server.address()));
    Ok(Box::new(Served { server, inner }))
}

fn shown(output: &OutputArguments, json: bool, interrupt: Interrupt) -> Box<dyn Progress> {
    let lines = Shown::new(interrupt.clone(), output.plain);
    if json || output.plain || !can_draw() {
        return Box::new(lines);
    }
    // Without it Ctrl-Z leaves the shell on the other screen, which is no reason not to run.
    let _ = screen::leave_when_stopped();
    Box::new(Live::new(lines, interrupt, Box::new(Screen::enter)))
}

/// Whether stderr is a terminal that can be drawn on.
fn can_draw() -> bool {
    let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
    std::io::stderr().is_terminal() && !dumb
}

struct Live {
    /// For all that is no load under way.
    lines: Shown,
    interrupt: Interrupt,
    /// Of the next load.
    thresholds: Vec<Threshold>,
    load: String,
    state: State,
    enter: Enter,
    screen: Option<Screen>,
    drawn: Option<Instant>,
    /// Whether the screen was lost: by a panic somewhere, or since the terminal went away.
    gave_up: bool,
}

/// Enters the screen that is drawn on.
type Enter = Box<dyn Fn() -> std::io::Result<Screen>>;

impl Live {
    fn new(lines: Shown, interrupt: Interrupt, enter: Enter) -> Self {
        Self {
            lines,
            interrupt,
            thresholds: Vec::new(),
            load: String::new(),
            state: State::default(),
            enter,
            screen: None,
            drawn: None,
            gave_up: false,
        }
    }

    fn draw(&mut self) {
        if self.drawn.is_some_and(|drawn| drawn.elapsed() < FRAME) {
            return;
        }
        self.drawn = Some(Instant::now());
        if self.screen.is_none() {
            self.screen = (self.enter)().ok();
        }
        let pressed = self.screen.as_mut().and_then(Screen::pressed);
        if pressed.as_ref().is_some_and(|keys| keys.contains(&QUIT)) {
            Interrupt::raise();
        }
        self.state.reads_keys = pressed.is_some();
        let shown = self
            .screen
            .as_mut()
            .is_some_and(|screen| screen.draw(&self.state));
        if !shown {
            self.screen = None;
            self.gave_up = !screen::was_resumed();
        }
    }
}

impl Progress for Live {
    fn scenario_began(&mut self, name: &str, load: &str) {
        load.clone_into(&mut self.load);
        self.lines.scenario_began(name, load);
    }

    fn will_be_judged(&mut self, thresholds: &[Threshold]) {
        self.thresholds = thresholds.to_vec();
    }

    fn load_planned(&mut self, plan: &Plan) {
        let thresholds = std::mem::take(&mut self.thresholds);
        self.state = State::new(plan, thresholds);
        self.state.load.clone_from(&self.load);
    }

    fn wants_record(&self) -> bool {
        true
    }

    fn load_goes_on(&mut self, name: &str, progress: &RunProgress) {
        self.state.update(progress);
        // A load of less than a second is over before anybody has read a screen. And it is left at
        // the first Ctrl-C, since the second one ends the program at once.
        let over = progress.users == 0 || self.interrupt.came();
        if over || self.gave_up || progress.record.is_none() {
            self.screen = None;
            self.lines.load_goes_on(name, progress);
        } else {
            self.draw();
        }
    }

    fn verification_began(&mut self, name: &str) {
        self.screen = None;
        self.lines.verification_began(name);
    }

    fn scenario_ended(&mut self, result: &ScenarioResult) {
        self.lines.scenario_ended(result);
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.came()
    }
}

#[cfg(test)]
mod restored;
#[cfg(test)]
mod tests;
