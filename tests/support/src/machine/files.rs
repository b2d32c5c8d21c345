//! The files of a machine that stand in the way of the host's, written before it is made.

use std::fmt::Write as _;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::options::{FirstProcess, LoginShell, MachineOptions, MachineUser};
use crate::sshd::found::SshdFiles;
use crate::sshd::make_key;

/// [`MachineUser::PASSWORD`] as `openssl passwd -6` has it.
const HASH: &str = "$6$lethe$kjMdhQ0y54.F8HbLwQqw7kHbFHtrhyk5jRIdpdu.rEWjDE6DMZsd3l.lCgOoD8e\
                    /jq33.48ZflmwB1vq4V.qV/";
const SUDOERS: &str = "Defaults !lecture\nroot ALL=(ALL:ALL) ALL\nsud ALL=(ALL:ALL) NOPASSWD: ALL\n\
                       pas ALL=(ALL:ALL) ALL\n";
const NAMES: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files\n";
const PAM: &str = "auth required pam_unix.so\naccount required pam_unix.so\n\
                   session required pam_limits.so\nsession required pam_unix.so\n";
const UNITS: [(&str, &str); 2] = [
    ("machine.target", include_str!("units/machine.target")),
    ("machine-up.service", include_str!("units/machine-up.service")),
];
/// The user's own manager ends with the last session, and not 10 s later.
const LOGIND: &str = "[Login]\nKillUserProcesses=yes\nUserStopDelaySec=0\n";
/// Whether the kernel audits is the host's.
const JOURNALD: &str = "[Journal]\nStorage=none\nAudit=\n";
const NOISE: &str = "echo Welcome\necho careful >&2\n";

pub(super) fn write(
    folder: &Path,
    port: u16,
    found: &SshdFiles,
    options: &MachineOptions,
) -> io::Result<()> {
    let etc = folder.join("files/etc");
    for name in ["disk", "files/etc/ssh", "files/etc/pam.d", "home/.ssh", "instead"] {
        fs::create_dir_all(folder.join(name))?;
    }
    let [passwd, group, shadow, users] = accounts(port, options.shell);
    file(&folder.join("users"), &users, 0o644)?;
    file(&etc.join("passwd"), &passwd, 0o644)?;
    file(&etc.join("group"), &group, 0o644)?;
    file(&etc.join("shadow"), &shadow, 0o600)?;
    file(&etc.join("sudoers"), SUDOERS, 0o440)?;
    file(&etc.join("nsswitch.conf"), NAMES, 0o644)?;
    file(&etc.join("hostname"), "machine\n", 0o644)?;
    file(&etc.join("hosts"), "127.0.0.1 localhost machine\n", 0o644)?;
    // Whose session it is stays on record whatever becomes of its processes.
    let mut login = format!("{PAM}session required pam_loginuid.so\n");
    if options.first == FirstProcess::Systemd {
        login.push_str("session optional pam_systemd.so\n");
        systemd(folder, &etc)?;
    }
    file(&etc.join("pam.d/sshd"), &login, 0o644)?;
    file(&etc.join("pam.d/sudo"), PAM, 0o644)?;
    file(&etc.join("ssh/sshd_config"), &sshd_config(port, options), 0o644)?;
    file(&etc.join("ssh/authorized"), "", 0o644)?;
    make_key(found, &etc.join("ssh"))?;
    if options.is_noisy {
        file(&folder.join("home/.ssh/rc"), NOISE, 0o644)?;
    }
    for (name, script) in &options.instead {
        file(&folder.join("instead").join(name), script, 0o755)?;
    }
    file(&folder.join("place.sh"), include_str!("place.sh"), 0o644)?;
    file(&folder.join("init.sh"), include_str!("init.sh"), 0o644)
}

fn systemd(folder: &Path, etc: &Path) -> io::Result<()> {
    let confs = [etc.join("systemd/logind.conf.d"), etc.join("systemd/journald.conf.d")];
    let units = folder.join("units");
    for made in confs.iter().chain([&units]) {
        fs::create_dir_all(made)?;
    }
    let [logind, journald] = confs;
    file(&logind.join("machine.conf"), LOGIND, 0o644)?;
    file(&journald.join("machine.conf"), JOURNALD, 0o644)?;
    UNITS.iter().try_for_each(|(name, text)| file(&units.join(name), text, 0o644))
}

/// `passwd`, `group`, `shadow`, and the users whose homes are made.
fn accounts(port: u16, shell: LoginShell) -> [String; 4] {
    let shell = shell.path();
    let mut passwd = "sshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n\
                      nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"
        .to_owned();
    let mut group = "tty:x:5:\nnogroup:x:65534:\n".to_owned();
    let mut shadow = "sshd:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n".to_owned();
    let mut users = String::new();
    for user in MachineUser::ALL {
        let (name, uid) = (user.name(), user.uid(port));
        let hash = if user == MachineUser::SudoWithPassword { HASH } else { "*" };
        let _ = writeln!(passwd, "{name}:x:{uid}:{uid}::/home/{name}:{shell}");
        let _ = writeln!(group, "{name}:x:{uid}:");
        let _ = writeln!(shadow, "{name}:{hash}:19000:0:99999:7:::");
        let _ = writeln!(users, "{name} {uid}");
    }
    [passwd, group, shadow, users]
}

/// As Debian's, but for keys that a test gives and takes.
fn sshd_config(port: u16, options: &MachineOptions) -> String {
    let path = if options.shell == LoginShell::Busybox { "SetEnv PATH=/opt/busybox\n" } else { "" };
    format!(
        "{}\n{path}Port {port}\nListenAddress 127.0.0.1\nHostKey /etc/ssh/key\n\
         PidFile /run/sshd.pid\nAuthorizedKeysFile /etc/ssh/authorized\nPermitRootLogin yes\n\
         PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM yes\nUseDNS no\n\
         PrintMotd no\n",
        options.config
    )
}

fn file(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    fs::write(path, text)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}
