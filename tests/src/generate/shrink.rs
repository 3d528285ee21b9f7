//! From a long list of decisions that shows a difference to a short one.

/// Makes the list shorter and its numbers smaller as long as `fails` holds for it, with at most
/// `budget` trials. `fails` holds for `choices` itself.
pub fn shrink(
    choices: Vec<u32>,
    mut budget: usize,
    mut fails: impl FnMut(&[u32]) -> bool,
) -> Vec<u32> {
    let mut best = choices;
    loop {
        let before = best.clone();
        remove_blocks(&mut best, &mut budget, &mut fails);
        lower_numbers(&mut best, &mut budget, &mut fails);
        if best == before || budget == 0 {
            return best;
        }
    }
}

/// Takes the trial over when it still fails.
fn attempt(
    best: &mut Vec<u32>,
    trial: Vec<u32>,
    budget: &mut usize,
    fails: &mut impl FnMut(&[u32]) -> bool,
) -> bool {
    if *budget == 0 || trial == *best {
        return false;
    }
    *budget -= 1;
    let better = fails(&trial);
    if better {
        *best = trial;
    }
    better
}

fn remove_blocks(best: &mut Vec<u32>, budget: &mut usize, fails: &mut impl FnMut(&[u32]) -> bool) {
    let mut size = best.len().div_ceil(2).max(1);
    loop {
        let mut start = best.len().saturating_sub(size);
        loop {
            let end = (start + size).min(best.len());
            let without = [&best[..start], &best[end..]].concat();
            if !attempt(best, without, budget, fails) {
                let mut zeroed = best.clone();
                zeroed[start..end].fill(0);
                attempt(best, zeroed, budget, fails);
            }
            if start == 0 {
                break;
            }
            start = start.saturating_sub(size).min(best.len());
        }
        if size == 1 {
            break;
        }
        size /= 2;
    }
}

fn lower_numbers(best: &mut Vec<u32>, budget: &mut usize, fails: &mut impl FnMut(&[u32]) -> bool) {
    let mut index = 0;
    while index < best.len() {
        let mut low = 0;
        // What is below `low` does not fail.
        while index < best.len() && low < best[index] {
            let middle = low + (best[index] - low) / 2;
            let mut trial = best.clone();
            trial[index] = middle;
            if !attempt(best, trial, budget, fails) {
                low = middle + 1;
            }
            if *budget == 0 {
                return;
            }
        }
        index += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_matter_goes_away() {
        let choices: Vec<u32> = (0..200).collect();
        let small = shrink(choices, 10_000, |list| list.iter().any(|n| *n >= 150));
        assert_eq!(small, [150]);
    }

    #[test]
    fn what_matters_stays_and_the_budget_holds() {
        let mut trials = 0;
        let small = shrink(vec![9, 8, 7, 6, 5, 4], 7, |list| {
            trials += 1;
            list.contains(&7) && list.contains(&4)
        });
        assert!(small.contains(&7) && small.contains(&4), "{small:?}");
        assert_eq!(trials, 7);
    }
}
