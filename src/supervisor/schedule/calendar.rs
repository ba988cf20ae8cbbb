//! When a time of day occurs in a time zone, across changes to and from daylight saving time.
//!
//! A time that does not exist on a day (the clock is set forward over it) occurs at the first moment after the gap. A
//! time that exists twice occurs the first time.

use crate::config::{Days, TimeOfDay};
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};

/// Days that are searched for the next or latest occurrence: a week, a day for the edges of the zone, and one for a
/// day that a zone skipped (Samoa had no 30 December 2011).
const DAYS_SEARCHED: usize = 10;

/// The times of a zone.
#[derive(Clone, Debug)]
pub(super) struct Calendar {
    zone: TimeZone,
}

/// When a time of day occurs, and the date that it belongs to.
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

    /// The first occurrence after an instant.
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

    /// The latest occurrence up to an instant.
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

    /// The end of what begins at `begin` on a date: on the same day, or the next if the end is earlier in the day.
    pub fn end(&self, date: Date, begin: TimeOfDay, end: TimeOfDay) -> Option<Timestamp> {
        let date = match end > begin {
            true => date,
            false => date.tomorrow().ok()?,
        };
        self.at(date, end)
    }

    /// When a time occurs on a date.
    fn at(&self, date: Date, time: TimeOfDay) -> Option<Timestamp> {
        let number = |part: u8| i8::try_from(part).ok();
        let (hour, minute) = (number(time.hour)?, number(time.minute)?);
        let time = Time::new(hour, minute, number(time.second)?, 0).ok()?;
        let ambiguous = self.zone.to_ambiguous_timestamp(date.to_datetime(time));
        let is_gap = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
        // In a gap this is before the gap.
        let at = ambiguous.earlier().ok()?;
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
