//! The terminal's other screen, which is left whatever happens.

use std::io::{Result, Write, stderr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread::Builder;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::{Terminal, TerminalOptions, Viewport};
use signal_hook::consts::SIGTSTP;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::state::State;
use super::view::draw;

/// Takes what is drawn.
pub(super) type Output = Box<dyn Write + Send>;

/// Where the other screen is shown, if it is. Whoever takes it leaves the screen: a panic on any thread
/// does, so that its message is seen.
static SHOWN: Mutex<Option<Output>> = Mutex::new(None);

/// Held while a frame is written.
static DRAWING: Mutex<()> = Mutex::new(());

/// Set when the screen was left since the program was stopped, and not for good.
static RESUMED: AtomicBool = AtomicBool::new(false);

/// The other screen; dropped, it is left.
///
/// Keys are not read, and the terminal stays in its usual mode: Ctrl-C is a signal as ever.
pub(crate) struct Screen {
    terminal: Terminal<CrosstermBackend<Output>>,
}

impl Screen {
    /// Enters the other screen, if the terminal has one.
    pub(crate) fn enter() -> Result<Self> {
        Self::enter_on(&|| Box::new(stderr()), Viewport::Fullscreen)
    }

    /// Enters the other screen of what `output` opens, each time the same.
    pub(super) fn enter_on(output: &dyn Fn() -> Output, viewport: Viewport) -> Result<Self> {
        leave_on_panic();
        let _drawing = drawing();
        let backend = CrosstermBackend::new(output());
        let terminal = Terminal::with_options(backend, TerminalOptions { viewport })?;
        let mut screen = Self { terminal };
        // Before a byte is written, so that a screen is left too that was entered in part.
        *shown() = Some(output());
        // Not `Terminal::clear`, which asks the terminal where its cursor is: that reads keys, and waits
        // two seconds in vain where the standard output is no terminal.
        let to = screen.terminal.backend_mut();
        execute!(to, EnterAlternateScreen, Hide, Clear(ClearType::All))?;
        Ok(screen)
    }

    /// Draws a frame; says whether the screen is still there to be drawn on.
    pub(crate) fn draw(&mut self, state: &State) -> bool {
        let _drawing = drawing();
        shown().is_some() && self.terminal.draw(|frame| draw(frame, state)).is_ok()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        leave();
    }
}

/// Leaves the other screen at Ctrl-Z, so that the shell is seen; the next frame after `fg` enters it again.
pub(super) fn leave_when_stopped() -> Result<()> {
    let mut signals = Signals::new([SIGTSTP])?;
    Builder::new()
        .name("proofload:stop".to_owned())
        .spawn(move || {
            for signal in &mut signals {
                // No frame is half drawn, and none is begun before the process has stopped.
                let _drawing = drawing();
                if shown().is_some() {
                    RESUMED.store(true, Ordering::SeqCst);
                    leave();
                }
                // Stops the process here, and goes on from here.
                let _ = emulate_default_handler(signal);
            }
        })
        .map(drop)
}

/// Whether the screen was left by [`leave_when_stopped`] since this was last asked.
pub(super) fn was_resumed() -> bool {
    RESUMED.swap(false, Ordering::SeqCst)
}

fn shown() -> MutexGuard<'static, Option<Output>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn drawing() -> MutexGuard<'static, ()> {
    DRAWING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn leave() {
    // Taken first: the lock is not held while the terminal is written to, which could block.
    let taken = shown().take();
    if let Some(mut to) = taken {
        // There is nobody left to tell that a terminal takes nothing any more.
        let _ = execute!(to, LeaveAlternateScreen, Show);
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
