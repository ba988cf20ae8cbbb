//! Tests of the recovery ladder and the built-in pages.

use super::*;
use std::collections::VecDeque;

fn at(seconds: u64) -> Moment {
    Moment::from_boot(Duration::from_secs(seconds))
}

fn painted() -> PageObservation {
    PageObservation::Painted {
        url: "http://page/".into(),
        title: "Page".into(),
    }
}

fn built_in(name: &str) -> PageObservation {
    PageObservation::Painted {
        url: name.into(),
        title: String::new(),
    }
}

fn healthy(now: Moment) -> Health {
    let mut health = Health::new(RunId(1), None, RecoveryHistory::default(), now);
    assert_eq!(health.handle_observation(painted(), now), None);
    health
}

#[test]
fn a_page_that_misses_one_answer_is_left_alone_and_one_that_misses_two_is_hung() {
    let mut health = healthy(at(0));
    for round in 1..100 {
        assert_eq!(
            health.handle_observation(PageObservation::Unresponsive, at(round * 10)),
            None
        );
        assert_eq!(
            health.handle_observation(painted(), at(round * 10 + 5)),
            None
        );
        assert_eq!(health.status.state, PageState::Healthy);
    }
    health.handle_observation(PageObservation::Unresponsive, at(1001));
    let recovery = health.handle_observation(PageObservation::Unresponsive, at(1006));
    assert_eq!(recovery, Some(Recovery::Command(PageCommand::Reload)));
    assert_eq!(health.status.state, PageState::Hung);
}

#[test]
fn recovery_steps_are_taken_in_order_and_start_over_for_a_healthy_page() {
    let mut health = healthy(at(0));
    let mut recoveries = Vec::new();
    for second in (100..200).step_by(2) {
        let observation = match recoveries.len() {
            4 => built_in("about:failed"),
            _ => PageObservation::Crashed,
        };
        recoveries.extend(health.handle_observation(observation, at(second)));
    }
    let url = "http://page/".to_owned();
    assert_eq!(recoveries[0], Recovery::Command(PageCommand::Reload));
    assert_eq!(
        recoveries[1],
        Recovery::Command(PageCommand::NewTab { url })
    );
    assert!(matches!(recoveries[2], Recovery::Restart(_)));
    assert!(matches!(
        recoveries[3],
        Recovery::Command(PageCommand::ShowBuiltIn(BuiltIn::Failed { .. }))
    ));
    assert_eq!(recoveries.len(), 4, "a built-in page stays");

    let mut health = healthy(at(0));
    health.handle_observation(PageObservation::Crashed, at(100));
    health.handle_observation(painted(), at(101));
    health.handle_observation(painted(), at(101 + 60));
    let again = health.handle_observation(PageObservation::Crashed, at(400));
    assert_eq!(again, Some(Recovery::Command(PageCommand::Reload)));
}

#[test]
fn a_page_that_never_recovers_takes_a_bounded_number_of_steps_an_hour() {
    let mut health = healthy(at(0));
    let mut steps = VecDeque::new();
    for second in 0..7 * 24 * 3600 / 2 {
        let now = at(second * 2);
        if health
            .handle_observation(PageObservation::Crashed, now)
            .is_some()
        {
            steps.push_back(now);
            // As if the page was back for an instant.
            health.replaced = None;
        }
        while steps.front().is_some_and(|step| now.since(*step) >= HOUR) {
            steps.pop_front();
        }
        assert!(steps.len() <= STEPS_PER_HOUR, "{steps:?}");
    }
}

#[test]
fn an_empty_page_is_reported_after_a_while() {
    let mut health = healthy(at(0));
    let blank = || PageObservation::Blank {
        url: "http://page/".into(),
        title: String::new(),
    };
    for second in 10..25 {
        assert_eq!(health.handle_observation(blank(), at(second)), None);
    }
    assert!(health.handle_observation(blank(), at(25)).is_some());
    assert_eq!(health.status.state, PageState::Blank);
}

