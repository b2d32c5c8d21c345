//! Why a command to a workspace is refused.

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkspaceError {
    #[error("this workspace exists already")]
    Exists,
}
