//! Starting services, waiting until they are ready, and restarting them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use drivers::proxy::FaultProxy;
use drivers::{Code, Outcome, Slot, Value, Values};
use load_engine::Failure;
use tokio::runtime::Runtime;
use tokio::task::LocalSet;

use super::memory::Started;
use super::process::{self, Running};
use super::program::Program;
use super::proxies::Proxies;
use super::spec::StopSignal;

/// How often a service that is on its way up is asked.
const ASK_READY_EACH: Duration = Duration::from_millis(20);

/// The services of a run, and what of them was started.
pub(super) struct Hosts {
    program: Arc<Program>,
    /// The run's own directory.
    dir: PathBuf,
    runtime: Runtime,
    /// What was started, service by service.
    running: Vec<Option<Running>>,
    /// The number of each process that runs, for whoever watches it.
    started: Arc<Started>,
    /// What leads to services whose network has faults.
    proxies: Proxies,
}

impl Hosts {
    pub(super) fn new(program: &Arc<Program>, dir: &Path) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            running: program.services.iter().map(|_| None).collect(),
            started: program.services.iter().map(|_| AtomicU32::new(0)).collect(),
            program: Arc::clone(program),
            dir: dir.to_owned(),
            runtime,
            proxies: Proxies::default(),
        })
    }

    /// Runs to its end what requests are made in.
    pub(super) fn wait<T>(&self, task: impl Future<Output = T>) -> T {
        LocalSet::new().block_on(&self.runtime, task)
    }

    /// Starts the services that the file starts, and waits until all are ready.
    pub(super) fn start(&mut self) -> Result<(), Failure> {
        for number in 0..self.program.services.len() {
            self.start_one(number)?;
        }
        for number in 0..self.program.services.len() {
            self.wait_until_ready(number)?;
        }
        self.proxies = Proxies::start(&self.program)?;
        Ok(())
    }

    /// The proxy before a service whose network has faults.
    pub(super) fn proxy(&self, number: usize) -> Option<&FaultProxy> {
        self.proxies.of(number)
    }

    pub(super) fn start_one(&mut self, number: usize) -> Result<(), Failure> {
        let service = &self.program.services[number];
        let Some(start) = &service.start else {
            return Ok(());
        };
        let log = self.dir.join(format!("{}.log", service.name));
        let running = Running::start(start, &self.program.folder, &log)
            .map_err(|failure| of_service(&service.name, &failure))?;
        self.started[number].store(running.process(), Ordering::Relaxed);
        self.running[number] = Some(running);
        Ok(())
    }

    /// The processes that were started, also as they change.
    pub(super) fn started(&self) -> Arc<Started> {
        Arc::clone(&self.started)
    }

    /// Asks a service until it answers. One that nobody starts has to answer at once.
    pub(super) fn wait_until_ready(&mut self, number: usize) -> Result<(), Failure> {
        let program = Arc::clone(&self.program);
        let service = &program.services[number];
        let until = Instant::now() + service.timeout;
        loop {
            let Err(NotReady { failure, is_final }) =
                self.wait(ready(&program, number, self.proxy(number)))
            else {
                return Ok(());
            };
            if let Some(running) = &mut self.running[number] {
                running
                    .check()
                    .map_err(|ended| of_service(&service.name, &ended))?;
            }
            let is_on_its_way = service.restarts() || service.ready.is_some();
            if is_final || !is_on_its_way || Instant::now() >= until {
                let told = match is_final {
                    true => failure.message().to_owned(),
                    false => format!("it is not ready: {}", failure.message()),
                };
                return Err(of_service(&service.name, &Failure::new(told)));
            }
            std::thread::sleep(ASK_READY_EACH);
        }
    }

    /// Restarts what can be restarted, and waits until it is ready.
    pub(super) fn restart(&mut self) -> Result<(), Failure> {
        let program = Arc::clone(&self.program);
        for number in 0..program.services.len() {
            self.restart_one(number)?;
        }
        for number in 0..program.services.len() {
            self.wait_until_ready(number)?;
        }
        Ok(())
    }

    /// Restarts one service, and does not wait until it is ready.
    pub(super) fn restart_one(&mut self, number: usize) -> Result<(), Failure> {
        let program = Arc::clone(&self.program);
        let service = &program.services[number];
        if let Some(restart) = &service.restart {
            return process::run(restart, &program.folder)
                .map_err(|failure| of_service(&service.name, &failure));
        }
        if let Some(running) = self.running[number].take() {
            running.stop(service.stop_signal);
            return self.start_one(number);
        }
        // A program that the driver has started: the next connection starts it again.
        self.wait(service.driver.reset());
        Ok(())
    }

    /// Ends a program by SIGKILL, whatever the service's signal is.
    pub(super) fn kill(&mut self, number: usize) {
        if let Some(running) = self.running[number].take() {
            running.stop(StopSignal::Kill);
        }
    }

    /// Stops a program where it is, or has it go on.
    pub(super) fn pause(&mut self, number: usize, pauses: bool) {
        if let Some(running) = &self.running[number] {
            running.pause(pauses);
        }
    }

    /// Stops what was started.
    pub(super) fn stop(&mut self) {
        // Each one is asked to end, and made to if it does not.
        self.running.iter_mut().for_each(|running| *running = None);
    }
}

/// Why a service is not ready, and whether it may become so.
struct NotReady {
    failure: Failure,
    is_final: bool,
}

/// Asks a service whether it is ready.
async fn ready(
    program: &Program,
    number: usize,
    proxy: Option<&FaultProxy>,
) -> Result<(), NotReady> {
    let service = &program.services[number];
    if let Some(proxy) = proxy {
        // A proxy takes connections whether or not the service does.
        proxy.reaches().await.map_err(|error| NotReady {
            is_final: false,
            failure: Failure::new(format!("it takes no connection: {error}")),
        })?;
    }
    let mut values = Values::default();
    values.set(Slot::USER, Value::Int(0));
    let mut connection = service
        .driver
        .connect(&values)
        .await
        .map_err(|failure| NotReady {
            // Whoever answers that it wants a password, or has no such tool, is there already.
            is_final: !matches!(failure.code, Code::Connect | Code::Reset | Code::Timeout)
                && failure.code != Code::word("LOADING"),
            failure: Failure::new(&*failure.reason.text()),
        })?;
    for (name, wanted) in &service.require {
        let told = |told: String| NotReady {
            failure: Failure::new(told),
            is_final: true,
        };
        let found = service.driver.setting(&mut connection, name).await;
        let found = found.map_err(|failure| told(failure.to_string()))?;
        if found != *wanted {
            return Err(told(format!(
                "it has {name} = {found}, and the file requires {wanted}"
            )));
        }
    }
    let Some(ready) = &service.ready else {
        return Ok(());
    };
    let mut session = service.driver.session();
    let mut answer = drivers::Answer::default();
    let asked = service
        .driver
        .exchange(&mut connection, &mut session, ready, &values, &mut answer);
    match asked.await {
        Outcome::Acknowledged => Ok(()),
        outcome => Err(NotReady {
            failure: Failure::new(outcome.to_string()),
            is_final: false,
        }),
    }
}

fn of_service(name: &str, failure: &Failure) -> Failure {
    Failure::new(format!("service `{name}`: {}", failure.message()))
}
