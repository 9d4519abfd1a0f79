//! Rungs of a slice's blocks: shape, rule and sums.

use super::numbers::check_count;
use crate::disclosure::{Block, Margins, ReleasedSlice, Rung};
use crate::fault::Refusal;
use crate::roster::same;

/// Every number of a block is 0 or at least k; folds are of two groups or more, and each group is in one that there is.
pub(super) fn check_blocks(slice: &ReleasedSlice, k: u64) -> Result<(), Refusal> {
    let mut members = vec![0_usize; slice.folds.len()];
    for group in &slice.groups {
        check_block(&group.counts, k)?;
        let Block::Folded(fold) = group.counts else { continue };
        match members.get_mut(fold as usize) {
            Some(members) => *members += 1,
            None => return Err(Refusal::new("release", format!("{} folds", slice.folds.len()), fold)),
        }
    }
    for (fold, members) in slice.folds.iter().zip(members) {
        if members < 2 || fold.rung() == Rung::Hidden {
            return Err(Refusal::new("release", "folds of two groups or more that show something", members));
        }
        check_block(fold, k)?;
    }
    Ok(())
}

fn check_block(block: &Block, k: u64) -> Result<(), Refusal> {
    match block {
        Block::Full(counts) => counts.iter().flatten().try_for_each(|count| check_count(*count, k))?,
        Block::Margins(Margins { decisions, labels }) => {
            decisions.iter().chain(labels).try_for_each(|count| check_count(*count, k))?;
            let sum = |line: &[u64; 3]| line.iter().fold(0, |sum: u64, count| sum.saturating_add(*count));
            same("release", &sum(decisions), &sum(labels))?;
        }
        Block::N(events) => check_count(*events, k)?,
        Block::Folded(_) | Block::Withheld => {}
        Block::Noisy(_) => {
            return Err(Refusal::new("release", "counts without noise", "noise that the plan does not ask"));
        }
    }
    match block.rung() {
        Rung::Margins | Rung::N if block.events() == Some(0) => {
            Err(Refusal::new("release", "a block without events in full", "its totals"))
        }
        _ => Ok(()),
    }
}

/// What is shown of a slice adds up to what is shown of the slice without attributes, or leaves something of it.
pub(super) fn check_sums(slice: &ReleasedSlice, whole: &Block, events: u64) -> Result<(), Refusal> {
    let own = slice.groups.iter().map(|group| &group.counts).filter(|block| !matches!(block, Block::Folded(_)));
    let blocks: Vec<&Block> = own.chain(&slice.folds).collect();
    let cells = |block: &Block| block.full().map(|counts| counts.as_flattened().to_vec());
    let totals = |block: &Block| block.margins().map(|of| [of.decisions, of.labels].as_flattened().to_vec());
    let number = |block: &Block| block.events().map(|events| vec![events]);
    if slice.full().is_some() && whole.full().is_none() {
        return Err(Refusal::new("release", "all events in full where each group is", "less of them"));
    }
    add_up(&blocks, cells(whole), cells)?;
    add_up(&blocks, totals(whole), totals)?;
    add_up(&blocks, number(whole), number)?;
    let known = blocks.iter().filter_map(|block| block.events()).fold(0, u64::saturating_add);
    match known <= events {
        true => Ok(()),
        false => Err(Refusal::new("release", format!("groups of up to {events} events"), known)),
    }
}

/// The numbers that are known sum to those of the whole, or to less where some are not.
fn add_up(blocks: &[&Block], whole: Option<Vec<u64>>, of: impl Fn(&Block) -> Option<Vec<u64>>) -> Result<(), Refusal> {
    let Some(whole) = whole else { return Ok(()) };
    let known: Vec<Vec<u64>> = blocks.iter().filter_map(|block| of(block)).collect();
    let mut sums = vec![0_u64; whole.len()];
    for part in &known {
        sums.iter_mut().zip(part).for_each(|(sum, part)| *sum = sum.saturating_add(*part));
    }
    if known.len() == blocks.len() {
        return same("release", &whole, &sums);
    }
    match sums.iter().zip(&whole).all(|(sum, whole)| sum <= whole) {
        true => Ok(()),
        false => Err(Refusal::new("release", format!("parts of {whole:?}"), format!("{sums:?}"))),
    }
}
