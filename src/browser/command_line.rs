//! Builds the command line of the browser: what the operator wrote, and what a kiosk needs.
//!
//! The operator's choice wins: a switch that is present is not added, and a feature that is enabled or disabled stays
//! so. Nothing is removed, and `--no-sandbox` is never added. [`switches`] has everything that may be added.
//!
//! Only a Chromium-based program gets switches. Others (`cog`, `firefox`, a video player) run as written, `cog` with
//! the URL appended. A command that needs a shell cannot be edited; it gets the switches in
//! `$OSSUARY_BROWSER_SWITCHES`, to be used without quotes, and the URL in `$OSSUARY_URL`:
//! `cd /srv && exec chromium $OSSUARY_BROWSER_SWITCHES "$OSSUARY_URL"`.
//!
//! The program also determines how the page is driven ([`Driven`]); a browser in a shell command is not.

mod switches;

use crate::config::{CommandError, CommandLine, Display, Process};
use std::fmt;
use std::path::Path;
use switches::{
    ALWAYS, AUTOPLAY, BROWSERS, CHOSEN_BY, CHROMIUM_BASED, COG, CURSOR, DEBUGGING, KIOSK, LISTS,
    OWN_DEBUGGING, Switches, WEBGPU, WEBGPU_ON_WAYLAND, WRAPPERS,
};

/// What to execute for a display process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Added to the environment: the `NAME=value` pairs before the command. `DISPLAY` is not among them.
    pub env: Vec<(String, String)>,
    /// The program and its arguments; never empty.
    pub argv: Vec<String>,
    /// How its page is driven.
    pub driven: Driven,
}

/// How the page of a running program is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driven {
    /// By the DevTools protocol on the descriptors 3 and 4.
    ByPipe,
    /// By `cogctl`.
    ByCogctl,
    /// Not at all: another program, or one that the operator drives.
    Not,
}

/// Why there is nothing to execute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LaunchError {
    /// Only a page is configured, and there is no program to show it.
    NoBrowser,
    /// The command cannot be run.
    Command(CommandError),
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LaunchError::NoBrowser => {
                write!(f, "no browser is installed; tried {}", BROWSERS.join(", "))
            }
            LaunchError::Command(CommandError(why)) => f.write_str(why),
        }
    }
}

/// What to execute for a display process. `profile` is a separate profile directory: two browsers cannot share one,
/// and since version 136 remote debugging needs one. `find` returns whether a program is installed.
///
/// # Errors
/// There is no program to execute.
pub fn launch(
    process: &Process,
    profile: &Path,
    find: impl Fn(&str) -> bool,
) -> Result<Launch, LaunchError> {
    let url = process.url.as_deref();
    let command = match &process.command {
        Some(command) => CommandLine::parse(command).map_err(LaunchError::Command)?,
        None => {
            let browser = BROWSERS.iter().find(|name| find(name));
            CommandLine::Direct {
                env: Vec::new(),
                argv: vec![(*browser.ok_or(LaunchError::NoBrowser)?).to_owned()],
            }
        }
    };
    let (env, mut argv) = match command {
        CommandLine::Direct { env, argv } => (env, argv),
        CommandLine::Shell(command) => return Ok(in_shell(process, profile, command)),
    };
    let mut driven = Driven::Not;
    if let Some(position) = browser_in(&argv) {
        let mut line = BrowserArguments::read(argv.drain(position + 1..));
        line.add_required(process, profile);
        if !OWN_DEBUGGING.iter().any(|own| line.has(own)) {
            line.set(DEBUGGING.to_owned());
            driven = Driven::ByPipe;
        }
        line.show(url);
        argv.extend(line.into_words());
    } else if is_cog(&argv) {
        driven = Driven::ByCogctl;
        if name_of(&argv[0]) == COG {
            argv.extend(url.map(str::to_owned));
        }
    }
    Ok(Launch { env, argv, driven })
}

fn in_shell(process: &Process, profile: &Path, command: String) -> Launch {
    let mut line = BrowserArguments::default();
    line.add_required(process, profile);
    let switches: Vec<String> = line.into_words().collect();
    let mut env = vec![("OSSUARY_BROWSER_SWITCHES".to_owned(), switches.join(" "))];
    env.extend(
        process
            .url
            .iter()
            .map(|url| ("OSSUARY_URL".to_owned(), url.clone())),
    );
    Launch {
        env,
        argv: vec!["/bin/sh".into(), "-c".into(), command],
        driven: Driven::Not,
    }
}

/// Whether this is WPE's launcher, or a wrapper around it.
fn is_cog(argv: &[String]) -> bool {
    let is_cog = |word: &String| name_of(word) == COG;
    match argv.split_first() {
        Some((first, rest)) => {
            is_cog(first) || WRAPPERS.contains(&name_of(first)) && rest.iter().any(is_cog)
        }
        None => false,
    }
}

/// The position of the browser in a command: first, or after a wrapper.
fn browser_in(argv: &[String]) -> Option<usize> {
    let is_browser = |word: &String| CHROMIUM_BASED.contains(&name_of(word));
    let first = argv.first()?;
    if is_browser(first) {
        return Some(0);
    }
    WRAPPERS.contains(&name_of(first)).then_some(())?;
    argv.iter().position(is_browser)
}

