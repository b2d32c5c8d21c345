//! What a completed erasure certifies.

use chrono::{DateTime, Utc};
use infra::keyring::{ErasureEntry, SubjectKind};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// What was done when. It says what is stated, not more.
#[derive(Serialize, ToSchema)]
pub struct Certificate {
    /// An opaque id, which no longer leads to anybody.
    subject_id: Uuid,
    /// From then on, nothing was accepted about the subject.
    fenced_at: Option<DateTime<Utc>>,
    /// How many keys were destroyed.
    keys_destroyed: Option<i64>,
    destroyed_at: Option<DateTime<Utc>>,
    /// Of a workspace: what may still run on its servers, since they were not reached for an hour, the first 1,000
    /// at most. Absent for an account, and where an earlier version erased the workspace.
    #[serde(skip_serializing_if = "Option::is_none")]
    runs_not_ended: Option<Vec<RunNotEnded>>,
    /// How many there are, where the list is cut too.
    #[serde(skip_serializing_if = "Option::is_none")]
    runs_not_ended_count: Option<usize>,
    completed_at: DateTime<Utc>,
    /// From then on no backup of keys opens anything, either.
    backup_proven_at: Option<DateTime<Utc>>,
    statement: String,
}

/// A run that may go on on a server that was not reached.
#[derive(Serialize, ToSchema)]
pub struct RunNotEnded {
    run_id: Uuid,
    server_id: Uuid,
}

const OF_WORKSPACE: &str = "The keys that opened this workspace's data are destroyed in the live \
    keyring, and its working rows are deleted. Copies of the keyring made before open nothing once \
    backup_proven_at is set. A copy of a whole machine made before, root key included, is not \
    reached; nor are servers that were reached from it, or mail that was delivered. Where mails are \
    written to a folder, an invitation in another node's folder may still be read for a minute after \
    completed_at, and for as long as that node does not run or cannot delete it.";

const OF_WORKSPACE_AND_ITS_RUNS: &str = "Of the runs on this workspace's servers that Lethe still \
    followed, those that were not ended are in runs_not_ended. The keys that opened the workspace's data are \
    destroyed in the live keyring, and its working rows are deleted. Copies of the keyring made before open \
    nothing once backup_proven_at is set. A copy of a whole machine made before, root key included, is not \
    reached; nor is what runs have done and left on servers, or mail that was delivered. Where mails are \
    written to a folder, an invitation in another node's folder may still be read for a minute after \
    completed_at, and for as long as that node does not run or cannot delete it.";

const RUNS_ARE_CUT: &str =
    " The list of runs_not_ended is cut: runs_not_ended_count says how many there are.";

const STATEMENT: &str = "The keys that opened this person's data are destroyed in the live \
    keyring. Copies of the keyring made before open nothing once backup_proven_at is set. A copy \
    of a whole machine made before, root key included, is not reached; nor is mail that was \
    delivered. Where mails are written to a folder, a letter in another node's folder may still be \
    read for a minute after completed_at, and for as long as that node does not run or cannot \
    delete it.";

impl Certificate {
    /// `None`: it is not completed.
    pub fn of(entry: &ErasureEntry) -> Option<Self> {
        let left = entry.runs_left.as_ref();
        let is_cut = left.is_some_and(|left| left.listed.len() < left.count);
        let statement = match entry.kind {
            SubjectKind::Account => STATEMENT,
            SubjectKind::Workspace if left.is_some() => OF_WORKSPACE_AND_ITS_RUNS,
            SubjectKind::Workspace => OF_WORKSPACE,
        };
        Some(Self {
            subject_id: entry.subject.0,
            fenced_at: entry.fenced_at,
            keys_destroyed: entry.keys,
            destroyed_at: entry.keys_erased_at,
            runs_not_ended: left.map(|left| {
                let views = left.listed.iter();
                views
                    .map(|left| RunNotEnded { run_id: left.run.0, server_id: left.server.0 })
                    .collect()
            }),
            runs_not_ended_count: left.map(|left| left.count),
            completed_at: entry.completed_at?,
            backup_proven_at: entry.backup_proven_at,
            statement: format!("{statement}{}", if is_cut { RUNS_ARE_CUT } else { "" }),
        })
    }
}

#[cfg(test)]
mod tests {
    use domain::{RunId, ServerId, SubjectId};
    use infra::keyring::{ErasureState, RunLeft, RunsLeft};

    use super::*;

    fn certificate_of(runs: usize) -> Certificate {
        let mut left = RunsLeft::default();
        for _ in 0..runs {
            left.push(RunLeft { run: RunId(Uuid::nil()), server: ServerId(Uuid::nil()) });
        }
        certificate(SubjectKind::Workspace, Some(left))
    }

    fn certificate(kind: SubjectKind, runs_left: Option<RunsLeft>) -> Certificate {
        let at = DateTime::UNIX_EPOCH;
        let entry = ErasureEntry {
            kind,
            subject: SubjectId(Uuid::nil()),
            state: ErasureState::Completed,
            requested_at: at,
            due: at,
            claim_code_hash: [0; 32],
            append_pending: false,
            cancelled_at: None,
            fenced_at: Some(at),
            fenced_at_position: Some(1),
            keys_erased_at: Some(at),
            keys: Some(1),
            last_root: None,
            runs_left,
            completed_at: Some(at),
            backup_proven_at: None,
        };
        Certificate::of(&entry).unwrap()
    }

    #[test]
    fn a_certificate_says_for_how_long_a_letter_may_be_read_in_another_nodes_folder() {
        let all = [
            certificate(SubjectKind::Account, None),
            certificate(SubjectKind::Workspace, None),
            certificate(SubjectKind::Workspace, Some(RunsLeft::default())),
        ];

        for Certificate { statement, .. } in all {
            let says = "in another node's folder may still be read for a minute after \
                completed_at, and for as long as that node does not run or cannot delete it.";
            assert!(statement.ends_with(says), "{statement}");
        }
    }

    #[test]
    fn a_certificate_says_that_its_list_of_runs_is_cut_and_how_many_there_are() {
        let (whole, cut) = (certificate_of(1000), certificate_of(1001));

        for certificate in [&whole, &cut] {
            assert_eq!(certificate.runs_not_ended.as_ref().unwrap().len(), 1000);
        }
        assert_eq!(whole.runs_not_ended_count, Some(1000));
        assert!(!whole.statement.contains("cut"));
        assert_eq!(cut.runs_not_ended_count, Some(1001));
        assert!(cut.statement.ends_with("is cut: runs_not_ended_count says how many there are."));
    }
}
