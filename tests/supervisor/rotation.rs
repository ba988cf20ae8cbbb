//! A display is rotated as configured, even if its server refuses at first.

use crate::stage::Stage;
use ossuary::config::Rotation;
use ossuary::supervisor::{Action, Event, Failure, Output, RotationStatus, Screen, Size};
use serde_json::json;

fn rotated_by_90() -> Stage {
    let mut stage = Stage::with_displays(
        json!({
            "version": 3,
            "processes": {"page": {"type": "chromium", "url": "https://example.org/"}},
            "displays": {":0": {"rotation": 90}}
        }),
        &[":0"],
    );
    stage.handle(Event::Displays {
        present: vec![":0".parse().unwrap()],
    });
    show(&mut stage, Rotation::None);
    stage
}

/// The display's server reports how it is rotated.
fn show(stage: &mut Stage, rotation: Rotation) {
    stage.handle(Event::Screen {
        display: ":0".parse().unwrap(),
        screen: Some(Screen {
            size: Size {
                width: 1920,
                height: 1080,
            },
            outputs: vec![Output {
                name: "HDMI-A-1".into(),
                rotation: Some(rotation),
                monitor: None,
            }],
        }),
    });
}

/// How often the display was to be rotated since the last call.
fn requests(stage: &mut Stage) -> usize {
    let is_turn = |action: &Action| matches!(action, Action::Rotate { .. });
    stage.actions.drain(..).filter(is_turn).count()
}

fn answer(stage: &mut Stage, result: Result<(), &str>) {
    stage.handle(Event::Rotated {
        display: ":0".parse().unwrap(),
        result: result.map_err(Failure::system),
    });
}

fn status(stage: &Stage) -> RotationStatus {
    stage.supervisor.status().displays[0]
        .screen
        .rotation
        .clone()
}

const CANCELLED: &str = "cannot rotate display wayland-0: something else was changed meanwhile";

#[test]
fn a_refused_rotation_is_retried_and_its_problem_is_shown_until_it_succeeds() {
    let mut stage = rotated_by_90();
    assert_eq!(requests(&mut stage), 1);
    answer(&mut stage, Err(CANCELLED));
    assert_eq!(status(&stage).problem.as_deref(), Some(CANCELLED));

    stage.pass_seconds(5);
    assert_eq!(requests(&mut stage), 1, "it is retried after 5 s");
    assert_eq!(status(&stage).problem.as_deref(), Some(CANCELLED));
    answer(&mut stage, Ok(()));
    show(&mut stage, Rotation::Quarter);
    assert_eq!(status(&stage).problem, None);
    stage.pass_seconds(24 * 3600);
    assert_eq!(requests(&mut stage), 0, "there is nothing left to do");
}

#[test]
fn a_rotation_that_is_always_refused_is_retried_twelve_times_an_hour_at_most() {
    let mut stage = rotated_by_90();
    let mut made = 0;
    for _ in 0..3600 {
        let new = requests(&mut stage);
        for _ in 0..new {
            answer(&mut stage, Err("its compositor refuses"));
        }
        made += new;
        stage.pass_seconds(1);
    }
    assert!((8..=12).contains(&made), "{made}");
    assert!(status(&stage).problem.is_some());
}

#[test]
fn a_display_that_is_rotated_by_other_means_has_no_problem_any_more() {
    let mut stage = rotated_by_90();
    requests(&mut stage);
    answer(&mut stage, Err(CANCELLED));
    show(&mut stage, Rotation::Quarter);
    assert_eq!(status(&stage).problem, None);
    stage.pass_seconds(3600);
    assert_eq!(requests(&mut stage), 0);
}
