//! The meaning of `schedule`: rules, their triggers and their actions.

pub mod legacy;
pub mod read;

use super::{Display, Id};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use std::fmt;
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

/// `schedule`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Whether rules are executed.
    pub enabled: bool,
    /// The time zone of the times.
    pub zone: Zone,
    /// The rules in the order of the file, in which rules that are due in the same second are executed.
    pub rules: Vec<Rc<Rule>>,
    /// The ids of disabled rules that are invalid.
    pub invalid: Vec<Id>,
}

/// `timezone`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zone {
    /// `"auto"`: the time zone of the system.
    #[default]
    Auto,
    /// A name of the IANA time zone database: `Europe/Berlin`.
    Named(String),
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The id, unique among the rules.
    pub id: Id,
    /// The display name.
    pub name: String,
    /// Whether the rule is executed.
    pub enabled: bool,
    /// When the rule is due.
    pub trigger: Trigger,
    /// What the rule does.
    pub action: RuleAction,
    /// When the override ends, on the day it began or the next. Only with a trigger of type `time` and an action that can
    /// be undone.
    pub until: Option<TimeOfDay>,
    /// Whether a missed occurrence is executed late.
    pub catch_up: bool,
}

/// When a rule is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// At a time of day, on certain days.
    Time {
        /// The time.
        at: TimeOfDay,
        /// The days.
        days: Days,
    },
    /// Periodically, counted from the boot of the machine.
    Interval(Duration),
    /// Once after the boot of the machine.
    Boot,
    /// When the connection is lost.
    Lost,
    /// When the connection is regained.
    Regained,
}

/// A time of day, to the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeOfDay {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
}

/// A text is not a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDayError;

/// Days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u8);

/// The action of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// `update_process`: changes fields of a process in the document.
    Update {
        /// The process.
        process: Id,
        /// `updates`: the fields, as a client sends them.
        fields: Map<String, Value>,
    },
    /// `switch_canvas`: shows a page override, without a restart.
    Show {
        /// The display process.
        process: Id,
        /// The URL of the page.
        url: String,
    },
    /// `start_process`
    Start(Id),
    /// `stop_process`
    Stop(Id),
    /// `restart_process`
    Restart(Id),
    /// `enable_process`
    Enable(Id),
    /// `disable_process`
    Disable(Id),
    /// `refresh_page`: of this display process, or of the one that holds the display.
    Refresh(Option<Id>),
    /// `display_power`
    Power {
        /// Whether to switch the screen on.
        on: bool,
        /// The display; `None` is every connected one.
        display: Option<Display>,
    },
    /// `run_command`
    Run(String),
    /// `reboot`
    Reboot,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            enabled: true,
            zone: Zone::Auto,
            rules: Vec::new(),
            invalid: Vec::new(),
        }
    }
}

impl Zone {
    /// The value in the file.
    pub fn as_str(&self) -> &str {
        match self {
            Zone::Auto => "auto",
            Zone::Named(name) => name,
        }
    }
}

impl Days {
    /// The names of the days in the file, Monday first.
    pub const NAMES: [&'static str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    /// No day.
    pub const NONE: Days = Days(0);

    /// Every day: `"*"`.
    pub const ALL: Days = Days(0b111_1111);

    /// These days and another one; Monday is 0.
    pub const fn with(self, day: u8) -> Days {
        Days(self.0 | 1 << (day % 7))
    }

    /// Whether a day is one of these; Monday is 0.
    pub const fn has(self, day: u8) -> bool {
        self.0 & 1 << (day % 7) != 0
    }
}

impl RuleAction {
    /// The `type` in the file.
    pub fn name(&self) -> &'static str {
        match self {
            RuleAction::Update { .. } => "update_process",
            RuleAction::Show { .. } => "switch_canvas",
            RuleAction::Start(_) => "start_process",
            RuleAction::Stop(_) => "stop_process",
            RuleAction::Restart(_) => "restart_process",
            RuleAction::Enable(_) => "enable_process",
            RuleAction::Disable(_) => "disable_process",
            RuleAction::Refresh(_) => "refresh_page",
            RuleAction::Power { .. } => "display_power",
            RuleAction::Run(_) => "run_command",
            RuleAction::Reboot => "reboot",
        }
    }

