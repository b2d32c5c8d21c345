//! Refuses folders of another user, and folders that are lost with a container, before anything is changed.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use infra::accounts::User;
use infra::paths::real;

use super::CliError;
use crate::config::Config;

const MOUNTS: &str = "/proc/self/mountinfo";

/// # Errors
/// A folder in use belongs to another user, or has to be on a volume and is not.
pub fn refuse(config: &Config) -> Result<(), CliError> {
    let Some(me) = User::of_this_process() else { return Ok(()) };
    for (setting, path) in in_use(config) {
        if let Some(owner) = foreign_owner(me, path) {
            let (path, owner, me) = (path.display(), owner.name(), me.name());
            return Err(CliError::Input(format!(
                "{setting}: {path} belongs to {owner}, and what {me} writes there would be closed to {owner}: run \
                 this as that user (`sudo -u {owner} lethe …`)"
            )));
        }
        refuse_volatile(config, setting, path)?;
    }
    Ok(())
}

fn in_use(config: &Config) -> impl Iterator<Item = (&'static str, &Path)> {
    let is_private = config.database_url.is_none();
    let all = [
        ("data_dir", is_private.then_some(&config.data_dir)),
        ("root_dir", config.root_vault.is_none().then_some(&config.root_dir)),
        ("copy_dir", config.copy_dir.as_ref()),
        ("escrow_dir", config.escrow_recipient.is_some().then_some(&config.escrow_dir)),
        ("mail_dir", config.smtp_url.is_none().then_some(&config.mail_dir)),
    ];
    all.into_iter().filter_map(|(setting, path)| Some((setting, path?.as_path())))
}

/// Whose the folder is, if that is somebody else whom this user would shut out.
fn foreign_owner(me: User, path: &Path) -> Option<User> {
    let found = match fs::metadata(path) {
        // It is in a folder that is closed to this user.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return foreign_owner(me, path.parent()?);
        }
        found => found.ok()?,
    };
    let owner = User { uid: found.uid(), gid: found.gid() };
    let is_closed =
        || fs::read_dir(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
    shuts_out(me, owner, is_closed).then_some(owner)
}

/// What root writes nobody else can read. A folder of root's that is open to this user, as an orchestrator
/// hands it out, is fine.
fn shuts_out(me: User, owner: User, is_closed: impl FnOnce() -> bool) -> bool {
    me.uid != owner.uid && (me.uid == 0 || is_closed())
}

/// # Errors
/// Volumes are required, and the path is in none, or where it is cannot be found out.
pub fn refuse_volatile(config: &Config, setting: &str, path: &Path) -> Result<(), CliError> {
    if !config.volumes_required {
        return Ok(());
    }
    let unknown = |at: &Path, error| CliError::Failed(format!("{}: {error}", at.display()));
    let mounts = fs::read_to_string(MOUNTS).map_err(|error| unknown(Path::new(MOUNTS), error))?;
    let place = std::path::absolute(path).and_then(|path| real(&path));
    if is_lasting(&mounts, &place.map_err(|error| unknown(path, error))?) {
        return Ok(());
    }
    let path = path.display();
    Err(CliError::Input(format!(
        "{setting}: {path} is in no volume, and would be lost with this container: mount one there \
         (docker run -v NAME:{path}), or set volumes_required to false"
    )))
}

/// Whether the path is on a file system that was mounted for it and not in memory.
fn is_lasting(mounts: &str, path: &Path) -> bool {
    let mounted = mounts.lines().filter_map(mount).filter(|(point, _)| path.starts_with(point));
    // The last of several at one place covers the others.
    let nearest = mounted.max_by_key(|(point, _)| point.components().count());
    nearest
        .is_some_and(|(point, kind)| point != Path::new("/") && !["tmpfs", "ramfs"].contains(&kind))
}

/// Where it is mounted, and the kind of its file system.
fn mount(line: &str) -> Option<(PathBuf, &str)> {
    let (place, of) = line.split_once(" - ")?;
    let point = place.split(' ').nth(4)?;
    let point = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(point.to_owned(), |point, (code, is)| point.replace(code, is));
    Some((point.into(), of.split(' ').next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a container.
    const CONTAINER: &str = "\
        600 500 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/a:/b\n\
        601 600 0:51 / /proc rw,nosuid - proc proc rw\n\
        602 600 0:52 / /run rw - tmpfs tmpfs rw\n\
        603 600 8:1 /volumes/data/_data /var/lib/lethe rw,relatime master:1 - ext4 /dev/sda1 rw\n\
        604 600 8:1 /x /var/lib/with\\040space rw - ext4 /dev/sda1 rw\n";

    #[test]
    fn only_what_is_on_a_volume_outlives_a_container() {
        let lasting = |path| is_lasting(CONTAINER, Path::new(path));

        assert!(lasting("/var/lib/lethe") && lasting("/var/lib/lethe/mail"));
        assert!(lasting("/var/lib/with space/roots"));
        for lost in ["/var/lib/lethe-roots", "/var/lib", "/run/roots", "/"] {
            assert!(!lasting(lost), "{lost}");
        }
    }

    /// A later mount hides the earlier one.
    #[test]
    fn a_volume_under_a_file_system_in_memory_is_none() {
        let covered = format!("{CONTAINER}605 603 0:53 / /var/lib/lethe rw - tmpfs tmpfs rw\n");
        assert!(!is_lasting(&covered, Path::new("/var/lib/lethe/mail")));
    }

    #[test]
    fn root_does_not_write_into_the_folders_of_others() {
        let [root, lethe, other] = [0, 998, 997].map(|uid| User { uid, gid: uid });

        assert!(shuts_out(root, lethe, || false));
        assert!(shuts_out(other, lethe, || true));
        assert!(!shuts_out(lethe, root, || false), "a volume that an orchestrator has mounted");
        assert!(!shuts_out(root, root, || false) && !shuts_out(lethe, lethe, || true));
        let missing = tempfile::tempdir().unwrap().path().join("missing");
        assert_eq!(foreign_owner(root, &missing), None);
    }
}
