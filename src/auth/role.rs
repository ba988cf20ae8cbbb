//! What a route asks for, and whether somebody has it.

use serde::{Deserialize, Serialize};

/// What the holder of a credential may do. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See how the kiosk fares.
    View,
    /// Start and stop what is configured.
    Operate,
    /// Change what is configured, and who may do what.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Role; 3] = [Role::View, Role::Operate, Role::Admin];

    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::View => "view",
            Role::Operate => "operate",
            Role::Admin => "admin",
        }
    }
}

/// What a route asks of whoever uses it. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nothing: it reveals nothing that is not on the kiosk's front, and changes nothing by itself.
    Nothing,
    /// To see how the kiosk fares.
    View,
    /// To start and stop what is configured.
    Operate,
    /// To change what is configured.
    Admin,
    /// To be root on the machine itself, by the unix socket: no credential is enough.
    Local,
}

impl Needs {
    /// All of them, the least first.
    pub const ALL: [Needs; 5] = [
        Needs::Nothing,
        Needs::View,
        Needs::Operate,
        Needs::Admin,
        Needs::Local,
    ];

    /// As the description of the API has it (`x-role`).
    pub fn as_str(self) -> &'static str {
        match self {
            Needs::Nothing => "nothing",
            Needs::View => "view",
            Needs::Operate => "operate",
            Needs::Admin => "admin",
            Needs::Local => "local",
        }
    }

    /// Whether somebody may use a route that asks for this.
    pub fn authorize(self, who: Principal) -> Authorization {
        let least = match self {
            Needs::Nothing => return Authorization::Granted,
            Needs::View => Some(Role::View),
            Needs::Operate => Some(Role::Operate),
            Needs::Admin => Some(Role::Admin),
            Needs::Local => None,
        };
        match (who, least) {
            (Principal::Local, _) => Authorization::Granted,
            (Principal::Anonymous, _) => Authorization::Unauthenticated,
            (Principal::Holder(role), Some(least)) if role >= least => Authorization::Granted,
            (Principal::Holder(_), _) => Authorization::Forbidden,
        }
    }
}

/// Whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Nobody we know.
    Anonymous,
    /// The holder of a session or a token.
    Holder(Role),
    /// Root, or a member of the socket's group, on the machine itself.
    Local,
}

/// What they are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// Yes.
    Granted,
    /// First say who you are (401).
    Unauthenticated,
    /// We know who you are, and you may not (403).
    Forbidden,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_do_what_those_below_it_may_and_nothing_else() {
        for (needs, least) in [
            (Needs::View, Role::View),
            (Needs::Operate, Role::Operate),
            (Needs::Admin, Role::Admin),
        ] {
            for role in Role::ALL {
                let expected = match role >= least {
                    true => Authorization::Granted,
                    false => Authorization::Forbidden,
                };
                assert_eq!(
                    needs.authorize(Principal::Holder(role)),
                    expected,
                    "{needs:?} {role:?}"
                );
            }
        }
    }

    #[test]
    fn a_stranger_may_only_what_asks_for_nothing_and_root_may_everything() {
        for needs in Needs::ALL {
            let stranger = needs.authorize(Principal::Anonymous) == Authorization::Granted;
            assert_eq!(stranger, needs == Needs::Nothing, "{needs:?}");
            assert_eq!(needs.authorize(Principal::Local), Authorization::Granted);
        }
    }

    #[test]
    fn what_is_roots_alone_no_credential_opens() {
        for role in Role::ALL {
            assert_eq!(
                Needs::Local.authorize(Principal::Holder(role)),
                Authorization::Forbidden
            );
        }
    }
}
