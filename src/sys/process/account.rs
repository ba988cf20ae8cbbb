//! Which account a process runs as.

use crate::supervisor::Failure;
use crate::sys::errno::failure;
use nix::unistd::{Gid, Uid, User, getgrouplist};
use rustix::process;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::rc::Rc;

/// The account an image makes for the kiosk.
const KIOSK: &str = "kiosk";

/// Accounts of people (login.defs(5): UID_MIN to UID_MAX).
const ORDINARY: std::ops::Range<u32> = 1000..60_000;

/// The files a choice is made from (passwd(5), group(5)).
const DATABASE: [&str; 2] = ["/etc/passwd", "/etc/group"];

/// Accounts that were chosen before. A look into the user database is a hundred system calls where the C library
/// asks name services, and a crash loop asks for the same account again and again; so it is looked
/// up again only once the database has changed.
#[derive(Debug, Default)]
pub(in crate::sys) struct Accounts {
    known: BTreeMap<Option<String>, Rc<Account>>,
    /// What the database was like when they were chosen.
    database: [Option<Stamp>; 2],
}

/// Identifies a state of a file: inode, size, and time of the last change of either.
type Stamp = (u64, u64, i64, i64);

impl Accounts {
    /// [`Account::choose`], remembered.
    pub(in crate::sys) fn choose(&mut self, user: Option<&str>) -> Result<Rc<Account>, Failure> {
        let database = DATABASE.map(stamp);
        if database != self.database {
            self.known.clear();
            self.database = database;
        }
        let key = user.map(str::to_owned);
        if let Some(account) = self.known.get(&key) {
            return Ok(account.clone());
        }
        let account = Rc::new(Account::choose(user)?);
        self.known.insert(key, account.clone());
        Ok(account)
    }
}

fn stamp(file: &str) -> Option<Stamp> {
    let file = fs::metadata(file).ok()?;
    Some((file.ino(), file.size(), file.ctime(), file.ctime_nsec()))
}

/// An account, and what running as it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The login name.
    pub name: String,
    /// The user.
    pub uid: u32,
    /// Where it is at home.
    pub home: PathBuf,
    /// Its login shell.
    pub shell: PathBuf,
    /// The identity to switch to, if it is not that of the daemon.
    pub switch: Option<Switch>,
}

/// The identity a child takes on before it executes its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// The user.
    pub uid: process::Uid,
    /// Its primary group.
    pub gid: process::Gid,
    /// All its groups, as initgroups(3) sets them.
    pub groups: Vec<process::Gid>,
}

impl Account {
    /// The account for a process whose configuration names `user`, or leaves it to us: `kiosk` if there
    /// is one, else the first ordinary user. Root runs nothing unless the configuration says so.
    ///
    /// # Errors
    /// There is no such user, or the daemon may not become it; none is named, and there is none but root.
    pub fn choose(user: Option<&str>) -> Result<Self, Failure> {
        let own = Uid::effective();
        match user {
            Some(name) => {
                let user = by_name(name)?.ok_or_else(|| {
                    Failure::system(format!(
                        "there is no user called {name}: create it, or name another in \"user\""
                    ))
                })?;
                if !own.is_root() && user.uid != own {
                    return Err(Failure::system(format!(
                        "cannot run as {name}: the daemon itself runs as {}; start it as root, or leave out \"user\"",
                        of_uid(own)?.name
                    )));
                }
                Self::of(user)
            }
            None if !own.is_root() => Self::of(of_uid(own)?),
            None => Self::unasked(ordinary()?),
        }
    }

    /// The account of the daemon itself.
    ///
    /// # Errors
    /// The user database does not know it.
    pub(in crate::sys) fn own() -> Result<Self, Failure> {
        Self::of(of_uid(Uid::effective())?)
    }

    fn unasked(ordinary: Option<User>) -> Result<Self, Failure> {
        let user = ordinary.ok_or_else(|| {
            Failure::system(
                "nothing runs as root automatically: create a user called kiosk, or set \"user\" to \"root\"",
            )
        })?;
        Self::of(user)
    }

