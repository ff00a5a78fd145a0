use server::{Config, Ending, Restored, Tls, Tokens};

use crate::arguments::ServeArguments;
use crate::exit::Exit;
use crate::terminal::{print, shown, tell};

/// Serves until it is told to end. The address goes to stdout, for whoever started it with port 0.
pub(crate) fn run(arguments: &ServeArguments) -> anyhow::Result<Exit> {
    let mut config = Config::new(&arguments.dir);
    config.embeddings = arguments.model();
    if let Some(file) = &arguments.config {
        config.lay_over(file)?;
    }
    config.listen = arguments.listen.unwrap_or(config.listen);
    if arguments.public_url.is_some() {
        config.public_url.clone_from(&arguments.public_url);
    }
    if let (Some(certificate), Some(key)) = (arguments.tls_cert.clone(), arguments.tls_key.clone())
    {
        config.tls = Some(Tls { certificate, key });
    }
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    config.restored = arguments.restored_by.clone().map(|by| Restored {
        by,
        highest_token: arguments.highest_token,
    });
    let ending = server::run(&config, |address| {
        // A closed stdout is no reason to end.
        let _ = print(&format!("listening on {scheme}://{address}\n"));
        hint(arguments);
    })?;
    Ok(match ending {
        Ending::Clean => Exit::Held,
        Ending::Deadline => {
            tell("some requests were cut off at the deadline; what was acknowledged is on disk");
            Exit::Failed
        }
    })
}

/// Says how to go on where nobody can call yet.
fn hint(arguments: &ServeArguments) {
    let tokens = Tokens::open(&arguments.dir).and_then(|tokens| tokens.list());
    if tokens.is_ok_and(|tokens| tokens.is_empty()) {
        let dir = shown(&arguments.dir);
        tell(&format!(
            "nobody has a token yet: proofload token create NAME --role agent|reviewer|operator --dir {dir}"
        ));
    }
}