#[test]
fn an_unhealthy_page_reports_when_it_was_healthy_and_what_was_done() {
    let screenshot = |byte| Screenshot {
        png: vec![byte].into(),
    };
    let mut health = healthy(at(0));
    health.handle_observation(painted(), at(6));
    assert_eq!(health.status.last_painted, None, "that is now");
    health.handle_observation(PageObservation::Crashed, at(12));
    assert_eq!(health.status.last_painted, Some(at(6)));

    health.record_step("the renderer crashed; reloading".into(), at(12));
    health.set_evidence(screenshot(1), at(13));
    let step = health.status.last_step.clone().expect("a step");
    assert_eq!((step.at, step.state), (at(12), PageState::Crashed));
    assert_eq!(step.evidence, Some((at(13), screenshot(1))));

    // A new run keeps the history of the page, and the evidence of the same problem.
    let mut health = Health::new(RunId(2), None, health.history, at(30));
    assert_eq!(health.status.last_painted, Some(at(6)));
    health.record_step("restarting the browser".into(), at(30));
    let step = health.status.last_step.clone().expect("a step");
    assert_eq!(step.evidence, Some((at(13), screenshot(1))));

    // A day later it is another problem.
    health.handle_observation(painted(), at(40));
    assert!(health.status.last_step.is_some(), "it stays to be read");
    health.handle_observation(PageObservation::Crashed, at(90_000));
    health.record_step("the renderer crashed; reloading".into(), at(90_000));
    let step = health.status.last_step.clone().expect("a step");
    assert_eq!(step.evidence, None);
}

fn empty_tab() -> PageObservation {
    PageObservation::Blank {
        url: "about:blank".into(),
        title: String::new(),
    }
}

#[test]
fn a_browser_that_is_slow_to_start_is_left_alone() {
    let page = PageObservation::Loading {
        url: "http://page/".into(),
    };
    let starts = [
        PageObservation::BrowserUnresponsive,
        PageObservation::Unresponsive,
        page,
        empty_tab(),
    ];
    let mut health = Health::new(RunId(1), None, RecoveryHistory::default(), at(0));
    for second in (0..STARTUP_TIMEOUT.as_secs()).step_by(2) {
        let observation = starts[second as usize / 50].clone();
        assert_eq!(health.handle_observation(observation, at(second)), None);
        assert_eq!(health.status.state, PageState::Loading);
        assert!(health.deadline() <= Some(at(second) + OBSERVE_INTERVAL));
    }
    assert_eq!(
        health.handle_observation(painted(), at(STARTUP_TIMEOUT.as_secs())),
        None
    );
    assert!(health.history.recent_steps.iter().next().is_none());
}

#[test]
fn a_browser_that_never_shows_its_page_is_recovered() {
    for observation in [
        PageObservation::BrowserUnresponsive,
        PageObservation::Unresponsive,
        empty_tab(),
    ] {
        let mut health = Health::new(RunId(1), None, RecoveryHistory::default(), at(0));
        let end = STARTUP_TIMEOUT + BLANK_TIMEOUT + RECHECK_PAUSE;
        let recovery = (0..=end.as_secs() / 2)
            .find_map(|look| health.handle_observation(observation.clone(), at(look * 2)));
        assert!(recovery.is_some(), "{observation:?}");
    }
}

#[test]
fn a_browser_that_has_shown_its_page_gets_no_more_startup_time() {
    let mut health = healthy(at(0));
    health.handle_observation(PageObservation::BrowserUnresponsive, at(1));
    let recovery = health.handle_observation(PageObservation::BrowserUnresponsive, at(2));
    assert!(matches!(recovery, Some(Recovery::Restart(_))));

    // An empty page that is not the initial tab is a page.
    let mut health = Health::new(RunId(1), None, RecoveryHistory::default(), at(0));
    let blank = PageObservation::Blank {
        url: "http://page/".into(),
        title: String::new(),
    };
    assert_eq!(health.handle_observation(blank.clone(), at(0)), None);
    assert!(
        health
            .handle_observation(blank, at(BLANK_TIMEOUT.as_secs()))
            .is_some()
    );
}