    fn of(user: User) -> Result<Self, Failure> {
        let switch = if user.uid == Uid::effective() {
            None
        } else {
            Some(Switch::to(&user)?)
        };
        Ok(Self {
            name: user.name,
            uid: user.uid.as_raw(),
            home: user.dir,
            shell: user.shell,
            switch,
        })
    }
}

impl Switch {
    fn to(user: &User) -> Result<Self, Failure> {
        let name = CString::new(user.name.as_bytes())
            .expect("the name comes from the C library, which ends it with a NUL");
        let gid = |group: Gid| process::Gid::from_raw(group.as_raw());
        let groups = getgrouplist(&name, user.gid)
            .map_err(|e| failure(format_args!("read the groups of {}", user.name), &e.into()))?;
        Ok(Self {
            uid: process::Uid::from_raw(user.uid.as_raw()),
            gid: gid(user.gid),
            groups: groups.into_iter().map(gid).collect(),
        })
    }
}

fn by_name(name: &str) -> Result<Option<User>, Failure> {
    User::from_name(name).map_err(|e| failure(format_args!("look up the user {name}"), &e.into()))
}

/// The account of a user, also where the user database has none (as in containers).
fn of_uid(uid: Uid) -> Result<User, Failure> {
    let user = User::from_uid(uid)
        .map_err(|e| failure(format_args!("look up the user {uid}"), &e.into()))?;
    user.ok_or_else(|| {
        Failure::system(format!(
            "user {uid} is not in /etc/passwd: add it, or run the daemon as another"
        ))
    })
}

/// The account an image makes for the kiosk, or that of the first person.
fn ordinary() -> Result<Option<User>, Failure> {
    match by_name(KIOSK)? {
        Some(user) => Ok(Some(user)),
        None => first_ordinary().map_or(Ok(None), |name| by_name(&name)),
    }
}

/// The account with the lowest uid of a person.
fn first_ordinary() -> Option<String> {
    ordinary_in(&fs::read_to_string("/etc/passwd").ok()?)
}

fn ordinary_in(passwd: &str) -> Option<String> {
    passwd
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let uid: u32 = fields.nth(1)?.parse().ok()?;
            ORDINARY.contains(&uid).then_some((uid, name))
        })
        .min()
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ordinary_user_is_the_one_with_the_lowest_uid_of_a_person() {
        let passwd = "root:x:0:0::/root:/bin/sh\nanna:x:1001:1001::/home/anna:/bin/sh\n\
            nobody:x:65534:65534::/:/bin/false\npi:x:1000:1000::/home/pi:/bin/sh\n";
        assert_eq!(ordinary_in(passwd).as_deref(), Some("pi"));
        assert_eq!(ordinary_in("root:x:0:0::/root:/bin/sh\nbroken line"), None);
    }

    #[test]
    fn a_user_that_does_not_exist_is_named_with_the_way_out() {
        let refused = Account::choose(Some("nosuchuser")).unwrap_err();
        assert!(
            refused
                .message
                .starts_with("there is no user called nosuchuser: create it")
        );
    }

    #[test]
    fn an_account_is_looked_up_again_once_the_user_database_has_changed() {
        // The account that runs the tests is the only one that every account may choose.
        let own = User::from_uid(Uid::effective()).unwrap().unwrap().name;
        let mut accounts = Accounts::default();
        let first = accounts.choose(Some(&own)).unwrap();
        let second = accounts.choose(Some(&own)).unwrap();
        assert!(Rc::ptr_eq(&first, &second));
        accounts.database[0] = None;
        let third = accounts.choose(Some(&own)).unwrap();
        assert!(!Rc::ptr_eq(&first, &third));
        assert_eq!(first, third);
    }

    #[test]
    fn root_runs_nothing_unless_it_is_named() {
        if !Uid::effective().is_root() {
            let refused = Account::choose(Some("root")).unwrap_err();
            assert!(refused.message.starts_with("cannot run as root"));
            return;
        }
        let refused = Account::unasked(None).unwrap_err();
        assert!(refused.message.contains("set \"user\" to \"root\""));
        if let Ok(account) = Account::choose(None) {
            assert_ne!(account.uid, 0);
        }
        let named = Account::choose(Some("root")).unwrap();
        assert_eq!((named.uid, named.switch), (0, None));
    }
}
