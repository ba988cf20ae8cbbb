//! Any bytes are either a configuration or a list of problems, and every edit of a configuration is valid or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ossuary::config::{CommandLine, Document, Loaded, parse_json, quote, report, starts_chromium};
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let _ = report(Loaded::from_bytes(bytes));
    if let Ok(text) = std::str::from_utf8(bytes) {
        command(text);
    }
    match Loaded::from_bytes(bytes) {
        Ok(loaded) => check_edits(&loaded),
        Err(problems) => assert!(!problems.is_empty(), "a refusal has a reason"),
    }
    let Ok(Value::Object(fields)) = parse_json(bytes) else {
        return;
    };
    // The same bytes as a request of a client.
    if let Ok((loaded, id)) = Loaded::empty().with_process(fields.clone()) {
        check_round_trip(&loaded);
        if let Ok(changed) = loaded.with_changes(&id, fields.clone()) {
            check_round_trip(&changed);
        }
    }
    if let Ok(replaced) = Loaded::empty().replaced_by(Value::Object(fields)) {
        check_round_trip(&replaced);
    }
});

fn command(text: &str) {
    let _ = starts_chromium(text);
    if let Ok(CommandLine::Direct { argv, .. }) = CommandLine::parse(text) {
        assert!(!argv.is_empty());
        let again = CommandLine::parse(&quote(&argv));
        // Quotes make a line longer, possibly longer than a command may be.
        if let Ok(again) = again {
            assert_eq!(
                again,
                CommandLine::Direct {
                    env: Vec::new(),
                    argv
                }
            );
        }
    }
}

/// Every edit of a valid configuration is valid or refused.
fn check_edits(loaded: &Loaded) {
    check_round_trip(loaded);
    // Rules without an id are written with the id they were read with; after that nothing changes.
    let same = replace_with_itself(loaded);
    assert_eq!(same.config, loaded.config);
    assert_eq!(replace_with_itself(&same).document, same.document);
    for process in loaded.config.processes.iter().take(4) {
        let shown = serde_json::to_value(process).expect("a process can be shown");
        let Value::Object(shown) = shown else {
            panic!("a process is shown as an object")
        };
        let same = loaded
            .with_changes(&process.id, shown)
            .expect("what was read may be sent");
        assert_eq!(same.document, loaded.document);
        check_round_trip(&loaded.with_active_display(Some(&process.id)));
        if let Ok(without) = loaded.without_process(&process.id) {
            check_round_trip(&without);
        }
    }
}

fn replace_with_itself(loaded: &Loaded) -> Loaded {
    let document = Value::Object(loaded.document.as_map().clone());
    (loaded.replaced_by(document)).expect("a document may replace itself")
}

fn check_round_trip(loaded: &Loaded) {
    let bytes = loaded.document.to_bytes();
    assert!(bytes.len() <= Document::MAX_BYTES);
    let again = Loaded::from_bytes(&bytes).expect("what is written can be read");
    assert_eq!(again.document, loaded.document);
    assert_eq!(again.document.to_bytes(), bytes);
    assert_eq!(again.config, loaded.config);
    assert!(again.migration.is_none());
}
