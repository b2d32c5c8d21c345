//! The rows of an erased workspace: each module that has some says how they are deleted.

/// The rows of a workspace in one table.
#[derive(Clone, Copy, Debug)]
pub struct WorkspaceRows {
    /// With its schema.
    pub table: &'static str,
    /// The statement that deletes them; `$1` is the workspace's id.
    pub delete: &'static str,
}
