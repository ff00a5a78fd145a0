//! The terminal's other screen, which is left whatever happens.

use std::io::{Read as _, Result, Write, stderr, stdin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, Once, PoisonError};
use std::thread::Builder;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::{Terminal, TerminalOptions, Viewport};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use signal_hook::consts::SIGTSTP;
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use super::state::State;
use super::view::draw;

/// Takes what is drawn.
pub(super) type Output = Box<dyn Write + Send>;

/// Where the other screen is shown, if it is. Whoever takes it leaves the screen: a panic on any thread
/// does, so that its message is seen.
static SHOWN: Mutex<Option<Shown>> = Mutex::new(None);

/// Where the other screen is shown, and how keys came before it was.
struct Shown {
    output: Output,
    /// None while keys are not read.
    usual: Option<Termios>,
}

/// Held while a frame is written.
static DRAWING: Mutex<()> = Mutex::new(());

/// Set when the screen was left since the program was stopped, and not for good.
static RESUMED: AtomicBool = AtomicBool::new(false);

/// The other screen; dropped, it is left.
///
/// While it is shown a key is read as soon as it is pressed. Ctrl-C and Ctrl-Z stay signals as ever.
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
        *shown() = Some(Shown {
            output: output(),
            usual: None,
        });
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

    /// The keys that were pressed since this was last asked; nothing where keys are not for this program:
    /// in the background, or with an input that is no terminal.
    pub(crate) fn pressed(&mut self) -> Option<Vec<u8>> {
        let _drawing = drawing();
        let mut shown = shown();
        let shown = shown.as_mut()?;
        if !is_in_foreground() {
            return None;
        }
        if shown.usual.is_none() {
            shown.usual = Some(read_each_key().ok()?);
        }
        let mut keys = vec![0; 64];
        let input = stdin();
        let mut ready = [PollFd::new(&input, PollFlags::IN)];
        let now = Timespec::default();
        let read = match poll(&mut ready, Some(&now)) {
            Ok(1..) => input.lock().read(&mut keys).ok()?,
            _ => 0,
        };
        keys.truncate(read);
        Some(keys)
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

/// Whether keys come to this program, so that it may read them and change how they come.
fn is_in_foreground() -> bool {
    tcgetpgrp(stdin()).is_ok_and(|group| group == getpgrp())
}

/// Has each key come at once and not shown; gives back how it was.
fn read_each_key() -> rustix::io::Result<Termios> {
    let usual = tcgetattr(stdin())?;
    let mut each = usual.clone();
    each.local_modes
        .remove(LocalModes::ICANON | LocalModes::ECHO);
    tcsetattr(stdin(), OptionalActions::Now, &each)?;
    Ok(usual)
}

fn shown() -> MutexGuard<'static, Option<Shown>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn drawing() -> MutexGuard<'static, ()> {
    DRAWING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn leave() {
    // Taken first: the lock is not held while the terminal is written to, which could block.
    let taken = shown().take();
    if let Some(Shown { mut output, usual }) = taken {
        // There is nobody left to tell that a terminal takes nothing any more.
        let _ = execute!(output, LeaveAlternateScreen, Show);
        if let Some(usual) = usual
            // Whoever is in the background is stopped when it changes the terminal.
            && is_in_foreground()
        {
            let _ = tcsetattr(stdin(), OptionalActions::Now, &usual);
        }
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
