//! Roles, what routes require, and whether a caller has it.

use serde::{Deserialize, Serialize};

/// The role of a credential. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read the state of the kiosk.
    View,
    /// Start and stop what is configured.
    Operate,
    /// Change the configuration and the credentials.
    Admin,
}

impl Role {
    /// All roles, lowest first.
    pub const ALL: [Role; 3] = [Role::View, Role::Operate, Role::Admin];

    /// The name, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::View => "view",
            Role::Operate => "operate",
            Role::Admin => "admin",
        }
    }
}

/// What a route requires of its caller. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Nothing: the route reveals only what the kiosk shows on its screen, and changes nothing without a password or
    /// code.
    Nothing,
    /// The role `view`.
    View,
    /// The role `operate`.
    Operate,
    /// The role `admin`.
    Admin,
    /// Root on the machine itself, through the unix socket; no credential is enough.
    Local,
}

impl Needs {
    /// All requirements, lowest first.
    pub const ALL: [Needs; 5] = [
        Needs::Nothing,
        Needs::View,
        Needs::Operate,
        Needs::Admin,
        Needs::Local,
    ];

    /// The name, as in the API description (`x-role`).
    pub fn as_str(self) -> &'static str {
        match self {
            Needs::Nothing => "nothing",
            Needs::View => "view",
            Needs::Operate => "operate",
            Needs::Admin => "admin",
            Needs::Local => "local",
        }
    }

    /// Whether a principal may use a route with this requirement.
    pub fn authorize(self, who: Principal) -> Authorization {
        let minimum = match self {
            Needs::Nothing => return Authorization::Granted,
            Needs::View => Some(Role::View),
            Needs::Operate => Some(Role::Operate),
            Needs::Admin => Some(Role::Admin),
            Needs::Local => None,
        };
        match (who, minimum) {
            (Principal::Local, _) => Authorization::Granted,
            (Principal::Anonymous, _) => Authorization::Unauthenticated,
            (Principal::Holder(role), Some(minimum)) if role >= minimum => Authorization::Granted,
            (Principal::Holder(_), _) => Authorization::Forbidden,
        }
    }
}

/// Who calls a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A client without a valid credential.
    Anonymous,
    /// The holder of a session or a token.
    Holder(Role),
    /// A client of the unix socket: root, or a member of the socket's group.
    Local,
}

/// The result of an authorization.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// Access is granted.
    Granted,
    /// A valid credential is missing (401).
    Unauthenticated,
    /// The credential is valid, and its role is not enough (403).
    Forbidden,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_includes_those_below_it_and_nothing_else() {
        for (needs, minimum) in [
            (Needs::View, Role::View),
            (Needs::Operate, Role::Operate),
            (Needs::Admin, Role::Admin),
        ] {
            for role in Role::ALL {
                let expected = match role >= minimum {
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
    fn an_anonymous_client_may_use_open_routes_only_and_root_all() {
        for needs in Needs::ALL {
            let anonymous = needs.authorize(Principal::Anonymous) == Authorization::Granted;
            assert_eq!(anonymous, needs == Needs::Nothing, "{needs:?}");
            assert_eq!(needs.authorize(Principal::Local), Authorization::Granted);
        }
    }

    #[test]
    fn no_credential_grants_what_only_root_may_do() {
        for role in Role::ALL {
            assert_eq!(
                Needs::Local.authorize(Principal::Holder(role)),
                Authorization::Forbidden
            );
        }
    }
}
