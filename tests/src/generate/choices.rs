//! Where a generator's decisions come from.
//!
//! Every decision is a number below some bound, and zero is always the simplest one. So a generated
//! text is a list of numbers, and to shrink it is to make the list shorter and its numbers smaller:
//! the grammar needs to know nothing of it.

use std::collections::VecDeque;

use fastrand::Rng;

/// Decisions, fresh or repeated.
#[derive(Debug)]
pub struct Choices {
    source: Source,
    /// What has been decided so far.
    taken: Vec<u32>,
}

#[derive(Debug)]
enum Source {
    Fresh(Rng),
    /// Behind its end everything is zero.
    Repeated(VecDeque<u32>),
}

impl Choices {
    /// The decisions that belong to a seed.
    pub fn fresh(seed: u64) -> Self {
        Self { source: Source::Fresh(Rng::with_seed(seed)), taken: Vec::new() }
    }

    /// Decisions made before.
    pub fn repeated(choices: &[u32]) -> Self {
        Self { source: Source::Repeated(choices.iter().copied().collect()), taken: Vec::new() }
    }

    /// All decisions made, to be repeated.
    pub fn taken(self) -> Vec<u32> {
        self.taken
    }

    /// A number below `bound`, which is not zero.
    pub fn below(&mut self, bound: u32) -> u32 {
        let choice = match &mut self.source {
            Source::Fresh(rng) => rng.u32(0..bound),
            Source::Repeated(choices) => choices.pop_front().unwrap_or(0).min(bound - 1),
        };
        self.taken.push(choice);
        choice
    }

    /// True in so many of a hundred cases; the simple decision is false.
    pub fn chance(&mut self, percent: u32) -> bool {
        self.below(100) >= 100 - percent
    }

    /// An element of a list that is not empty; the first one is the simplest.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.index(list.len())]
    }

    /// An index into a list of so many elements.
    pub fn index(&mut self, length: usize) -> usize {
        let bound = u32::try_from(length).unwrap_or(u32::MAX);
        self.below(bound) as usize
    }

    /// An index, each as often as its weight says.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut left = self.below(weights.iter().sum());
        for (index, weight) in weights.iter().enumerate() {
            if left < *weight {
                return index;
            }
            left -= weight;
        }
        weights.len() - 1
    }
}
