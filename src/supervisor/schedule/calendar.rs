//! When a time of day comes, in one time zone, through both changes of the clocks.
//!
//! A time that does not exist on a day (clocks go forward over it) comes at the first moment after the gap; one that
//! exists twice comes the first time.

use crate::config::{Days, TimeOfDay};
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

/// How many days are looked through for the next or the latest one: a week, a day for the edges of the zone, and
/// one for a day that a zone has left out (Samoa had no 30 December 2011).
const DAYS_SEARCHED: usize = 10;

/// The times of one zone.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    zone: TimeZone,
}

/// A time of a day: the day by whose name it counts, and when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DatedInstant {
    pub date: Date,
    pub at: Timestamp,
}

impl Calendar {
    pub fn new(zone: TimeZone) -> Self {
        Self { zone }
    }

    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// The first after this instant.
    pub fn next(&self, days: Days, time: TimeOfDay, after: Timestamp) -> Option<DatedInstant> {
        let mut date = self.zone.to_datetime(after).date().yesterday().ok()?;
        for _ in 0..DAYS_SEARCHED {
            if includes(days, date) {
                let at = self.at(date, time)?;
                if at > after {
                    return Some(DatedInstant { date, at });
                }
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    /// The latest up to this instant.
    pub fn latest(&self, days: Days, time: TimeOfDay, until: Timestamp) -> Option<DatedInstant> {
        let mut date = self.zone.to_datetime(until).date().tomorrow().ok()?;
        for _ in 0..DAYS_SEARCHED {
            if includes(days, date) {
                let at = self.at(date, time)?;
                if at <= until {
                    return Some(DatedInstant { date, at });
                }
            }
            date = date.yesterday().ok()?;
        }
        None
    }

    /// When what begins at `begin` on this day ends: the same day, or the next where that is earlier in the day.
    pub fn end(&self, date: Date, begin: TimeOfDay, end: TimeOfDay) -> Option<Timestamp> {
        let date = match end > begin {
            true => date,
            false => date.tomorrow().ok()?,
        };
        self.at(date, end)
    }

    /// When a time comes on a day.
    fn at(&self, date: Date, time: TimeOfDay) -> Option<Timestamp> {
        let number = |part: u8| i8::try_from(part).ok();
        let (hour, minute) = (number(time.hour)?, number(time.minute)?);
        let time = Time::new(hour, minute, number(time.second)?, 0).ok()?;
        let there = self.zone.to_ambiguous_timestamp(date.to_datetime(time));
        let is_gap = matches!(there.offset(), AmbiguousOffset::Gap { .. });
        // In a gap this is a moment before it.
        let at = there.earlier().ok()?;
        match is_gap {
            false => Some(at),
            true => Some(self.zone.following(at).next()?.timestamp()),
        }
    }
}

fn includes(days: Days, date: Date) -> bool {
    let day = date.weekday().to_monday_zero_offset();
    u8::try_from(day).is_ok_and(|day| days.has(day))
}
