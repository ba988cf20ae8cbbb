//! Checks `depends_on`: that the dependencies exist and have no cycle.

use super::Process;
use crate::config::fields::no_such_process;
use crate::config::path::Path;
use crate::config::problem::Findings;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::rc::Rc;

/// How many processes of a cycle the message names.
const MAX_NAMED: usize = 12;

/// Checks `depends_on` of all processes. `written` is the object at `path` that they were read from; it also has those
/// that could not be read.
pub fn check_dependencies(
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
                        let message = format!("{needed} is disabled, so this process never starts");
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
        let message = format!("has a cycle: {}", names.join(" → "));
        findings.problem(path.field(first).field("depends_on"), message);
    }
}

/// The index of `needed` in the `depends_on` of the document, which may have entries that were not read.
fn index_of(needed: &str, process: &Value) -> usize {
    let list = process.get("depends_on").and_then(Value::as_array);
    list.and_then(|list| list.iter().position(|item| item == needed))
        .unwrap_or_default()
}

/// Finds cycles of a graph in which `needs[a]` is what `a` needs: at least one of every strongly connected component,
/// each starting with its first member. A depth-first search with an explicit stack.
fn cycles(needs: &[Vec<usize>]) -> Vec<Vec<usize>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        Unseen,
        /// On the stack.
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
        // The path from `start`, each node with the number of its needs that were visited.
        let mut stack = vec![(start, 0)];
        while let Some((node, visited)) = stack.last_mut() {
            let node = *node;
            let Some(&next) = needs[node].get(*visited) else {
                marks[node] = Mark::Done;
                stack.pop();
                continue;
            };
            *visited += 1;
            match marks[next] {
                Mark::Done => {}
                Mark::Unseen => {
                    marks[next] = Mark::Open;
                    stack.push((next, 0));
                }
                Mark::Open => {
                    let nodes = stack.iter().map(|(node, _)| *node);
                    let mut cycle: Vec<_> = nodes.skip_while(|node| *node != next).collect();
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
    fn a_cycle_starts_with_its_first_member() {
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