/// The name of a program, without its directory.
fn name_of(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// The arguments of a browser.
#[derive(Default)]
struct BrowserArguments {
    /// Switches, each name once; without the lists.
    switches: Vec<String>,
    /// The entries of each of [`LISTS`].
    lists: [Vec<String>; LISTS.len()],
    /// The URLs to show.
    pages: Vec<String>,
}

impl BrowserArguments {
    /// Parses what the operator wrote. A switch has its value after `=`, so a word without a leading hyphen is a URL,
    /// and so is everything after `--`.
    fn read(words: impl Iterator<Item = String>) -> BrowserArguments {
        let mut line = BrowserArguments::default();
        let mut only_pages = false;
        for word in words {
            if only_pages || !word.starts_with('-') || word == "-" {
                line.pages.push(word);
            } else if word == "--" {
                only_pages = true;
            } else {
                line.set(word);
            }
        }
        line
    }

    /// Sets a switch. Of two with the same name the later one counts, as in Chromium.
    fn set(&mut self, switch: String) {
        if let Some(list) = LISTS.iter().position(|list| *list == name(&switch)) {
            let entries = value(&switch).unwrap_or_default().split(',');
            for entry in entries.filter(|entry| !entry.is_empty()) {
                self.enter(list, entry);
            }
            return;
        }
        self.switches.retain(|other| name(other) != name(&switch));
        self.switches.push(switch);
    }

    /// Adds an entry to a list, unless it is there.
    fn enter(&mut self, list: usize, entry: &str) {
        if !self.lists[list]
            .iter()
            .any(|other| feature(other) == feature(entry))
        {
            self.lists[list].push(entry.to_owned());
        }
    }

    /// Adds the switches that a kiosk needs.
    fn add_required(&mut self, process: &Process, profile: &Path) {
        let platform = process.display.as_ref().map(|display| match display {
            Display::X(_) => "x11",
            Display::Wayland(_) => "wayland",
        });
        if let Some(platform) = platform {
            self.add(&format!("--ozone-platform={platform}"));
        }
        self.add(&format!("--user-data-dir={}", profile.display()));
        self.add_switches(&ALWAYS);
        let flags = &process.flags;
        let platform = self.value_of("ozone-platform");
        let webgpu = match platform {
            Some("wayland") => &WEBGPU_ON_WAYLAND,
            _ => &WEBGPU,
        };
        for (wanted, meaning) in [
            (flags.kiosk, &KIOSK),
            (flags.autoplay, &AUTOPLAY),
            (flags.webgpu, webgpu),
            (flags.cursor, &CURSOR),
        ] {
            if wanted {
                self.add_switches(meaning);
            }
        }
    }

    fn add_switches(&mut self, meaning: &Switches) {
        for switch in meaning.switches {
            self.add(switch);
        }
        let [enabled, disabled] = [0, 1];
        for entry in meaning.enable {
            self.choose(entry, enabled, disabled);
        }
        for entry in meaning.disable {
            self.choose(entry, disabled, enabled);
        }
    }

    /// Adds a switch, unless the operator has set it or one that replaces it.
    fn add(&mut self, switch: &str) {
        let chosen_by = CHOSEN_BY.iter().find(|(name_, _)| *name_ == name(switch));
        let chosen_by = chosen_by.map_or(&[][..], |(_, others)| others);
        let chosen =
            |written: &String| name(written) == name(switch) || chosen_by.contains(&name(written));
        if !self.switches.iter().any(chosen) {
            self.switches.push(switch.to_owned());
        }
    }

    /// Adds a feature to a list, unless the operator has put it in the opposite one.
    fn choose(&mut self, entry: &str, list: usize, other: usize) {
        if !self.lists[other]
            .iter()
            .any(|chosen| feature(chosen) == entry)
        {
            self.enter(list, entry);
        }
    }

    /// Shows a URL instead of those in the command, which would open in further tabs.
    fn show(&mut self, url: Option<&str>) {
        let Some(url) = url else { return };
        self.pages.clear();
        match self
            .switches
            .iter_mut()
            .find(|switch| name(switch) == "app")
        {
            Some(app) => *app = format!("--app={url}"),
            None => self.pages.push(url.to_owned()),
        }
    }

    /// Whether a switch of this name is present.
    fn has(&self, wanted: &str) -> bool {
        self.switches.iter().any(|switch| name(switch) == wanted)
    }

    fn value_of(&self, wanted: &str) -> Option<&str> {
        let switch = self.switches.iter().find(|switch| name(switch) == wanted);
        switch.and_then(|switch| value(switch))
    }

    fn into_words(self) -> impl Iterator<Item = String> {
        let lists = LISTS.iter().zip(self.lists);
        let lists = lists
            .filter(|(_, entries)| !entries.is_empty())
            .map(|(name, entries)| format!("--{name}={}", entries.join(",")));
        // A URL that looks like a switch.
        let end = self.pages.iter().any(|page| page.starts_with('-'));
        let end = end.then(|| "--".to_owned());
        self.switches
            .into_iter()
            .chain(lists)
            .chain(end)
            .chain(self.pages)
    }
}

/// The name of a switch. Chromium accepts one hyphen as well as two.
fn name(switch: &str) -> &str {
    let bare = switch.trim_start_matches('-');
    bare.split_once('=').map_or(bare, |(name, _)| name)
}

fn value(switch: &str) -> Option<&str> {
    switch.split_once('=').map(|(_, value)| value)
}

/// The name of a feature in a list: `*Name<Trial.Group:parameter/value` (Chromium's `base/feature_list.h`).
fn feature(entry: &str) -> &str {
    let entry = entry.strip_prefix('*').unwrap_or(entry);
    entry.split(['<', ':']).next().unwrap_or(entry)
}

#[cfg(test)]
mod tests;
