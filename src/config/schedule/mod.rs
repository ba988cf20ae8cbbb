//! What is done at which times: `schedule`, as it is meant.

pub(in crate::config) mod read;

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
    /// Whether any of it is done.
    pub enabled: bool,
    /// Whose clock the times are read from.
    pub zone: Zone,
    /// In the order of the file, which is the order in which rules of one second are done.
    pub rules: Vec<Rc<Rule>>,
    /// Rules that are switched off and could not be done if they were not.
    pub invalid: Vec<Id>,
}

/// `timezone`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zone {
    /// `"auto"`: the zone of the system.
    #[default]
    Auto,
    /// The name of a zone in the IANA time zone database, `Europe/Berlin`.
    Named(String),
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Unique among the rules.
    pub id: Id,
    /// What people read.
    pub name: String,
    /// Whether it is done.
    pub enabled: bool,
    /// When.
    pub trigger: Trigger,
    /// `action`: what.
    pub action: RuleAction,
    /// When it is undone, on the day of the beginning or the one after. Only of a time and of a deed that can be undone.
    pub until: Option<TimeOfDay>,
    /// Whether it is done late where its time was missed.
    pub catch_up: bool,
}

/// When a rule is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// At a time of certain days.
    Time {
        /// The time.
        at: TimeOfDay,
        /// The days.
        days: Days,
    },
    /// Again and again, counted from the start of the machine.
    Interval(Duration),
    /// Once when the machine was started.
    Boot,
    /// The connection is lost.
    Lost,
    /// The connection is there again.
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

/// A text is no time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeOfDayError;

/// Days of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days(u8);

/// What a rule does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// `update_process`: fields of a process are changed in the document.
    Update {
        /// The process.
        process: Id,
        /// `updates`, as a client would send them.
        fields: Map<String, Value>,
    },
    /// `switch_canvas`: another page is shown, without a restart.
    Show {
        /// The display process.
        process: Id,
        /// Its address.
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
    /// `refresh_page`: of this display process, or of the one that is on the screen.
    Refresh(Option<Id>),
    /// `display_power`
    Power {
        /// Or off.
        on: bool,
        /// Which; all that are there without.
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
    /// As it stands in the file.
    pub fn as_str(&self) -> &str {
        match self {
            Zone::Auto => "auto",
            Zone::Named(name) => name,
        }
    }
}

impl Days {
    /// The days by the names they have in the file, Monday first.
    pub const NAMES: [&'static str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

    /// No day.
    pub const NONE: Days = Days(0);

    /// `"*"`
    pub const ALL: Days = Days(0b111_1111);

    /// These days and one more, counted from Monday, which is 0.
    pub const fn with(self, day: u8) -> Days {
        Days(self.0 | 1 << (day % 7))
    }

    /// Whether a day is one of them, counted from Monday, which is 0.
    pub const fn has(self, day: u8) -> bool {
        self.0 & 1 << (day % 7) != 0
    }
}

impl RuleAction {
    /// Its name in the file.
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

    /// The process it names.
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

    /// Whether it brings about a state, so that doing it twice is doing it once, and it can be undone.
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

/// As it stands in the file.
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

    /// `HH:MM` or `HH:MM:SS`
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
