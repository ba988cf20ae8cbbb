//! The ladder, and the pages of our own, with a clock in the hand.

use super::*;

fn at(seconds: u64) -> Moment {
    Moment::from_boot(Duration::from_secs(seconds))
}

fn painted() -> PageObservation {
    PageObservation::Painted {
        url: "http://page/".into(),
        title: "Page".into(),
    }
}

fn ours(name: &str) -> PageObservation {
    PageObservation::Painted {
        url: name.into(),
        title: String::new(),
    }
}

fn well(now: Moment) -> Health {
    let mut health = Health::new(RunId(1), None, RecoveryHistory::default(), now);
    assert_eq!(health.handle_observation(painted(), now), None);
    health
}

#[test]
fn a_page_that_misses_one_look_is_left_alone_and_one_that_misses_two_is_hung() {
    let mut health = well(at(0));
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
    let remedy = health.handle_observation(PageObservation::Unresponsive, at(1006));
    assert_eq!(remedy, Some(Recovery::Command(PageCommand::Reload)));
    assert_eq!(health.status.state, PageState::Hung);
}

#[test]
fn the_rungs_are_climbed_one_after_the_other_and_forgiven() {
    let mut health = well(at(0));
    let mut remedies = Vec::new();
    for second in (100..200).step_by(2) {
        let sight = match remedies.len() {
            4 => ours("about:failed"),
            _ => PageObservation::Crashed,
        };
        remedies.extend(health.handle_observation(sight, at(second)));
    }
    let url = "http://page/".to_owned();
    assert_eq!(remedies[0], Recovery::Command(PageCommand::Reload));
    assert_eq!(remedies[1], Recovery::Command(PageCommand::NewTab { url }));
    assert!(matches!(remedies[2], Recovery::Restart(_)));
    assert!(matches!(
        remedies[3],
        Recovery::Command(PageCommand::ShowBuiltIn(BuiltIn::Failed { .. }))
    ));
    assert_eq!(remedies.len(), 4, "a page of our own stays");

    let mut health = well(at(0));
    health.handle_observation(PageObservation::Crashed, at(100));
    health.handle_observation(painted(), at(101));
    health.handle_observation(painted(), at(101 + 60));
    let again = health.handle_observation(PageObservation::Crashed, at(400));
    assert_eq!(again, Some(Recovery::Command(PageCommand::Reload)));
}

#[test]
fn a_page_that_is_never_well_costs_a_bounded_number_of_steps_an_hour() {
    let mut health = well(at(0));
    let mut steps = VecDeque::new();
    for second in 0..7 * 24 * 3600 / 2 {
        let now = at(second * 2);
        if health
            .handle_observation(PageObservation::Crashed, now)
            .is_some()
        {
            steps.push_back(now);
            // As if the operator's page came back for an instant.
            health.replaced = None;
        }
        while steps.front().is_some_and(|step| now.since(*step) >= HOUR) {
            steps.pop_front();
        }
        assert!(steps.len() <= STEPS_PER_HOUR, "{steps:?}");
    }
}

#[test]
fn an_empty_page_is_told_after_a_while() {
    let mut health = well(at(0));
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
fn a_page_that_is_not_well_tells_when_it_was_and_what_was_done() {
    let picture = |byte| Screenshot {
        png: vec![byte].into(),
    };
    let mut health = well(at(0));
    health.handle_observation(painted(), at(6));
    assert_eq!(health.status.last_painted, None, "that is now");
    health.handle_observation(PageObservation::Crashed, at(12));
    assert_eq!(health.status.last_painted, Some(at(6)));

    health.record_step("it has died; it is loaded anew".into(), at(12));
    health.set_evidence(picture(1), at(13));
    let step = health.status.last_step.clone().expect("a step");
    assert_eq!((step.at, step.state), (at(12), PageState::Crashed));
    assert_eq!(step.evidence, Some((at(13), picture(1))));

    // Another run: what is known of the page is known still, and of the same illness it is the only picture.
    let mut health = Health::new(RunId(2), None, health.history, at(30));
    assert_eq!(health.status.last_painted, Some(at(6)));
    health.record_step("it is restarted".into(), at(30));
    let step = health.status.last_step.clone().expect("a step");
    assert_eq!(step.evidence, Some((at(13), picture(1))));

    // A day later it is another illness.
    health.handle_observation(painted(), at(40));
    assert!(health.status.last_step.is_some(), "it stays to be read");
    health.handle_observation(PageObservation::Crashed, at(90_000));
    health.record_step("it has died; it is loaded anew".into(), at(90_000));
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
        let sight = starts[second as usize / 50].clone();
        assert_eq!(health.handle_observation(sight, at(second)), None);
        assert_eq!(health.status.state, PageState::Loading);
        assert!(health.deadline() <= Some(at(second) + OBSERVE_INTERVAL));
    }
    assert_eq!(
        health.handle_observation(painted(), at(STARTUP_TIMEOUT.as_secs())),
        None
    );
    assert!(health.history.recent_steps.is_empty());
}

