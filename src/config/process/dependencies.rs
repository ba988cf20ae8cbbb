//! Checks who waits for whom: that they exist, and that nobody waits for itself.

use super::Process;
use crate::config::fields::no_such_process;
use crate::config::path::Path;
use crate::config::problem::Findings;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How many processes of a cycle are named; who mends one link has mended it.
const MAX_NAMED: usize = 12;

/// Checks `depends_on` of all processes. `written` is the object they were read from,
/// at `path`: it also has those that could not be read.
pub(in crate::config) fn check_dependencies(
    processes: &[Rc<Process>],
    written: &Map<String, Value>,
    path: Path<'_>,
    findings: &Findings,
) {
    let places: BTreeMap<&str, usize> = processes
        .iter()
        .enumerate()
        .map(|(place, process)| (process.id.as_str(), place))
        .collect();
    let mut needs: Vec<Vec<usize>> = Vec::with_capacity(processes.len());
    for process in processes {
        let path = path.field(process.id.as_str());
        let mut needed_places = Vec::with_capacity(process.depends_on.len());
        for needed in &process.depends_on {
            match places.get(needed.as_str()) {
                Some(&place) => {
                    needed_places.push(place);
                    if process.enabled && !processes[place].enabled {
                        let message = format!("{needed} is disabled, so this never starts");
                        findings.warning(path.field("depends_on"), message);
                    }
                }
                None if written.contains_key(needed.as_str()) => {}
                None => {
                    let list = path.field("depends_on");
                    let index = index_of(needed.as_str(), &written[process.id.as_str()]);
                    findings.problem(list.item(index), no_such_process(needed.as_str()));
                }
            }
        }
        needs.push(needed_places);
    }
    for cycle in cycles(&needs) {
        let first = processes[cycle[0]].id.as_str();
        let names = cycle
            .iter()
            .take(MAX_NAMED)
            .map(|&place| processes[place].id.as_str());
        let mut names: Vec<&str> = names.collect();
        if cycle.len() > MAX_NAMED {
            names.push("…");
        }
        names.push(first);
        let message = format!("goes round in a circle: {}", names.join(" → "));
        findings.problem(path.field(first).field("depends_on"), message);
    }
}

/// Where `needed` stands in the list of `process`, repeated entries counted.
fn index_of(needed: &str, process: &Value) -> usize {
    let list = process.get("depends_on").and_then(Value::as_array);
    list.and_then(|list| list.iter().position(|item| item == needed))
        .unwrap_or_default()
}

/// Finds the cycles of a graph, `needs[a]` being what `a` needs: at least one for every
/// knot, each beginning with its first member. A depth-first walk with a stack of its own.
fn cycles(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        Unseen,
        /// On the way that is being walked.
        Open,
        Done,
    }
    let mut marks = vec![Mark::Unseen; needs.len()];
    let mut found = Vec::new();
    for start in 0..needs.len() {
        if marks[start] != Mark::Unseen {
            continue;
        }
        marks[start] = Mark::Open;
        // The way from `start`, with how many needs of each were looked at.
        let mut way = vec![(start, 0)];
        while let Some((place, looked)) = way.last_mut() {
            let place = *place;
            let Some(&next) = needs[place].get(*looked) else {
                marks[place] = Mark::Done;
                way.pop();
                continue;
            };
            *looked += 1;
            match marks[next] {
                Mark::Done => {}
                Mark::Unseen => {
                    marks[next] = Mark::Open;
                    way.push((next, 0));
                }
                Mark::Open => {
                    let members = way.iter().map(|(place, _)| *place);
                    let mut cycle: Vec<_> = members.skip_while(|place| *place != next).collect();
                    let first = (0..cycle.len())
                        .min_by_key(|&at| cycle[at])
                        .unwrap_or_default();
                    cycle.rotate_left(first);
                    found.push(cycle);
                }
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_graph_without_cycles_has_none() {
        assert!(cycles(&[vec![1, 2], vec![3], vec![3], vec![]]).is_empty());
    }

    #[test]
    fn a_cycle_is_told_from_its_first_member_on() {
        assert_eq!(cycles(&[vec![], vec![3], vec![1], vec![2]]), [[1, 3, 2]]);
        assert_eq!(
            cycles(&[vec![1], vec![0], vec![3], vec![2]]),
            [[0, 1], [2, 3]]
        );
    }

    #[test]
    fn a_long_chain_needs_no_deep_stack() {
        let mut needs: Vec<Vec<usize>> = (1..100_000).map(|next| vec![next]).collect();
        needs.push(vec![0]);
        assert_eq!(cycles(&needs)[0].len(), 100_000);
    }
}
