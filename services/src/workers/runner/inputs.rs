//! The inputs of a command: its text, its secrets, and the masks for its log.

use domain::privacy::{
    DeploymentConfig, DeploymentSteps, RunCommand, RunEnvironmentText, RunSecrets,
};
use domain::run::{RequestedRun, Work};
use domain::{RunSecretsId, WorkspaceId};
use infra::run_log::{MaskError, Masks};
use infra::run_queue::SecretsError;
use zeroize::Zeroizing;

use super::attempt::AttemptError;
use crate::unseal::{UnknownField, Unsealer};
use crate::wiring::App;

/// Names and values.
type Variables = Vec<(String, Zeroizing<String>)>;

/// The decrypted inputs of a command.
pub(in crate::workers) struct RunInputs {
    pub command: Zeroizing<String>,
    pub environment: Variables,
    /// The tasks of a run share them, while one of them holds a clone.
    pub masks: Masks,
}

impl RunInputs {
    /// Opens the inputs. `None`, for good: the workspace is erased, the secrets are deleted, or one of
    /// them is damaged.
    pub async fn open(
        app: &App,
        workspace: WorkspaceId,
        run: &RequestedRun,
        secrets: Option<RunSecretsId>,
    ) -> Result<Option<Self>, AttemptError> {
        match Self::unseal(app, workspace, run, secrets).await {
            Ok(inputs) => Ok(inputs),
            Err(InputsError::Damaged) => {
                tracing::error!(%workspace, ?secrets, "the inputs of a run are damaged: it ends");
                Ok(None)
            }
            Err(InputsError::Attempt(error)) => Err(error),
        }
    }

    async fn unseal(
        app: &App,
        workspace: WorkspaceId,
        run: &RequestedRun,
        secrets: Option<RunSecretsId>,
    ) -> Result<Option<Self>, InputsError> {
        let unsealer = Unsealer::of_workspace(&app.keyring.sealer, workspace);
        let Some(command) = command(&unsealer, &run.work).await? else { return Ok(None) };
        let Some(environment) = clear(&unsealer, run).await? else { return Ok(None) };
        let mut inputs = Self { command, environment, masks: Masks::default() };
        let Some(secrets) = secrets else { return Ok(Some(inputs)) };
        let Some(sealed) = app.run_queue.secrets(workspace, secrets).await? else {
            return Ok(None);
        };
        let Some(opened) = unsealer.optional::<RunSecrets>(Some(&sealed)).await? else {
            return Ok(None);
        };
        let hidden = opened.expose();
        let values = hidden.values().map(|value| value.clone().into()).collect();
        inputs.environment.retain(|(name, _)| !hidden.contains_key(name));
        let hidden = hidden.iter().map(|(name, value)| (name.clone(), value.clone().into()));
        inputs.environment.extend(hidden);
        inputs.masks = app.run_logs.masks(secrets, values).await?;
        Ok(Some(inputs))
    }
}

/// Why inputs were not opened.
enum InputsError {
    Damaged,
    Attempt(AttemptError),
}

impl From<AttemptError> for InputsError {
    fn from(error: AttemptError) -> Self {
        Self::Attempt(error)
    }
}

impl From<UnknownField> for InputsError {
    fn from(error: UnknownField) -> Self {
        match error {
            UnknownField::Damaged => Self::Damaged,
            UnknownField::Unavailable(error) => Self::Attempt(AttemptError::internal(&error)),
        }
    }
}

impl From<SecretsError> for InputsError {
    fn from(error: SecretsError) -> Self {
        match error {
            SecretsError::Damaged => Self::Damaged,
            SecretsError::Postgres(error) => Self::Attempt(error.into()),
        }
    }
}

impl From<MaskError> for InputsError {
    fn from(error: MaskError) -> Self {
        match error {
            // No request with such secrets is accepted.
            MaskError::TooShort
            | MaskError::Scattered
            | MaskError::TooLong
            | MaskError::TooMany => Self::Damaged,
            MaskError::Stopped => Self::Attempt(AttemptError::internal(&error)),
        }
    }
}

/// The variables that are no secrets. `None`: there were some, and the workspace is erased.
async fn clear(
    unsealer: &Unsealer<'_>,
    run: &RequestedRun,
) -> Result<Option<Variables>, UnknownField> {
    let Some(environment) = &run.environment else { return Ok(Some(vec![])) };
    let opened = unsealer.optional::<RunEnvironmentText>(Some(environment)).await?;
    Ok(opened.map(|variables| {
        let variables = variables.expose().iter();
        variables.map(|(name, value)| (name.clone(), value.clone().into())).collect()
    }))
}

async fn command(
    unsealer: &Unsealer<'_>,
    work: &Work,
) -> Result<Option<Zeroizing<String>>, UnknownField> {
    Ok(match work {
        Work::Command { command } => {
            let line = unsealer.optional::<RunCommand>(Some(command)).await?;
            line.map(|line| line.expose().to_owned().into())
        }
        Work::Deployment { steps, .. } => {
            let steps = unsealer.optional::<DeploymentConfig>(Some(steps)).await?;
            steps.map(|steps| script(&steps).into())
        }
    })
}

/// Runs each step in its own shell. The first step that fails ends the run, with its exit code.
fn script(steps: &DeploymentSteps) -> String {
    use std::fmt::Write;
    let mut script = String::from("#!/bin/sh\n");
    let count = steps.steps().len();
    for (index, step) in steps.steps().iter().enumerate() {
        let name = quoted(&format!("--- step {} of {count}: {}", index + 1, step.name.expose()));
        let command = quoted(step.command.expose());
        let run = format!("(set -e; eval {command})\ncode=$?\n");
        let stop = "[ \"$code\" -eq 0 ] || exit \"$code\"\n";
        let _ = write!(script, "printf '%s\\n' {name}\n{run}{stop}");
    }
    script
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use domain::privacy::{CommandLine, DeploymentStep, Label};

    use super::*;

    fn run(commands: &[&str]) -> (Option<i32>, String) {
        let step = |(index, command): (usize, &&str)| DeploymentStep {
            name: Label::parse(&format!("it's {index}")).unwrap(),
            command: CommandLine::parse(command).unwrap(),
        };
        let steps = commands.iter().enumerate().map(step).collect();
        let script = script(&DeploymentSteps::new(steps).unwrap());
        let done = Command::new("sh").args(["-c", &script]).output().unwrap();
        (done.status.code(), String::from_utf8(done.stdout).unwrap())
    }

    #[test]
    fn steps_run_in_their_order_each_in_a_shell_of_its_own() {
        let (code, out) =
            run(&["cd /; x=1; echo 'one'", "echo \"$x-$PWD\" | grep -c '^-/$' || true"]);
        assert_eq!(code, Some(0));
        assert_eq!(out, "--- step 1 of 2: it's 0\none\n--- step 2 of 2: it's 1\n0\n");
    }

    #[test]
    fn the_first_failure_ends_the_run_with_its_code() {
        let (code, out) = run(&["false || echo borne\n(exit 7)\necho never", "echo never"]);
        assert_eq!((code, out.as_str()), (Some(7), "--- step 1 of 2: it's 0\nborne\n"));
    }
}