#[test]
fn a_browser_that_never_comes_to_its_page_is_not_waited_for_for_ever() {
    for sight in [
        PageObservation::BrowserUnresponsive,
        PageObservation::Unresponsive,
        empty_tab(),
    ] {
        let mut health = Health::new(RunId(1), None, RecoveryHistory::default(), at(0));
        let end = STARTUP_TIMEOUT + BLANK_TIMEOUT + RECHECK_PAUSE;
        let remedy = (0..=end.as_secs() / 2)
            .find_map(|look| health.handle_observation(sight.clone(), at(look * 2)));
        assert!(remedy.is_some(), "{sight:?}");
    }
}

#[test]
fn a_browser_that_has_shown_its_page_is_trusted_no_longer() {
    let mut health = well(at(0));
    health.handle_observation(PageObservation::BrowserUnresponsive, at(1));
    let remedy = health.handle_observation(PageObservation::BrowserUnresponsive, at(2));
    assert!(matches!(remedy, Some(Recovery::Restart(_))));

    // One that was there and empty is a page, too.
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
fn a_silent_browser_is_restarted() {
    let mut health = well(at(0));
    assert_eq!(
        health.handle_observation(PageObservation::BrowserUnresponsive, at(16)),
        None
    );
    let remedy = health.handle_observation(PageObservation::BrowserUnresponsive, at(26));
    assert!(matches!(remedy, Some(Recovery::Restart(_))));
}

#[test]
fn a_page_that_cannot_be_loaded_is_said_once_and_tried_until_it_comes() {
    let mut health = Health::new(RunId(1), None, RecoveryHistory::default(), at(0));
    let dead = || PageObservation::NotLoaded {
        url: "http://page/".into(),
        error: "net::ERR_CONNECTION_REFUSED".into(),
    };
    let remedy = health.handle_observation(dead(), at(1));
    assert!(matches!(
        remedy,
        Some(Recovery::Command(PageCommand::ShowBuiltIn(
            BuiltIn::Offline { .. }
        )))
    ));
    assert_eq!(
        health.handle_observation(ours("about:offline"), at(2)),
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
fn a_page_of_ours_that_nobody_remembers_gives_way_as_well() {
    let tries = |health: &mut Health, address: &str| {
        assert_eq!(
            health.handle_observation(ours("about:offline"), at(10)),
            None
        );
        assert_eq!(health.status.state, PageState::NetError);
        assert_eq!(health.status.url.as_deref(), Some(address));
        let order = health.handle_due(health.deadline().expect("a time"));
        assert!(matches!(order, PageCommand::Navigate { url, .. } if url == address));
    };
    // The browser tries it by itself while ours is on its way; an operator's wish comes to nothing.
    let mut health = well(at(0));
    let (url, error) = ("http://page/".to_owned(), "net::ERR_FAILED".to_owned());
    health.handle_observation(PageObservation::NotLoaded { url, error }, at(1));
    let url = "http://page/".to_owned();
    health.handle_observation(PageObservation::Loading { url }, at(2));
    tries(&mut health, "http://page/");
    health.replaced = None;
    tries(&mut health, "http://page/");
    assert_eq!(health.status.reason.as_deref(), Some("net::ERR_FAILED"));
    // Another daemon has shown ours.
    let home = Some("http://home/".to_owned());
    let mut health = Health::new(RunId(1), home, RecoveryHistory::default(), at(0));
    tries(&mut health, "http://home/");
}

#[test]
fn a_page_that_never_comes_climbs_the_ladder() {
    let mut health = well(at(0));
    let mut remedies = Vec::new();
    for second in (100..600).step_by(6) {
        let url = match remedies.len() {
            4 => "about:failed",
            _ => "http://page/",
        };
        let url = url.to_owned();
        remedies.extend(health.handle_observation(PageObservation::Loading { url }, at(second)));
        assert!(
            remedies.is_empty() || second >= 160,
            "as slow as this is no illness"
        );
    }
    assert_eq!(remedies[0], Recovery::Command(PageCommand::Reload));
    assert!(matches!(
        remedies[3],
        Recovery::Command(PageCommand::ShowBuiltIn(BuiltIn::Failed { .. }))
    ));
    assert_eq!(remedies.len(), 4, "a page of our own stays");
}

#[test]
fn a_page_that_has_come_and_hangs_is_not_led_there_again_and_again() {
    let mut health = well(at(0));
    health.handle_observation(not_loaded(), at(1));
    health.handle_observation(ours("about:offline"), at(2));
    let order = health.handle_due(at(5));
    health.commands_in_flight.push(order.clone());
    assert_eq!(
        health.handle_observation(PageObservation::Unresponsive, at(15)),
        None
    );
    assert_eq!(health.deadline(), None, "the order is still under way");
    health.end_command(&order);
    health.handle_done(&order, &PageCommandResult::Done);
    assert_eq!(health.replaced, None);
    assert_eq!(health.handle_due(at(15)), PageCommand::Observe);
}

fn not_loaded() -> PageObservation {
    PageObservation::NotLoaded {
        url: "http://page/".into(),
        error: "net::ERR_FAILED".into(),
    }
}

/// A browser that can be asked, and has no page.
fn no_page() -> PageObservation {
    PageObservation::Loading { url: String::new() }
}

#[test]
fn where_no_page_of_ours_comes_either_the_ladder_goes_on() {
    let mut health = well(at(0));
    health.history.next_step = RESTART_STEP + 1;
    let remedy = health.handle_observation(PageObservation::Crashed, at(100));
    let Some(Recovery::Command(order)) = remedy else {
        panic!("{remedy:?}");
    };
    assert!(matches!(&order, PageCommand::ShowBuiltIn(_)));
    health
        .commands_in_flight
        .extend([PageCommand::Observe, order.clone()]);
    // The look that has led to it is answered after what it saw.
    health.end_command(&PageCommand::Observe);
    health.handle_done(&PageCommand::Observe, &PageCommandResult::Done);
    let meanwhile = health.handle_observation(PageObservation::Crashed, at(120));
    assert_eq!((meanwhile, health.deadline()), (None, None));
    health.end_command(&order);
    assert_eq!(health.handle_failure(&order, at(130)), None);
    assert_eq!(health.deadline(), Some(at(130) + RECHECK_PAUSE));
    assert_eq!(health.handle_due(at(132)), PageCommand::Observe);
    let next = health.handle_observation(PageObservation::Crashed, at(132));
    assert_eq!(next, Some(Recovery::Command(PageCommand::Reload)));
}

#[test]
fn where_ours_cannot_say_it_the_address_is_tried_all_the_same_and_ours_later() {
    let mut health = well(at(0));
    let mut said = Vec::new();
    let mut tried = 0;
    for second in (10..2000).step_by(4) {
        if let Some(Recovery::Command(order)) = health.handle_observation(not_loaded(), at(second))
        {
            assert_eq!(health.handle_failure(&order, at(second)), None);
            said.push(second);
        }
        match health.handle_due(at(second)) {
            PageCommand::Navigate { .. } => tried += 1,
            order => panic!("{order:?}"),
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
    assert!(health.history.recent_steps.is_empty());
}

#[test]
fn whoever_shows_a_page_of_ours_is_looked_after_as_well() {
    for (sight, looks) in [
        (PageObservation::BrowserUnresponsive, 2),
        (PageObservation::Unresponsive, 2),
        (PageObservation::Crashed, 1),
    ] {
        let mut health = well(at(0));
        health.handle_observation(not_loaded(), at(1));
        health.handle_observation(ours("about:offline"), at(2));
        let order = health.handle_due(at(1000));
        assert!(matches!(&order, PageCommand::Navigate { .. }));
        let next = health.handle_failure(&order, at(1000));
        assert_eq!(next, Some(PageCommand::Observe));
        for look in 1..=looks {
            let remedy = health.handle_observation(sight.clone(), at(1000 + look));
            assert_eq!(remedy.is_some(), look == looks, "{sight:?}");
            if remedy.is_none() {
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
fn an_outage_is_no_illness_and_its_page_is_forgiven_like_any_other() {
    let mut health = well(at(0));
    health.handle_observation(not_loaded(), at(1));
    let mut steps = 0;
    for second in (10..100_000).step_by(30) {
        let looks = match second % 20_000 < 30 {
            true => vec![
                PageObservation::Unresponsive,
                PageObservation::Unresponsive,
                ours("about:offline"),
            ],
            false => vec![ours("about:offline")],
        };
        for sight in looks {
            match health.handle_observation(sight, at(second)) {
                None => {}
                Some(Recovery::Command(PageCommand::Reload)) => steps += 1,
                other => panic!("{other:?} for a page that is well now"),
            }
        }
    }
    assert!((1..=6).contains(&steps), "{steps}");

    // Another outage is not forgiven by the last one.
    health.handle_observation(painted(), at(200_000));
    health.handle_observation(not_loaded(), at(200_010));
    health.history.next_step = RESTART_STEP;
    health.handle_observation(ours("about:offline"), at(200_020));
    assert_eq!(health.history.next_step, RESTART_STEP);
}

#[test]
fn an_address_is_tried_also_where_all_steps_were_taken() {
    for (sight, looks) in [
        (PageObservation::Crashed, 1),
        (PageObservation::Unresponsive, 2),
    ] {
        let mut health = well(at(0));
        health.history.recent_steps = (0..STEPS_PER_HOUR as u64).map(at).collect();
        health.handle_observation(not_loaded(), at(100));
        health.handle_observation(ours("about:offline"), at(101));
        for _ in 0..looks {
            assert_eq!(health.handle_observation(sight.clone(), at(102)), None);
        }
        assert_eq!(health.deadline(), Some(at(102) + FREQUENT_PAUSE));
        assert!(matches!(
            health.handle_due(at(106)),
            PageCommand::Navigate { .. }
        ));
    }
}

#[test]
fn an_empty_tab_is_no_address() {
    let home = "http://home/";
    let mut health = Health::new(
        RunId(1),
        Some(home.into()),
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
                    order => panic!("{order:?}"),
                }
            }
            _ => {}
        }
    }
    assert!(addresses.len() > 1 && addresses.iter().all(|url| url == home));
}

#[test]
fn a_browser_without_a_page_is_led_to_where_it_belongs() {
    let home = || Some("http://home/".to_owned());
    for home in [home(), None] {
        let mut health = Health::new(RunId(1), home.clone(), RecoveryHistory::default(), at(0));
        let mut remedies = Vec::new();
        for second in (0..700).step_by(6) {
            let remedy = health.handle_observation(no_page(), at(second));
            // Nothing that is done helps.
            if let Some(Recovery::Command(order)) = &remedy {
                health.handle_failure(order, at(second));
            }
            remedies.extend(remedy);
        }
        assert_eq!(health.status.url, None);
        assert_eq!(remedies[0], Recovery::Command(PageCommand::Reload));
        match home {
            Some(url) => {
                assert_eq!(remedies[1], Recovery::Command(PageCommand::NewTab { url }));
                assert!(matches!(remedies[2], Recovery::Restart(_)));
                assert!(matches!(
                    remedies[3],
                    Recovery::Command(PageCommand::ShowBuiltIn(_))
                ));
                assert_eq!(remedies[4], Recovery::Command(PageCommand::Reload));
            }
            None => {
                let others = &remedies[1..4];
                assert!(others.iter().all(|it| matches!(it, Recovery::Restart(_))));
            }
        }
    }
}