#[test]
fn an_unresponsive_browser_is_restarted() {
    let mut health = healthy(at(0));
    assert_eq!(
        health.handle_observation(PageObservation::BrowserUnresponsive, at(16)),
        None
    );
    let recovery = health.handle_observation(PageObservation::BrowserUnresponsive, at(26));
    assert!(matches!(recovery, Some(Recovery::Restart(_))));
}

#[test]
fn a_page_that_cannot_be_loaded_is_announced_once_and_retried_until_it_loads() {
    let mut health = Health::new(RunId(1), None, RecoveryHistory::default(), at(0));
    let dead = || PageObservation::NotLoaded {
        url: "http://page/".into(),
        error: "net::ERR_CONNECTION_REFUSED".into(),
    };
    let recovery = health.handle_observation(dead(), at(1));
    assert!(matches!(
        recovery,
        Some(Recovery::Command(PageCommand::ShowBuiltIn(
            BuiltIn::Offline { .. }
        )))
    ));
    assert_eq!(
        health.handle_observation(built_in("about:offline"), at(2)),
        None
    );
    assert_eq!(health.status.state, PageState::NetError);
    assert_eq!(health.handle_observation(dead(), at(3)), None, "said once");
    assert!(matches!(
        health.handle_due(at(5)),
        PageCommand::Navigate { .. }
    ));
    assert_eq!(health.deadline(), Some(at(5) + FREQUENT_PAUSE));
    health.handle_due(at(2000));
    assert_eq!(health.deadline(), Some(at(2000) + RARE_PAUSE));
    health.handle_observation(painted(), at(2001));
    assert_eq!(health.status.state, PageState::Healthy);
    assert_eq!(health.handle_due(at(2010)), PageCommand::Observe);
}

#[test]
fn an_unexpected_built_in_page_is_replaced_too() {
    let tries = |health: &mut Health, address: &str| {
        assert_eq!(
            health.handle_observation(built_in("about:offline"), at(10)),
            None
        );
        assert_eq!(health.status.state, PageState::NetError);
        assert_eq!(health.status.url.as_deref(), Some(address));
        let command = health.handle_due(health.deadline().expect("a time"));
        assert!(matches!(command, PageCommand::Navigate { url, .. } if url == address));
    };
    // The browser itself retries while the built-in page is loading; a navigation of an operator fails.
    let mut health = healthy(at(0));
    let (url, error) = ("http://page/".to_owned(), "net::ERR_FAILED".to_owned());
    health.handle_observation(PageObservation::NotLoaded { url, error }, at(1));
    let url = "http://page/".to_owned();
    health.handle_observation(PageObservation::Loading { url }, at(2));
    tries(&mut health, "http://page/");
    health.replaced = None;
    tries(&mut health, "http://page/");
    assert_eq!(health.status.reason.as_deref(), Some("net::ERR_FAILED"));
    // Another daemon showed the built-in page.
    let start_url = Some("http://home/".to_owned());
    let mut health = Health::new(RunId(1), start_url, RecoveryHistory::default(), at(0));
    tries(&mut health, "http://home/");
}

#[test]
fn a_page_that_never_loads_takes_every_recovery_step() {
    let mut health = healthy(at(0));
    let mut recoveries = Vec::new();
    for second in (100..600).step_by(6) {
        let url = match recoveries.len() {
            4 => "about:failed",
            _ => "http://page/",
        };
        let url = url.to_owned();
        recoveries.extend(health.handle_observation(PageObservation::Loading { url }, at(second)));
        assert!(
            recoveries.is_empty() || second >= 160,
            "as slow as this is no illness"
        );
    }
    assert_eq!(recoveries[0], Recovery::Command(PageCommand::Reload));
    assert!(matches!(
        recoveries[3],
        Recovery::Command(PageCommand::ShowBuiltIn(BuiltIn::Failed { .. }))
    ));
    assert_eq!(recoveries.len(), 4, "a built-in page stays");
}

