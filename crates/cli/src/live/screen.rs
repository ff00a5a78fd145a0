//! The terminal's other screen, which is left whatever happens.

use std::io::{Stderr, stderr};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};

use super::state::State;
use super::view::draw;

/// Whether the other screen is shown. A panic on any thread leaves it, so that its message is seen.
static SHOWN: AtomicBool = AtomicBool::new(false);

/// The other screen; dropped, it is left.
///
/// Keys are not read, and the terminal stays in its usual mode: Ctrl-C is a signal as ever.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Stderr>>,
}

impl Screen {
    /// Enters the other screen, if the terminal has one.
    pub(crate) fn enter() -> std::io::Result<Self> {
        leave_on_panic();
        let terminal = Terminal::new(CrosstermBackend::new(stderr()))?;
        execute!(stderr(), EnterAlternateScreen, Hide)?;
        SHOWN.store(true, Ordering::SeqCst);
        let mut screen = Self { terminal };
        screen.terminal.clear()?;
        Ok(screen)
    }

    /// Draws a frame; says whether the screen is still there to be drawn on.
    pub(crate) fn draw(&mut self, state: &State) -> bool {
        SHOWN.load(Ordering::SeqCst) && self.terminal.draw(|frame| draw(frame, state)).is_ok()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

fn leave() {
    if SHOWN.swap(false, Ordering::SeqCst) {
        // There is nobody left to tell that a terminal takes nothing any more.
        let _ = execute!(stderr(), LeaveAlternateScreen, Show);
    }
}

fn leave_on_panic() {
    static HOOKED: Once = Once::new();
    HOOKED.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            leave();
            next(panic);
        }));
    });
}