    /// The process that it names.
    pub fn process(&self) -> Option<&Id> {
        match self {
            RuleAction::Update { process, .. } | RuleAction::Show { process, .. } => Some(process),
            RuleAction::Start(id)
            | RuleAction::Stop(id)
            | RuleAction::Restart(id)
            | RuleAction::Enable(id)
            | RuleAction::Disable(id) => Some(id),
            RuleAction::Refresh(id) => id.as_ref(),
            RuleAction::Power { .. } | RuleAction::Run(_) | RuleAction::Reboot => None,
        }
    }

    /// Whether it sets a state: then it is idempotent, and can be undone.
    pub fn is_state(&self) -> bool {
        match self {
            RuleAction::Update { .. }
            | RuleAction::Show { .. }
            | RuleAction::Start(_)
            | RuleAction::Stop(_)
            | RuleAction::Enable(_)
            | RuleAction::Disable(_)
            | RuleAction::Power { .. } => true,
            RuleAction::Restart(_)
            | RuleAction::Refresh(_)
            | RuleAction::Run(_)
            | RuleAction::Reboot => false,
        }
    }
}

/// As in the file.
impl Serialize for RuleAction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", self.name())?;
        if let Some(process) = self.process() {
            map.serialize_entry("process_id", process)?;
        }
        match self {
            RuleAction::Update { fields, .. } => map.serialize_entry("updates", fields)?,
            RuleAction::Show { url, .. } => map.serialize_entry("url", url)?,
            RuleAction::Power { on, display } => {
                map.serialize_entry("power", if *on { "on" } else { "off" })?;
                if let Some(display) = display {
                    map.serialize_entry("display", display)?;
                }
            }
            RuleAction::Run(command) => map.serialize_entry("command", command)?,
            _ => {}
        }
        map.end()
    }
}

impl FromStr for TimeOfDay {
    type Err = TimeOfDayError;

    /// Parses `HH:MM` or `HH:MM:SS`.
    fn from_str(text: &str) -> Result<TimeOfDay, TimeOfDayError> {
        let mut parts = text.split(':');
        let mut part = |most: u8| {
            let digits = parts.next()?;
            let plain = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
            let number = digits.parse().ok().filter(|_| plain)?;
            (number <= most).then_some(number)
        };
        let (hour, minute) = (part(23), part(59));
        let second = if text.len() > 5 { part(59) } else { Some(0) };
        match (hour, minute, second, parts.next()) {
            (Some(hour), Some(minute), Some(second), None) => Ok(TimeOfDay {
                hour,
                minute,
                second,
            }),
            _ => Err(TimeOfDayError),
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)?;
        match self.second {
            0 => Ok(()),
            second => write!(f, ":{second:02}"),
        }
    }
}

impl fmt::Display for TimeOfDayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("must be a time of day such as \"08:00\" or \"08:00:30\"")
    }
}

impl std::error::Error for TimeOfDayError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_has_two_or_three_parts() {
        for (text, written) in [
            ("08:00", "08:00"),
            ("23:59:59", "23:59:59"),
            ("00:00:00", "00:00"),
        ] {
            let time: TimeOfDay = text.parse().unwrap();
            assert_eq!(time.to_string(), written);
        }
        for text in [
            "",
            "8:00",
            "08",
            "08:0",
            "24:00",
            "08:60",
            "08:00:60",
            "08:00:",
            "08:00:00:00",
            "+8:00",
            "08:00 ",
            "0800",
        ] {
            assert_eq!(text.parse::<TimeOfDay>(), Err(TimeOfDayError), "{text:?}");
        }
    }
}
