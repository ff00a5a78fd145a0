//! Tests that the terminal is as it was when the view is gone, however it went.

use std::io::Write;
use std::num::NonZeroU32;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use harness::Progress as _;
use load_engine::{
    Failure, Iteration, Model, Plan, Progress, RunRecord, SimulatedClock, StepSpec, StopHandle,
    Workload, run_on,
};
use ratatui::Viewport;
use ratatui::layout::Rect;

use super::Live;
use super::screen::Screen;
use super::state::State;
use crate::interrupt::Interrupt;
use crate::progress::Shown;

const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
const LEAVE: &str = "\u{1b}[?1049l\u{1b}[?25h";

/// A terminal that keeps what is written to it.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<u8>>>);

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Tape {
    fn screen(&self) -> std::io::Result<Screen> {
        let viewport = Viewport::Fixed(Rect::new(0, 0, 80, 24));
        Screen::enter_on(&|| Box::new(self.clone()), viewport)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Whether the other screen was entered, drawn on, left once, and not touched again: what follows
    /// may only show the cursor.
    fn is_restored(&self) -> bool {
        let text = self.text();
        let Some((drawn, after)) = text.split_once(LEAVE) else {
            return false;
        };
        drawn.starts_with(ENTER)
            && drawn.contains("operations")
            && after.replace("\u{1b}[?25h", "").is_empty()
    }
}

/// There is one terminal, so these tests take turns.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // A test that failed leaves nothing behind.
    TURN.lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn state() -> State {
    State::new(&plan(), Vec::new())
}

fn plan() -> Plan {
    let users = NonZeroU32::new(2).unwrap();
    Plan::new("load", Model::iterations(users, 1.try_into().unwrap()))
}

#[test]
fn the_screen_is_left_when_whoever_draws_on_it_panics() {
    let _turn = turn();
    let tape = Tape::default();
    let drawing = catch_unwind(AssertUnwindSafe(|| {
        let mut screen = tape.screen().unwrap();
        assert!(screen.draw(&state()));
        panic!("planted");
    }));
    assert!(drawing.is_err());
    assert!(tape.is_restored(), "{:?}", tape.text());
}

#[test]
fn the_screen_is_left_when_another_thread_panics_and_is_not_drawn_on_again() {
    let _turn = turn();
    let tape = Tape::default();
    let mut screen = tape.screen().unwrap();
    assert!(screen.draw(&state()));
    assert!(!tape.is_restored());
    let other = thread::Builder::new().name("cli:test".to_owned());
    let other = other.spawn(|| panic!("planted")).unwrap();
    assert!(other.join().is_err());
    // Before the screen is dropped: the message of the panic must be seen.
    assert!(tape.is_restored(), "{:?}", tape.text());
    assert!(!screen.draw(&state()));
    drop(screen);
    assert!(tape.is_restored(), "{:?}", tape.text());
}

#[test]
fn the_screen_is_left_at_the_first_interruption() {
    let _turn = turn();
    let (tape, came) = (Tape::default(), Arc::new(AtomicBool::new(false)));
    let mut live = live(&tape, Arc::clone(&came));
    live.load_planned(&plan());
    let progress = under_way();
    live.load_goes_on("load", &progress);
    assert!(live.screen.is_some(), "{:?}", tape.text());
    assert!(!tape.is_restored());
    came.store(true, Ordering::Relaxed);
    live.load_goes_on("load", &progress);
    assert!(live.screen.is_none() && live.is_interrupted());
    assert!(tape.is_restored(), "{:?}", tape.text());
    // And it is not entered again.
    live.load_goes_on("load", &progress);
    assert!(tape.is_restored(), "{:?}", tape.text());
}

#[test]
fn the_screen_is_left_when_the_load_is_over_or_the_view_is_dropped() {
    let _turn = turn();
    let mut progress = under_way();
    for over in [true, false] {
        let tape = Tape::default();
        let mut live = live(&tape, Arc::default());
        live.load_planned(&plan());
        progress.users = 2;
        live.load_goes_on("load", &progress);
        assert!(!tape.is_restored());
        if over {
            progress.users = 0;
            live.load_goes_on("load", &progress);
        } else {
            drop(live);
        }
        assert!(tape.is_restored(), "{:?}", tape.text());
    }
}

fn live(tape: &Tape, came: Arc<AtomicBool>) -> Live {
    let tape = tape.clone();
    let interrupt = Interrupt::by(came);
    let lines = Shown::new(interrupt.clone(), true);
    Live::new(lines, interrupt, Box::new(move || tape.screen()))
}

/// Nothing to do, once.
struct Idle;

impl Workload for Idle {
    type User = ();

    fn steps(&self) -> Vec<StepSpec> {
        vec![StepSpec::new("idle")]
    }

    fn set_up(&self, _: u32) -> Result<(), Failure> {
        Ok(())
    }

    fn iterate(&self, (): &mut (), _: &mut Iteration<'_>) -> Result<(), Failure> {
        Ok(())
    }
}

/// What an engine tells of a load that goes on.
fn under_way() -> Progress {
    let mut told = None;
    let clock = SimulatedClock::new();
    let ran = run_on(&clock, &Idle, &plan(), &StopHandle::new(), |progress| {
        told = Some(progress.clone());
    });
    ran.unwrap();
    let mut progress = told.unwrap();
    progress.users = 2;
    progress.elapsed = Duration::from_secs(3);
    progress.record = Some(Arc::new(RunRecord::default()));
    progress
}