#[test]
fn a_page_that_loaded_and_hangs_is_not_navigated_again_and_again() {
    let mut health = healthy(at(0));
    health.handle_observation(not_loaded(), at(1));
    health.handle_observation(built_in("about:offline"), at(2));
    let command = health.handle_due(at(5));
    health.commands_in_flight.push(command.clone());
    assert_eq!(
        health.handle_observation(PageObservation::Unresponsive, at(15)),
        None
    );
    assert_eq!(health.deadline(), None, "the order is still under way");
    health.end_command(&command);
    health.handle_done(&command, &PageCommandResult::Done);
    assert_eq!(health.replaced, None);
    assert_eq!(health.handle_due(at(15)), PageCommand::Observe);
}

fn not_loaded() -> PageObservation {
    PageObservation::NotLoaded {
        url: "http://page/".into(),
        error: "net::ERR_FAILED".into(),
    }
}

/// A browser that answers and has no page.
fn no_page() -> PageObservation {
    PageObservation::Loading { url: String::new() }
}

#[test]
fn recovery_continues_if_the_built_in_page_does_not_load_either() {
    let mut health = healthy(at(0));
    health.history.next_step = RESTART_STEP + 1;
    let recovery = health.handle_observation(PageObservation::Crashed, at(100));
    let Some(Recovery::Command(command)) = recovery else {
        panic!("{recovery:?}");
    };
    assert!(matches!(&command, PageCommand::ShowBuiltIn(_)));
    health
        .commands_in_flight
        .extend([PageCommand::Observe, command.clone()]);
    // The observation that led to it is answered after its result.
    health.end_command(&PageCommand::Observe);
    health.handle_done(&PageCommand::Observe, &PageCommandResult::Done);
    let meanwhile = health.handle_observation(PageObservation::Crashed, at(120));
    assert_eq!((meanwhile, health.deadline()), (None, None));
    health.end_command(&command);
    assert_eq!(health.handle_failure(&command, at(130)), None);
    assert_eq!(health.deadline(), Some(at(130) + RECHECK_PAUSE));
    assert_eq!(health.handle_due(at(132)), PageCommand::Observe);
    let next = health.handle_observation(PageObservation::Crashed, at(132));
    assert_eq!(next, Some(Recovery::Command(PageCommand::Reload)));
}

#[test]
fn the_url_is_retried_even_if_the_built_in_page_fails_and_that_is_shown_later() {
    let mut health = healthy(at(0));
    let mut said = Vec::new();
    let mut tried = 0;
    for second in (10..2000).step_by(4) {
        if let Some(Recovery::Command(command)) =
            health.handle_observation(not_loaded(), at(second))
        {
            assert_eq!(health.handle_failure(&command, at(second)), None);
            said.push(second);
        }
        match health.handle_due(at(second)) {
            PageCommand::Navigate { .. } => tried += 1,
            command => panic!("{command:?}"),
        }
    }
    assert!(tried > 400, "{tried}");
    let pauses = said.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(
        pauses
            .clone()
            .all(|pause| pause >= FREQUENT_PERIOD.as_secs())
    );
    assert!(said.len() >= 6, "{said:?}");
    assert!(health.history.recent_steps.iter().next().is_none());
}

#[test]
fn a_browser_that_shows_a_built_in_page_is_recovered_too() {
    for (observation, observations) in [
        (PageObservation::BrowserUnresponsive, 2),
        (PageObservation::Unresponsive, 2),
        (PageObservation::Crashed, 1),
    ] {
        let mut health = healthy(at(0));
        health.handle_observation(not_loaded(), at(1));
        health.handle_observation(built_in("about:offline"), at(2));
        let command = health.handle_due(at(1000));
        assert!(matches!(&command, PageCommand::Navigate { .. }));
        let next = health.handle_failure(&command, at(1000));
        assert_eq!(next, Some(PageCommand::Observe));
        for look in 1..=observations {
            let recovery = health.handle_observation(observation.clone(), at(1000 + look));
            assert_eq!(recovery.is_some(), look == observations, "{observation:?}");
            if recovery.is_none() {
                assert_eq!(
                    health.handle_due(at(1000 + look)),
                    PageCommand::Observe,
                    "at once"
                );
            }
        }
        assert_eq!(health.replaced, None);
    }
}

