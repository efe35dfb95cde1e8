//! `nightdesk config …` and `nightdesk secrets …`.

use std::io::Read;

use nightdesk_host::config::{load_file, schema};
use nightdesk_host::{Failure, Status, output};
use nightdesk_platform::{PlatformError, Secret};
use nightdesk_platform_local::SecretsFile;

use crate::cli::{ConfigArgs, ConfigCommand, SecretsArgs, SecretsCommand};
use crate::data;
use nightdesk_process::{Config, DEMO};

/// Runs `config`.
pub(crate) fn config(args: &ConfigArgs) -> Result<(), Failure> {
    match &args.command {
        ConfigCommand::Check { file, json } => match load_file::<Config>(file) {
            Ok(_) if *json => output::json(&serde_json::json!({ "mistakes": [] }))?,
            Ok(_) => output::to_stdout(&format!("{}: good\n", file.display()))?,
            Err(errors) if *json => {
                output::json(&errors.to_json())?;
                return Err(errors.into());
            }
            Err(errors) => return Err(errors.into()),
        },
        ConfigCommand::Schema => output::json(&schema::<Config>())?,
        ConfigCommand::Example => output::to_stdout(DEMO)?,
    }
    Ok(())
}

/// Runs `secrets`.
pub(crate) fn secrets(args: &SecretsArgs) -> Result<(), Failure> {
    let dir = data::data_dir(args.data_dir.as_deref())?;
    let secrets = SecretsFile::open(&dir)?;
    match &args.command {
        SecretsCommand::Set { name } => {
            let mut value = Vec::new();
            std::io::stdin().read_to_end(&mut value)?;
            while value.last().is_some_and(u8::is_ascii_whitespace) {
                value.pop();
            }
            if value.is_empty() {
                let text = format!("standard input is empty: try printf %s VALUE | nightdesk secrets set {name}");
                return Err(Failure::new(Status::Usage, text));
            }
            secrets.set(name, &Secret::new(value)).map_err(refused)?;
        }
        SecretsCommand::List => {
            for name in secrets.list()? {
                output::to_stdout(&format!("{name}\n"))?;
            }
        }
        SecretsCommand::Remove { name } => secrets.remove(name).map_err(refused)?,
    }
    Ok(())
}

/// A secret that is not there is an answer, not a fault.
fn refused(error: PlatformError) -> Failure {
    let status = match error {
        PlatformError::NoSecret { .. } => Status::No,
        PlatformError::Unavailable { .. } => Status::Fault,
    };
    Failure::new(status, error)
}