#[test]
fn an_outage_is_not_a_page_failure_and_recovery_starts_over_after_it() {
    let mut health = healthy(at(0));
    health.handle_observation(not_loaded(), at(1));
    let mut steps = 0;
    for second in (10..100_000).step_by(30) {
        let observations = match second % 20_000 < 30 {
            true => vec![
                PageObservation::Unresponsive,
                PageObservation::Unresponsive,
                built_in("about:offline"),
            ],
            false => vec![built_in("about:offline")],
        };
        for observation in observations {
            match health.handle_observation(observation, at(second)) {
                None => {}
                Some(Recovery::Command(PageCommand::Reload)) => steps += 1,
                other => panic!("{other:?} for a page that is well now"),
            }
        }
    }
    assert!((1..=6).contains(&steps), "{steps}");

    // The last outage does not affect another one.
    health.handle_observation(painted(), at(200_000));
    health.handle_observation(not_loaded(), at(200_010));
    health.history.next_step = RESTART_STEP;
    health.handle_observation(built_in("about:offline"), at(200_020));
    assert_eq!(health.history.next_step, RESTART_STEP);
}

#[test]
fn a_url_is_retried_even_if_all_steps_of_the_hour_were_taken() {
    for (observation, observations) in [
        (PageObservation::Crashed, 1),
        (PageObservation::Unresponsive, 2),
    ] {
        let mut health = healthy(at(0));
        health.history.recent_steps = (0..STEPS_PER_HOUR as u64).map(at).collect();
        health.handle_observation(not_loaded(), at(100));
        health.handle_observation(built_in("about:offline"), at(101));
        for _ in 0..observations {
            assert_eq!(
                health.handle_observation(observation.clone(), at(102)),
                None
            );
        }
        assert_eq!(health.deadline(), Some(at(102) + FREQUENT_PAUSE));
        assert!(matches!(
            health.handle_due(at(106)),
            PageCommand::Navigate { .. }
        ));
    }
}

#[test]
fn an_empty_tab_is_not_a_url() {
    let start_url = "http://home/";
    let mut health = Health::new(
        RunId(1),
        Some(start_url.into()),
        RecoveryHistory::default(),
        at(0),
    );
    let mut addresses = Vec::new();
    for second in (0..900).step_by(2) {
        match health.handle_observation(empty_tab(), at(second)) {
            Some(Recovery::Command(PageCommand::NewTab { url })) => addresses.push(url),
            Some(Recovery::Command(PageCommand::ShowBuiltIn(_))) => {
                match health.handle_due(at(second)) {
                    PageCommand::Navigate { url, .. } => addresses.push(url),
                    command => panic!("{command:?}"),
                }
            }
            _ => {}
        }
    }
    assert!(addresses.len() > 1 && addresses.iter().all(|url| url == start_url));
}

#[test]
fn a_browser_without_a_page_is_navigated_to_its_url() {
    let start_url = || Some("http://home/".to_owned());
    for start_url in [start_url(), None] {
        let mut health = Health::new(
            RunId(1),
            start_url.clone(),
            RecoveryHistory::default(),
            at(0),
        );
        let mut recoveries = Vec::new();
        for second in (0..700).step_by(6) {
            let recovery = health.handle_observation(no_page(), at(second));
            // No step helps.
            if let Some(Recovery::Command(command)) = &recovery {
                health.handle_failure(command, at(second));
            }
            recoveries.extend(recovery);
        }
        assert_eq!(health.status.url, None);
        assert_eq!(recoveries[0], Recovery::Command(PageCommand::Reload));
        match start_url {
            Some(url) => {
                assert_eq!(
                    recoveries[1],
                    Recovery::Command(PageCommand::NewTab { url })
                );
                assert!(matches!(recoveries[2], Recovery::Restart(_)));
                assert!(matches!(
                    recoveries[3],
                    Recovery::Command(PageCommand::ShowBuiltIn(_))
                ));
                assert_eq!(recoveries[4], Recovery::Command(PageCommand::Reload));
            }
            None => {
                let others = &recoveries[1..4];
                assert!(others.iter().all(|it| matches!(it, Recovery::Restart(_))));
            }
        }
    }
}
